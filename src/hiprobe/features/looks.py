"""How the frames of a segment look, in a dozen numbers: brightness, contrast, detail, change.

They are computed as frames are decoded, and kept with the features. Guards read them: whether there is anything to see,
and whether the picture is like those that a probe learned from. No model is needed for them.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hiprobe.sampling import Sampling
from hiprobe.video import Video, iter_segments

LEAST_SIDE = 32
"""Pixels: of smaller frames nothing is told."""

_ABOUT = 64
"""Rows and columns that are looked at, about: every second, third, ... of a larger frame."""

_FULL, _ALIKE = 250, 1.5
"""Grey level from which a pixel is burnt out; mean difference up to which two rows are alike."""


class Look(IntEnum):
    """The numbers, in grey levels of 0 to 255 unless told otherwise."""

    BRIGHTNESS = 0
    """Mean over pixels and frames."""
    CONTRAST = 1
    """Standard deviation over a frame's pixels, the mean over frames."""
    DETAIL = 2
    """Mean absolute difference of neighbouring pixels."""
    GRAIN = 3
    """Mean absolute second difference, which noise raises and defocus lowers."""
    COLOUR = 4
    """Mean difference of the largest and the smallest of red, green and blue."""
    DARKEST = 5
    """Mean of the darkest frame."""
    FLATTEST = 6
    """Standard deviation over the pixels of the frame that has the least."""
    BURNT = 7
    """Share of burnt-out pixels in the frame that has the most."""
    LIKENESS = 8
    """Correlation of neighbouring pixels in the frame that has the least: 0 in noise, over 0.8 in pictures."""
    BANDED = 9
    """Share of neighbouring rows that are alike, in the frame that has the most: about 1 in colour bars."""
    CHANGE = 10
    """Mean absolute difference of consecutive frames, the largest."""
    MOVED = 11
    """Absolute difference of one pixel in consecutive frames, the largest."""


def look_at(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how a segment's frames, uint8 (K, H, W, 3) in RGB, look: float32 (12,) in the order of :class:`Look`.

    NaN where the frames are too small. A few pixels are read of each frame, which takes about 2 ms.
    """
    if min(frames.shape[1:3]) < LEAST_SIDE:
        return np.full(len(Look), np.nan, np.float32)
    # Pixels are skipped and not averaged: their neighbours, which tell noise and sharpness, are the true ones.
    step = max(1, round(min(frames.shape[1:3]) / _ABOUT))
    rows = frames[:, ::step]
    colours = rows[:, :, 1:-1:step]
    left, middle, right = _grey(rows[:, :, :-2:step]), _grey(colours), _grey(rows[:, :, 2::step])
    across, down = np.abs(right - middle), np.abs(np.diff(middle, axis=1))
    deviation = middle.std(axis=(1, 2))
    if len(frames) > 1:
        changes = np.abs(np.diff(middle, axis=0))
        change, moved = changes.mean(axis=(1, 2)).max(), changes.max()
    else:
        change, moved = np.nan, np.nan
    means = middle.mean(axis=(1, 2))
    # Var(a - b) = 2 Var (1 - correlation), where neighbours have the same variance.
    apart = np.square(across, dtype=np.float32).mean(axis=(1, 2))
    correlation = 1 - apart / np.maximum(2 * deviation**2, 1e-6)
    found = {
        Look.BRIGHTNESS: means.mean(),
        Look.CONTRAST: deviation.mean(),
        Look.DETAIL: across.mean(),
        Look.GRAIN: np.abs(2 * middle - left - right).mean(),
        Look.COLOUR: _spread(colours).mean(),
        Look.DARKEST: means.min(),
        Look.FLATTEST: deviation.min(),
        Look.BURNT: (middle >= _FULL).mean(axis=(1, 2)).max(),
        Look.LIKENESS: correlation.min(),
        Look.BANDED: (down.mean(axis=2) <= _ALIKE).mean(axis=1).max(),
        Look.CHANGE: change,
        Look.MOVED: moved,
    }
    return np.array([found[look] for look in Look], np.float32)


def read_looks(video: Video, sampling: Sampling, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return how each segment of a video looks, (n, 12), by decoding it: for features that were kept without."""
    return np.stack([look_at(sampled.frames) for sampled in iter_segments(video, sampling, size)])


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    red, green, blue = (pixels[..., channel].astype(np.int16) for channel in range(3))
    return (2 * red + 5 * green + blue) >> 3


def _spread(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    red, green, blue = (pixels[..., channel] for channel in range(3))
    return np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
