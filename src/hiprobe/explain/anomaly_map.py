"""Anomaly maps: where in the picture, and in which frames, the score of a probe comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hiprobe.errors import UsageError


@dataclass(frozen=True, eq=False)
class AnomalyMap:
    """Where the scores of a video, or of its events, come from.

    Attributes
    ----------
    times : ndarray of shape (F,), float64
        Seconds of the video that the maps stand for, ascending.
    maps : ndarray of shape (F, rows, columns), float32
        How much each place speaks for an event, over the whole picture as displayed, top row first. The unit is the
        probe's own; compare places and times of one video.
    """

    # A detection is read back from JSON by its types, which have to be known there; its maps are not in it.
    __pydantic_config__: ClassVar = {"arbitrary_types_allowed": True}

    times: NDArray[np.float64]
    maps: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.maps.ndim != 3 or self.times.shape != self.maps.shape[:1]:
            raise UsageError(
                f"Anomaly maps of shape {self.maps.shape} for times {self.times.shape}: give (F, rows, cols)."
            )

    @property
    def range(self) -> tuple[float, float]:
        """What :func:`blend` is to show as cold and as hot: the median, and what one place in 500 exceeds."""
        if not self.maps.size:
            return 0.0, 1.0
        low, high = np.percentile(self.maps, (50, 99.8))
        return float(low), float(max(high, low + 1e-9))

    def at(self, time: float, reach: float = 1.0) -> NDArray[np.float32] | None:
        """Return the map (rows, columns) nearest in time; None if none is within ``reach`` seconds."""
        if not len(self.times):
            return None
        after = int(np.searchsorted(self.times, time))
        near = [i for i in (after - 1, after) if 0 <= i < len(self.times)]
        best = min(near, key=lambda i: abs(self.times[i] - time))
        return self.maps[best] if abs(self.times[best] - time) <= reach else None

    def between(self, start: float, end: float) -> AnomalyMap:
        """Return the maps of a part of the video, in seconds."""
        inside = (self.times >= start) & (self.times <= end)
        return AnomalyMap(self.times[inside], self.maps[inside])


def blend(
    picture: NDArray[np.uint8], anomaly_map: NDArray[np.floating], low: float, high: float, strength: float = 0.5
) -> NDArray[np.uint8]:
    """Lay an anomaly map over a picture: nothing where it is ``low`` or less, yellow to red towards ``high``.

    Parameters
    ----------
    picture : ndarray of uint8, shape (H, W, 3)
        RGB.
    anomaly_map : ndarray of shape (rows, columns)
        One map of a :class:`AnomalyMap`; stretched over the whole picture.
    low, high : float
        See :attr:`AnomalyMap.range`.
    strength : float
        How much of the picture the hottest place hides, 0 to 1.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
    """
    laid = color_overlay(anomaly_map, (picture.shape[0], picture.shape[1]), low, high, strength).astype(np.float32)
    share = laid[..., 3:] / 255
    return (picture * (1 - share) + laid[..., :3] * share).round().astype(np.uint8)


def color_overlay(
    anomaly_map: NDArray[np.floating], size: tuple[int, int], low: float, high: float, strength: float = 0.5
) -> NDArray[np.uint8]:
    """Draw what :func:`blend` lays over a picture of ``size`` (height, width): uint8 (H, W, 4), RGB and opacity."""
    level = np.clip((np.asarray(anomaly_map, np.float32) - low) / max(high - low, 1e-9), 0, 1)
    level = np.asarray(Image.fromarray(level).resize((size[1], size[0]), Image.Resampling.BILINEAR))[..., None]
    # Red stays full; green falls with the score: yellow, orange, red. Blue is none.
    parts = [np.full_like(level, 255), 220 * (1 - level), np.zeros_like(level), 255 * strength * level]
    return np.concatenate(parts, axis=2).round().astype(np.uint8)
