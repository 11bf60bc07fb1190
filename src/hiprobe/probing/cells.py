"""Statistics of cells: the segments of one class and one group.

Saliency is made of them, for the whole calibration set and for resamples of its groups. Four statistics of
cells add up: the number of segments, the sums and sums of squares of their values, and the counts of their
histograms. So the whole set is the sum of all cells, and a resample is a weighted sum.

Sums add up only if values are measured by the same :class:`Reference`. It holds the mean and deviation of each
class and the range of each histogram, and is fixed before cells are gathered. Cells that are gathered apart by
one reference are concatenated, and are to the bit those that are gathered together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from hiprobe.arrays import BoolArray, FloatArray, IntArray
from hiprobe.probing.formulas import (
    ClassStatistics,
    SaliencySettings,
    bin_numbers,
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


class Reference(NamedTuple):
    """What the values of a layer are measured by; statistics of cells add up if theirs is the same.

    ``centre`` and ``spread`` (2, D): mean and deviation of normal and of abnormal segments. ``fixed`` (2, D):
    features that are constant, whose spread is 1. ``low`` and ``width`` (D,): ranges of the histograms.
    """

    centre: FloatArray
    spread: FloatArray
    fixed: BoolArray
    low: FloatArray
    width: FloatArray

    @classmethod
    def of(cls, layer: Layer) -> Reference:
        """Return the reference of a layer, by its moments over all segments."""
        fixed = constant(layer.class_var, layer.class_mean)
        spread = np.where(fixed, 1.0, np.sqrt(layer.class_var))
        return cls(layer.class_mean, spread, fixed, *histogram_range(layer.mean, layer.std))


class Sums(NamedTuple):
    """Sums and sums of squares (cells, D) of the values of each cell, less the centre and over the spread.

    Nothing cancels in them, however far from 0 the values are.
    """

    values: FloatArray
    squares: FloatArray


class WeightedCurves(NamedTuple):
    """D_KL, LDR and H of one layer by each weighting of cells, ``metrics`` (3, weightings).

    NaN where no feature varies. ``varies`` (weightings, D): the features that do.
    """

    metrics: FloatArray
    varies: BoolArray


class _Moments(NamedTuple):
    """Of one class by each weighting: number (weightings,), mean and var (weightings, D), and which features vary."""

    number: FloatArray
    mean: FloatArray
    var: FloatArray
    varies: BoolArray


class _Block(NamedTuple):
    """Some cells of class ``c``: their rows, the number of the cell of each row (rows, 1), and the sum over a cell."""

    c: int
    cells: slice
    rows: slice
    rank: IntArray
    total: csr_array


class Cells:
    """The cells of segments, sorted as segments are: by class, normal first, then by group.

    Attributes
    ----------
    groups : ndarray of int, shape (cells,)
        Number of the group of each cell.
    number : ndarray of shape (cells,)
        How many segments each cell has.
    classes : tuple of 2 slices
        The cells of normal and of abnormal segments.
    """

    def __init__(self, segments: Segments) -> None:
        groups, abnormal = segments.groups, segments.abnormal
        changes = (np.diff(groups) != 0) | np.diff(abnormal)
        self._starts = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(groups)]])
        first = self._starts[:-1]
        self.groups: IntArray = groups[first]
        self.number: FloatArray = np.diff(self._starts).astype(np.float64)
        split = int(np.count_nonzero(~abnormal[first]))
        self.classes = slice(0, split), slice(split, len(first))
        self._blocks = list(self._cut())

    def curves(self, layer: Layer, weight: FloatArray, settings: SaliencySettings) -> WeightedCurves:
        """Return the metrics of a layer by each weighting (weightings, cells); all 1 is the whole set."""
        reference = Reference.of(layer)
        moments = self._moments(self.sums(layer.values, reference), weight, reference)
        varies = moments[0].varies & moments[1].varies
        chunk = max(1, _COUNTERS // (settings.bins * max(weight.shape)))
        sums = np.zeros((3, len(weight)))
        for start in range(0, layer.values.shape[1], chunk):
            part = slice(start, start + chunk)
            counts = self.histograms(layer.values, reference, settings.bins, part)
            normal, abnormal = (
                ClassStatistics(of_class.number, of_class.mean[:, part], of_class.var[:, part], histogram)
                for of_class, histogram in zip(moments, self._weighted(counts, weight), strict=True)
            )
            metrics = feature_metrics(abnormal, normal, varies[:, part], settings)
            sums += [metric.sum(axis=-1) for metric in metrics]
        return WeightedCurves(mean_over(sums[..., None], np.broadcast_to(varies, (3, *varies.shape))), varies)

    def sums(self, values: FloatArray, reference: Reference) -> Sums:
        """Return the sums of each cell of the values (n, D) of a layer, sorted as segments are."""
        result = Sums(*np.empty((2, len(self.number), values.shape[1])))
        for block in self._blocks:
            scaled = (values[block.rows] - reference.centre[block.c]) / reference.spread[block.c]
            result.values[block.cells] = block.total @ scaled
            result.squares[block.cells] = block.total @ np.square(scaled, out=scaled)
        return result

    def histograms(
        self, values: FloatArray, reference: Reference, bins: int, part: slice = slice(None)
    ) -> NDArray[np.float32]:
        """Count how many of the values (n, D) of each cell are in each bin, for a ``part`` of the features.

        Returns (cells, features, bins). Values out of range count in the end bins.
        """
        values, low, width = values[:, part], reference.low[part], reference.width[part]
        size = values.shape[1] * bins
        counts = np.empty((len(self.number), size), dtype=np.float32)
        first_bin = np.arange(values.shape[1]) * bins
        for block in self._blocks:
            numbers = bin_numbers(values[block.rows], low, width, bins)
            numbers += first_bin
            numbers += block.rank * size
            of_block = counts[block.cells]
            of_block[:] = np.bincount(numbers.ravel(), minlength=of_block.size).reshape(of_block.shape)
        return counts.reshape(len(counts), -1, bins)

    def _cut(self) -> Iterator[_Block]:
        """Cut the cells into blocks of one class whose states stay in the processor's cache, or of one cell."""
        for c, cells in enumerate(self.classes):
            start = cells.start
            while start < cells.stop:
                end = int(np.searchsorted(self._starts, self._starts[start] + _ROWS, side="right")) - 1
                stop = min(max(start + 1, end), cells.stop)
                starts = self._starts[start : stop + 1] - self._starts[start]
                total = csr_array((np.ones(starts[-1]), np.arange(starts[-1]), starts))
                rank = np.repeat(np.arange(stop - start), np.diff(starts))[:, None]
                yield _Block(c, slice(start, stop), slice(self._starts[start], self._starts[stop]), rank, total)
                start = stop

    def _weighted(self, counts: NDArray[np.float32], weight: FloatArray) -> Iterator[NDArray[np.float32]]:
        """Yield the histograms (weightings, features, bins) of each class from those of the cells."""
        for cells in self.classes:
            # Exact: single precision holds whole numbers up to 16 million, and is twice as fast.
            total = weight[:, cells].astype(np.float32) @ counts[cells].reshape(len(counts[cells]), -1)
            yield total.reshape(len(total), *counts.shape[1:])

    def _moments(self, sums: Sums, weight: FloatArray, reference: Reference) -> list[_Moments]:
        """Return the moments of each class from the sums of the cells."""
        found = []
        for c, cells in enumerate(self.classes):
            of_class = weight[:, cells]
            number = of_class @ self.number[cells]
            mean, square = (of_class @ of_cells[cells] / number[:, None] for of_cells in sums)
            var = square - mean**2
            varies = (var > _NO_SPREAD * square) & ~reference.fixed[c]
            centre, spread = reference.centre[c], reference.spread[c]
            found.append(_Moments(number, centre + spread * mean, spread**2 * np.maximum(var, 0.0), varies))
        return found
