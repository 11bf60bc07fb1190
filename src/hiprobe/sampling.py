"""How a video is cut into segments, and how many frames are seen of each: numbers that every floor names."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral

from hiprobe.errors import UsageError


@dataclass(frozen=True)
class Sampling:
    """How a video is cut into segments and how many frames the backbone sees of each.

    Parameters
    ----------
    length : float
        Length of a segment, in seconds.
    stride : float
        Seconds between the starts of two segments; at most ``length``, so that no frame is left out.
    frames : int
        K, the number of frames sampled uniformly from a segment.

    Raises
    ------
    UsageError
        If a value is not a finite number above 0, or the stride is longer than the length.
    """

    length: float = 2.0
    stride: float = 1.0
    frames: int = 8

    def __post_init__(self) -> None:
        check_seconds("segment length", self.length)
        check_seconds("segment stride", self.stride)
        if isinstance(self.frames, bool) or not isinstance(self.frames, Integral) or self.frames < 1:
            raise UsageError(f"{self.frames!r} frames a segment: give a whole number of at least 1.")
        if self.stride > self.length:
            raise UsageError(
                f"A stride of {self.stride:g} s is longer than the segment length of {self.length:g} s and "
                "would leave frames without a segment; give a stride of at most the length."
            )


def check_seconds(name: str, value: float) -> None:
    """Raise UsageError unless a length of time is a finite number of seconds above 0."""
    try:
        good = math.isfinite(value) and value > 0
    except TypeError:
        good = False
    if not good:
        raise UsageError(f"A {name} of {value!r}: give a finite number of seconds above 0.")
