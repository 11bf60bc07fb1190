"""Frames keep the proportions of the video where a family takes more than one size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hiprobe.backbones import Batch, LoadOptions, Prompt
from hiprobe.backbones.base import FRAME_INTERVAL
from hiprobe.backbones.families.base import has_torchvision
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.opening import load_checkpoint, open_checkpoint
from hiprobe.backbones.preparing import Raw
from hiprobe.errors import UsageError
from tests.families.toys import FRAMES, PROMPT, altered

QWEN = ("qwen2_5_vl", "qwen3_vl")
SIZED = (*QWEN, "internvl", "internvl3_5")


def noise(size: tuple[int, int], batch: int = 1, frames: int = FRAMES) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (batch, frames, *size, 3), dtype=np.uint8)


def sized(backbone: HuggingFaceBackbone, picture: tuple[int, int]) -> tuple[int, int]:
    """The size of frames of a video, with pixels for four tiles or tokens or more."""
    assert backbone.info.sizes is not None
    return backbone.info.sizes.of(picture, FRAMES, 4 * 64 * 64)


@pytest.fixture(params=SIZED)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_tokens_follow_the_picture(backbone: HuggingFaceBackbone) -> None:
    wide, high = sized(backbone, (90, 160)), sized(backbone, (160, 90))
    assert wide == high[::-1] and wide[1] > wide[0]
    counts = {size: int(backbone.prepare(noise(size), PROMPT)[0].visual.sum()) for size in (wide, high)}
    square = int(backbone.prepare(noise(backbone.info.frame_size), PROMPT)[0].visual.sum())
    assert counts[wide] == counts[high] and counts[wide] != square


def test_states_are_those_of_the_models_own_forward_pass(backbone: HuggingFaceBackbone) -> None:
    """The uncached path is the model's own, with pixels; sizes may alternate."""
    reading = replace(backbone.info.reading(prompt=PROMPT, pooling="visual"), pixels=4 * 64 * 64)
    own = altered(backbone, units=lambda self, prepared: None)
    for picture in ((90, 160), (160, 90), (90, 160)):
        frames = noise(sized(backbone, picture), 2)
        found = backbone.read(Batch(frames), reading).values
        alone = [own.read(Batch(frames[i : i + 1]), reading).values for i in range(2)]
        np.testing.assert_allclose(found, np.concatenate(alone), atol=1e-4)


@torch.inference_mode()
def test_places_are_where_the_picture_changed(backbone: HuggingFaceBackbone) -> None:
    size = sized(backbone, (90, 160))
    reading = replace(backbone.info.reading(prompt=PROMPT), layers=(1,), pixels=4 * 64 * 64, places=True)
    frames = noise(size)
    before = backbone.read(Batch(frames), reading).places
    changed = frames.copy()
    changed[0, :, : size[0] // 2, size[1] // 2 :] = 0  # the quarter above on the right
    after = backbone.read(Batch(changed), reading).places
    assert before is not None and after is not None
    moved = np.abs(before.states - after.states).max(axis=(0, 1, 4))
    rows, columns = moved.shape
    assert rows * size[1] == columns * size[0]
    assert (rows, columns) == moved.shape and rows < columns
    if backbone.family.name == "InternVL":  # Qwen's patches all see each other before the first block
        assert moved[0, -1] > 1.2 * moved[-1, 0]


def test_text_is_generated_of_frames_of_any_size_that_fits(backbone: HuggingFaceBackbone) -> None:
    frames = noise(sized(backbone, (160, 90)))
    assert isinstance(backbone.generate(Batch(frames), PROMPT, 2), str)
    with pytest.raises(UsageError, match="backbone takes uint8"):
        backbone.generate(Batch(noise((50, 83))), PROMPT, 2)


@pytest.mark.parametrize("name", QWEN)
def test_pixels_of_qwen_are_made_on_the_device_at_every_size(backbone: HuggingFaceBackbone) -> None:
    for picture in ((90, 160), (160, 90)):
        frames = noise(sized(backbone, picture))[0]
        (prepared,) = backbone.prepare(frames[None], PROMPT)
        assert isinstance(prepared, Raw)
        expected = backbone.family.prepare(frames, FRAME_INTERVAL, Prompt(PROMPT)).inputs
        found = prepared.inputs | prepared.pixel_inputs(torch.device("cpu"), torch.float32)
        assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_an_option_says_the_pixels_of_new_readings(name: str, folders: dict[str, Path]) -> None:
    given = open_checkpoint(str(folders[name]), LoadOptions(pixels=5000)).info
    plain = open_checkpoint(str(folders[name]), LoadOptions()).info
    assert given.reading().pixels == given.token_reading().pixels == 5000
    assert plain.reading().pixels == (448**2 if name in QWEN else None)
    assert given.fingerprint == plain.fingerprint
    # A probe of an earlier release: all frames have the one size.
    old = replace(plain.reading(), pixels=None)
    assert plain.shown_size(old, (1080, 1920)) == plain.frame_size


def test_families_of_one_size_refuse_pixels(folders: dict[str, Path]) -> None:
    for name in ("llava_onevision", "smolvlm", "gemma3"):
        with pytest.raises(UsageError, match="alone, so pixels 5000 mean nothing; leave --pixels out"):
            open_checkpoint(str(folders[name]), LoadOptions(pixels=5000))


@pytest.mark.parametrize("name", ["internvl"])
def test_tiles_are_those_of_the_native_processor(name: str, folders: dict[str, Path]) -> None:
    """One image a frame, cut by max_dynamic_patch, with the small view of the whole last."""
    backbone = load_checkpoint(str(folders[name]), LoadOptions(pixels=6 * 56 * 56))
    assert backbone.info.sizes is not None
    size = backbone.info.sizes.of((90, 160), FRAMES, 6 * 56 * 56)
    assert size == (56, 112)
    frames = noise(size)[0]
    inputs = backbone.family.prepare(frames, 0.5, Prompt(PROMPT)).inputs
    seen = backbone.family.processor(
        images=list(frames), crop_to_patches=True, min_patches=1, max_patches=6, return_tensors="pt"
    )
    assert torch.equal(inputs["pixel_values"], seen["pixel_values"]) and len(inputs["pixel_values"]) == 3 * FRAMES
    assert backbone.prepare(frames[None], PROMPT)[0].steps == FRAMES


@pytest.mark.skipif(not has_torchvision(), reason="needs torchvision: make test-families")
@pytest.mark.parametrize("name", QWEN)
@pytest.mark.parametrize("picture", [(90, 160), (1080, 1920), (64, 48)])
def test_sizes_of_qwen_are_those_of_the_native_processor(
    name: str, picture: tuple[int, int], loaded: dict[str, HuggingFaceBackbone]
) -> None:
    backbone = loaded[name]
    videos, sizes = backbone.family.processor.video_processor, backbone.family.sizes()
    assert sizes is not None
    each = videos.size["longest_edge"] // (8 if name == "qwen3_vl" else 1)  # Qwen3-VL counts all frames
    found = videos(
        videos=[np.zeros((8, *picture, 3), np.uint8)],
        do_sample_frames=False,
        cap_pixels_per_frame=False,
        return_tensors="pt",
    )
    patch = backbone.model.config.vision_config.patch_size
    _, rows, columns = found["video_grid_thw"][0].tolist()
    assert sizes.of(picture, 8, each) == (rows * patch, columns * patch)
