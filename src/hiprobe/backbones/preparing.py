"""Preparing segments for a model: what is written once, and pixels on the device, of those steps alone that are new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from hiprobe.backbones.families import Family, Prepared
from hiprobe.backbones.frames import frame_key
from hiprobe.backbones.reading import Prompt
from hiprobe.backbones.transfer import to_device

_LEVELS, _CHANNELS = 256, 3
_KEPT_FORMS = 16
"""Segments of one video are of one form; of a few, where a short video makes a segment shorter."""


class Pixels:
    """What a family's image processor makes of frames, to the bit, computed on the device that they are on.

    Without resizing, a processor makes one number of each value of each channel. These 768 are read off what it makes
    of a chart of noise, so that they are its own, in whatever order it computes; the order in which
    :meth:`Family.layout` puts pixels is checked at every pixel of the chart.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._table: torch.Tensor | None = None
        self._placed: dict[tuple[torch.device, torch.dtype], torch.Tensor] = {}

    def agree(self, chart: NDArray[np.uint8], expected: torch.Tensor) -> bool:
        """Return whether pixels of a chart, (n, F, H, W, 3), are what the processor made of it.

        The first chart that is shown tells the numbers, if it holds all values of all channels.
        """
        codes = self._family.layout(_codes(torch.from_numpy(chart)))
        if codes is None or codes.numel() != expected.numel():
            return False
        codes, expected = codes.flatten(), expected.flatten()
        table = self._table
        if table is None:
            table = expected.new_full((_CHANNELS * _LEVELS,), torch.nan)
            table[codes] = expected
        if not torch.equal(table[codes], expected) or table.isnan().any():
            return False
        self._table = table
        return True

    def __call__(self, frames: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Turn frames uint8 (n, F, H, W, 3) of n steps into pixels, in the order that the processor gives them."""
        assert self._table is not None
        place = (frames.device, dtype)
        if place not in self._placed:
            self._placed[place] = self._table.to(*place)
        codes = _codes(frames)
        found = self._family.layout(self._placed[place].index_select(0, codes.flatten()).view(codes.shape))
        assert found is not None
        return found


@dataclass(frozen=True, eq=False)
class Form:
    """What segments of as many frames of one size, as far apart, with the same prompt have in common.

    Attributes
    ----------
    prepared : Prepared
        Without pixels.
    shapes : dict
        Of the pixels of a whole segment, by name.
    unit : dict
        Arguments of a step of time beside its pixel values, the same for all steps.
    values : str
        The name of pixel values.
    unit_shape : tuple of int
        Of a step's pixel values.
    pixels : Pixels
        Makes them.
    """

    prepared: Prepared
    shapes: dict[str, torch.Size]
    unit: dict[str, torch.Tensor]
    values: str
    unit_shape: torch.Size
    pixels: Pixels

    def units(
        self, frames: NDArray[np.uint8], device: torch.device, dtype: torch.dtype
    ) -> list[dict[str, torch.Tensor]]:
        """Return the arguments for each of n steps, frames (n, F, H, W, 3), on a device; see :meth:`Family.units`."""
        own = torch.from_numpy(np.require(frames, requirements=["C", "W"]))  # torch takes no others
        found = self.pixels(to_device(own, device), dtype)
        rest = {name: to_device(value, device) for name, value in self.unit.items()}
        return [rest | {self.values: value} for value in found.reshape(-1, *self.unit_shape)]


@dataclass(frozen=True, eq=False)
class Raw(Prepared):
    """A segment whose pixels are made when they are needed: ``inputs`` are without them.

    Attributes
    ----------
    frames : ndarray of uint8, shape (steps, F, H, W, 3)
        The F frames of each step of time.
    form : Form
        What it shares with others.
    """

    frames: NDArray[np.uint8]
    form: Form

    def pixel_inputs(self, device: torch.device, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Return what ``inputs`` lack, on a device."""
        units = self.form.units(self.frames, device, dtype)
        return {
            name: torch.cat([unit[name] for unit in units]).reshape(shape) for name, shape in self.form.shapes.items()
        }


class Preparer:
    """Prepares segments as :meth:`Family.prepare` does, parameters and errors being the same.

    Where the family says how pixels lie (:meth:`Family.layout`) and is right, its own preparing is run once for
    segments of one form, on a chart, and the frames of all of them are left as they are.
    """

    def __init__(self, family: Family) -> None:
        self._family = family
        self._pixels = Pixels(family)
        self._form = lru_cache(_KEPT_FORMS)(self._new_form)

    def __call__(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        """Prepare one segment, frames (K, H, W, 3)."""
        form = self._form(len(frames), frames.shape[1:3], interval, prompt)
        if form is None:
            return self._family.prepare(frames, interval, prompt)
        text = form.prepared
        return Raw(text.inputs, text.visual, text.steps, by_steps(frames, text.steps), form)

    def _new_form(self, count: int, size: tuple[int, int], interval: float, prompt: Prompt) -> Form | None:
        """Return None where the family is to prepare each segment itself."""
        preparing, layout = (_owner(type(self._family), name) for name in ("prepare", "layout"))
        # A layout is not for what a class that inherits it prepares in its own way.
        if layout is Family or not issubclass(layout, preparing):
            return None
        chart = _chart(count, size)
        seen = self._family.prepare(chart, interval, prompt)
        units = self._family.units(seen)
        values = [name for name in seen.inputs if name.startswith("pixel_values")]
        if units is None or len(values) != 1 or len(units) != seen.steps:
            return None
        (name,) = values
        rest = [{key: value for key, value in unit.items() if key != name} for unit in units]
        alike = all(torch.equal(unit[key], value) for unit in rest for key, value in rest[0].items())
        if not alike or not self._pixels.agree(by_steps(chart, seen.steps), torch.cat([unit[name] for unit in units])):
            return None
        shapes = {key: value.shape for key, value in seen.inputs.items() if key.startswith("pixel_")}
        inputs = {key: value for key, value in seen.inputs.items() if key not in shapes}
        unit = {key: value.clone() for key, value in rest[0].items()}  # not a view of the whole segment's
        text = Prepared(inputs, seen.visual, seen.steps)
        return Form(text, shapes, unit, name, units[0][name].shape, self._pixels)


class Steps:
    """The steps of time of segments, each of which is encoded by itself.

    Parameters
    ----------
    family : Family
        Of the model.
    prepared : sequence of Prepared
        All of them raw, or none.
    """

    def __init__(self, family: Family, prepared: Sequence[Prepared]) -> None:
        raw = [item for item in prepared if isinstance(item, Raw)]
        self._raw = [(item.form, step) for item in raw for step in item.frames]
        found = [] if raw else [family.units(item) for item in prepared]
        self._units = [unit for parts in found if parts is not None for unit in parts]
        self.keys = [frame_key([step]) for _, step in self._raw] or [
            frame_key(value.numpy() for value in unit.values()) for unit in self._units
        ]
        """What stands for each step; empty where segments are encoded as wholes."""
        shapes = [step.shape for _, step in self._raw[:1]]
        shapes += [tuple(value.shape) for unit in self._units[:1] for value in unit.values()]
        self.form = tuple(shapes)
        """Stands for the size of their frames, which is the same for all."""

    def units(self, places: Sequence[int], device: torch.device, dtype: torch.dtype) -> list[dict[str, torch.Tensor]]:
        """Return the arguments of the model's encoder for the steps at some places, on a device."""
        if self._raw:
            form = self._raw[places[0]][0]
            return form.units(np.stack([self._raw[place][1] for place in places]), device, dtype)
        return [placed(self._units[place], device, dtype) for place in places]


def placed(inputs: dict[str, torch.Tensor], device: torch.device, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """Return inputs on a device, pixel values in a type."""
    return {
        name: to_device(value, device, dtype if name.startswith("pixel_values") else None)
        for name, value in inputs.items()
    }


def by_steps(frames: NDArray[np.uint8], steps: int) -> NDArray[np.uint8]:
    """Divide frames (K, H, W, 3) into (steps, F, H, W, 3), the last one repeated where it does not come out even."""
    each = -(-len(frames) // steps)
    if missing := steps * each - len(frames):
        frames = np.concatenate([frames, frames[-1:].repeat(missing, axis=0)])
    return frames.reshape(steps, each, *frames.shape[1:])


def _owner(kind: type[Family], name: str) -> type:
    """Return which of the classes that a family inherits from gives a method."""
    return next(owner for owner in kind.__mro__ if name in vars(owner))


def _codes(frames: torch.Tensor) -> torch.Tensor:
    """Number values by channel, (n, F, H, W, 3) uint8 to (n, F, 3, H, W) int32 below 768."""
    first = torch.arange(_CHANNELS, dtype=torch.int32, device=frames.device) * _LEVELS
    return frames.movedim(-1, 2).contiguous().int() + first[:, None, None]


def _chart(count: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return frames of noise, in which neighbours have nothing in common, that hold all values of all channels."""
    chart = np.random.default_rng(0).integers(0, _LEVELS, (count, *size, _CHANNELS), dtype=np.uint8)
    pixels = chart.reshape(-1, _CHANNELS)
    pixels[:_LEVELS] = np.arange(_LEVELS)[: len(pixels), None]
    return chart
