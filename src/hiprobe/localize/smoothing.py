"""Gaussian smoothing of segment scores in time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hiprobe.arrays import FloatArray
from hiprobe.localize.curves import score_curve
from hiprobe.localize.settings import check_seconds

TRUNCATE = 4.0
"""The kernel ends this many sigmas from its centre, where its weight is 0.03% of the middle's."""


def smooth(scores: ArrayLike, centres: ArrayLike, sigma: float) -> FloatArray:
    """Smooth segment scores with a Gaussian over true time differences.

    Each score is smoothed exactly once in HiProbe: here. The result is a weighted mean of the scores
    within ``TRUNCATE`` sigmas, so it stays within their range, borders included. Weights come from the
    time differences, not from indices, because the last segment of a video is moved back to fit and its
    centre is closer to its neighbour than the rest.

    Parameters
    ----------
    scores : array of shape (n,)
        One per segment.
    centres : array of shape (n,)
        Segment centres in seconds, strictly ascending.
    sigma : float
        Standard deviation of the kernel in seconds; 0 returns a copy of the scores.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    UsageError
        If scores or centres are NaN, infinite, empty, of unlike lengths or out of order, or sigma is
        negative.

    References
    ----------
    HiProbe-VAD (arXiv 2507.17394), temporal localisation: Gaussian smoothing of the scores.
    """
    values, times = score_curve(scores, centres)
    check_seconds("sigma", sigma)
    # Summing differences to the own score, instead of scores, keeps a constant curve exactly constant.
    # Rounding noise would matter: the adaptive threshold of a constant curve is that constant.
    pull, weight = np.zeros_like(values), np.ones_like(values)
    for offset in range(1, len(values)):
        distance = times[offset:] - times[:-offset]
        near = distance <= TRUNCATE * sigma
        if not near.any():
            break  # distances only grow with the offset
        kernel = np.zeros_like(distance)
        kernel[near] = np.exp(-0.5 * (distance[near] / sigma) ** 2)
        step = kernel * (values[offset:] - values[:-offset])
        pull[:-offset] += step
        pull[offset:] -= step
        weight[:-offset] += kernel
        weight[offset:] += kernel
    return np.clip(values + pull / weight, values.min(), values.max())  # against the last bit of rounding
