"""Two figures that are reported beside the saliency of each layer, and never mixed into it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score, silhouette_score

from hiprobe.errors import UndefinedMetricError
from hiprobe.probing.arrays import FloatArray, check_finite, check_labels, check_states, layer_states
from hiprobe.probing.formulas import constant
from hiprobe.probing.scorer import out_of_fold_scores

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
    check_finite(values, range(1, values.shape[1] + 1))
    abnormal = check_labels(labels, len(values))
    return np.array(
        [
            roc_auc_score(
                abnormal,
                out_of_fold_scores(layer_states(values, index), abnormal, groups, C, n_splits, seed),
            )
            for index in range(values.shape[1])
        ]
    )


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
    check_finite(values, range(1, values.shape[1] + 1))
    abnormal = check_labels(labels, len(values))
    rng, kept = np.random.default_rng(seed), []
    for members, name in ((np.flatnonzero(abnormal), "abnormal"), (np.flatnonzero(~abnormal), "normal")):
        if len(members) < 2:
            raise UndefinedMetricError(
                f"A silhouette of {len(members)} {name} segment(s) is undefined; add {name} clips."
            )
        if len(values) > SILHOUETTE_SEGMENTS:
            share = max(2, round(SILHOUETTE_SEGMENTS * len(members) / len(values)))
            members = rng.choice(members, share, replace=False)
        kept.append(members)
    sample = np.sort(np.concatenate(kept))
    scores = np.empty(values.shape[1])
    for index in range(len(scores)):
        of_layer = layer_states(values, index)
        mean, spread = of_layer.mean(axis=0), of_layer.std(axis=0)
        scaled = (of_layer[sample] - mean) / np.where(constant(spread**2, mean), 1.0, spread)
        scores[index] = silhouette_score(scaled, abnormal[sample])
    return scores
