"""D_KL and LDR of a layer by other estimators, for many weightings or labellings of its segments at once.

Each weighting says how often every segment counts: once, never (its fold is left out), or as often as its group was
drawn. Each labelling says which segments are abnormal: as they are, or by chance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.probing.formulas import (
    ClassStatistics,
    SaliencySettings,
    bin_numbers,
    feature_metrics,
    histogram_range,
    mean_over,
)

COMPONENTS = 64
"""Principal components of the multivariate estimator, at most."""

_NO_SPREAD = 1e-12
"""Share of the mean square below which a variance is rounding."""


def per_feature(states: NDArray[np.floating], labellings: BoolArray, settings: SaliencySettings) -> FloatArray:
    """Return D_KL and LDR (2, k) of states (n, D), standardised, as means over features, for labellings (n, k)."""
    squares, histograms = states**2, _histograms(states, settings)
    classes, varies = [], True
    for members in (labellings, ~labellings):
        weight = (members / members.sum(axis=0)).T.astype(states.dtype)
        mean, square = (weight @ values for values in (states, squares))
        mean, square = mean.astype(np.float64), square.astype(np.float64)
        varies &= square - mean**2 > 1e-6 * square  # of single precision
        counts = histograms(members)
        classes.append(ClassStatistics(members.sum(axis=0), mean, np.maximum(square - mean**2, 0), counts))
    varies = np.asarray(varies)
    found = feature_metrics(classes[0], classes[1], varies, settings)
    return np.stack([mean_over(found.d_kl, varies), mean_over(found.ldr, varies)])


def of_projections(
    projections: FloatArray, labellings: BoolArray, weights: FloatArray, settings: SaliencySettings
) -> FloatArray:
    """Return D_KL and LDR (2, k) of projections (n, k) on a discriminant, by labellings and weights (n, k) of them.

    NaN where a class has no spread.
    """
    classes, varies = [], True
    low, width = histogram_range(projections.mean(axis=0), projections.std(axis=0))
    bins = bin_numbers(projections, low, width, settings.bins)
    for members in (labellings * weights, ~labellings * weights):
        number = members.sum(axis=0)
        mean = (members * projections).sum(axis=0) / np.maximum(number, 1)
        var = (members * (projections - mean) ** 2).sum(axis=0) / np.maximum(number, 1)
        varies &= var > _NO_SPREAD * (mean**2 + var)
        columns = zip(bins.T, members.T, strict=True)
        counts = np.stack([np.bincount(column, weight, settings.bins) for column, weight in columns])
        classes.append(ClassStatistics(number, mean[:, None], var[:, None], counts[:, None]))
    varies = np.asarray(varies)[:, None]
    found = feature_metrics(classes[0], classes[1], varies, settings)
    return np.stack([mean_over(found.d_kl, varies), mean_over(found.ldr, varies)])


def components(states: NDArray[np.floating]) -> FloatArray:
    """Return states (n, D), standardised, in their principal components: (n, 64 at most)."""
    count = min(COMPONENTS, states.shape[0] - 1, states.shape[1])
    return PCA(count, random_state=0).fit_transform(np.asarray(states, np.float64))


def multivariate(
    points: FloatArray, labellings: BoolArray, weights: FloatArray, settings: SaliencySettings
) -> FloatArray:
    """Return D_KL and LDR (2, k) of Gaussians fitted to points (n, r), by labellings and weights (n, k) of them.

    LDR is the squared distance of the means in units of the sum of both covariances. NaN where a class has fewer than
    two segments.
    """
    found = []
    for labels, weight in zip(labellings.T, weights.T, strict=True):
        rows = np.repeat(np.arange(len(points)), weight.astype(np.intp))
        members = labels[rows]
        if min(members.sum(), (~members).sum()) < 2:
            found.append((np.nan, np.nan))
            continue
        mean_a, cov_a = _gaussian(points[rows[members]])
        mean_n, cov_n = _gaussian(points[rows[~members]])
        gap = mean_a - mean_n
        d_kl = _divergence(gap, cov_a, cov_n)
        if settings.divergence == "symmetric":
            d_kl = (d_kl + _divergence(gap, cov_n, cov_a)) / 2
        found.append((d_kl, float(gap @ np.linalg.solve(cov_a + cov_n, gap))))
    return np.array(found).T


def _gaussian(points: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean (r,) of points (n, r) and their covariance, shrunk and never singular."""
    covariance = ledoit_wolf(points)[0]
    covariance += np.eye(len(covariance)) * (1e-9 * np.trace(covariance) / len(covariance) + 1e-12)
    return points.mean(axis=0), covariance


def _divergence(gap: FloatArray, p: FloatArray, q: FloatArray) -> float:
    """Return KL(P || Q) of two Gaussians in nats, by the gap of their means and their covariances."""
    factor = cho_factor(q, lower=True)
    spread = np.linalg.slogdet(q)[1] - np.linalg.slogdet(p)[1]
    return 0.5 * float(np.trace(cho_solve(factor, p)) - len(gap) + spread + gap @ cho_solve(factor, gap))


def _histograms(states: NDArray[np.floating], settings: SaliencySettings):
    """Return a function from members (n, k) to histograms (k, D, bins); of zeros where no divergence reads them."""
    if settings.divergence != "histogram":
        return lambda members: np.zeros((members.shape[1], 1, 1))
    values = np.asarray(states, np.float64)
    numbers = bin_numbers(values, *histogram_range(values.mean(axis=0), values.std(axis=0)), settings.bins)
    numbers += np.arange(values.shape[1]) * settings.bins
    size = values.shape[1] * settings.bins

    def count(members: BoolArray) -> FloatArray:
        def each() -> Iterator[NDArray[np.intp]]:
            for column in members.T:
                yield np.bincount(numbers[column].ravel(), minlength=size).reshape(-1, settings.bins)

        return np.stack(list(each())).astype(np.float64)

    return count
