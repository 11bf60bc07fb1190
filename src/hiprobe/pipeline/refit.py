"""``refit``: from a probe and a few labels made where it is used to a better probe, without a pass of the backbone.

A refit is compared with the probe that it was made from, by scores that did not see the labels of the video in hand.
Where neither the order of scores nor the events get better, it says so: see :attr:`RefitResult.better`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiprobe.arrays import FloatArray
from hiprobe.errors import CalibrationError
from hiprobe.features import Features
from hiprobe.localize import calibrated_threshold, find_events, smooth
from hiprobe.probing import Probe
from hiprobe.probing.adaptation import AdaptedScorer

TOO_FEW = (
    "On your labels it cannot be told whether this refit is better: that takes two videos with abnormal labels, and "
    "two with normal ones. Label more."
)

_BETTER, _NO_BETTER = "On your labels this refit", "On your labels this refit is no better: it"

_SAME = 1e-9
"""AUCs that differ by less are equal."""


@dataclass(frozen=True)
class Quality:
    """What a probe makes of the labels, by scores that did not see those of the video in hand.

    Attributes
    ----------
    auc : float
        Of the labelled segments.
    found : int
        Labelled events that an event of the probe overlaps.
    false_alarms : int
        Events of the probe that overlap no labelled one, and whose highest segment is labelled normal.
    """

    auc: float
    found: int
    false_alarms: int


@dataclass(frozen=True, eq=False)
class RefitResult:
    """A refitted probe and how it came about.

    Attributes
    ----------
    probe : Probe
    scorer : AdaptedScorer
        With the AUC before and after.
    n_segments, n_abnormal : int
        Labelled segments.
    n_events : int
        Labelled events: runs of abnormal segments.
    before, after : Quality, optional
        Of the probe that it was made from, and of the refit; None where labels are too few to tell.
    """

    probe: Probe
    scorer: AdaptedScorer
    n_segments: int
    n_abnormal: int
    n_events: int
    before: Quality | None
    after: Quality | None

    @property
    def better(self) -> bool:
        """Whether the refit is worth offering: neither AUC nor events get worse, and one of the two gets better.

        Events get better by each that is found, and by each false alarm less. A tie is no better.
        """
        if self.before is None or self.after is None:
            return False
        gained = self.after.auc - self.before.auc
        events = self.after.found - self.before.found + self.before.false_alarms - self.after.false_alarms
        return gained > -_SAME and events >= 0 and (gained > _SAME or events > 0)

    @property
    def verdict(self) -> str:
        """What changes, in a sentence."""
        if self.before is None or self.after is None:
            return TOO_FEW
        old, new = self.before, self.after
        found = f"finds {new.found} of {self.n_events}"
        if new.found != old.found:
            found += f" (before: {old.found})"
        said = f"{found}, {_alarms(new.false_alarms - old.false_alarms)}; AUC {old.auc:.3f} to {new.auc:.3f}"
        return f"{_BETTER if self.better else _NO_BETTER} {said}."


def refit(
    probe: Probe, features: Sequence[Features], verdicts: Sequence[NDArray[np.int8]], source: str, seed: int = 0
) -> RefitResult:
    """Adapt a probe's scorer to labelled segments; layer, sampling and smoothing stay.

    The threshold rises where normal segments would pass it more often than before, out of fold. It never falls.

    Parameters
    ----------
    probe : Probe
        One that saw none of these labels: refitting a refit would count them twice.
    features : sequence of Features
        One per video, holding the probe's layer.
    verdicts : sequence of ndarray of int, each of shape (n,)
        For each segment of each video: 1 abnormal, 0 normal, -1 not labelled.
    source : str
        Where the labels came from.
    seed : int
        Of the folds; each video is a group.

    Raises
    ------
    CalibrationError
        If no segment is labelled, or a class is missing.
    UsageError
        If the probe was fitted on normal video alone.

    See Also
    --------
    hiprobe.probing.adaptation.adapt_scorer : How.

    Examples
    --------
    >>> found = refit(probe, [features], [verdicts], "labels of the yard")             # doctest: +SKIP
    >>> found.verdict                                                                   # doctest: +SKIP
    'On your labels this refit finds 2 of 3, one false alarm fewer; AUC 0.713 to 0.824.'
    """
    labelled = [pair for pair in zip(features, verdicts, strict=True) if (pair[1] >= 0).any()]
    if not labelled:
        raise CalibrationError("No segment is labelled; judge some events first.")
    states = np.concatenate([item.at(probe.reading.layer) for item, _ in labelled])
    said = np.concatenate([verdict for _, verdict in labelled])
    groups = np.repeat(np.arange(len(labelled)), [len(verdict) for _, verdict in labelled])
    n_segments, n_abnormal = int((said >= 0).sum()), int((said == 1).sum())
    note = (
        f"Refitted from {n_segments} segments, {n_abnormal} of them abnormal, of {len(labelled)} videos "
        f"({source}). All other figures are of the probe that it was made from."
    )
    fitted, adapted = probe.adapt(states, said, groups, note, seed)
    before = after = None
    if adapted.out_of_fold is not None and adapted.auc_after is not None:
        old, new = (_Timelines(probe, labelled, scores) for scores in (probe.score(states), adapted.out_of_fold))
        given = probe.calibrated_threshold
        if probe.localize.threshold == "calibrated":  # no other threshold is the probe's to raise
            fitted = fitted.raised(raised_threshold(given, old.normal(), new.normal()))
        # The threshold of a video comes from the others, so that it is as blind to its labels as its scores are.
        own = [raised_threshold(given, old.normal(but=i), new.normal(but=i)) for i in range(len(labelled))]
        before = Quality(adapted.auc_before, *old.events([given] * len(labelled)))
        after = Quality(adapted.auc_after, *new.events(own))
    n_events = sum(len(_runs(verdict)) for _, verdict in labelled)
    return RefitResult(fitted, adapted, n_segments, n_abnormal, n_events, before, after)


def raised_threshold(threshold: float, before: FloatArray, after: FloatArray) -> float:
    """Return the lowest threshold, no lower than the one given, that normal segments pass no more often than before.

    Parameters
    ----------
    threshold : float
        Of the probe as it was.
    before, after : ndarray of shape (n,)
        Smoothed scores of segments that are normal: of the probe as it was, and of the refit, out of fold.
    """
    share = float((before > threshold).mean()) if len(before) else 1.0
    if not len(after) or (after > threshold).mean() <= share:
        return threshold
    return max(threshold, calibrated_threshold(after, np.zeros(len(after)), share))


class _Timelines:
    """The smoothed scores of labelled videos, beside their labels."""

    def __init__(self, probe: Probe, labelled: Sequence[tuple[Features, NDArray[np.int8]]], scores: FloatArray) -> None:
        self._settings, self._labelled = probe.localize, labelled
        parts = np.split(scores, np.cumsum([len(verdict) for _, verdict in labelled])[:-1])
        self._smoothed = [
            smooth(part, item.centres, self._settings.sigma) for part, (item, _) in zip(parts, labelled, strict=True)
        ]

    def normal(self, but: int | None = None) -> FloatArray:
        """Return the scores of segments that are labelled normal, of all videos but one."""
        pairs = enumerate(zip(self._smoothed, self._labelled, strict=True))
        return np.concatenate([np.empty(0), *(curve[verdict == 0] for i, (curve, (_, verdict)) in pairs if i != but)])

    def events(self, thresholds: Sequence[float]) -> tuple[int, int]:
        """Return how many labelled events are found, and the number of false alarms, by a threshold per video."""
        found = false_alarms = 0
        rule = self._settings
        for curve, (item, verdict), threshold in zip(self._smoothed, self._labelled, thresholds, strict=True):
            events = find_events(curve, item.centres, item.video.duration, threshold, rule.min_duration, rule.merge_gap)
            truth = [(item.starts[rows[0]], item.ends[rows[-1]]) for rows in _runs(verdict)]
            found += sum(any(one.start < end and start < one.end for one in events) for start, end in truth)
            for one in events:
                peak = int(np.abs(item.centres - one.peak_time).argmin())
                apart = not any(one.start < end and start < one.end for start, end in truth)
                false_alarms += bool(apart and verdict[peak] == 0)
        return found, false_alarms


def _runs(verdict: NDArray[np.int8]) -> list[NDArray[np.intp]]:
    """Return the places of abnormal segments, run by run."""
    rows = np.flatnonzero(verdict == 1)
    return [run for run in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1) if len(run)]


def _alarms(more: int) -> str:
    if more == 0:
        return "as many false alarms"
    count = "one false alarm" if abs(more) == 1 else f"{abs(more)} false alarms"
    return f"{count} {'more' if more > 0 else 'fewer'}"
