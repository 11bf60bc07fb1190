"""Refitting from labels, in seconds: hidden states are kept, so no model runs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hiprobe.backbones import Backbone
from hiprobe.errors import FeatureError, NotFoundError, UsageError, VideoError
from hiprobe.features import Features, FeatureStore, Run, stored_features
from hiprobe.localize import find_events
from hiprobe.localize.settings import check_rate
from hiprobe.pipeline import Detection, Detector, refit
from hiprobe.pipeline.calibrate import calibrate_features
from hiprobe.pipeline.detector import score
from hiprobe.probing import Probe, check_backbone
from hiprobe.server.database import Database
from hiprobe.server.labels import held_labels, segment_verdicts
from hiprobe.server.library import Library
from hiprobe.server.probes import Probes, current_row, find_probe, make_current
from hiprobe.server.project import Settings
from hiprobe.server.records import Comparison, Curve, LabelRecord, ProbeRecord, ProbeState, now
from hiprobe.server.results import keep_result, stored_detection
from hiprobe.server.tables import CalibrationRow, ProbeRow, ResultRow


class Refits:
    """Makes versions of the current probe from the labels, to be kept or rolled back.

    Each starts anew from the probe that was given, with all labels that hold: so none counts twice, and one that was
    withdrawn counts no more. The layer stays, as its hidden states are what detection has kept.

    Parameters
    ----------
    database, library, probes
        Of the project.
    backbone : Backbone
        Asked for its facts only.
    store : FeatureStore
        Where detection keeps hidden states.
    settings : Settings
        Where probe files are written.
    """

    def __init__(
        self,
        database: Database,
        library: Library,
        probes: Probes,
        backbone: Backbone,
        store: FeatureStore,
        settings: Settings,
    ) -> None:
        self._database, self._library, self._probes = database, library, probes
        self._backbone, self._store, self._settings = backbone, store, settings
        self._turn = threading.Lock()

    def refit(self) -> Comparison:
        """Fit a candidate to the labels that hold, and compare it with the current probe.

        One that is no better on the labels, out of fold, is ``not offered``; its first note says why.

        Raises
        ------
        CalibrationError
            If the labels on videos whose hidden states are kept are not of both classes.
        UsageError
            If the current probe was fitted on normal video alone, or is for another backbone.
        """
        with self._turn:
            before = self._probes.current()
            base = self._base(before)
            with self._database.reading() as session:
                labels = held_labels(session)
            videos, notes = self._labelled(base, labels)
            features = [item for _, item in videos]
            used = [label for label in labels if label.video_id in dict(videos)]
            verdicts = _verdicts(videos, used)
            found = refit(base, features, verdicts, f"{len(used)} labels of {self._settings.folder.resolve().name}")
            aucs = (found.scorer.auc_before, found.scorer.auc_after)
            state: ProbeState = "candidate" if found.better else "not offered"
            number = self._enter(before, found.probe, state, [found.verdict, *notes], used, aucs)
        return self.compare(number)

    def count_events(self, video_id: int, threshold: float) -> int:
        """Return how many events a video would have at a threshold, by the kept scores of the current probe.

        Raises NotFoundError if nothing was detected yet.
        """
        with self._database.reading() as session:
            row = session.get(ResultRow, (video_id, current_row(session).id))
        if row is None:
            raise NotFoundError(f"Video {video_id}: this probe has not looked at it yet; run a detection first.")
        found = stored_detection(row)
        centres = [(segment.start + segment.end) / 2 for segment in found.segments]
        scores, rule = np.array([segment.smoothed for segment in found.segments]), found.provenance.localize
        events = find_events(scores, centres, found.video.duration, threshold, rule.min_duration, rule.merge_gap)
        return len(events)

    def set_threshold(self, threshold: float) -> ProbeRecord:
        """Give the current probe a threshold, as a version of its own; what it looked at is found anew.

        Raises ProbeError if the threshold is not finite.
        """
        before = self._probes.current()
        probe = self._probes.load(before.id).raised(threshold)
        return self._adopt(before, probe, f"The threshold was set to {threshold:.3f} by hand.")

    def ordinary(self, video_id: int, alarms_per_day: float, within: tuple[float, float] | None = None) -> ProbeRecord:
        """Calibrate the current probe on a video, or a stretch of it in seconds, that was ordinary; no model runs.

        Raises
        ------
        NotFoundError
            If the probe has not looked at the video.
        CalibrationError
            If nothing of it can be judged.
        UsageError
            If the rate is not over 0.
        """
        before = self._probes.current()
        probe = self._probes.load(before.id)
        features = self._features(video_id, probe)
        if features is None:
            raise NotFoundError(f"Video {video_id}: this probe has not looked at it yet; run a detection first.")
        found = calibrate_features(probe, [features], check_rate(alarms_per_day / 24), within)
        return self._adopt(before, found.probe, found.probe.card.notes[-1])

    def _adopt(self, before: ProbeRecord, probe: Probe, note: str) -> ProbeRecord:
        """Enter a version of the current probe and keep it."""
        with self._turn:
            number = self._enter(before, probe, "candidate", [note])
        return self.keep(number)

    def compare(self, probe_id: int) -> Comparison:
        """Compare a refit with the probe that was current before it, on the videos whose labels it was fitted with.

        Raises
        ------
        NotFoundError
            If there is no probe of this id.
        UsageError
            If it is no refit.
        """
        after = self._probes.get(probe_id)
        if after.before_id is None:
            raise UsageError(f"{after.name}: was given, not refitted; there is nothing to compare it with.")
        before = self._probes.get(after.before_id)
        old, new = self._probes.load(before.id), self._probes.load(after.id)
        with self._database.reading() as session:
            used = select(CalibrationRow.label_id).where(CalibrationRow.probe_id == probe_id)
            wanted = set(session.scalars(used))
            labels = [label for label in held_labels(session, withdrawn=True) if label.id in wanted]
        videos, _ = self._labelled(new, labels)
        return Comparison(after, before, tuple(self._curve(number, item, old, new) for number, item in videos))

    def keep(self, probe_id: int) -> ProbeRecord:
        """Make a candidate the current probe; what the probe before it had looked at is scored anew.

        Raises
        ------
        NotFoundError
            If there is no probe of this id.
        UsageError
            If it is no candidate.
        """
        with self._turn:
            after = self._probes.get(probe_id)
            if after.state != "candidate" or after.before_id is None:
                raise UsageError(f"{after.name} {after.version}: is {after.state}, not a candidate; refit first.")
            with self._database.reading() as session:
                rows = session.scalars(select(ResultRow).where(ResultRow.probe_id == after.before_id)).all()
            probe = self._probes.load(probe_id)
            scored = [(row.video_id, self._rescored(row, probe)) for row in rows]
            with self._database.writing() as session:
                row = find_probe(session, probe_id)
                row.state = "kept"
                make_current(session, row)
                for number, found in scored:
                    if found is not None:
                        keep_result(session, number, probe_id, found)
        return self._probes.get(probe_id)

    def roll_back(self, probe_id: int) -> ProbeRecord:
        """Drop a refit; if it is the current probe, go back to the one before it. Return the current probe.

        Raises
        ------
        NotFoundError
            If there is no probe of this id.
        UsageError
            If it is no refit.
        """
        with self._turn, self._database.writing() as session:
            row = find_probe(session, probe_id)
            if row.before_id is None:
                raise UsageError(f"{row.name}: was given, not refitted; there is nothing to go back to.")
            was_current = current_row(session).id == row.id
            row.state = "rolled back"
            if was_current:
                make_current(session, _kept_before(session, row))
        return self._probes.current()

    def _base(self, before: ProbeRecord) -> Probe:
        base = self._probes.load(before.base_id or before.id)
        if not base.adaptable:
            raise UsageError(
                f"{before.name}: was fitted on normal video alone, so labels cannot refit it; choose another."
            )
        if not before.fits:
            raise UsageError(f"{before.name}: is a probe of another backbone than the server's; choose another.")
        return base

    def _labelled(self, probe: Probe, labels: Sequence[LabelRecord]) -> tuple[list[tuple[int, Features]], list[str]]:
        """Return the labelled videos whose hidden states are kept, by id, and sentences on those left out."""
        videos, notes = [], []
        for number in sorted({label.video_id for label in labels}):
            try:
                features = self._features(number, probe)
            except (VideoError, FeatureError, UsageError) as error:
                notes.append(f"Left out: {error}")
                continue
            if features is None:
                notes.append(f"Left out: {self._library.get(number).name} was never detected on with this probe.")
            else:
                videos.append((number, features))
        return videos, notes

    def _features(self, video_id: int, probe: Probe) -> Features | None:
        check_backbone(probe, self._backbone.info)
        video, layers = self._library.open(video_id), self._backbone.info.every_layer
        return stored_features(self._store, video, probe.extraction, layers)

    def _curve(self, video_id: int, features: Features, old: Probe, new: Probe) -> Curve:
        before, threshold_before, _ = score(features, old, old.localize)
        after, threshold_after, _ = score(features, new, new.localize)
        return Curve(
            video_id,
            self._library.get(video_id).name,
            tuple(features.centres.tolist()),
            tuple(segment.smoothed for segment in before),
            tuple(segment.smoothed for segment in after),
            threshold_before,
            threshold_after,
        )

    def _rescored(self, row: ResultRow, probe: Probe) -> Detection | None:
        """Detect anew on hidden states that are kept; None where they, or the video, are gone."""
        try:
            if self._features(row.video_id, probe) is None:
                return None
            detector = Detector(probe, self._backbone, run=Run(self._store))
            found = detector.detect(self._library.open(row.video_id))
        except (VideoError, FeatureError, UsageError):
            return None
        # Texts are of moments, not of scores: those of moments that are within an event again still hold.
        texts = [item.explanation for item in stored_detection(row).events if item.explanation]
        events = [
            replace(
                item,
                explanation=next(
                    (t for t in texts if item.event.start <= (t.start + t.end) / 2 <= item.event.end), None
                ),
            )
            for item in found.events
        ]
        return replace(found, events=tuple(events))

    def _enter(
        self,
        before: ProbeRecord,
        probe: Probe,
        state: ProbeState,
        notes: Sequence[str],
        labels: Sequence[LabelRecord] = (),
        aucs: tuple[float | None, float | None] = (None, None),
    ) -> int:
        """Write the probe file, then the row that names it: a kill in between leaves a file that nobody names."""
        with self._database.reading() as session:
            highest = select(func.max(ProbeRow.version)).where(ProbeRow.name == before.name)
            version = (session.scalar(highest) or 0) + 1
        path = self._settings.state / "probes" / f"{before.base_id or before.id}-{version}.probe"
        probe.save(path)
        with self._database.writing() as session:
            row = ProbeRow(
                name=before.name,
                version=version,
                path=str(path.relative_to(self._settings.folder)),
                state=state,
                base_id=before.base_id or before.id,
                before_id=before.id,
                auc_before=aucs[0],
                auc_after=aucs[1],
                notes="\n".join(notes),
                created=now(),
            )
            session.add(row)
            session.flush()
            session.add_all(CalibrationRow(probe_id=row.id, label_id=label.id) for label in labels)
            return row.id


def _verdicts(videos: Sequence[tuple[int, Features]], labels: Sequence[LabelRecord]) -> list[NDArray[np.int8]]:
    return [
        segment_verdicts([label for label in labels if label.video_id == number], item.starts, item.ends)
        for number, item in videos
    ]


def _kept_before(session: Session, row: ProbeRow) -> ProbeRow:
    """Return the nearest probe before a refit that was not rolled back."""
    while row.before_id is not None:
        row = find_probe(session, row.before_id)
        if row.state in ("given", "kept"):
            break
    return row
