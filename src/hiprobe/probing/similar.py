"""Which calibration segments a new one is like: a probe keeps some of them, as points of few dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.arrays import BoolArray
from hiprobe.errors import UsageError

KEPT = 200
"""Calibration segments that a probe keeps at most."""

DIMENSIONS = 16
"""Of the space in which segments are compared: a probe stays a small file, whatever the backbone's width."""


@dataclass(frozen=True)
class CalibrationSegment:
    """A segment that ``fit`` read: the name of its video, its borders in seconds, and ``normal`` or its kind."""

    video: str
    start: float
    end: float
    label: str


@dataclass(frozen=True, eq=False)
class SegmentIndex:
    """Calibration segments, and where they lie.

    Attributes
    ----------
    segments : tuple of CalibrationSegment
        n of them.
    basis : ndarray of float32, shape (k, D)
        The principal directions of their standardised hidden states.
    points : ndarray of float32, shape (n, k)
        Their states in that basis.

    Raises
    ------
    UsageError
        If the shapes do not fit each other, or a number is not finite.
    """

    segments: tuple[CalibrationSegment, ...]
    basis: NDArray[np.float32]
    points: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.basis.ndim != 2 or self.points.shape != (len(self.segments), len(self.basis)):
            raise UsageError(
                f"{len(self.segments)} calibration segments with points {self.points.shape} in a basis "
                f"{self.basis.shape}; give (n, k) and (k, D)."
            )
        if not (np.isfinite(self.basis).all() and np.isfinite(self.points).all()):
            raise UsageError("The calibration segments' points or basis hold NaN or infinity; give finite numbers.")

    def nearest(self, standardised: ArrayLike, count: int = 3) -> tuple[CalibrationSegment, ...]:
        """Return the segments nearest to a standardised hidden state (D,), nearest first, one of each video."""
        point = self.basis @ np.asarray(standardised, np.float32)
        order = np.argsort(np.square(self.points - point).sum(axis=1), kind="stable")
        by_video: dict[str, CalibrationSegment] = {}
        for index in order.tolist():
            by_video.setdefault(self.segments[index].video, self.segments[index])
        return tuple(by_video.values())[:count]


def kept_rows(abnormal: BoolArray, limit: int = KEPT) -> NDArray[np.intp]:
    """Return which of n segments to keep, ascending: spread evenly, and half of each class where there are enough."""
    classes = [np.flatnonzero(abnormal), np.flatnonzero(~abnormal)]
    fewer = min(map(len, classes))
    share = [min(len(rows), max(limit // 2, limit - fewer)) for rows in classes]
    picked = [
        rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]
        for rows, count in zip(classes, share, strict=True)
    ]
    return np.sort(np.concatenate(picked))


def index_segments(segments: Sequence[CalibrationSegment], standardised: NDArray[np.floating]) -> SegmentIndex:
    """Index segments by their standardised hidden states (n, D)."""
    states = np.asarray(standardised, np.float64)
    basis = np.linalg.svd(states, full_matrices=False)[2][:DIMENSIONS]
    return SegmentIndex(tuple(segments), basis.astype(np.float32), (states @ basis.T).astype(np.float32))
