"""Segments of a video and the times at which frames are sampled from them: arithmetic only, no decoding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiprobe.sampling import Sampling, check_seconds

TAIL = 0.02
"""A tail of up to this share of the stride joins the last segment instead of starting a near-duplicate."""


@dataclass(frozen=True)
class Segment:
    """The window ``[start, end)`` of a video, in seconds from its first presented frame."""

    index: int
    start: float
    end: float

    @property
    def centre(self) -> float:
        """The middle of the segment, in seconds."""
        return (self.start + self.end) / 2


def plan_segments(duration: float, sampling: Sampling) -> tuple[Segment, ...]:
    """Cut ``duration`` seconds into segments so that every frame belongs to at least one.

    Segments start at 0, stride, 2*stride and so on. If the last of them ends before the video does, one
    more is moved back to end with the video. A tail shorter than 2% of the stride (1 ms at least) would
    make two nearly equal segments; the last segment is stretched over it instead. A video shorter than one
    segment is one segment.

    Returns
    -------
    tuple of Segment
        In order of time: starts strictly increase, and the last ends at ``duration``.

    Raises
    ------
    UsageError
        If ``duration`` is not a finite number above 0.
    """
    check_seconds("video duration", duration)
    length, stride = sampling.length, sampling.stride
    # Two steps back from the rounded quotient: the comparison below, not the division, decides.
    count = max(0, math.floor((duration - length) / stride) - 1)
    while count * stride + length <= duration:
        count += 1
    starts = [index * stride for index in range(count)]
    ends = [start + length for start in starts]
    tail = duration - ends[-1] if ends else duration
    if ends and tail < max(1e-3, TAIL * stride):
        ends[-1] = duration
    else:
        starts.append(max(0.0, duration - length))
        ends.append(duration)
    return tuple(Segment(index, start, end) for index, (start, end) in enumerate(zip(starts, ends, strict=True)))


def sample_times(segment: Segment, frames: int) -> NDArray[np.float64]:
    """Return the centres of ``frames`` equal parts of a segment: float64 (K,), in seconds, ascending."""
    parts = (np.arange(frames, dtype=np.float64) + 0.5) / frames
    return segment.start + parts * (segment.end - segment.start)
