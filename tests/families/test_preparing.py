"""Pixels are made on the device, of new steps alone, and are those of the family's own preparing to the bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from hiprobe.backbones import Batch, Prompt
from hiprobe.backbones.base import FRAME_INTERVAL
from hiprobe.backbones.families import Family, Prepared
from hiprobe.backbones.families.internvl import InternVL
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.preparing import Pixels, Preparer, Raw, by_steps, placed
from tests.families.toys import PROMPT, TOYS, altered
from tests.reading import values_of

ON_DEVICE = [name for name in TOYS if name not in ("gemma3", "idefics3")]
CPU = torch.device("cpu")


@pytest.fixture(params=ON_DEVICE)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def pictures(family: Family, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (*shape, *family.size(), 3), dtype=np.uint8)


def assert_equal(prepared: Prepared, frames: NDArray[np.uint8], family: Family, dtype: torch.dtype) -> None:
    """Compare all that the model is given with what the family itself makes of the frames."""
    assert isinstance(prepared, Raw)
    expected = family.prepare(frames, FRAME_INTERVAL, Prompt(PROMPT))
    found = prepared.inputs | prepared.pixel_inputs(CPU, dtype)
    inputs = placed(expected.inputs, CPU, dtype)
    assert found.keys() == inputs.keys()
    assert all(torch.equal(found[name], value) and found[name].dtype == value.dtype for name, value in inputs.items())
    assert torch.equal(prepared.visual, expected.visual) and prepared.steps == expected.steps
    units = family.units(expected)
    assert units is not None
    for own, theirs in zip(prepared.form.units(prepared.frames, CPU, dtype), units, strict=True):
        theirs = placed(theirs, CPU, dtype)
        assert own.keys() == theirs.keys() and all(torch.equal(own[name], value) for name, value in theirs.items())


@pytest.mark.parametrize("count", [1, 3, 4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_the_model_is_given_is_the_same_to_the_bit(
    backbone: HuggingFaceBackbone, count: int, dtype: torch.dtype
) -> None:
    frames = pictures(backbone.family, count)
    assert_equal(Preparer(backbone.family)(frames, FRAME_INTERVAL, Prompt(PROMPT)), frames, backbone.family, dtype)


def test_all_but_the_copy_happens_on_the_device(backbone: HuggingFaceBackbone) -> None:
    """A device without memory stands in for a GPU: what was computed elsewhere could not be mixed with it."""
    prepared = Preparer(backbone.family)(pictures(backbone.family, 4), FRAME_INTERVAL, Prompt(PROMPT))
    assert isinstance(prepared, Raw)
    units = prepared.form.units(prepared.frames, torch.device("meta"), torch.float16)
    expected = prepared.form.units(prepared.frames, CPU, torch.float16)
    for unit, own in zip(units, expected, strict=True):
        for name, value in unit.items():
            assert value.is_meta and (value.shape, value.dtype) == (own[name].shape, own[name].dtype)


@pytest.mark.parametrize("settings", [{"do_normalize": False}, {"do_rescale": False}, {"image_mean": [0.1, 0.7, 0.3]}])
def test_the_processors_own_settings_are_followed(
    backbone: HuggingFaceBackbone, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    family = backbone.family
    processor = getattr(family.processor, "video_processor", family.processor)
    for name, value in settings.items():
        monkeypatch.setattr(processor, name, value)
    frames = pictures(family, 4)
    assert_equal(Preparer(family)(frames, FRAME_INTERVAL, Prompt(PROMPT)), frames, family, torch.float32)


@pytest.mark.parametrize("pooling", ["last", "visual"])
def test_hidden_states_are_those_of_the_familys_own_preparing(backbone: HuggingFaceBackbone, pooling: Any) -> None:
    frames, layers = pictures(backbone.family, 2, 4), backbone.info.every_layer
    found = values_of(backbone, frames, PROMPT, layers, pooling)
    text = backbone.generate(Batch(frames[:1]), PROMPT, 3)
    own = altered(backbone, layout=Family.layout)
    assert not isinstance(own.prepare(frames, PROMPT)[0], Raw)
    assert np.array_equal(values_of(own, frames, PROMPT, layers, pooling), found)
    assert own.generate(Batch(frames[:1]), PROMPT, 3) == text


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Of how many steps pixels were made, call by call."""
    counts: list[int] = []
    make = Pixels.__call__

    def count(self: Pixels, frames: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        counts.append(len(frames))
        return make(self, frames, dtype)

    monkeypatch.setattr(Pixels, "__call__", count)
    yield counts


def test_what_is_known_is_neither_prepared_nor_encoded_again(
    backbone: HuggingFaceBackbone, made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments of four frames, two frames on each: pairs of frames are the same, where they are joined."""
    video, prepared = pictures(backbone.family, 10), []
    segments = np.stack([video[start : start + 4] for start in (0, 2, 4, 6)])
    prepare = backbone.family.prepare

    def count(*given: Any) -> Prepared:
        prepared.append(given)
        return prepare(*given)

    monkeypatch.setattr(backbone.family, "prepare", count)
    backbone = HuggingFaceBackbone(backbone.model, backbone.family, backbone.info)
    each = 4 // backbone.prepare(segments[:1], PROMPT)[0].steps
    values_of(backbone, segments[:3], PROMPT, [1], "last")
    assert sum(made) == backbone.frames.encoded == 8 // each
    assert len(made) == 1  # all new ones of a batch at once
    values_of(backbone, segments[3:], PROMPT, [1], "last")
    values_of(backbone, segments, PROMPT, [1], "last")
    assert sum(made) == backbone.frames.encoded == 10 // each
    assert len(prepared) == 1


def test_a_batch_is_made_of_its_singles(backbone: HuggingFaceBackbone) -> None:
    segments = pictures(backbone.family, 3, 4)
    together = backbone.inputs(backbone.prepare(segments, PROMPT))
    alone = [backbone.inputs(backbone.prepare(segments[i : i + 1], PROMPT)) for i in range(3)]
    assert all(torch.equal(value, torch.cat([item[name] for item in alone])) for name, value in together.items())
    assert any(name.startswith("pixel_values") for name in together)


@pytest.mark.parametrize("name", ["gemma3", "idefics3"])
def test_families_that_say_no_layout_prepare_every_segment(name: str, loaded: dict[str, HuggingFaceBackbone]) -> None:
    assert not isinstance(loaded[name].prepare(pictures(loaded[name].family, 1, 4), PROMPT)[0], Raw)


class Counted(InternVL):
    """Of another package: a family that inherits a layout, but words its prompts by what it sees."""

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        words = prompt.text + " or not" * int(frames.mean() < 127)
        return super().prepare(frames, interval, Prompt(words))


class Differences(InternVL):
    """Pixels depend on neighbouring frames, whatever it says."""

    def layout(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        prepared = super().prepare(frames, interval, prompt)
        pixels = prepared.inputs["pixel_values"]
        prepared.inputs["pixel_values"] = pixels - pixels.roll(1, 0)
        return prepared


class Smaller(InternVL):
    """Frames in another size than the processor's, which resizes them."""

    def size(self) -> tuple[int, int]:
        return 84, 84


@pytest.mark.parametrize("kind", [Counted, Differences, Smaller])
def test_a_layout_that_is_wrong_is_not_used(kind: type[Family], loaded: dict[str, HuggingFaceBackbone]) -> None:
    own = loaded["internvl"]
    family = kind(Path(own.model.config.name_or_path), own.model.config)
    frames = pictures(family, 4)
    prepared = Preparer(family)(frames, FRAME_INTERVAL, Prompt(PROMPT))
    assert not isinstance(prepared, Raw)
    expected = family.prepare(frames, FRAME_INTERVAL, Prompt(PROMPT)).inputs
    assert all(torch.equal(prepared.inputs[name], value) for name, value in expected.items())


def test_frames_that_may_not_be_written_to_are_taken(loaded: dict[str, HuggingFaceBackbone]) -> None:
    family = loaded["internvl"].family
    frames = pictures(family, 4)
    frames.flags.writeable = False
    assert_equal(
        Preparer(family)(frames[::-1], FRAME_INTERVAL, Prompt(PROMPT)), frames[::-1].copy(), family, torch.float32
    )


def test_frames_that_do_not_come_out_even_are_filled_up() -> None:
    frames = np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1)
    assert by_steps(frames, 2)[..., 0, 0, 0].tolist() == [[0, 1], [2, 2]]
    assert by_steps(frames, 3)[..., 0, 0, 0].tolist() == [[0], [1], [2]]
