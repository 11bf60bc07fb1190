"""The choice of a layer, and a scorer whose held-out scores know nothing of what they had a part in choosing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import convolve1d
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from hiprobe.arrays import FloatArray, IntArray
from hiprobe.probing.checks import check_labels
from hiprobe.probing.folds import group_folds
from hiprobe.probing.scorer import FittedScorer, fit_scorer

SMOOTHED = 5
"""Layers from which on a layer is judged with its neighbours: of fewer, the first and the last would gain by it."""

WITHIN = 0.01
"""AUC that a shallower layer may lack: less than that is luck, and a shallower layer is cheaper to read."""


def shallowest(auc: FloatArray) -> IntArray:
    """Return the index (...,) of the first layer whose AUC (..., layers) is within 0.01 of the highest.

    Of many layers the AUCs are smoothed by (1, 2, 1) / 4 first: neighbours read nearly the same, and one layer alone
    is high by luck. Nested evaluation on two real sets speaks for both (docs/measured/layer.md of the project).
    """
    if auc.shape[-1] >= SMOOTHED:
        auc = convolve1d(auc, (0.25, 0.5, 0.25), axis=-1, mode="nearest")
    return np.argmax(auc >= auc.max(axis=-1, keepdims=True) - WITHIN, axis=-1)


def fit_chosen(
    at: Callable[[int], NDArray[np.floating]],
    layer: int,
    fold_layers: Sequence[int],
    labels: ArrayLike,
    groups: ArrayLike,
    seed: int = 0,
) -> FittedScorer:
    """Fit a scorer at a layer, and score each fold at the layer that the other folds choose.

    The layer was chosen by labels of all segments. Its own held-out scores are of segments that took part in the
    choice, and so too good. Scores of another layer are brought to the scale of the chosen one, rank by rank.

    Parameters
    ----------
    at : callable
        From the number of a layer to the states (n, D) of the calibration segments there.
    layer : int
        The chosen layer.
    fold_layers : sequence of int
        The layer chosen without each fold of ``group_folds(labels, groups, seed=seed)``; none where the choice is not
        of these labels.
    labels, groups : array of shape (n,)
        See :func:`fit_scorer`.
    seed : int
        Of the folds.

    Raises
    ------
    CalibrationError
        As :func:`fit_scorer`.
    """
    fitted = fit_scorer(at(layer), labels, groups, seed=seed)
    if all(other == layer for other in fold_layers):
        return fitted
    scores, scale = fitted.out_of_fold.copy(), np.sort(fitted.out_of_fold)
    held_out = [rows for _, rows in group_folds(labels, groups, seed=seed)]
    for other in sorted({*fold_layers} - {layer}):
        ranks = rankdata(fit_scorer(at(other), labels, groups, seed=seed).out_of_fold, "ordinal") - 1
        for rows, of_fold in zip(held_out, fold_layers, strict=True):
            if of_fold == other:
                scores[rows] = scale[ranks[rows]]
    auc = float(roc_auc_score(check_labels(labels, len(scores)), scores))
    return dataclasses.replace(fitted, out_of_fold=scores, nested_auc=auc)
