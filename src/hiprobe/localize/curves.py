"""Score curves over time: checked arrays of scores and times, and intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from hiprobe.arrays import FloatArray
from hiprobe.errors import UsageError


def finite_vector(name: str, values: ArrayLike) -> FloatArray:
    """Return ``values`` as a float (n,) array, n >= 1, all finite; else raise UsageError."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise UsageError(f"{name} has shape {array.shape}; give a one-dimensional array of at least one value.")
    if not np.isfinite(array).all():
        index = int(np.flatnonzero(~np.isfinite(array))[0])
        raise UsageError(f"{name}[{index}] is {array[index]}; every value must be a finite number.")
    return array


def score_curve(scores: ArrayLike, centres: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return scores (n,) and segment centres (n,) in seconds, checked to be a curve over time."""
    values, times = finite_vector("scores", scores), finite_vector("centres", centres)
    if values.shape != times.shape:
        raise UsageError(f"{len(values)} scores but {len(times)} centres; give one centre per score.")
    if (np.diff(times) <= 0).any():
        index = int(np.flatnonzero(np.diff(times) <= 0)[0]) + 1
        raise UsageError(
            f"centres[{index}] = {times[index]} does not come after centres[{index - 1}] = {times[index - 1]}"
            "; sort segments by time and keep each once."
        )
    return values, times


def merge_intervals(intervals: list[tuple[float, float]], gap: float = 0.0) -> list[tuple[float, float]]:
    """Return the union of (start, end) pairs, sorted; pairs at most ``gap`` seconds apart become one."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if merged and start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def outside(
    intervals: Sequence[tuple[float, float]], without: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Return the parts of sorted intervals that no stretch covers."""
    left = list(intervals)
    for first, last in without:
        left = [
            piece
            for start, end in left
            for piece in ((start, min(end, first)), (max(start, last), end))
            if piece[0] < piece[1]
        ]
    return left
