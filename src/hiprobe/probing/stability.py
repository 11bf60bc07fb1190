"""How surely the calibration set picks its layer: bootstrap over groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from hiprobe.arrays import BoolArray, FloatArray, IntArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing.checks import check_groups, check_labels, check_states
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
from hiprobe.probing.segments import Layer, Segments

_COUNTERS = 8_000_000
"""Histogram counters held at once; features are taken in chunks to stay within it."""

_ROWS = 512
"""Segments, about, that are worked on at once."""

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
    abnormal = check_labels(labels, len(values))
    units = check_groups(groups, len(values))
    for members, name in ((abnormal, "abnormal"), (~abnormal, "normal")):
        if np.count_nonzero(members) < 2:
            raise CalibrationError(f"The calibration set has fewer than 2 {name} segments; add {name} clips.")
    if min(len(np.unique(units[abnormal])), len(np.unique(units[~abnormal]))) < 2:
        units = np.arange(len(values))
    segments = Segments(values, abnormal, units)
    draws = Draws(segments, n_bootstrap, seed)
    return draws.shares(segments.map(lambda layer: draws.curves(layer, settings)), settings)


class LayerCurves(NamedTuple):
    """D_KL, LDR and H of one layer: ``whole`` (3,) of all segments, and ``drawn`` (3, draws).

    NaN where no feature varies. ``varies`` (D,): the features that do, of all segments.
    """

    whole: FloatArray
    drawn: FloatArray
    varies: BoolArray


class _Block(NamedTuple):
    """Some cells of class ``c``: their rows, the number of the cell of each row (rows, 1), and the sum over a cell."""

    c: int
    cells: slice
    rows: slice
    rank: IntArray
    total: csr_array


class Draws:
    """Draws of groups with replacement, as weights of cells: the segments of one group and one class.

    Each class must have two segments, and be in two groups unless each segment is a group.
    """

    def __init__(self, segments: Segments, n_draws: int = 50, seed: int = 0) -> None:
        units, abnormal = segments.groups, segments.abnormal
        draws = _draw(units, abnormal, n_draws, np.random.default_rng(seed))
        weight = np.concatenate([np.ones((1, draws.shape[1])), draws])  # the first draw is the whole set
        changes = (np.diff(units) != 0) | np.diff(abnormal)
        self._starts = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(units)]])
        first = self._starts[:-1]
        self._weight = weight[:, units[first]]
        self._count = np.diff(self._starts).astype(np.float64)
        self._split = int(np.count_nonzero(~abnormal[first]))  # cells are sorted as segments are: normal ones first
        self._blocks = list(self._cut())

    def curves(self, layer: Layer, settings: SaliencySettings) -> LayerCurves:
        """Return the metrics of a layer in each draw."""
        low, width = histogram_range(layer.mean, layer.std)
        moments = self._moments(layer)
        varies = moments[0][3] & moments[1][3]
        chunk = max(1, _COUNTERS // (settings.bins * max(self._weight.shape)))
        sums = np.zeros((3, len(self._weight)))
        for start in range(0, layer.values.shape[1], chunk):
            part = slice(start, start + chunk)
            counts = self._histograms(layer.values[:, part], low[part], width[part], settings.bins)
            normal, abnormal = (
                ClassStatistics(count, mean[:, part], var[:, part], histogram)
                for (count, mean, var, _), histogram in zip(moments, self._drawn(counts), strict=True)
            )
            metrics = feature_metrics(abnormal, normal, varies[:, part], settings)
            sums += [metric.sum(axis=-1) for metric in metrics]
        means = mean_over(sums[..., None], np.broadcast_to(varies, (3, *varies.shape)))
        return LayerCurves(means[:, 0], means[:, 1:], varies[0])

    def shares(self, layers: Sequence[LayerCurves], settings: SaliencySettings) -> FloatArray:
        """Return the share of draws (layers,) in which S of each layer is the highest.

        Raises CalibrationError if S is undefined in all draws.
        """
        curves = np.stack([layer.drawn for layer in layers], axis=-1)
        curves = curves[:, np.isfinite(curves).all(axis=(0, 2))]
        if not curves.shape[1]:
            raise CalibrationError("No resample varies within both classes; add clips that differ from each other.")
        combined, _ = combine(curves[0], curves[1], curves[2], settings)
        winners = np.argmax(combined, axis=-1)
        return np.bincount(winners, minlength=len(layers)) / len(winners)

    def _cut(self) -> Iterator[_Block]:
        """Cut the cells into blocks of one class whose states stay in the processor's cache, or of one cell."""
        for c, cells in enumerate(self._classes()):
            start = cells.start
            while start < cells.stop:
                end = int(np.searchsorted(self._starts, self._starts[start] + _ROWS, side="right")) - 1
                stop = min(max(start + 1, end), cells.stop)
                starts = self._starts[start : stop + 1] - self._starts[start]
                total = csr_array((np.ones(starts[-1]), np.arange(starts[-1]), starts))
                rank = np.repeat(np.arange(stop - start), np.diff(starts))[:, None]
                yield _Block(c, slice(start, stop), slice(self._starts[start], self._starts[stop]), rank, total)
                start = stop

    def _classes(self) -> tuple[slice, slice]:
        return slice(0, self._split), slice(self._split, len(self._count))

    def _drawn(self, counts: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield the histograms (draws, features, bins) of each class from those of the cells."""
        for cells in self._classes():
            # Exact: single precision holds whole numbers up to 16 million, and is twice as fast.
            drawn = self._weight[:, cells].astype(np.float32) @ counts[cells].reshape(len(counts[cells]), -1)
            yield drawn.reshape(len(drawn), *counts.shape[1:])

    def _histograms(self, values: FloatArray, low: FloatArray, width: FloatArray, bins: int) -> NDArray[np.float32]:
        """Count how many of the values (n, features) of each cell are in each bin: (cells, features, bins)."""
        size = values.shape[1] * bins
        counts = np.empty((len(self._count), size), dtype=np.float32)
        first_bin = np.arange(values.shape[1]) * bins
        for block in self._blocks:
            numbers = bin_numbers(values[block.rows], low, width, bins)
            numbers += first_bin
            numbers += block.rank * size
            of_block = counts[block.cells]
            of_block[:] = np.bincount(numbers.ravel(), minlength=of_block.size).reshape(of_block.shape)
        return counts.reshape(len(counts), -1, bins)

    def _moments(self, layer: Layer) -> list[tuple[FloatArray, FloatArray, FloatArray, BoolArray]]:
        """Return count (draws,), mean and var (draws, D) of each class in each draw, and which features vary.

        Sums of squares are of values standardised within the class: nothing cancels, however far from 0.
        """
        fixed = constant(layer.class_var, layer.class_mean)
        spread = np.where(fixed, 1.0, np.sqrt(layer.class_var))
        sums, squares = np.empty((2, len(self._count), layer.values.shape[1]))
        for block in self._blocks:
            scaled = (layer.values[block.rows] - layer.class_mean[block.c]) / spread[block.c]
            sums[block.cells] = block.total @ scaled
            squares[block.cells] = block.total @ np.square(scaled, out=scaled)
        found = []
        for c, cells in enumerate(self._classes()):
            weight = self._weight[:, cells]
            count = weight @ self._count[cells]
            mean, square = (weight @ of_cells[cells] / count[:, None] for of_cells in (sums, squares))
            var = square - mean**2
            varies = (var > _NO_SPREAD * square) & ~fixed[c]
            found.append((count, layer.class_mean[c] + spread[c] * mean, spread[c] ** 2 * np.maximum(var, 0.0), varies))
        return found


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
