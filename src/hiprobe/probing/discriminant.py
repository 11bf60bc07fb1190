"""Held-out projections: each segment on the linear discriminant of the other folds, for several labellings at once.

A layer is described by one number a segment, which no label of that segment's fold had a part in. Fisher's discriminant
is the covariance of all segments, solved for the difference of the class means. That covariance uses no labels. So one
factorisation a fold serves the labels and all their permutations.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from hiprobe.arrays import BoolArray, FloatArray, IntArray

_ROUNDING = 1e-9
"""Share of the mean variance that a covariance is given at least on its diagonal, so that it can be factorised."""


def shrinkage(covariance: FloatArray, fourth: float, n: int, width: int) -> float:
    """Return Ledoit and Wolf's shrinkage of a covariance towards a multiple of the identity, within [0, 1].

    It is what ``sklearn.covariance.ledoit_wolf_shrinkage`` returns, from sums that folds share.

    Parameters
    ----------
    covariance : ndarray of shape (r, r)
        Maximum-likelihood covariance, in coordinates that hold all of its variance.
    fourth : float
        Mean over the segments of the fourth power of their distance from the mean.
    n, width : int
        Segments, and features before any change of coordinates.

    References
    ----------
    Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004.
    """
    square, trace = float((covariance**2).sum()), float(np.trace(covariance))
    delta = square - trace**2 / width
    beta = min((fourth - square) / n, delta)
    return 0.0 if beta <= 0 else beta / delta


def held_out_projections(
    states: NDArray[np.floating], labellings: BoolArray, held_out: IntArray, folds: int
) -> FloatArray:
    """Return where each segment lies on the discriminant of the other folds: (n, k), higher is more abnormal.

    Parameters
    ----------
    states : array of shape (n, D)
        Features, standardised over all segments.
    labellings : array of shape (n, k)
        True where abnormal, by each labelling. Each fold is fitted on both classes of each.
    held_out : array of int, shape (n,)
        Number of the fold in which each segment is held out.
    folds : int
        How many there are.
    """
    width = states.shape[1]
    points = np.asarray(states, np.float64) if len(states) >= width else _spanned(states)
    parts = [held_out == fold for fold in range(folds)]
    products = [points[part].T @ points[part] for part in parts]
    sums = [points[part].sum(axis=0) for part in parts]
    product, total = np.sum(products, axis=0), np.sum(sums, axis=0)
    found = np.empty(labellings.shape)
    for part, of_part, sum_of_part in zip(parts, products, sums, strict=True):
        fitted, n = points[~part], int(np.count_nonzero(~part))
        mean = (total - sum_of_part) / n
        covariance = (product - of_part) / n - np.outer(mean, mean)
        squares = np.einsum("ij,ij->i", fitted, fitted) - 2 * fitted @ mean + mean @ mean
        shrunk = shrinkage(covariance, float(np.mean(squares**2)), n, width)
        diagonal = shrunk * np.trace(covariance) / width
        covariance *= 1 - shrunk
        rounding = _ROUNDING * np.trace(covariance) / len(covariance)
        covariance.flat[:: len(covariance) + 1] += diagonal + rounding + np.finfo(np.float64).tiny
        abnormal = labellings[~part].astype(np.float64)
        means = [fitted.T @ (of / of.sum(axis=0)) for of in (abnormal, 1 - abnormal)]
        direction = cho_solve(cho_factor(covariance, lower=True, check_finite=False), means[0] - means[1])
        found[part] = points[part] @ direction - ((means[0] + means[1]) / 2 * direction).sum(axis=0)
    return found


def _spanned(states: NDArray[np.floating]) -> FloatArray:
    """Return states (n, D), fewer than their features, in coordinates (n, n) that keep their products."""
    return np.asarray(np.linalg.qr(np.asarray(states, np.float64).T, mode="r")).T
