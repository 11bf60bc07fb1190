"""What a fixed camera shows when nothing happens, and how far each place of a frame departs from it.

A person who lies still does not move, but was not there before. A map that counts motion alone passes over them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FEWEST = 3
"""Frames that a backdrop takes: of fewer, the median is one of them."""

UNNOTICED, PLAIN = 10.0, 40.0
"""Grey levels, mean over a place: up to the first it is noise or light; from the second on something is there."""


def backdrop(frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8] | None:
    """Return the median (H, W, 3) of frames that are spread over a video; None of fewer than 3."""
    return np.median(np.stack(frames), axis=0).astype(np.uint8) if len(frames) >= FEWEST else None


def departure(frames: NDArray[np.uint8], empty: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return how far each place of frames (K, H, W, 3) departs from a backdrop, (K, rows, columns), 0 to 1.

    Parameters
    ----------
    frames : ndarray of uint8, shape (K, H, W, 3)
        Of one segment.
    empty : ndarray of uint8, shape (H, W, 3)
        As of :func:`backdrop`.
    size : tuple of int
        (rows, columns) of the places.

    Returns
    -------
    ndarray of float32, shape (K, rows, columns)
        0 where there is nothing new, 1 where there plainly is.
    """
    apart = np.abs(frames.astype(np.float32) - empty).mean(axis=-1)
    places = [np.asarray(Image.fromarray(one).resize((size[1], size[0]), Image.Resampling.BOX)) for one in apart]
    return np.clip((np.stack(places) - UNNOTICED) / (PLAIN - UNNOTICED), 0, 1).astype(np.float32)
