"""Detections in the database: the JSON that the report sink writes."""

from __future__ import annotations

import json

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from hiprobe.errors import NotFoundError
from hiprobe.pipeline import Detection
from hiprobe.report import detection_json
from hiprobe.server.database import Database
from hiprobe.server.library import find_video
from hiprobe.server.probes import current_row, find_probe
from hiprobe.server.records import now
from hiprobe.server.tables import ResultRow

_DETECTION = TypeAdapter(Detection)


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


def stored_detection(row: ResultRow) -> Detection:
    """Return the detection that a row holds."""
    body = json.loads(row.body)
    body.pop("schema")
    return _DETECTION.validate_python(body)


def keep_result(session: Session, video_id: int, probe_id: int, found: Detection) -> None:
    """Keep a detection, in place of an earlier one by the same probe."""
    session.merge(
        ResultRow(
            video_id=video_id,
            probe_id=probe_id,
            body=detection_json(found),
            n_events=len(found.events),
            peak=max((item.event.peak for item in found.events), default=None),
            created=now(),
        )
    )
