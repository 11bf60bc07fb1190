"""Two figures that are reported beside the saliency of each layer, and never mixed into it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score, silhouette_score

from hiprobe.arrays import FloatArray
from hiprobe.errors import UndefinedMetricError
from hiprobe.probing.checks import check_groups, check_labels, check_states
from hiprobe.probing.folds import Fold, fold_numbers, group_folds
from hiprobe.probing.logistic import ALONE, COMPARED, check_strength, fold_regressions
from hiprobe.probing.segments import Layer, Segments

LAYER_C = 1e-3
"""C of the scorers that layers are compared by: strong regularisation, as D often exceeds n."""

SILHOUETTE_SEGMENTS = 2000
"""Silhouettes of more segments than this are computed on a sample: they need all distances."""


def layer_auc(
    states: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    C: float = LAYER_C,
    n_splits: int = 5,
    seed: int = 0,
) -> FloatArray:
    """Return the cross-validated AUC of each layer (layers,).

    The scores of the held-out segments of all folds are pooled, and one AUC is computed of them.

    Parameters
    ----------
    states : array of shape (n, layers, D)
        Hidden states of the calibration segments.
    labels : array of shape (n,)
        True or 1 where abnormal.
    groups : array of shape (n,)
        Name of the source of each segment; no group is both fitted and scored.
    C : float
        Inverse regularisation strength, the same for all layers.
    n_splits, seed : int
        As for :func:`group_folds`.

    Raises
    ------
    CalibrationError
        If a class is in fewer than two groups, or a state is NaN or infinite.
    """
    values = check_states(states, ("n", "layers", "D"))
    abnormal = check_labels(labels, len(values))
    names = check_groups(groups, len(values))
    segments = Segments(values, abnormal, names)
    comparison = Comparison(segments, group_folds(abnormal, names, n_splits, seed), C)
    return np.array(segments.map(comparison.auc))


def layer_silhouette(states: ArrayLike, labels: ArrayLike, seed: int = 0) -> FloatArray:
    """Return the silhouette score of the two classes in each layer (layers,), within [-1, 1].

    Distances are Euclidean, on features standardised over all segments: a few features of a language
    model are hundreds of times larger than the rest and would decide alone. Over 2,000 segments, a sample
    with the same shares of the classes is taken.

    Parameters
    ----------
    states : array of shape (n, layers, D)
        Hidden states of the calibration segments.
    labels : array of shape (n,)
        True or 1 where abnormal.
    seed : int
        Of the sample.

    Raises
    ------
    UndefinedMetricError
        If a class has fewer than two segments.
    CalibrationError
        If a state is NaN or infinite.
    """
    values = check_states(states, ("n", "layers", "D"))
    abnormal = check_labels(labels, len(values))
    segments = Segments(values, abnormal)
    sample = Sample(segments, seed)
    return np.array(segments.map(sample.silhouette))


class Comparison:
    """Compares layers by the AUC of out-of-fold scores; see :func:`layer_auc`."""

    def __init__(self, segments: Segments, folds: list[Fold], C: float = LAYER_C) -> None:
        self._abnormal, self._C, self._folds = segments.abnormal, check_strength(C), len(folds)
        self._held_out = fold_numbers(folds)[segments.order]

    def scores(self, layer: Layer) -> FloatArray:
        """Return the out-of-fold scores (n,) of one layer, in the order of the segments."""
        states = layer.standardised()
        model = fold_regressions(states, self._abnormal, self._held_out, self._folds, COMPARED, per_segment=ALONE)
        return model.held_out_scores(model.fit(self._C))

    def auc(self, layer: Layer) -> float:
        """Return the pooled out-of-fold AUC of one layer."""
        return float(roc_auc_score(self._abnormal, self.scores(layer)))


class Sample:
    """The segments that silhouettes are computed of; see :func:`layer_silhouette`.

    Raises UndefinedMetricError if a class has fewer than two segments.
    """

    def __init__(self, segments: Segments, seed: int = 0) -> None:
        abnormal, n = segments.abnormal, len(segments.abnormal)
        place = np.argsort(segments.order)
        rng, kept = np.random.default_rng(seed), []
        for members, name in ((abnormal, "abnormal"), (~abnormal, "normal")):
            members = np.sort(segments.order[members])
            if len(members) < 2:
                raise UndefinedMetricError(
                    f"A silhouette of {len(members)} {name} segment(s) is undefined; add {name} clips."
                )
            if n > SILHOUETTE_SEGMENTS:
                share = max(2, round(SILHOUETTE_SEGMENTS * len(members) / n))
                members = rng.choice(members, share, replace=False)
            kept.append(members)
        self._rows = np.sort(place[np.concatenate(kept)])
        self._labels = abnormal[self._rows]

    def silhouette(self, layer: Layer) -> float:
        """Return the silhouette score of the two classes in one layer."""
        return float(silhouette_score((layer.values[self._rows] - layer.mean) / layer.scale, self._labels))
