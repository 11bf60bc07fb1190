"""Every family, in the environment at hand: with torchvision natively, without it by PIL image processors."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

import hiprobe.backbones.families
from hiprobe.backbones import Batch, LoadOptions, Prompt
from hiprobe.backbones.base import FRAME_INTERVAL
from hiprobe.backbones.catalogue import SUGGESTED
from hiprobe.backbones.checking import check_checkpoint
from hiprobe.backbones.families import Prepared, find_family
from hiprobe.backbones.families.base import expand, has_torchvision
from hiprobe.backbones.families.generic import Generic
from hiprobe.backbones.families.internvl import InternVL
from hiprobe.backbones.hooks import HeadReader
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.loading import load_config
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.backbones.preparing import Preparer, Raw
from hiprobe.backbones.sites import vision_blocks
from hiprobe.errors import BackboneError
from tests.families.configs import FULL, full_config
from tests.families.toys import TOYS, write_full_files, write_toy
from tests.reading import states_of, values_of

PROMPT = "what happens"
FRAMES = 4

with_torchvision = pytest.mark.skipif(not has_torchvision(), reason="needs torchvision: make test-families")
without_torchvision = pytest.mark.skipif(has_torchvision(), reason="is of the environment without torchvision")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: write_toy(name, tmp_path_factory.mktemp(name)) for name in TOYS}


@pytest.fixture(scope="module")
def loaded(folders: dict[str, Path]) -> dict[str, HuggingFaceBackbone]:
    return {name: load_checkpoint(str(folder), LoadOptions()) for name, folder in folders.items()}


@pytest.fixture(params=TOYS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def backbone(name: str, loaded: dict[str, HuggingFaceBackbone]) -> HuggingFaceBackbone:
    loaded[name].frames.clear()
    return loaded[name]


def pictures(backbone: HuggingFaceBackbone, batch: int = 2, frames: int = FRAMES) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (batch, frames, *backbone.info.frame_size, 3), dtype=np.uint8)


def test_every_check_of_the_self_test_passes(name: str, folders: dict[str, Path]) -> None:
    findings = list(check_checkpoint(str(folders[name]), LoadOptions()))
    assert [finding for finding in findings if finding.passed is False] == []
    assert sum(finding.passed is True for finding in findings) == 5


@torch.inference_mode()
def test_hooks_equal_output_hidden_states(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone, 1)
    inputs = backbone.family.prepare(frames[0], FRAME_INTERVAL, Prompt(PROMPT)).inputs
    output = backbone.model(**inputs, output_hidden_states=True, use_cache=False)
    layers = range(1, backbone.info.layers)
    states = backbone.read_prepared(backbone.prepare(frames, PROMPT), layers, "last")[0]
    for layer in layers:
        assert np.array_equal(states[layer - 1], output.hidden_states[layer][0, -1].numpy()), layer


def test_the_mean_of_token_states_is_the_visual_pooling(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone)
    layers = backbone.info.every_layer
    tokens = values_of(backbone, frames, "What happens?", layers, "tokens")
    assert backbone.info.tokens is not None and tokens.shape[-1] == backbone.info.tokens.width
    assert set(backbone.info.tokens.layers) <= set(layers)
    visual = values_of(backbone, frames, "What happens?", layers, "visual")
    np.testing.assert_allclose(tokens.mean((2, 3)), visual, rtol=1e-4, atol=1e-5)


def test_visual_tokens_lie_where_their_place_says(backbone: HuggingFaceBackbone) -> None:
    """What changes in one corner of the third frame changes most the token that is said to be there."""
    before = pictures(backbone, batch=1)
    height, width = backbone.info.frame_size
    found = states_of(backbone, before, PROMPT, [1], "visual", places=True)
    assert np.array_equal(found.values, values_of(backbone, before, PROMPT, [1], "visual"))
    assert found.places is not None and found.places.motion is None
    steps, rows, columns = found.places.states.shape[1:4]
    for row, column in ((0, columns - 1), (rows - 1, 0)):
        after = before.copy()
        top, left = row * height // rows, column * width // columns
        after[0, 2, top : top + height // rows, left : left + width // columns] = 255
        changed = states_of(backbone, after, PROMPT, [1], "visual", places=True).places
        assert changed is not None
        change = np.abs(changed.states - found.places.states)[0].sum(-1)
        # Tokens are told apart by their embeddings; later ones see this one, but little of it.
        place = np.unravel_index(change.argmax(), change.shape)
        assert place == (2 * steps // FRAMES, row, column)


def test_a_cut_model_equals_the_whole(name: str, backbone: HuggingFaceBackbone, folders: dict[str, Path]) -> None:
    frames = pictures(backbone)
    for depth in range(1, backbone.info.layers):
        cut = load_checkpoint(str(folders[name]), LoadOptions(dtype="float32"), depth)
        assert len(cut.model.get_decoder().layers) == depth and not hasattr(cut.model, "lm_head")
        assert cut.info.fingerprint == backbone.info.fingerprint
        expected = values_of(backbone, frames, PROMPT, [depth], "visual")
        assert np.array_equal(values_of(cut, frames, PROMPT, [depth], "visual"), expected)


def test_a_cut_model_in_bfloat16_stays_within_a_hundredth(name: str, folders: dict[str, Path]) -> None:
    """The same arithmetic in the same type: only what a kernel rounds otherwise may differ."""
    whole, cut = (load_checkpoint(str(folders[name]), LoadOptions(dtype="bfloat16"), depth) for depth in (None, 2))
    frames = pictures(whole)
    expected, found = (values_of(b, frames, PROMPT, [2], "visual") for b in (whole, cut))
    assert np.abs(found - expected).max() <= 0.01 * np.abs(expected).max()


def test_changing_a_frame_changes_exactly_its_tokens(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone, 1)
    prepared = backbone.prepare(frames, PROMPT)
    before = backbone.embeddings(prepared)[0]
    visual, steps = prepared[0].visual, prepared[0].steps
    places = visual.nonzero()[:, 0].reshape(steps, -1)
    for frame in range(FRAMES):
        changed = frames.copy()
        changed[0, frame] = 255 - changed[0, frame]
        after = backbone.prepare(changed, PROMPT)
        assert torch.equal(after[0].inputs["input_ids"], prepared[0].inputs["input_ids"])
        moved = (backbone.embeddings(after)[0] != before).any(dim=1)
        assert moved.nonzero()[:, 0].tolist() == places[frame * steps // FRAMES].tolist()
    # Nor do hidden states before the frame's tokens change, at any layer: the language model looks back only. (Gemma 3
    # lets the tokens of one image see each other.)
    layers = backbone.info.every_layer
    last = frames.copy()
    last[0, -1] = 255 - last[0, -1]
    states = [backbone._run(item, layers)[0] for item in (prepared, backbone.prepare(last, PROMPT))]
    for layer in layers:
        first = int(places[-1, 0])
        torch.testing.assert_close(states[0][layer][0, :first], states[1][layer][0, :first], rtol=0, atol=1e-5)


def test_a_batch_equals_its_singles_and_nothing_is_padded(backbone: HuggingFaceBackbone) -> None:
    frames, layers = pictures(backbone, 3), backbone.info.every_layer
    for item in backbone.prepare(frames, PROMPT):
        assert (item.inputs["attention_mask"] == 1).all()
    for pooling in ("last", "visual", "motion"):
        together = values_of(backbone, frames, PROMPT, layers, pooling)
        alone = [values_of(backbone, frames[i : i + 1], PROMPT, layers, pooling) for i in range(3)]
        np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4)
        assert np.abs(together[0] - together[1]).max() > 1e-3


def test_visual_tokens_of_a_frame_do_not_depend_on_the_batch(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone, 3)
    visual = backbone.prepare(frames, PROMPT)[0].visual
    together = backbone.embeddings(backbone.prepare(frames, PROMPT))[:, visual]
    for row in range(3):
        alone = backbone.embeddings(backbone.prepare(frames[row : row + 1], PROMPT))[0, visual]
        torch.testing.assert_close(together[row], alone, rtol=1e-4, atol=1e-5)


def test_overlapping_segments_encode_common_frames_once_and_states_are_the_same(
    backbone: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The uncached path is the model's own, with pixels, segment by segment."""
    (video,) = pictures(backbone, 1, 8)
    # Two frames on: where frames are joined in pairs, the pairs are the same.
    frames = np.stack([video[start : start + FRAMES] for start in (0, 2, 4)])
    layers = backbone.info.every_layer
    before = backbone.frames.encoded
    batch = values_of(backbone, frames[:2], PROMPT, layers, "visual")
    found = np.concatenate([batch, values_of(backbone, frames[2:], PROMPT, layers, "visual")])
    steps = sum(item.steps for item in backbone.prepare(frames, PROMPT))
    cached = not isinstance(backbone.family, Generic)
    assert backbone.frames.encoded - before == (steps * 8 // 12 if cached else 0)
    monkeypatch.setattr(backbone, "_prepare", backbone.family.prepare)
    monkeypatch.setattr(backbone.family, "units", lambda prepared: None)
    alone = [values_of(backbone, frames[i : i + 1], PROMPT, layers, "visual") for i in range(3)]
    np.testing.assert_allclose(found, np.concatenate(alone), atol=1e-4)


def test_segments_of_different_lengths_in_tokens_are_read_one_by_one(
    backbone: HuggingFaceBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = pictures(backbone)
    prepare = backbone._prepare
    longer = iter(["a few words more than", ""])

    def uneven(segment: np.ndarray, interval: float, prompt: Prompt) -> Prepared:
        return prepare(segment, interval, Prompt(next(longer) + prompt.text))

    monkeypatch.setattr(backbone, "_prepare", uneven)
    found = values_of(backbone, frames, PROMPT, [2], "last")
    monkeypatch.undo()
    expected = values_of(backbone, frames[1:], PROMPT, [2], "last")
    np.testing.assert_allclose(found[1:], expected, atol=1e-5)
    assert np.abs(found[0] - values_of(backbone, frames[:1], PROMPT, [2], "last")).max() > 1e-4


def test_generation_runs_and_is_deterministic(backbone: HuggingFaceBackbone) -> None:
    batch = Batch(pictures(backbone, 1))
    assert backbone.generate(batch, PROMPT, 3) == backbone.generate(batch, PROMPT, 3)


def test_tokens_per_frame_are_what_the_family_says(backbone: HuggingFaceBackbone) -> None:
    said = backbone.info.tokens_per_frame
    found = int(backbone.prepare(pictures(backbone, 1), PROMPT)[0].visual.sum()) / FRAMES
    assert said in (None, found)


def test_an_odd_number_of_frames_and_a_single_one_work(backbone: HuggingFaceBackbone) -> None:
    for count in (1, 3):
        states = values_of(backbone, pictures(backbone, 1, count), PROMPT, [2], "motion")
        assert np.isfinite(states).all()


@with_torchvision
@pytest.mark.parametrize("name", ["internvl", "internvl3_5", "llava_onevision", "smolvlm"])
def test_inputs_equal_the_native_processors(name: str, loaded: dict[str, HuggingFaceBackbone]) -> None:
    """These families are prepared without torchvision too; where it is, the library's own processor must agree."""
    from transformers import AutoProcessor

    backbone = loaded[name]
    folder = backbone.model.config._name_or_path
    native = AutoProcessor.from_pretrained(folder)
    frames = pictures(backbone, 1)
    content = [{"type": "video"}, {"type": "text", "text": PROMPT}]
    text = native.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    expected = native(
        text=[text],
        videos=[frames[0]],
        video_metadata=[{"total_num_frames": FRAMES, "fps": 4.0, "duration": 1.0, "frames_indices": [*range(FRAMES)]}],
        do_sample_frames=False,
        return_tensors="pt",
        # The native SmolVLM processor enlarges frames and shrinks them again, which would only blur ours.
        **({"size": {"longest_edge": frames.shape[2]}} if name == "smolvlm" else {}),
    )
    prepared = backbone._inputs(backbone.prepare(frames, PROMPT))
    assert torch.equal(prepared["input_ids"], torch.as_tensor(expected["input_ids"]))
    key = next(key for key in expected if key in ("pixel_values", "pixel_values_videos"))
    torch.testing.assert_close(prepared[key], expected[key], rtol=0, atol=1e-3)


@with_torchvision
def test_qwen_is_told_the_time_between_frames(loaded: dict[str, HuggingFaceBackbone]) -> None:
    frames = pictures(loaded["qwen2_5_vl"], 1)
    prepared = loaded["qwen2_5_vl"].prepare(frames, PROMPT, [2.0])[0]
    assert prepared.inputs["second_per_grid_ts"].tolist() == [1.0] and prepared.steps == FRAMES // 2
    third = loaded["qwen3_vl"]
    ids = third.prepare(pictures(third, 1), PROMPT, [2.0])[0].inputs["input_ids"][0]
    text = third.family.tokenizer.decode(ids)
    assert "0.2 seconds" in text.replace(" .", ".") or ("0.2 seconds" in text and "1.2 seconds" in text)


@without_torchvision
def test_qwen_takes_images_where_torchvision_is_absent(loaded: dict[str, HuggingFaceBackbone]) -> None:
    for name in ("qwen2_5_vl", "qwen3_vl"):
        prepared = loaded[name].prepare(pictures(loaded[name], 1), PROMPT)[0]
        assert loaded[name].family.way == "images" and prepared.steps == FRAMES
        assert "image_grid_thw" in prepared.inputs


@without_torchvision
def test_what_needs_torchvision_says_so(folders: dict[str, Path]) -> None:
    config = load_config(folders["qwen3_vl"], LoadOptions())
    with pytest.raises(BackboneError, match=r"cannot be built .*: install torchvision in the build that fits torch"):
        Generic(folders["qwen3_vl"], config)


@pytest.mark.parametrize("suggested", SUGGESTED, ids=lambda item: item.checkpoint)
def test_full_size_configurations_have_what_the_list_of_models_says(suggested: Any) -> None:
    from transformers import AutoModelForImageTextToText

    config = full_config(suggested.checkpoint)
    with torch.device("meta"):
        model: Any = AutoModelForImageTextToText.from_config(config)
    model.tie_weights()
    text = config.get_text_config(decoder=True)
    assert (text.num_hidden_layers, text.hidden_size) == (suggested.layers, suggested.width)
    assert len(model.get_decoder().layers) == suggested.layers
    parameters = sum(weight.numel() for weight in model.parameters()) / 1e9
    assert parameters == pytest.approx(suggested.parameters, rel=0.02)
    assert find_family(config.model_type).name == suggested.family


@pytest.mark.parametrize("suggested", SUGGESTED, ids=lambda item: item.checkpoint)
def test_a_segment_at_full_size_has_as_many_visual_tokens_as_the_list_says(suggested: Any, tmp_path: Path) -> None:
    write_full_files(suggested.checkpoint, tmp_path)
    config = load_config(tmp_path, LoadOptions())
    family = find_family(config.model_type)(tmp_path, config)
    assert family.size() == (suggested.frame_size, suggested.frame_size)
    frames = np.zeros((8, *family.size(), 3), dtype=np.uint8)
    prepared = Preparer(family)(frames, 0.25, Prompt(PROMPT))
    assert isinstance(prepared, Raw) == (not isinstance(family, Generic))  # pixels are made on the device
    tokens = int(prepared.visual.sum())
    # Qwen's frames are joined in pairs only as video.
    pairs = 2 if "Qwen" in suggested.family and family.way == "images" else 1
    assert tokens == suggested.tokens * pairs
    assert family.tokens_per_frame() in (None, tokens / 8)


def test_every_suggested_checkpoint_has_its_configuration_in_the_tests() -> None:
    assert {item.checkpoint for item in SUGGESTED} <= set(FULL)


class Added(InternVL):
    """What another package might bring."""

    name = "added"
    model_types: ClassVar[tuple[str, ...]] = ("internvl",)


def test_other_packages_add_families_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    def offer(value: str) -> None:
        entry = EntryPoint("added", value, "hiprobe.families")
        monkeypatch.setattr(hiprobe.backbones.families, "entry_points", lambda group: [entry])

    offer(f"{__name__}:Added")
    assert find_family("internvl") is Added and find_family("gemma3") is Generic
    offer(f"{__name__}:Missing")
    with pytest.raises(BackboneError, match=r"family 'added' .* cannot be loaded"):
        find_family("internvl")
    offer(f"{__name__}:FRAMES")
    with pytest.raises(BackboneError, match="no subclass of Family"):
        find_family("internvl")


def test_a_wrong_family_is_found_out(loaded: dict[str, HuggingFaceBackbone], monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test can fail: here the family takes the token after each visual one for visual."""
    from hiprobe.backbones.checking import _visual_tokens

    backbone = loaded["internvl"]
    prepare = backbone._prepare

    def shifted(*given: Any) -> Prepared:
        prepared = prepare(*given)
        return replace(prepared, visual=prepared.visual.roll(1))

    monkeypatch.setattr(backbone, "_prepare", shifted)
    assert _visual_tokens(backbone, pictures(backbone)).passed is False


def test_a_template_of_another_family_is_refused() -> None:
    assert expand("a <x> b <x>", "<x>", ["1", "2"]) == "a 1 b 2"
    with pytest.raises(BackboneError, match="wrote 1 placeholders '<x>' for 2"):
        expand("a <x>", "<x>", ["1", "2"])


@torch.inference_mode()
def test_sites_are_what_the_model_computes_there(backbone: HuggingFaceBackbone) -> None:
    frames = pictures(backbone)
    item = backbone.prepare(frames[:1], PROMPT)[0]
    output = backbone.model(**backbone._inputs([item]), output_hidden_states=True, use_cache=False)
    # Heads: mixed by the output projection they are what attention adds in the first block.
    heads = values_of(backbone, frames, PROMPT, (), "last", site="heads")
    block = backbone.model.get_decoder().layers[0]
    count = backbone.model.config.get_text_config(decoder=True).num_attention_heads
    assert heads.shape[:2] == (2, backbone.info.layers * count)
    said = []
    handle = block.self_attn.register_forward_hook(lambda _module, _inputs, out: said.append(out[0]))
    backbone.read_prepared([item], [1], "last")
    handle.remove()
    mixed = block.self_attn.o_proj(torch.from_numpy(heads[0, :count]).flatten())
    torch.testing.assert_close(mixed, said[0][0, -1], rtol=1e-4, atol=1e-5)
    # The projector: the pooling of layer 0, so to say.
    projector = values_of(backbone, frames, PROMPT, (), "pair", site="projector")
    expected = output.hidden_states[0][0, item.visual].mean(dim=0)
    torch.testing.assert_close(torch.from_numpy(projector[0, 0, : backbone.info.width]), expected, rtol=1e-4, atol=1e-5)
    vision = values_of(backbone, frames, PROMPT, (), "pair", site="vision")
    assert vision.shape[:2] == (2, len(vision_blocks(backbone.model))) and np.isfinite(vision).all()


def test_what_stands_still_does_not_change_in_the_vision_tower(backbone: HuggingFaceBackbone) -> None:
    still = pictures(backbone, 1, 1).repeat(FRAMES, axis=1)
    change = np.split(values_of(backbone, still, PROMPT, (), "pair", site="vision"), 2, axis=2)[1]
    moved = np.split(values_of(backbone, pictures(backbone, 1), PROMPT, (), "pair", site="vision"), 2, axis=2)[1]
    assert change.max() < 1e-4 < moved.min(axis=2).max()


def test_heads_elsewhere_are_told() -> None:
    class Block(torch.nn.Module):
        pass

    with pytest.raises(BackboneError, match=r"decoder blocks \[1, 2\] \(Block\) have no self_attn.o_proj"):
        HeadReader(torch.nn.ModuleList([Block(), Block()]))
