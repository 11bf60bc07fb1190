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
from hiprobe.errors import FeatureError, UsageError, VideoError
from hiprobe.features import Features, FeatureStore, Run, stored_features
from hiprobe.pipeline import Detection, Detector, refit
from hiprobe.pipeline.detector import score, with_evidence
from hiprobe.probing import Probe, check_backbone
from hiprobe.server.database import Database
from hiprobe.server.jobs import hand_over
from hiprobe.server.labels import held_labels, segment_verdicts
from hiprobe.server.library import Library
from hiprobe.server.probes import Probes, current_row, find_probe, make_current
from hiprobe.server.project import Settings
from hiprobe.server.records import Comparison, Curve, LabelRecord, Made, ProbeRecord, ProbeState, now
from hiprobe.server.results import keep_result, stored_detection, stored_maps
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

    def adopt(
        self, before: ProbeRecord, probe: Probe, made: Made, notes: Sequence[str], in_place_of: ProbeRecord
    ) -> ProbeRecord:
        """Enter a version of a probe and keep it; the current one, if another by hand, is dropped."""
        with self._turn:
            number = self._enter(before, probe, "candidate", notes, made=made)
        kept = self.keep(number)
        if in_place_of.id != before.id:
            with self._database.writing() as session:
                find_probe(session, in_place_of.id).state = "rolled back"
        return kept

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
            now = self._probes.current()
            scored = self._scored_anew(probe_id, (now.id, after.before_id))
            with self._database.writing() as session:
                row = find_probe(session, probe_id)
                row.state = "kept"
                make_current(session, row)
                hand_over(session, now.id, probe_id)
                for number, found in scored:
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
        with self._turn:
            with self._database.reading() as session:
                row = find_probe(session, probe_id)
                if row.before_id is None:
                    raise UsageError(f"{row.name}: was given, not refitted; there is nothing to go back to.")
                was_current = current_row(session).id == row.id
                target = _kept_before(session, row).id
            scored = self._scored_anew(target, (target, probe_id)) if was_current else []
            with self._database.writing() as session:
                find_probe(session, probe_id).state = "rolled back"
                if was_current:
                    make_current(session, find_probe(session, target))
                    hand_over(session, probe_id, target)
                for number, found in scored:
                    keep_result(session, number, target, found)
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
                features = self.features(number, probe)
            except (VideoError, FeatureError, UsageError) as error:
                notes.append(f"Left out: {error}")
                continue
            if features is None:
                notes.append(f"Left out: {self._library.get(number).name} was never detected on with this probe.")
            else:
                videos.append((number, features))
        return videos, notes

    def features(self, video_id: int, probe: Probe) -> Features | None:
        """Return what is kept of a video for a probe; None if the probe was never run on it.

        Raises ProbeError if the probe is of another backbone.
        """
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

    def _scored_anew(self, probe_id: int, by: Sequence[int]) -> list[tuple[int, Detection]]:
        """Detect by a probe in all that some probes looked at; results of the probe itself stay as they are."""
        with self._database.reading() as session:
            rows = session.execute(select(ResultRow.video_id, ResultRow.probe_id).where(ResultRow.probe_id.in_(by)))
            looked: dict[int, list[int]] = {}
            for video, of in rows:
                looked.setdefault(video, []).append(of)
        probe, scored = self._probes.load(probe_id), []
        for video, those in looked.items():
            if probe_id not in those:
                with self._database.reading() as session:
                    rows = [session.get(ResultRow, (video, of)) for of in sorted(those, key=by.index)]
                    found = self._rescored(video, [row for row in rows if row is not None], probe)
                if found is not None:
                    scored.append((video, found))
        return scored

    def _rescored(self, video_id: int, rows: Sequence[ResultRow], probe: Probe) -> Detection | None:
        """Detect anew on hidden states that are kept; None where they, or the video, are gone.

        Texts and maps are those of earlier results, as far as they hold.
        """
        try:
            if self.features(video_id, probe) is None:
                return None
            detector = Detector(probe, self._backbone, run=Run(self._store))
            found = detector.detect(self._library.open(video_id))
        except (VideoError, FeatureError, UsageError):
            return None
        earlier = [stored_detection(row) for row in rows]
        # Texts are of moments, not of scores: those of moments that are within an event again still hold.
        texts = [item.explanation for one in earlier for item in one.events if item.explanation]
        events = [
            replace(
                item,
                explanation=next(
                    (t for t in texts if item.event.start <= (t.start + t.end) / 2 <= item.event.end), None
                ),
            )
            for item in found.events
        ]
        # So do maps, as long as the scores are the same.
        scores = [segment.score for segment in found.segments]
        kept = [
            stored_maps(row.anomaly_map)
            for row, one in zip(rows, earlier, strict=True)
            if row.anomaly_map is not None and [segment.score for segment in one.segments] == scores
        ]
        if kept:
            maps = max(kept, key=lambda one: len(one.times))
            found = replace(found, anomaly_map=maps)
            events = [with_evidence(item, probe, maps) for item in events]
        said = self._backbone.info.warnings if any(item.explanation for item in events) else ()
        return replace(found, events=tuple(events), warnings=tuple(dict.fromkeys((*found.warnings, *said))))

    def _enter(
        self,
        before: ProbeRecord,
        probe: Probe,
        state: ProbeState,
        notes: Sequence[str],
        labels: Sequence[LabelRecord] = (),
        aucs: tuple[float | None, float | None] = (None, None),
        made: Made = "refit",
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
                made=made,
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
