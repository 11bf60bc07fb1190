"""Fewer points for a chart that looks the same: for display only, never for a number."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def thin(curves: NDArray[np.floating], limit: int) -> NDArray[np.intp]:
    """Return which points of curves over one axis to draw: ascending indices, at most ``limit`` where that is possible.

    The points are cut into runs of one length, and of each run the lowest and the highest point of every curve stay, so
    that no peak is lost. The first and the last point always stay.

    Parameters
    ----------
    curves : array of shape (c, n)
        c curves of n points.
    limit : int
        Points to draw; where there are no more, all are.
    """
    c, n = curves.shape
    if n <= limit:
        return np.arange(n)
    runs = max(1, (limit - 2) // (2 * c))
    borders = np.linspace(0, n, runs + 1).astype(int)
    kept = {0, n - 1}
    for start, stop in pairwise(borders):
        run = curves[:, start:stop]
        kept.update((start + run.argmin(axis=1)).tolist(), (start + run.argmax(axis=1)).tolist())
    return np.array(sorted(kept))
