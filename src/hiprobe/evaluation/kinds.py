"""Kinds of events that were named, against the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiprobe.evaluation.events import matched_pairs, predicted_events
from hiprobe.evaluation.video_scores import VideoScores
from hiprobe.probing.kinds import UNKNOWN

NOTHING = "nothing"
"""Row of the predicted events that match no true one."""

MISSED = "missed"
"""Column of the true events that match no predicted one."""


@dataclass(frozen=True)
class KindScores:
    """How well one kind is named.

    Attributes
    ----------
    kind : str
    precision : float or None
        Share of the predicted events of this name that match a true event of this kind; None if none is named so.
    recall : float or None
        Share of the true events of this kind that match a predicted event of this name; None if there are none.
    n_named, n_truth, n_right : int
    """

    kind: str
    precision: float | None
    recall: float | None
    n_named: int
    n_truth: int
    n_right: int


@dataclass(frozen=True)
class KindReport:
    """Kinds named against true kinds, over all videos.

    Attributes
    ----------
    iou : float
        From which temporal IoU on a predicted and a true event may match.
    rows : tuple of str
        The true kinds, and last ``nothing``: predicted events that match no true one.
    columns : tuple of str
        The names given, ``unknown`` among them, and last ``missed``: true events that match no predicted one.
    confusion : tuple of tuple of int, shape (rows, columns)
        Numbers of events.
    kinds : tuple of KindScores
        Of every kind that is true or named.
    """

    iou: float
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    kinds: tuple[KindScores, ...]

    @property
    def right(self) -> tuple[int, int]:
        """Of the predicted events that match a true one and were given a name: how many rightly, and how many."""
        named = [name for name in self.columns if name not in (UNKNOWN, MISSED)]
        counts = np.array(self.confusion)[:-1]
        given = sum(int(counts[:, self.columns.index(name)].sum()) for name in named)
        return sum(item.n_right for item in self.kinds), given


def kind_report(videos: Sequence[VideoScores], iou: float) -> KindReport | None:
    """Match events as event metrics do, and count which kind was named for which.

    Returns None where kinds are not known: of the truth, or of a predicted event, or if none is predicted at all.

    Raises
    ------
    UndefinedMetricError
        If a video has no events to speak of.
    """
    pairs: list[tuple[str, str]] = []
    for video in videos:
        events, names, truth = predicted_events(video), video.event_kinds, video.truth_kinds
        if truth is None or (events and names is None):
            return None
        names = names or ()
        found = matched_pairs(video, iou)
        pairs += [(truth[at], names[event]) for event, at in found]
        matched, hit = {event for event, _ in found}, {at for _, at in found}
        pairs += [(NOTHING, name) for index, name in enumerate(names) if index not in matched]
        pairs += [(kind, MISSED) for index, kind in enumerate(truth) if index not in hit]
    true = sorted({kind for kind, _ in pairs} - {NOTHING})
    named = sorted({name for _, name in pairs} - {UNKNOWN, MISSED})
    if all(name == MISSED for _, name in pairs):
        return None
    rows, columns = (*true, NOTHING), (*named, UNKNOWN, MISSED)
    confusion = np.zeros((len(rows), len(columns)), int)
    for kind, name in pairs:
        confusion[rows.index(kind), columns.index(name)] += 1

    def scores(kind: str) -> KindScores:
        n_named = sum(name == kind for _, name in pairs)
        n_truth = sum(true == kind for true, _ in pairs)
        n_right = pairs.count((kind, kind))
        return KindScores(
            kind,
            n_right / n_named if n_named else None,
            n_right / n_truth if n_truth else None,
            n_named,
            n_truth,
            n_right,
        )

    return KindReport(
        float(iou),
        rows,
        columns,
        tuple(tuple(row) for row in confusion.tolist()),
        tuple(scores(kind) for kind in sorted({*true, *named})),
    )
