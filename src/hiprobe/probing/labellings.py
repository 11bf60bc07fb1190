"""One layer measured under the labels as they are and under labels by chance, and by every estimator."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hiprobe.arrays import BoolArray, FloatArray, IntArray
from hiprobe.probing.discriminant import held_out_projections
from hiprobe.probing.estimators import components, multivariate, of_projections, per_feature
from hiprobe.probing.formulas import SaliencySettings
from hiprobe.probing.permuted import permuted_labels
from hiprobe.probing.ranks import weighted_auc
from hiprobe.probing.segments import Layer, Segments

LIMIT = 2000
"""Of more segments than this, as many are measured, evenly spread: curves of layers need no more."""


class LabelledCurves(NamedTuple):
    """What was measured of one layer.

    ``metrics`` (2, weightings): D_KL and LDR by each weighting of groups; None where the estimator is ``per-feature``,
    which cells serve. ``permuted`` (3, draws): D_KL, LDR and AUC under labels by chance. ``auc``: by the labels as
    they are, of the same discriminants.
    """

    metrics: FloatArray | None
    permuted: FloatArray
    auc: float


class Labellings:
    """The segments that are measured, their labels, and labels by chance; see :class:`LabelledCurves`.

    Parameters
    ----------
    segments : Segments
    held_out : array of int, shape (n,)
        Number of the fold in which each segment is held out, in the order of the videos.
    settings : SaliencySettings
    seed : int
        Of the labels by chance.
    """

    def __init__(self, segments: Segments, held_out: IntArray, settings: SaliencySettings, seed: int = 0) -> None:
        place = np.argsort(segments.order)
        self._rows = _spread(place, segments.abnormal[place], held_out)
        self._groups, self._settings = segments.groups[self._rows], settings
        order = segments.order[self._rows]
        self._held_out, self._folds = held_out[order], int(held_out.max()) + 1
        labels = segments.abnormal[self._rows]
        chance = permuted_labels(labels, self._groups, self._held_out, settings.permutations, seed)
        self._labels: BoolArray = np.column_stack([labels, chance])

    @property
    def draws(self) -> int:
        """How many labellings by chance there are."""
        return self._labels.shape[1] - 1

    def curves(self, layer: Layer, weights: FloatArray) -> LabelledCurves:
        """Measure a layer by weightings of groups (weightings, groups)."""
        states = (layer.values[self._rows] - layer.mean) / layer.scale
        projections = held_out_projections(states, self._labels, self._held_out, self._folds)
        ones = np.ones((1, len(states)))
        auc = [
            float(weighted_auc(column, labels, ones)[0])
            for column, labels in zip(projections.T, self._labels.T, strict=True)
        ]
        metrics, permuted = self._measured(states, projections, weights[:, self._groups].T)
        return LabelledCurves(metrics, np.concatenate([permuted, [auc[1:]]]), auc[0])

    def _measured(
        self, states: NDArray[np.floating], projections: FloatArray, weights: FloatArray
    ) -> tuple[FloatArray | None, FloatArray]:
        """Return D_KL and LDR by weights (n, k), and under labels by chance."""
        chance, settings = self._labels[:, 1:], self._settings
        labels = np.broadcast_to(self._labels[:, :1], weights.shape)
        ones = np.ones(chance.shape)
        if settings.estimator == "per-feature":
            return None, per_feature(states.astype(np.float32), chance, settings) if self.draws else np.empty((2, 0))
        if settings.estimator == "multivariate":
            points = components(states)
            whole = multivariate(points, labels, weights, settings)
            return whole, multivariate(points, chance, ones, settings) if self.draws else np.empty((2, 0))
        own = np.broadcast_to(projections[:, :1], weights.shape)
        permuted = of_projections(projections[:, 1:], chance, ones, settings) if self.draws else np.empty((2, 0))
        return of_projections(own, labels, weights, settings), permuted


def _spread(place: IntArray, abnormal: BoolArray, held_out: IntArray) -> IntArray:
    """Return which of the segments, by their ``place``, are measured: all, or some evenly spread over the videos.

    All are taken where a few would leave a class out of what a fold is fitted on.
    """
    if len(place) <= LIMIT:
        return place
    chosen = np.unique(np.linspace(0, len(place) - 1, LIMIT).astype(np.intp))
    kept = abnormal[chosen], held_out[chosen]
    counts = [
        np.count_nonzero((kept[0] == of_class) & (kept[1] != fold))
        for fold in range(int(held_out.max()) + 1)
        for of_class in (True, False)
    ]
    return place[chosen] if min(counts) >= 2 else place
