"""How surely the calibration set picks its layer: bootstrap over groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    check_finite,
    check_groups,
    check_labels,
    check_states,
    layer_states,
)
from hiprobe.probing.formulas import (
    DEFAULT_SETTINGS,
    ClassStatistics,
    SaliencySettings,
    bin_numbers,
    combine,
    constant,
    feature_metrics,
    histogram_range,
    mean_over,
)

_COUNTERS = 8_000_000
"""Histogram counters held at once; features are taken in chunks to stay within it."""

_NO_SPREAD = 1e-12
"""Share of the mean square below which the variance of a resample is rounding."""


def bootstrap_stability(
    states: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    settings: SaliencySettings = DEFAULT_SETTINGS,
    n_bootstrap: int = 50,
    seed: int = 0,
) -> FloatArray:
    """Return how often each layer has the highest saliency when groups are drawn with replacement.

    A draw in which a class has fewer than two distinct segments is drawn again. Where a class is in one
    group only, that could not end in different layers for the right reason: then segments are drawn
    instead of groups. Histogram ranges are those of all segments. Draws in which S is undefined because
    a layer varies in no feature are left out.

    A draw is a weighted sum over groups of their moments and counts, so the data are read once.

    Parameters
    ----------
    states : array of shape (n, layers, D)
        Hidden states of the calibration segments.
    labels : array of shape (n,)
        True or 1 where abnormal.
    groups : array of shape (n,)
        Name of the source of each segment.
    settings : SaliencySettings
        The estimators.
    n_bootstrap : int
        Draws, at least 1.
    seed : int
        Of the random numbers.

    Returns
    -------
    ndarray of shape (layers,)
        Shares of the draws; they sum to 1.

    Raises
    ------
    CalibrationError
        If a class has fewer than two segments, a state is NaN or infinite, or S is undefined in all draws.
    UsageError
        If ``n_bootstrap`` is less than 1.
    """
    if n_bootstrap < 1:
        raise UsageError(f"n_bootstrap is {n_bootstrap}; give a whole number, 1 or more.")
    values = check_states(states, ("n", "layers", "D"))
    check_finite(values, range(1, values.shape[1] + 1))
    abnormal = check_labels(labels, len(values))
    for members, name in ((abnormal, "abnormal"), (~abnormal, "normal")):
        if np.count_nonzero(members) < 2:
            raise CalibrationError(f"The calibration set has fewer than 2 {name} segments; add {name} clips.")
    units = check_groups(groups, len(values))
    if min(len(np.unique(units[abnormal])), len(np.unique(units[~abnormal]))) < 2:
        units = np.arange(len(values))
    draws = _draw(units, abnormal, n_bootstrap, np.random.default_rng(seed))
    cells = _Cells(units, abnormal, draws)
    curves = np.stack(
        [_layer_curves(layer_states(values, index), cells, settings) for index in range(values.shape[1])],
        axis=-1,
    )
    curves = curves[:, np.isfinite(curves).all(axis=(0, 2))]
    if not curves.shape[1]:
        raise CalibrationError("No resample varies within both classes; add clips that differ from each other.")
    combined, _ = combine(curves[0], curves[1], curves[2], settings)
    winners = np.argmax(combined, axis=-1)
    return np.bincount(winners, minlength=values.shape[1]) / len(winners)


class _Cells:
    """The segments of one unit (a group) and one class, whose sums are weighted as one.

    Attributes: ``rank`` (n,) cell of each segment; ``is_abnormal`` and ``count`` (cells,); ``weight``
    (draws, cells), how often each was drawn.
    """

    def __init__(self, units: IntArray, abnormal: BoolArray, draws: FloatArray) -> None:
        numbers, self.rank, count = np.unique(units * 2 + abnormal, return_inverse=True, return_counts=True)
        self.is_abnormal = numbers % 2 == 1
        self.count = count.astype(np.float64)
        self.weight = draws[:, numbers // 2]
        self.abnormal = abnormal
        self._order = np.argsort(self.rank, kind="stable")
        self._starts = np.cumsum(count) - count

    def sums(self, values: FloatArray) -> FloatArray:
        """Sum (n, D) over the segments of each cell: (cells, D)."""
        return np.add.reduceat(values[self._order], self._starts, axis=0)

    def histograms(self, numbers: np.ndarray, bins: int) -> FloatArray:
        """Count the bin numbers (n, D) of each cell: (cells, D * bins)."""
        size = numbers.shape[1] * bins
        first = self.rank[:, None] * size + np.arange(numbers.shape[1]) * bins
        counts = np.bincount((first + numbers).ravel(), minlength=len(self.count) * size)
        return counts.reshape(len(self.count), size).astype(np.float64)


def _draw(units: IntArray, abnormal: BoolArray, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Return how often each unit was drawn, (draws, units), every draw with two segments per class."""
    total = int(units.max()) + 1
    per_class = [np.bincount(units[members], minlength=total) for members in (abnormal, ~abnormal)]
    draws: list[np.ndarray] = []
    while len(draws) < n_draws:  # ends: each class has two units at least
        draw = np.bincount(rng.integers(total, size=total), minlength=total)
        if all(segments[draw > 0].sum() >= 2 for segments in per_class):
            draws.append(draw)
    return np.array(draws, dtype=np.float64)


def _layer_curves(values: FloatArray, cells: _Cells, settings: SaliencySettings) -> FloatArray:
    """Return D_KL, LDR and H (3, draws) of one layer in each draw; NaN where no feature varies."""
    low, width = histogram_range(values.mean(axis=0), values.std(axis=0))
    numbers = bin_numbers(values, low, width, settings.bins)
    features = values.shape[1]
    moments = [_moments(values, cells, abnormal) for abnormal in (True, False)]
    varies = moments[0][3] & moments[1][3]
    chunk = max(1, _COUNTERS // (settings.bins * max(cells.weight.shape)))
    sums = np.zeros((3, len(cells.weight)))
    for start in range(0, features, chunk):
        part = slice(start, min(start + chunk, features))
        counts = cells.histograms(numbers[:, part], settings.bins)
        statistics = []
        for abnormal, (count, mean, var, _) in zip((True, False), moments, strict=True):
            of_class = cells.is_abnormal == abnormal
            histogram = cells.weight[:, of_class] @ counts[of_class]
            histogram = histogram.reshape(len(count), -1, settings.bins)
            statistics.append(ClassStatistics(count, mean[:, part], var[:, part], histogram))
        metrics = feature_metrics(statistics[0], statistics[1], varies[:, part], settings)
        sums += [metric.sum(axis=-1) for metric in metrics]
    return mean_over(sums[..., None], np.broadcast_to(varies, (3, *varies.shape)))


def _moments(values: FloatArray, cells: _Cells, abnormal: bool) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray]:
    """Return count (draws,), mean and var (draws, D) of one class in each draw, and which features vary.

    Sums of squares are of values standardised within the class: nothing cancels, however far from 0.
    """
    members, of_class = cells.abnormal == abnormal, cells.is_abnormal == abnormal
    centre, spread = values[members].mean(axis=0), values[members].std(axis=0)
    fixed = constant(spread**2, centre)
    spread = np.where(fixed, 1.0, spread)
    scaled = (values - centre) / spread
    weight = cells.weight[:, of_class]
    count = weight @ cells.count[of_class]
    mean = weight @ cells.sums(scaled)[of_class] / count[:, None]
    square = weight @ cells.sums(scaled**2)[of_class] / count[:, None]
    var = square - mean**2
    varies = (var > _NO_SPREAD * square) & ~fixed
    return count, centre + spread * mean, spread**2 * np.maximum(var, 0.0), varies
