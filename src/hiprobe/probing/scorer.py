"""The scorer: logistic regression on standardised hidden states of one layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing.checks import check_groups, check_labels, check_states
from hiprobe.probing.folds import Fold, fold_numbers, group_folds
from hiprobe.probing.logistic import COMPARED, Matrix, check_strength, fold_regressions, probabilities
from hiprobe.probing.threads import Run, threads

CANDIDATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Values of C that :func:`fit_scorer` tries."""


@dataclass(frozen=True, eq=False)
class Scorer:
    """A logistic regression on standardised hidden states.

    Attributes
    ----------
    mean, scale : ndarray of shape (D,)
        Of the calibration segments; the scale of a constant feature is 1.
    weights : ndarray of shape (D,)
        On standardised features.
    bias : float
    C : float
        The inverse regularisation strength that the weights were fitted with.

    Raises
    ------
    UsageError
        If the arrays are not vectors of one length, or a number is not finite or a scale not positive.
    """

    mean: FloatArray
    scale: FloatArray
    weights: FloatArray
    bias: float
    C: float

    def __post_init__(self) -> None:
        for name in ("mean", "scale", "weights"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.ndim != 1 or not values.size or values.shape != np.shape(self.weights):
                raise UsageError(f"Scorer: {name} has shape {values.shape}; give vectors of one length.")
            if not np.isfinite(values).all():
                raise UsageError(f"Scorer: {name} holds NaN or infinity; give finite numbers.")
            object.__setattr__(self, name, values)
        if not (self.scale > 0).all():
            raise UsageError("Scorer: a scale is 0 or less; give positive numbers.")
        if not (math.isfinite(self.bias) and math.isfinite(self.C) and self.C > 0):
            raise UsageError(f"Scorer: bias is {self.bias} and C is {self.C}; give finite numbers, C over 0.")

    @property
    def width(self) -> int:
        """D, the length of a hidden state."""
        return len(self.weights)

    def logits(self, states: ArrayLike) -> FloatArray:
        """Return the log odds (n,) that each of the hidden states (n, D) is abnormal.

        Raises
        ------
        UsageError
            If the shape is wrong or a state is NaN or infinite.
        """
        values = np.asarray(states, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != self.width:
            raise UsageError(f"states have shape {values.shape}; this scorer reads (n, {self.width}).")
        if not np.isfinite(values).all():
            row = int(np.argwhere(~np.isfinite(values))[0, 0])
            raise UsageError(f"The hidden state of segment {row} holds NaN or infinity; extract it again.")
        return self.standardised(values) @ self.weights + self.bias

    def standardised(self, states: NDArray[np.floating]) -> FloatArray:
        """Return hidden states (n, D) as the weights read them."""
        return (states - self.mean) / self.scale

    def scores(self, states: ArrayLike) -> FloatArray:
        """Return the probability (n,) that each of the hidden states (n, D) is abnormal.

        Always strictly between 0 and 1. Raises UsageError like :meth:`logits`.
        """
        return probabilities(self.logits(states))


@dataclass(frozen=True, eq=False)
class FittedScorer:
    """A scorer, and how the choice of its C came about.

    Attributes
    ----------
    scorer : Scorer
        Fitted to all calibration segments with the chosen C.
    C : float
        The chosen inverse regularisation strength; one of the candidates.
    candidates : tuple of float
        The values of C that were tried, ascending.
    cv_auc : tuple of float
        Pooled out-of-fold AUC of each.
    out_of_fold : ndarray of shape (n,)
        Scores of the calibration segments at the chosen C, each from a scorer that saw no segment of its
        group. A threshold is to be set on these.
    nested_auc : float, optional
        AUC of ``out_of_fold`` where they are of the layer that the other folds choose; see :func:`fit_chosen`.
    """

    scorer: Scorer
    C: float
    candidates: tuple[float, ...]
    cv_auc: tuple[float, ...]
    out_of_fold: FloatArray
    nested_auc: float | None = None

    @property
    def auc(self) -> float:
        """Out-of-fold AUC at the chosen C. Slightly optimistic, as C was chosen by it."""
        return self.cv_auc[self.candidates.index(self.C)] if self.nested_auc is None else self.nested_auc


def fit_scorer(
    states: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    candidates: Sequence[float] = CANDIDATES,
    seed: int = 0,
) -> FittedScorer:
    """Fit a scorer, with C chosen by cross-validation over groups.

    Classes are weighted to count the same. Of values of C with equal AUC, the smallest is taken.

    Parameters
    ----------
    states : array of shape (n, D)
        Hidden states of the calibration segments, at one layer.
    labels : array of shape (n,)
        True or 1 where abnormal.
    groups : array of shape (n,)
        Name of the source of each segment; see :func:`group_folds`.
    candidates : sequence of float
        Values of C to try.
    seed : int
        Of the folds.

    Raises
    ------
    CalibrationError
        If a class is in fewer than two groups, or a state is NaN or infinite.
    UsageError
        If there are no candidates or one is not positive.

    References
    ----------
    HiProbe-VAD (arXiv 2507.17394): logistic regression on the states of layer l*. How the paper set C
    could not be obtained; the choice by cross-validation is ours.
    """
    tried = tuple(sorted({float(c) for c in candidates}))
    if not tried:
        raise UsageError("There is no value of C to try; give at least one, such as 0.001.")
    for c in tried:
        check_strength(c)
    values, abnormal, folds = _prepared(states, labels, groups, 5, seed)
    held_out = fold_numbers(folds)
    scaler, scaled = _standardised(values)
    with threads() as run:
        rough = fold_regressions(scaled.astype(np.float32), abnormal, held_out, len(folds), COMPARED, run)
        weights: list[Matrix] = []
        for c in tried:  # each from the solution before, which is not far from its own
            weights.append(rough.fit(c, weights[-1] if weights else None))
        aucs = [float(roc_auc_score(abnormal, rough.held_out_scores(of_c))) for of_c in weights]
        best = int(np.argmax(np.round(aucs, 5)))  # the optimiser's last digits must not decide a tie
        C, start = tried[best], weights[best].astype(np.float64)
        exact = fold_regressions(scaled, abnormal, held_out, len(folds), run=run)
        scores = exact.held_out_scores(exact.fit(C, start))
        aucs[best] = float(roc_auc_score(abnormal, scores))
        scorer = _fitted(scaler, scaled, abnormal, C, run, start.mean(axis=0, keepdims=True))
    return FittedScorer(scorer, C, tried, tuple(aucs), scores)


def out_of_fold_scores(
    states: ArrayLike, labels: ArrayLike, groups: ArrayLike, C: float, n_splits: int = 5, seed: int = 0
) -> FloatArray:
    """Score each segment (n,) with a scorer that was fitted without its group.

    Parameters
    ----------
    states : array of shape (n, D)
        Hidden states of the calibration segments, at one layer.
    labels : array of shape (n,)
        True or 1 where abnormal.
    groups : array of shape (n,)
        Name of the source of each segment.
    C : float
        Inverse regularisation strength.
    n_splits, seed : int
        As for :func:`group_folds`.

    Raises
    ------
    CalibrationError, UsageError
        As :func:`fit_scorer`.
    """
    check_strength(C)
    values, abnormal, folds = _prepared(states, labels, groups, n_splits, seed)
    with threads() as run:
        model = fold_regressions(_standardised(values)[1], abnormal, fold_numbers(folds), len(folds), run=run)
        return model.held_out_scores(model.fit(C))


def scores_without_group(
    states: ArrayLike, labels: ArrayLike, groups: ArrayLike, known: BoolArray, C: float, seed: int = 0
) -> FloatArray:
    """Score the segments that are not known (m,), each with a scorer that was fitted without its group.

    These are segments that nothing was fitted to, as their label is open. Out-of-fold scores of the known ones and
    these together make a whole timeline.

    Parameters
    ----------
    states : array of shape (n, D)
        Hidden states of all segments, at one layer.
    labels : array of shape (n,)
        True or 1 where abnormal; read where known only.
    groups : array of shape (n,)
        Name of the source of each segment.
    known : array of bool, shape (n,)
        The segments that may be fitted to.
    C, seed
        As for :func:`out_of_fold_scores`, at 5 folds.

    Raises
    ------
    CalibrationError, UsageError
        As :func:`fit_scorer`, of the known segments.
    """
    names = check_groups(groups, len(known))
    values, abnormal, folds = _prepared(np.asarray(states)[known], np.asarray(labels)[known], names[known], 5, seed)
    others, sources = np.asarray(states)[~known], names[~known]
    scores = np.empty(len(others))
    apart = [(rows, np.isin(sources, names[known][held_out])) for rows, held_out in folds]
    # A group without a known segment was held out of nothing, so every fold is without it: the first will do.
    apart[0][1][~np.isin(sources, names[known])] = True
    for rows, wanted in apart:
        if wanted.any():
            scores[wanted] = fit_at(values[rows], abnormal[rows], C).scores(others[wanted])
    return scores


def fit_at(states: FloatArray, abnormal: BoolArray, C: float) -> Scorer:
    """Fit a scorer to states (n, D), both classes present, at one C. Raises UsageError if C is not over 0."""
    check_strength(C)
    with threads() as run:
        return _fitted(*_standardised(np.array(states, dtype=np.float64)), abnormal, C, run)


def _standardised(states: FloatArray) -> tuple[StandardScaler, FloatArray]:
    """Standardise states (n, D) in place, and return by what, and the states."""
    scaler = StandardScaler(copy=False)
    return scaler, scaler.fit_transform(states)


def _fitted(
    scaler: StandardScaler, scaled: FloatArray, abnormal: BoolArray, C: float, run: Run, start: Matrix | None = None
) -> Scorer:
    everything = np.full(len(scaled), -1)  # held out in no fold
    (*weights, bias) = fold_regressions(scaled, abnormal, everything, 1, run=run).fit(C, start)[0]
    return Scorer(np.asarray(scaler.mean_), np.asarray(scaler.scale_), np.array(weights), float(bias), float(C))


def _prepared(
    states: ArrayLike, labels: ArrayLike, groups: ArrayLike, n_splits: int, seed: int
) -> tuple[FloatArray, BoolArray, list[Fold]]:
    """Return states in float64, labels and folds, all checked."""
    values = check_states(states, ("n", "D")).astype(np.float64)
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0, 0])
        raise CalibrationError(f"The hidden state of segment {row} holds NaN or infinity; extract it again.")
    abnormal = check_labels(labels, len(values))
    return values, abnormal, group_folds(abnormal, check_groups(groups, len(values)), n_splits, seed)
