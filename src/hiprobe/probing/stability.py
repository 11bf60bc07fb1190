"""How surely the calibration set picks its layer: bootstrap over groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from hiprobe.arrays import BoolArray, FloatArray, IntArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing.cells import Cells
from hiprobe.probing.checks import check_classes, check_groups, check_labels, check_states
from hiprobe.probing.formulas import DEFAULT_SETTINGS, SaliencySettings, combine
from hiprobe.probing.segments import Layer, Segments


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

    A draw is a weighted sum of the statistics of cells, so the data are read once; see :class:`Cells`.

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
    check_classes(abnormal)
    if min(len(np.unique(units[abnormal])), len(np.unique(units[~abnormal]))) < 2:
        units = np.arange(len(values))
    segments = Segments(values, abnormal, units)
    draws = Draws(segments, n_bootstrap, seed)
    return draws.shares(segments.map(lambda layer: draws.curves(layer, settings)), settings)


class LayerCurves(NamedTuple):
    """D_KL, LDR and H of one layer.

    ``whole`` (3,) of all segments, ``drawn`` (3, draws), and ``without`` (3, folds) each fold. NaN where no feature
    varies. ``varies`` (D,): the features that do, of all segments.
    """

    whole: FloatArray
    drawn: FloatArray
    without: FloatArray
    varies: BoolArray


class Draws:
    """Draws of groups with replacement, as weights of cells; see :class:`Cells`.

    Each class must have two segments, and be in two groups unless each segment is a group. ``kept`` (folds, groups)
    is True where a group is not held out in a fold.
    """

    def __init__(self, segments: Segments, n_draws: int = 50, seed: int = 0, kept: BoolArray | None = None) -> None:
        self._cells = Cells(segments)
        draws = _draw(segments.groups, segments.abnormal, n_draws, np.random.default_rng(seed))
        left = np.ones((0, draws.shape[1])) if kept is None else kept.astype(np.float64)
        # The first weighting is the whole set.
        self._of_group = np.concatenate([np.ones((1, draws.shape[1])), left, draws])
        self._folds = len(left)

    @property
    def groups(self) -> FloatArray:
        """How often each group counts (weightings, groups): in the whole set, without each fold, and in each draw."""
        return self._of_group

    def curves(self, layer: Layer, settings: SaliencySettings) -> LayerCurves:
        """Return the metrics of a layer of the whole set, without each fold, and in each draw."""
        found = self._cells.curves(layer, self._of_group[:, self._cells.groups], settings)
        return self.parted(found.metrics, found.varies[0])

    def parted(self, metrics: FloatArray, varies: BoolArray) -> LayerCurves:
        """Return metrics (3, weightings), as :attr:`groups` weighs, part by part."""
        first = 1 + self._folds
        return LayerCurves(metrics[:, 0], metrics[:, first:], metrics[:, 1:first], varies)

    def estimated(self, curves: LayerCurves, metrics: FloatArray | None) -> LayerCurves:
        """Return curves whose D_KL and LDR are others, (2, weightings) as :attr:`groups` weighs, if there are any."""
        if metrics is None:
            return curves
        entropy = np.concatenate([curves.whole[2:, None], curves.without[2:], curves.drawn[2:]], axis=1)
        return self.parted(np.concatenate([metrics, entropy]), curves.varies)

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
