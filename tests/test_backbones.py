"""Reading hidden states: hooks, pooling, prompts, loading; on toy checkpoints of real architectures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hiprobe.backbones import Batch, LoadOptions, Prompt, load_backbone
from hiprobe.backbones.fingerprint import checkpoint_fingerprints
from hiprobe.backbones.hooks import LayerReader
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.errors import BackboneError, UsageError
from tests.families.toys import write_toy
from tests.reading import values_of

PROMPT = "what happens"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy("internvl", tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def backbone(folder: Path) -> HuggingFaceBackbone:
    return load_checkpoint(str(folder), LoadOptions())


@pytest.fixture
def frames(backbone: HuggingFaceBackbone) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 3, *backbone.info.frame_size, 3), dtype=np.uint8)


def hooks_of(model: torch.nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


@torch.inference_mode()
def test_hooks_equal_output_hidden_states_bit_for_bit(backbone: HuggingFaceBackbone) -> None:
    language, layers = backbone.model.get_decoder(), backbone.info.layers
    embeddings = torch.randn(2, 7, backbone.info.width)
    expected = language(inputs_embeds=embeddings, output_hidden_states=True).hidden_states
    with LayerReader(language.layers, range(1, layers + 1)) as reader:
        language(inputs_embeds=embeddings)
    assert reader.embeddings is not None and torch.equal(reader.embeddings, expected[0])
    for layer in range(1, layers):
        assert torch.equal(reader.states[layer], expected[layer])
    # The trap: the last entry of output_hidden_states is after the final norm; layer L here is before it.
    assert not torch.equal(reader.states[layers], expected[layers])
    assert torch.equal(language.norm(reader.states[layers]), expected[layers])


@torch.inference_mode()
def test_blocks_above_the_deepest_layer_do_not_run(backbone: HuggingFaceBackbone) -> None:
    language = backbone.model.get_decoder()
    ran = []
    handles = [
        block.register_forward_pre_hook(lambda *_, number=number: ran.append(number))
        for number, block in enumerate(language.layers, start=1)
    ]
    with LayerReader(language.layers, [2, 3]) as reader:
        language(inputs_embeds=torch.randn(1, 4, backbone.info.width))
    for handle in handles:
        handle.remove()
    assert ran == [1, 2, 3]
    assert sorted(reader.states) == [2, 3]


def test_hooks_are_removed_when_the_pass_fails(backbone: HuggingFaceBackbone) -> None:
    language = backbone.model.get_decoder()
    before = hooks_of(language)  # transformers leaves some of its own
    with pytest.raises(RuntimeError), LayerReader(language.layers, [1, 4]):
        language(inputs_embeds=torch.randn(1, 4, backbone.info.width + 1))
    assert hooks_of(language) == before
    with pytest.raises(IndexError), LayerReader(language.layers, [1, 99]):
        pass
    assert hooks_of(language) == before


@torch.inference_mode()
def test_poolings_agree_with_the_models_own_forward(backbone: HuggingFaceBackbone, frames: np.ndarray) -> None:
    model, width = backbone.model, backbone.info.width
    prepared = [backbone.family.prepare(segment, 0.25, Prompt(PROMPT)) for segment in frames]
    inputs = {name: torch.cat([item.inputs[name] for item in prepared]) for name in prepared[0].inputs}
    output = model(**inputs, output_hidden_states=True)
    places = inputs["input_ids"][0] == model.config.image_token_id
    per_frame = model.config.image_seq_length
    assert places.sum() == 3 * per_frame == 3 * (backbone.info.tokens_per_frame or 0)
    expected = output.hidden_states[2]
    visual = expected[:, places]
    last, mean, moving = (values_of(backbone, frames, PROMPT, [2], p) for p in ("last", "visual", "motion"))
    assert last.shape == mean.shape == (2, 1, width) and last.dtype == np.float32
    np.testing.assert_allclose(last[:, 0], expected[:, -1], atol=1e-5)
    np.testing.assert_allclose(mean[:, 0], visual.mean(1), atol=1e-5)
    tokens = model.get_image_features(pixel_values=inputs["pixel_values"]).pooler_output.reshape(2, 3, per_frame, width)
    weights = (tokens - tokens.mean(1, keepdim=True)).norm(dim=-1).reshape(2, -1, 1)
    np.testing.assert_allclose(moving[:, 0], (visual * weights).sum(1) / weights.sum(1), atol=1e-5)


def test_motion_pooling_of_a_still_picture_is_the_plain_mean(backbone: HuggingFaceBackbone, frames: np.ndarray) -> None:
    still = frames[:, :1].repeat(3, axis=1)
    moving = values_of(backbone, still, "what", [1, 4], "motion")
    np.testing.assert_allclose(moving, values_of(backbone, still, "what", [1, 4], "visual"), atol=1e-5)


def test_the_deepest_layer_asked_for_does_not_change_the_others(
    backbone: HuggingFaceBackbone, frames: np.ndarray
) -> None:
    layers = backbone.info.every_layer
    every = values_of(backbone, frames, "what", layers, "visual")
    for layer in layers:
        assert np.array_equal(every[:, layer - 1], values_of(backbone, frames, "what", [layer], "visual")[:, 0])


@pytest.mark.parametrize("layers", [[], [0], [5], [2, 1], [2, 2]])
def test_layers_that_do_not_exist_are_refused(
    backbone: HuggingFaceBackbone, frames: np.ndarray, layers: list[int]
) -> None:
    with pytest.raises(UsageError, match="decoder blocks between 1 and 4"):
        values_of(backbone, frames, "what", layers, "last")


def test_wrong_requests_are_refused(backbone: HuggingFaceBackbone, frames: np.ndarray) -> None:
    with pytest.raises(UsageError, match="Pooling 'max'"):
        values_of(backbone, frames, "what", [1], "max")
    with pytest.raises(UsageError, match="takes uint8"):
        values_of(backbone, frames[..., :16, :], "what", [1], "last")
    with pytest.raises(UsageError, match="control token"):
        values_of(backbone, frames, "what <IMG_CONTEXT>", [1], "last")


def test_states_that_are_not_finite_are_an_error(folder: Path, frames: np.ndarray) -> None:
    broken = load_checkpoint(str(folder), LoadOptions())
    with torch.no_grad():
        broken.model.get_decoder().layers[2].mlp.down_proj.weight.fill_(torch.inf)
    with pytest.raises(BackboneError, match=r"not finite at layers \[3, 4\]"):
        values_of(broken, frames, "what", [1, 3, 4], "visual")


def test_generated_text_is_deterministic(backbone: HuggingFaceBackbone, frames: np.ndarray) -> None:
    first = backbone.generate(Batch(frames[:1]), PROMPT, 4)
    assert first == backbone.generate(Batch(frames[:1]), PROMPT, 4)
    with pytest.raises(UsageError, match="A batch of 2 segments"):
        backbone.generate(Batch(frames), PROMPT, 4)


def test_fingerprint_follows_weights_configuration_and_the_way_in_alone(folder: Path, tmp_path: Path) -> None:
    def of(path: Path, **reading: str) -> str:
        return checkpoint_fingerprints(path, reading, {}).now

    again, other = write_toy("internvl", tmp_path / "again"), write_toy("internvl", tmp_path / "other", seed=1)
    assert of(folder) == of(again) != of(other)
    assert of(folder, way="video") != of(folder, way="images")
    config = again / "config.json"
    config.write_text(config.read_text().replace('"float32"', '"bfloat16"'))
    assert of(folder) == of(again)
    config.write_text(config.read_text().replace('"downsample_ratio": 0.5', '"downsample_ratio": 0.25'))
    assert of(folder) != of(again)


def test_a_cut_model_has_the_whole_ones_states_and_fingerprint_but_not_its_blocks(
    folder: Path, backbone: HuggingFaceBackbone, frames: np.ndarray
) -> None:
    for depth in (1, 3):
        cut = load_checkpoint(str(folder), LoadOptions(), depth)
        assert (cut.info.depth, cut.info.layers, cut.info.fingerprint) == (depth, 4, backbone.info.fingerprint)
        assert len(cut.model.get_decoder().layers) == depth and not hasattr(cut.model, "lm_head")
        expected = values_of(backbone, frames, PROMPT, [depth], "motion")
        assert np.array_equal(values_of(cut, frames, PROMPT, [depth], "motion"), expected)
    with pytest.raises(UsageError, match="up to which it was loaded of 4"):
        values_of(cut, frames, PROMPT, [4], "last")
    with pytest.raises(UsageError, match="up to layer 3 only"):
        HuggingFaceBackbone(cut.model, cut.family, cut.info).generate(Batch(frames[:1]), PROMPT, 2)
    assert cut.generate(Batch(frames[:1]), PROMPT, 2) == backbone.generate(Batch(frames[:1]), PROMPT, 2)
    assert cut.info == backbone.info and len(cut.model.get_decoder().layers) == 4
    expected = values_of(backbone, frames, PROMPT, [4], "last")
    assert np.array_equal(values_of(cut, frames, PROMPT, [4], "last"), expected)
    assert load_checkpoint(str(folder), LoadOptions(), 4).info.depth is None
    with pytest.raises(UsageError, match="cannot be cut to 5"):
        load_checkpoint(str(folder), LoadOptions(), 5)


def test_bfloat16_states_are_close_to_float32(folder: Path, backbone: HuggingFaceBackbone, frames: np.ndarray) -> None:
    half = load_checkpoint(str(folder), LoadOptions(dtype="bfloat16"))
    assert half.model.dtype == torch.bfloat16 and half.info == backbone.info
    found, expected = (values_of(b, frames, PROMPT, [2], "visual") for b in (half, backbone))
    assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_checkpoints_that_cannot_be_used_say_why(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no backbone 'gpt'"):
        load_backbone("gpt")
    with pytest.raises(UsageError, match="a folder has no revision"):
        load_backbone(str(folder), options=LoadOptions(revision="v1"))
    with pytest.raises(BackboneError, match="offline mode forbids"):
        load_backbone("nobody/nothing", options=LoadOptions(offline=True))
    with pytest.raises(BackboneError, match="is this the folder of a checkpoint"):
        load_backbone(str(tmp_path))
    own_code = write_toy("internvl", tmp_path / "own-code")
    (own_code / "config.json").write_text('{"model_type": "internvl_chat", "auto_map": {"AutoConfig": "code.Config"}}')
    with pytest.raises(BackboneError, match="'internvl_chat' is its makers' own format"):
        load_backbone(str(own_code))
    with pytest.raises(BackboneError, match="the code that it is to bring is missing"):
        load_backbone(str(own_code), options=LoadOptions(trust_remote_code=True))
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text((folder / "config.json").read_text())
    (pickled / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(BackboneError, match=r"pytorch_model.bin is pickled"):
        load_backbone(str(pickled))
    (pickled / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00002-of-00002.safetensors"}}')
    with pytest.raises(BackboneError, match=r"model-00002-of-00002.safetensors is missing"):
        load_backbone(str(pickled))


def test_a_text_only_model_is_refused(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=8)
    LlamaForCausalLM(config).save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="'llama' is no model that transformers loads"):
        load_backbone(str(tmp_path))


def test_weights_that_are_missing_are_not_left_random(folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    damaged = write_toy("internvl", tmp_path)
    weights = load_file(damaged / "model.safetensors")
    name = next(name for name in weights if "layers.1.mlp.down_proj" in name and "language_model" in name)
    del weights[name]
    save_file(weights, damaged / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BackboneError, match=r"lacks 1 weights, .*layers\.1\.mlp\.down_proj"):
        load_backbone(str(damaged)).load()


def test_a_damaged_tokenizer_is_noticed_before_the_model_runs(folder: Path, tmp_path: Path) -> None:
    damaged = write_toy("internvl", tmp_path)
    for path in (damaged / "tokenizer.json", damaged / "tokenizer_config.json"):
        path.write_text(path.read_text().replace("<IMG_CONTEXT>", "<IMG_OTHER>"))
    backbone = load_checkpoint(str(damaged), LoadOptions())
    frames = np.zeros((1, 2, *backbone.info.frame_size, 3), dtype=np.uint8)
    with pytest.raises(BackboneError, match="0 visual tokens were found for 2 frames"):
        values_of(backbone, frames, PROMPT, [1], "last")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_options_that_need_a_gpu_say_so(folder: Path) -> None:
    for options in (LoadOptions(device="cuda"), LoadOptions(quantize="4bit")):
        with pytest.raises(UsageError, match="GPU"):
            load_backbone(str(folder), options=options)
    with pytest.raises(UsageError, match="--device 'mps': cannot be used"):
        load_backbone(str(folder), options=LoadOptions(device="mps")).load()
    with pytest.raises(UsageError, match="give cpu, cuda"):
        load_backbone(str(folder), options=LoadOptions(device="gpu"))
    with pytest.raises(UsageError, match="dtype 'int8'"):
        LoadOptions(dtype="int8")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="give one of them"):
        LoadOptions(device="cpu", device_map="auto")


@pytest.mark.parametrize("trusted", [False, True])
def test_an_id_is_looked_for_on_this_machine_first_and_only_harmless_files_are_fetched(
    folder: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    asked = []

    def snapshot(name: str, *, revision: str, allow_patterns: list[str], local_files_only: bool = False) -> str:
        asked.append((name, revision, local_files_only))
        assert ("*.py" in allow_patterns) is trusted and not {"*.bin", "*.pt"} & set(allow_patterns)
        if local_files_only:
            raise FileNotFoundError
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    told: list[str] = []
    options = LoadOptions(revision="v1", trust_remote_code=trusted)
    assert load_backbone("someone/model", told.append, options).info.name == "someone/model"
    assert asked == [("someone/model", "v1", True), ("someone/model", "v1", False)]
    assert (
        any("fetching" in line for line in told) and any("may run with all your rights" in t for t in told) is trusted
    )
