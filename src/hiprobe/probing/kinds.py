"""Kinds of events: given that there is an event, which sort it is.

::

    found = fit_kinds(scorer.standardised(states), kinds, events, groups)      # of the abnormal segments
    found.scorer.kind(scorer.standardised(states_of_an_event))                 # EventKind("fall", 0.83)

Whether there is an event at all is decided by then. So each kind is told from the other kinds, and not from normal
video.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing.checks import check_groups, check_states
from hiprobe.probing.scorer import fit_scorer

UNKNOWN = "unknown"
"""The kind of an event that no kind is probable enough for."""

UNNAMED = ("abnormal", "anomaly")
"""Labels that say that there is an event, and nothing of its kind."""

FEWEST_GROUPS, FEWEST_SEGMENTS = 2, 4
"""Of the calibration set, that a kind needs to be named at all."""

PRECISION = 0.8
"""Share of the events that are given a name which is to be right, on events of groups that were not fitted to."""

LEAST = 0.5
"""No event is given a name that is less probable than this."""

_NEVER = 2.0
"""A least probability that no kind reaches."""


@dataclass(frozen=True)
class EventKind:
    """What sort of event an event is, and how surely.

    Attributes
    ----------
    name : str
        A kind of the calibration set, or ``unknown``.
    probability : float
        Of that kind, calibrated by cross-validation; of ``unknown``, that of the most probable kind.
    """

    name: str
    probability: float


@dataclass(frozen=True, eq=False)
class KindScorer:
    """Logistic regressions of each kind against all others, and how their log odds become a probability.

    Attributes
    ----------
    names : tuple of str
        The kinds.
    weights : ndarray of shape (kinds, D)
        On hidden states as the probe's scorer standardises them.
    biases : ndarray of shape (kinds,)
    slope, offset : float
        The probability of a kind is that of the log odds ``slope * mean + offset``, the mean over an event's segments.
    least : float
        An event whose most probable kind is less probable is ``unknown``; over 1 where no name is reliable.

    Raises
    ------
    UsageError
        If shapes do not fit, or a number is not finite.
    """

    names: tuple[str, ...]
    weights: FloatArray
    biases: FloatArray
    slope: float
    offset: float
    least: float

    def __post_init__(self) -> None:
        count = len(self.names)
        if not count or np.ndim(self.weights) != 2 or len(self.weights) != count or np.shape(self.biases) != (count,):
            raise UsageError(
                f"Kinds: {count} names, weights {np.shape(self.weights)} and biases {np.shape(self.biases)} must be "
                "of as many kinds."
            )
        numbers = [np.ravel(self.weights), self.biases, [self.slope, self.offset, self.least]]
        if not all(np.isfinite(each).all() for each in numbers):
            raise UsageError("Kinds: a number is NaN or infinite; give finite numbers.")

    def probabilities(self, standardised: NDArray[np.floating]) -> FloatArray:
        """Return the probability of each kind (kinds,) for an event, by the states (n, D) of its segments.

        One against the rest: they need not add up to 1, as an event may be of none of the kinds.
        """
        mean = (standardised @ self.weights.T + self.biases).mean(axis=0)
        return expit(self.slope * mean + self.offset)

    def kind(self, standardised: NDArray[np.floating]) -> EventKind:
        """Return the kind of an event, by the standardised hidden states (n, D) of its segments."""
        return _named(self.names, self.probabilities(standardised), self.least)


@dataclass(frozen=True)
class KindsHeader:
    """What tells kinds apart, as probe files hold it: all but the weights, which are a tensor."""

    names: tuple[str, ...]
    biases: tuple[float, ...]
    slope: float
    offset: float
    least: float

    @classmethod
    def of(cls, kinds: KindScorer | None) -> KindsHeader | None:
        """Return it of a scorer, if there is one."""
        if kinds is None:
            return None
        return cls(kinds.names, tuple(kinds.biases.tolist()), kinds.slope, kinds.offset, kinds.least)

    def scorer(self, tensors: dict[str, np.ndarray], width: int) -> KindScorer:
        """Return the scorer. Raises UsageError if its weights are missing or do not fit."""
        weights = tensors.get("kinds.weights")
        if weights is None or weights.shape != (len(self.names), width) or weights.dtype != np.float64:
            raise UsageError(f"the weights of its kinds are missing, or no float64 ({len(self.names)}, {width})")
        return KindScorer(self.names, weights, np.array(self.biases), self.slope, self.offset, self.least)


@dataclass(frozen=True, eq=False)
class FittedKinds:
    """What was learned of kinds, and how well.

    Attributes
    ----------
    scorer : KindScorer, optional
        None where there are no two kinds to tell apart.
    notes : tuple of str
        What a user must know, in sentences.
    events : tuple of (str, EventKind)
        Of each calibration event, the true kind, and the kind by scorers that were fitted without its group.
    """

    scorer: KindScorer | None
    notes: tuple[str, ...]
    events: tuple[tuple[str, EventKind], ...] = ()


def fit_kinds(
    standardised: ArrayLike,
    kinds: ArrayLike,
    events: ArrayLike,
    groups: ArrayLike,
    seed: int = 0,
    columns: slice | BoolArray = slice(None),
) -> FittedKinds:
    """Learn to tell kinds of events apart, from abnormal segments alone.

    A logistic regression for each kind that has at least 4 segments, in two groups or more, against all other kinds;
    C by cross-validation over groups. Log odds out of fold are averaged over each event, and one Platt scaling for all
    kinds makes probabilities of them. The least probability that names a kind is the lowest, from 0.5, at which
    80% of the names are right, out of fold and by the rule of succession: (right + 1) / (named + 2) >= 0.8.

    Parameters
    ----------
    standardised : array of shape (n, D)
        Hidden states of the abnormal calibration segments, at the probe's layer, as its scorer standardises them.
    kinds : array of str, shape (n,)
        The kind of event that each segment shows.
    events : array of shape (n,)
        Which event each segment is of.
    groups : array of shape (n,)
        Name of the source of each segment.
    seed : int
        Of the folds.
    columns : slice or ndarray of bool, shape (D,)
        The features that kinds are told by; all by default. The others get no weight.

    References
    ----------
    Platt, Probabilistic outputs for support vector machines, 1999: the scaling, and how few events are weighed.
    """
    every_feature = check_states(standardised, ("n", "D")).astype(np.float64)
    states = every_feature[:, columns]
    labels, sources = np.asarray(kinds), check_groups(groups, len(states))
    every = sorted({str(kind) for kind in labels})
    if len(every) < 2:
        return FittedKinds(None, ())
    few = [kind for kind in every if _too_few(labels == kind, sources)]
    names = tuple(kind for kind in every if kind not in few)
    notes = [_FEW.format(kinds=", ".join(few), segments=FEWEST_SEGMENTS, groups=FEWEST_GROUPS)] if few else []
    try:
        fitted = [fit_scorer(states, labels == name, sources, seed=seed) for name in names]
    except CalibrationError:  # all else is of one group
        fitted = []
    if not fitted:
        return FittedKinds(None, (*notes, NO_KINDS))
    odds = np.stack([logit(each.out_of_fold) for each in fitted], axis=1)
    _, first, place = np.unique(np.asarray(events), return_index=True, return_inverse=True)
    count = np.bincount(place)
    mean = np.stack([np.bincount(place, column) / count for column in odds.T], axis=1)
    truth = labels[first].astype(str)
    right = truth[:, None] == np.array(names)
    slope, offset = _platt(mean, right)
    probabilities = expit(slope * mean + offset)
    least = _least(probabilities.max(axis=1), right[np.arange(len(right)), probabilities.argmax(axis=1)])
    if least == _NEVER:
        notes.append(UNRELIABLE)
    # In terms of the states as they came in.
    weights = np.zeros((len(names), every_feature.shape[1]))
    weights[:, columns] = [each.scorer.weights / each.scorer.scale for each in fitted]
    biases = np.array(
        [each.scorer.bias - each.scorer.mean @ row[columns] for each, row in zip(fitted, weights, strict=True)]
    )
    scorer = KindScorer(names, weights, biases, slope, offset, least)
    judged = [(str(true), _named(names, row, least)) for true, row in zip(truth, probabilities, strict=True)]
    return FittedKinds(scorer, tuple(notes), tuple(judged))


_FEW = (
    "Too few segments to tell these kinds from others, so that no event is ever named so: {kinds}. A kind needs "
    "{segments} segments, in {groups} groups or more."
)

NO_KINDS = "Kinds of events are not told apart: no kind, or nothing beside it, comes in two groups."

UNRELIABLE = (
    "Kinds of events cannot be told apart reliably: out of fold, no probability makes 80% of the names right. Every "
    "event is called unknown; label more events of each kind."
)


def _too_few(members: BoolArray, sources: NDArray) -> bool:
    return bool(members.sum() < FEWEST_SEGMENTS) or len(np.unique(sources[members])) < FEWEST_GROUPS


def _named(names: tuple[str, ...], probabilities: FloatArray, least: float) -> EventKind:
    top = int(probabilities.argmax())
    return EventKind(names[top] if probabilities[top] >= least else UNKNOWN, float(probabilities[top]))


def _platt(odds: FloatArray, right: BoolArray) -> tuple[float, float]:
    """Return slope and offset that make probabilities of log odds (events, kinds); ``right`` says what is true."""
    # As Platt has it, no target is quite 0 or 1: a dozen events that were told apart do not make anybody certain.
    positive, negative = np.count_nonzero(right), np.count_nonzero(~right)
    target = np.where(right, (positive + 1) / (positive + 2), 1 / (negative + 2)).ravel()
    column = np.concatenate([odds.ravel(), odds.ravel()])[:, None]
    model = LogisticRegression(C=np.inf).fit(
        column, np.repeat([1, 0], target.size), sample_weight=np.concatenate([target, 1 - target])
    )
    # A negative slope would name an event by what it is least like.
    return max(0.0, float(model.coef_[0, 0])), float(model.intercept_[0])


def _least(probability: FloatArray, right: BoolArray) -> float:
    """Return the lowest probability, from LEAST, over which so many of the events (n,) are named rightly."""
    for least in np.unique(probability[probability >= LEAST]):
        named = right[probability >= least]
        # The rule of succession: two or three right names of as many do not show that four in five are.
        if (named.sum() + 1) / (len(named) + 2) >= PRECISION:
            return max(LEAST, float(least))
    return _NEVER
