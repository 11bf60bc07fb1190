"""What people say of events and segments, and what would be worth asking them next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session

from hiprobe.errors import NotFoundError, UsageError
from hiprobe.localize.curves import merge_intervals, outside
from hiprobe.server.database import Database
from hiprobe.server.library import find_video
from hiprobe.server.probes import current_row
from hiprobe.server.records import LabelRecord, LabelSource, ReviewedEvent, Uncertain, Verdict, now
from hiprobe.server.results import Results, stored_detection
from hiprobe.server.tables import LabelRow, ResultRow, VideoRow

_TOLERANCE = 0.1
"""Seconds by which a label may run past the end of its video, as in manifests; it is cut off there."""

_LONGEST_KIND = 80


class Labels:
    """Keeps labels: intervals that are abnormal, of some kind, or normal. Where labels overlap, the latest counts.

    Parameters
    ----------
    database : Database
    results : Results
    """

    def __init__(self, database: Database, results: Results) -> None:
        self._database, self._results = database, results

    def list(self, video_id: int | None = None) -> tuple[LabelRecord, ...]:
        """Return the labels that hold, of one video or of all, oldest first."""
        with self._database.reading() as session:
            return held_labels(session, video_id)

    def add(
        self, video_id: int, start: float, end: float, verdict: Verdict, *, kind: str = "", source: LabelSource
    ) -> LabelRecord:
        """Say what an interval is. It is on the disk when this returns.

        Parameters
        ----------
        video_id : int
            Of the library.
        start, end : float
            Seconds.
        verdict : {"abnormal", "normal"}
            What it is.
        kind : str
            Of anomaly; ``anomaly`` where an abnormal interval is given none.
        source : LabelSource
            How the label came about.

        Raises
        ------
        UsageError
            If there is no such video, the interval is empty or outside of it, or the kind does not fit.
        """
        kind = " ".join(kind.split())
        if verdict == "normal" and kind:
            raise UsageError(f"{kind!r}: a normal interval has no kind; leave it out.")
        if len(kind) > _LONGEST_KIND or kind.casefold() == "normal":
            raise UsageError(f"{kind[:_LONGEST_KIND]!r}: name a kind of anomaly in at most {_LONGEST_KIND} letters.")
        with self._database.writing() as session:
            video = find_video(session, video_id)
            within = math.isfinite(start) and math.isfinite(end) and end <= video.duration + _TOLERANCE
            end = min(end, video.duration)
            if not (within and 0 <= start < end):
                raise UsageError(
                    f"{video.name}: {start:g} to {end:g} s is no part of its {video.duration:.2f} s; correct the times."
                )
            row = LabelRow(
                video_id=video_id,
                start=start,
                end=end,
                verdict=verdict,
                kind=(kind or "anomaly") if verdict == "abnormal" else "",
                source=source,
                created=now(),
            )
            session.add(row)
            session.flush()
            return _record(row)

    def withdraw(self, label_id: int) -> None:
        """Take a label back. Raises NotFoundError if there is none of this id."""
        with self._database.writing() as session:
            row = session.get(LabelRow, label_id)
            if row is None:
                raise NotFoundError(f"Label {label_id}: there is none of this number; list the labels.")
            row.withdrawn = True

    def rest_is_normal(self, video_id: int) -> tuple[LabelRecord, ...]:
        """Label as normal what no label covers yet: for a video that was looked through from end to end.

        Events that nobody judged, and the segments that they touch, stay without a label: see :meth:`unjudged`.

        Raises
        ------
        UsageError
            If there is no such video.
        """
        with self._database.writing() as session:
            video = find_video(session, video_id)
            reached, rows = 0.0, []
            labels = held_labels(session, video_id)
            spans = [(label.start, label.end) for label in labels] + self._open(video_id, labels)
            for start, end in [*sorted(spans), (video.duration, video.duration)]:
                if start > reached:
                    rows.append(
                        LabelRow(
                            video_id=video_id,
                            start=reached,
                            end=start,
                            verdict="normal",
                            kind="",
                            source="rest",
                            created=now(),
                        )
                    )
                reached = max(reached, end)
            session.add_all(rows)
            session.flush()
            return tuple(_record(row) for row in rows)

    def unjudged(self, video_id: int) -> tuple[ReviewedEvent, ...]:
        """Return the events of the current probe that no label judges, by time. Raises as :meth:`events` does."""
        return tuple(event for event in self.events(video_id) if event.label is None)

    def _open(self, video_id: int, labels: Sequence[LabelRecord]) -> list[tuple[float, float]]:
        """Return the spans of the segments that events without a verdict touch."""
        found, spans = self._results.find(video_id), []
        if found is None:
            return spans
        for event in (item.event for item in found.events):
            if not any(_judges(label, event.start, event.end) for label in labels):
                touched = [one for one in found.segments if one.start < event.end and event.start < one.end]
                spans.append((min(event.start, touched[0].start), max(event.end, touched[-1].end)))
        return spans

    def events(self, video_id: int) -> tuple[ReviewedEvent, ...]:
        """Return the events that the current probe found, by time, each with the label that judges it.

        Raises
        ------
        UsageError
            If there is no such video. Without a result there is no event.
        """
        found = self._results.find(video_id)
        labels = self.list(video_id)
        return tuple(
            ReviewedEvent(
                start=item.event.start,
                end=item.event.end,
                peak_time=item.event.peak_time,
                peak=item.event.peak,
                mean=item.event.mean,
                explanation=item.said,
                evidence=item.evidence,
                kind=item.kind.name if item.kind else None,
                probability=item.kind.probability if item.kind else None,
                stance=item.stance,
                label=next((one for one in reversed(labels) if _judges(one, item.event.start, item.event.end)), None),
            )
            for item in (found.events if found else ())
        )

    def next(self, limit: int = 10) -> tuple[Uncertain, ...]:
        """Return segments that would teach most, by uncertainty: those nearest to the threshold in log odds.

        What is labelled is left out, and so is what overlaps a segment that was taken. Videos take turns, so that one
        alone does not fill the queue.
        """
        with self._database.reading() as session:
            probe = current_row(session).id
            rows = session.execute(
                select(ResultRow, VideoRow.name)
                .join(VideoRow, VideoRow.id == ResultRow.video_id)
                .where(ResultRow.probe_id == probe)
            ).all()
            labels = held_labels(session)
        ranked = []
        for row, name in rows:
            found = stored_detection(row)
            starts = np.array([segment.start for segment in found.segments])
            ends = np.array([segment.end for segment in found.segments])
            scores = np.array([segment.smoothed for segment in found.segments])
            known = segment_verdicts([label for label in labels if label.video_id == row.video_id], starts, ends)
            distance = np.abs(_log_odds(scores) - _log_odds(np.array(found.threshold)))
            distance[known >= 0] = np.inf
            for turn, index in enumerate(_apart(starts, ends, distance, limit)):
                item = Uncertain(
                    row.video_id, name, float(starts[index]), float(ends[index]), float(scores[index]), found.threshold
                )
                ranked.append((turn, float(distance[index]), item))
        ranked.sort(key=lambda entry: entry[:2])
        return tuple(item for *_, item in ranked[:limit])


def held_labels(session: Session, video_id: int | None = None, *, withdrawn: bool = False) -> tuple[LabelRecord, ...]:
    """Return the labels that hold, oldest first; those that were withdrawn, too, if asked for."""
    query = select(LabelRow).order_by(LabelRow.id)
    if not withdrawn:
        query = query.where(LabelRow.withdrawn.is_(False))
    if video_id is not None:
        query = query.where(LabelRow.video_id == video_id)
    return tuple(_record(row) for row in session.scalars(query))


def segment_verdicts(
    labels: Sequence[LabelRecord], starts: NDArray[np.float64], ends: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Return what labels, oldest first, say of segments (n,): 1 abnormal, 0 normal, -1 nothing.

    A label speaks for the segments that it covers at least half of, as in manifests. One that is too short for that
    speaks for the segment that it covers most of. A segment that is normal but for less than half of it, which is
    abnormal, stays open.
    """
    verdicts = np.full(len(starts), -1, np.int8)
    for label in labels:
        covered = np.minimum(ends, label.end) - np.maximum(starts, label.start)
        spoken = covered >= 0.5 * (ends - starts) - 1e-9
        if not spoken.any() and len(starts):
            spoken = np.arange(len(starts)) == np.argmax(covered)
        verdicts[spoken] = label.verdict == "abnormal"
    covered = sum(
        (np.clip(np.minimum(ends, last) - np.maximum(starts, first), 0, None) for first, last in _abnormal(labels)),
        start=np.zeros(len(starts)),
    )
    verdicts[(verdicts == 0) & (covered > 1e-9)] = -1
    verdicts[covered >= 0.5 * (ends - starts) - 1e-9] = 1
    return verdicts


def _abnormal(labels: Sequence[LabelRecord]) -> list[tuple[float, float]]:
    """Return the intervals that labels, oldest first, leave abnormal."""
    left: list[tuple[float, float]] = []
    for label in labels:
        span = [(label.start, label.end)]
        left = merge_intervals(left + span) if label.verdict == "abnormal" else outside(left, span)
    return left


def _apart(
    starts: NDArray[np.float64], ends: NDArray[np.float64], distance: NDArray[np.float64], most: int
) -> list[int]:
    """Return segments by distance that do not overlap one another, at most so many."""
    taken: list[int] = []
    for index in np.argsort(distance, kind="stable").tolist():
        if len(taken) == most or not np.isfinite(distance[index]):
            break
        if all(ends[index] <= starts[one] or ends[one] <= starts[index] for one in taken):
            taken.append(index)
    return taken


def _judges(label: LabelRecord, start: float, end: float) -> bool:
    return min(end, label.end) - max(start, label.start) >= 0.5 * (end - start) - 1e-9


def _log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = np.clip(probabilities, 1e-12, 1 - 1e-12)
    return np.log(inside / (1 - inside))


def _record(row: LabelRow) -> LabelRecord:
    return LabelRecord(
        id=row.id,
        video_id=row.video_id,
        start=row.start,
        end=row.end,
        verdict=row.verdict,
        kind=row.kind,
        source=row.source,
        created=row.created,
    )
