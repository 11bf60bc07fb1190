"""Detections in the database: the JSON that the report sink writes."""

from __future__ import annotations

from safetensors.numpy import load, save
from sqlalchemy import select
from sqlalchemy.orm import Session

from hiprobe.errors import NotFoundError
from hiprobe.explain import AnomalyMap
from hiprobe.pipeline import Detection
from hiprobe.report import detection_json, parse_detection
from hiprobe.server.database import Database
from hiprobe.server.library import find_video
from hiprobe.server.probes import current_row, find_probe
from hiprobe.server.records import now
from hiprobe.server.tables import ResultRow


class Results:
    """Reads what probes found.

    Parameters
    ----------
    database : Database
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, video_id: int, probe_id: int | None = None) -> Detection | None:
        """Return what a probe, by default the current one, found in a video; None before it was looked for.

        Raises
        ------
        UsageError
            If there is no such video or probe.
        """
        with self._database.reading() as session:
            find_video(session, video_id)
            probe = current_row(session) if probe_id is None else find_probe(session, probe_id)
            row = session.get(ResultRow, (video_id, probe.id))
            return None if row is None else stored_detection(row)

    def get(self, video_id: int, probe_id: int | None = None) -> Detection:
        """Return what :meth:`find` does. Raises UsageError if there is nothing yet, too."""
        found = self.find(video_id, probe_id)
        if found is None:
            raise NotFoundError(f"Video {video_id}: this probe has not looked at it yet; run a detection first.")
        return found

    def has_anomaly_map(self, video_id: int) -> bool:
        """Whether anomaly maps of what the current probe found in a video are kept."""
        with self._database.reading() as session:
            kept = select(ResultRow.anomaly_map.is_not(None)).where(
                ResultRow.video_id == video_id, ResultRow.probe_id == current_row(session).id
            )
            return bool(session.scalar(kept))

    def anomaly_map(self, video_id: int) -> AnomalyMap:
        """Return the anomaly maps of a video's events by the current probe. Raises NotFoundError if there are none."""
        with self._database.reading() as session:
            row = session.get(ResultRow, (video_id, current_row(session).id))
            if row is None or row.anomaly_map is None:
                raise NotFoundError(f"Video {video_id}: has no anomaly map; run a detection.")
            return stored_maps(row.anomaly_map)


def stored_detection(row: ResultRow) -> Detection:
    """Return the detection that a row holds."""
    return parse_detection(row.body)


def stored_maps(kept: bytes) -> AnomalyMap:
    """Return the anomaly maps that a row holds."""
    return AnomalyMap(**load(kept))


def keep_result(session: Session, video_id: int, probe_id: int, found: Detection) -> None:
    """Keep a detection, with its anomaly maps if it has them, in place of an earlier one by the same probe."""
    session.merge(
        ResultRow(
            video_id=video_id,
            probe_id=probe_id,
            body=detection_json(found),
            n_events=len(found.events),
            peak=max((item.event.peak for item in found.events), default=None),
            created=now(),
            anomaly_map=save({"times": found.anomaly_map.times, "maps": found.anomaly_map.maps})
            if found.anomaly_map
            else None,
        )
    )
