"""The videos of a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hiprobe.errors import NotFoundError, UsageError
from hiprobe.server.database import Database
from hiprobe.server.media import plays_as
from hiprobe.server.probes import current_row
from hiprobe.server.records import JobState, VideoRecord, now
from hiprobe.server.safety import AllowedFolders, check_video
from hiprobe.server.tables import JobRow, LabelRow, ResultRow, VideoRow
from hiprobe.video import VideoRef


class Library:
    """Adds, lists and removes videos.

    Parameters
    ----------
    database : Database
    allowed : AllowedFolders
    """

    def __init__(self, database: Database, allowed: AllowedFolders) -> None:
        self._database = database
        self._allowed = allowed

    def list(self) -> tuple[VideoRecord, ...]:
        """Return the videos, by name."""
        with self._database.reading() as session:
            rows = session.scalars(select(VideoRow).order_by(VideoRow.name, VideoRow.id)).all()
            return tuple(_with_state(session, rows))

    def get(self, video_id: int) -> VideoRecord:
        """Return a video. Raises NotFoundError if there is none of this id."""
        with self._database.reading() as session:
            (record,) = _with_state(session, [find_video(session, video_id)])
            return record

    def add(self, path: str | Path, image_fps: float | None = None, *, uploaded: bool = False) -> VideoRecord:
        """Add a video that lies in an allowed folder; one that is known already is returned as it is.

        Parameters
        ----------
        path : path
            A video file, or a folder of images with ``image_fps``; relative to the project's folder.
        image_fps : float, optional
            Images a second.
        uploaded : bool
            Whether the server holds it.

        Raises
        ------
        UsageError
            If it is not in an allowed folder.
        VideoError
            If it is no video, or cannot be read.
        """
        found = self._allowed.resolve(path)
        kept = self._allowed.keep(found)
        with self._database.reading() as session:
            known = session.scalar(select(VideoRow.id).where(VideoRow.path == kept))
        if known is None:
            info = check_video(found, image_fps)
            kind = plays_as(found, info)
            with self._database.writing() as session:
                known = session.scalar(select(VideoRow.id).where(VideoRow.path == kept))
                if known is None:
                    row = VideoRow(
                        path=kept,
                        name=found.name,
                        uploaded=uploaded,
                        plays_as=kind,
                        image_fps=image_fps,
                        duration=info.duration,
                        fps=info.fps,
                        width=info.width,
                        height=info.height,
                        added=now(),
                    )
                    session.add(row)
                    session.flush()
                    known = row.id
        return self.get(known)

    def remove(self, video_id: int) -> None:
        """Take a video out of the library, with its results; an uploaded file is deleted, any other is left alone.

        Raises
        ------
        UsageError
            If there is none of this id, it has labels, or a detection of it waits or runs.
        """
        with self._database.writing() as session:
            row = find_video(session, video_id)
            if session.scalar(select(func.count()).where(LabelRow.video_id == video_id)):
                raise UsageError(f"{row.name}: has labels, which probes are fitted with; it stays in the library.")
            busy = select(func.count()).where(JobRow.video_id == video_id, JobRow.state.in_(("waiting", "running")))
            if session.scalar(busy):
                raise UsageError(f"{row.name}: a detection of it waits or runs; cancel that first.")
            session.delete(row)
        if row.uploaded:
            self._allowed.reopen(row.path).unlink(missing_ok=True)

    def open(self, video_id: int) -> VideoRef:
        """Return a reference to a video, its path checked anew.

        Raises
        ------
        NotFoundError
            If there is none of this id.
        UsageError
            If its file is gone or replaced by a link.
        """
        return self.open_media(video_id)[0]

    def open_media(self, video_id: int) -> tuple[VideoRef, str | None]:
        """Return what :meth:`open` does, and the media type as which browsers play the file as it is, if they do."""
        with self._database.reading() as session:
            row = find_video(session, video_id)
        return VideoRef(self._allowed.reopen(row.path), row.image_fps), row.plays_as


def find_video(session: Session, video_id: int) -> VideoRow:
    """Return the row of a video. Raises NotFoundError if there is none of this id."""
    row = session.get(VideoRow, video_id)
    if row is None:
        raise NotFoundError(f"Video {video_id}: there is none of this number; list the videos.")
    return row


def _with_state(session: Session, rows: Sequence[VideoRow]) -> list[VideoRecord]:
    """Add to videos what the current probe and people made of them."""
    probe = current_row(session).id
    ids = [row.id for row in rows]
    latest = select(func.max(JobRow.id)).where(JobRow.probe_id == probe, JobRow.video_id.in_(ids))
    jobs: dict[int, JobState] = {
        job.video_id: job.state
        for job in session.scalars(select(JobRow).where(JobRow.id.in_(latest.group_by(JobRow.video_id))))
    }
    found = select(ResultRow.video_id, ResultRow.n_events, ResultRow.peak)
    results = {
        video: (events, peak)
        for video, events, peak in session.execute(
            found.where(ResultRow.probe_id == probe, ResultRow.video_id.in_(ids))
        )
    }
    counting = select(LabelRow.video_id, func.count()).where(LabelRow.withdrawn.is_(False), LabelRow.video_id.in_(ids))
    labels = {row[0]: row[1] for row in session.execute(counting.group_by(LabelRow.video_id))}
    records = []
    for row in rows:
        n_events, peak = results.get(row.id, (None, None))
        records.append(
            VideoRecord(
                id=row.id,
                name=row.name,
                path=row.path,
                uploaded=row.uploaded,
                playable=row.plays_as is not None,
                duration=row.duration,
                fps=row.fps,
                width=row.width,
                height=row.height,
                added=row.added,
                # A refit that is kept has results without a job.
                state=jobs.get(row.id) or ("done" if row.id in results else "new"),
                n_events=n_events,
                peak=peak,
                n_labels=labels.get(row.id, 0),
            )
        )
    return records
