"""A closer look at a segment: the part of the picture that changes most, at twice the magnification or more.

People in surveillance video are a few pixels wide in what a backbone sees. A crop shows them larger, and it is the same
part in all frames of a segment, so that what moves in it is not the crop.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DIGITS = 3
"""Of the changes that tell two places apart, in grey levels: rounding must not."""


def closer_size(height: int, width: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return the (height, width) that a picture is resized to before a part of ``size`` is cut out.

    Its proportions are kept. At least one side is twice that of the part, and none is less.
    """
    factor = max(2 * size[0] / height, 2 * size[1] / width)
    return max(2 * size[0], round(height * factor)), max(2 * size[1], round(width * factor))


def busiest_part(frames: NDArray[np.uint8], size: tuple[int, int]) -> tuple[slice, slice]:
    """Return the rows and columns of the part of a picture that changes most from frame to frame.

    Of equal parts the one nearest to the middle is taken, so where nothing changes it is the middle.

    Parameters
    ----------
    frames : ndarray of uint8, shape (K, H, W, 3)
        The frames of a segment.
    size : tuple of int
        (height, width) of the part in pixels, at most H and W.
    """
    grey = frames.astype(np.float32).mean(axis=-1)
    change = np.abs(np.diff(grey, axis=0)).mean(axis=0) if len(grey) > 1 else np.zeros(grey.shape[1:])
    height, width = size
    sums = np.pad(change.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    parts = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    parts = np.round(parts, _DIGITS)
    rows, columns = np.nonzero(parts == parts.max())
    middle = (np.array(parts.shape) - 1) / 2
    nearest = int(np.hypot(rows - middle[0], columns - middle[1]).argmin())
    top, left = int(rows[nearest]), int(columns[nearest])
    return slice(top, top + height), slice(left, left + width)
