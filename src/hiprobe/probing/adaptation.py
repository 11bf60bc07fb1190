"""Adapting a scorer to labels made where it is used, when the segments that it was fitted on are not at hand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logit
from sklearn.metrics import roc_auc_score

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing.checks import check_groups, check_labels
from hiprobe.probing.folds import group_folds
from hiprobe.probing.logistic import check_strength
from hiprobe.probing.scorer import Scorer

STRENGTH = 1e-4
"""Variance of what a weight may change by. Ten times as much makes some probes worse: docs/measurements.md."""

_BIAS_VARIANCE = 1.0


@dataclass(frozen=True, eq=False)
class AdaptedScorer:
    """A scorer after labels, and what they say of it.

    Attributes
    ----------
    scorer : Scorer
        Fitted to all labelled segments.
    out_of_fold : ndarray of shape (n,), optional
        Scores of all segments, each by a scorer that was adapted without its group; None where a class is in fewer
        than two groups.
    auc_before : float
        Of the scorer that came in, on the labelled segments.
    auc_after : float, optional
        Out of fold; None where there are no such scores.
    """

    scorer: Scorer
    out_of_fold: FloatArray | None
    auc_before: float
    auc_after: float | None


def adapt_scorer(
    scorer: Scorer,
    states: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    threshold: float,
    strength: float = STRENGTH,
    seed: int = 0,
) -> AdaptedScorer:
    """Move a scorer no further than labels ask for.

    Logistic regression with a Gaussian prior around the weights that are there, on features standardised as the scorer
    standardises them. What it was fitted on stays in force through the prior, so a handful of labels is enough. Odds
    are taken relative to the threshold, so that what was said to be normal falls below it and what was said to be
    abnormal rises above it; the threshold itself stays.

    Parameters
    ----------
    scorer : Scorer
        As it is.
    states : array of shape (n, D)
        Hidden states of segments, at the scorer's layer.
    labels : array of shape (n,)
        1 or True where abnormal, 0 where normal, -1 where not labelled: those are scored only.
    groups : array of shape (n,)
        Name of the source of each segment; for the cross-validated AUC.
    threshold : float
        Between 0 and 1.
    strength : float
        Variance of the prior.
    seed : int
        Of the folds.

    Raises
    ------
    CalibrationError
        If a class is missing: then only the bias would move, and everything would become normal, or abnormal.
    UsageError
        If the threshold, strength or a label is out of range, or a state is not finite.
    """
    check_strength(strength)
    if not 0 < threshold < 1:
        raise UsageError(f"threshold is {threshold}; give a probability, over 0 and below 1.")
    before = scorer.logits(states)
    names, open_ = check_groups(groups, len(before)), np.asarray(labels) == -1
    abnormal = check_labels(np.where(open_, 0, labels), len(before))
    known = np.flatnonzero(~open_)
    if len(set(abnormal[known].tolist())) == 1:
        only, missing = ("abnormal", "normal") if abnormal.any() else ("normal", "abnormal")
        raise CalibrationError(f"Every labelled segment is {only}; label some that are {missing}, too.")
    features = (np.asarray(states, dtype=np.float64) - scorer.mean) / scorer.scale
    margin = before - logit(threshold)

    def fitted(rows: NDArray[np.intp]) -> tuple[FloatArray, float]:
        return _change(features[rows], abnormal[rows], margin[rows], strength)

    weights, bias = fitted(known)
    adapted = replace(scorer, weights=scorer.weights + weights, bias=scorer.bias + bias)
    try:
        folds = group_folds(abnormal[known], names[known], seed=seed)
    except CalibrationError:
        folds = []
    out_of_fold = None
    if folds:
        out_of_fold = adapted.scores(states)  # stays where a group has no label
        for rows, held_out in folds:
            weights, bias = fitted(known[rows])
            mine = np.isin(names, names[known[held_out]])
            out_of_fold[mine] = expit(before[mine] + features[mine] @ weights + bias)
    return AdaptedScorer(
        adapted,
        out_of_fold,
        float(roc_auc_score(abnormal[known], before[known])),
        float(roc_auc_score(abnormal[known], out_of_fold[known])) if out_of_fold is not None else None,
    )


def _change(features: FloatArray, abnormal: BoolArray, margin: FloatArray, strength: float) -> tuple[FloatArray, float]:
    """Return what to add to weights (D,) and bias; classes count the same."""
    weight = len(abnormal) / 2 / np.where(abnormal, np.count_nonzero(abnormal), np.count_nonzero(~abnormal))
    sign = np.where(abnormal, 1.0, -1.0)
    precision = np.append(np.full(features.shape[1], 1 / strength), 1 / _BIAS_VARIANCE)
    extended = np.column_stack([features, np.ones(len(features))])

    def objective(change: FloatArray) -> tuple[float, FloatArray]:
        signed = (margin + extended @ change) * sign
        slope = -(weight * expit(-signed) * sign) @ extended + precision * change
        return float(-(weight * log_expit(signed)).sum() + (precision * change**2).sum() / 2), slope

    # In units of the prior's deviations, the problem is well conditioned.
    unit = 1 / np.sqrt(precision)

    def scaled(at: FloatArray) -> tuple[float, FloatArray]:
        loss, slope = objective(at * unit)
        return loss, slope * unit

    found = minimize(scaled, np.zeros(extended.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    change = found.x * unit
    return change[:-1], float(change[-1])
