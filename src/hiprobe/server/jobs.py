"""Detections that wait, and the one thread that runs the backbone."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from hiprobe.backbones import Backbone
from hiprobe.errors import HiProbeError, LimitError, NotFoundError, UsageError
from hiprobe.features import FeatureStore, Progress, ProgressReport, Run
from hiprobe.pipeline import Detection, Detector
from hiprobe.server.database import Database
from hiprobe.server.library import Library, find_video
from hiprobe.server.probes import Probes
from hiprobe.server.project import Settings
from hiprobe.server.records import JobRecord, now
from hiprobe.server.results import keep_result
from hiprobe.server.tables import JobRow, ProbeRow, VideoRow

_PROGRESS_INTERVAL = 0.5
"""Seconds between two notes of the progress in the database."""

_PATIENCE = 5.0
"""Seconds that closing waits for the batch in hand. A job that is left so begins anew at the next start."""

_log = logging.getLogger(__name__)


class _StoppedError(Exception):
    """Raised in the run of a job that is no longer wanted."""


class Jobs:
    """Queues detections and runs them one after the other, in the order in which they were asked for.

    What a killed server left running waits again at the next start. Hidden states are kept per video, so a video that
    was not finished is read from its beginning, and all others are not read again.

    Parameters
    ----------
    database, library, probes
        Of the project.
    backbone : Backbone
    store : FeatureStore
        Where hidden states are kept.
    settings : Settings
        Bounds on what may wait, and be asked for in a minute.
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
        self._backbone, self._store = backbone, store
        self._max_waiting, self._per_minute = settings.max_waiting, settings.jobs_per_minute
        self._asked: deque[float] = deque(maxlen=self._per_minute)
        self._live: dict[int, tuple[int, int]] = {}
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="hiprobe-jobs", daemon=True)

    def start(self) -> None:
        """Put what was running back into the queue, and begin to work."""
        with self._database.writing() as session:
            session.execute(update(JobRow).where(JobRow.state == "running").values(state="waiting"))
        self._wake.set()
        self._thread.start()

    def close(self) -> None:
        """Stop after the batch in hand; the job that it is of waits for the next start."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def list(self, limit: int = 100) -> tuple[JobRecord, ...]:
        """Return the latest jobs, newest first."""
        with self._database.reading() as session:
            rows = session.execute(_records().order_by(JobRow.id.desc()).limit(limit)).all()
        return tuple(self._record(*row) for row in rows)

    def get(self, job_id: int) -> JobRecord:
        """Return a job. Raises NotFoundError if there is none of this id."""
        with self._database.reading() as session:
            row = session.execute(_records().where(JobRow.id == job_id)).one_or_none()
        if row is None:
            raise NotFoundError(f"Job {job_id}: there is none of this number; list the jobs.")
        return self._record(*row)

    def submit(self, video_id: int, probe_id: int | None = None, *, explain: bool = True) -> JobRecord:
        """Ask for the events of a video; if that is asked for already, return the job that waits or runs.

        Parameters
        ----------
        video_id : int
            Of the library.
        probe_id : int, optional
            By default the current probe.
        explain : bool
            Whether the backbone describes each event.

        Raises
        ------
        UsageError
            If there is no such video or probe, or the probe is for another backbone.
        LimitError
            If too many wait, or were asked for in the last minute.
        """
        probe = self._probes.current() if probe_id is None else self._probes.get(probe_id)
        if not probe.fits:
            raise UsageError(f"{probe.name}: is a probe of another backbone than the server's; choose another.")
        with self._database.writing() as session:
            find_video(session, video_id)
            active = JobRow.state.in_(("waiting", "running"))
            same = select(JobRow.id).where(JobRow.video_id == video_id, JobRow.probe_id == probe.id, active)
            job_id = session.scalar(same)
            if job_id is None:
                waiting = session.scalar(select(func.count()).where(JobRow.state == "waiting")) or 0
                self._check_bounds(waiting)
                row = JobRow(video_id=video_id, probe_id=probe.id, explain=explain, state="waiting", created=now())
                session.add(row)
                session.flush()
                job_id = row.id
        self._wake.set()
        return self.get(job_id)

    def cancel(self, job_id: int) -> JobRecord:
        """Cancel a job that waits or runs; one that is over stays as it is. Raises NotFoundError if there is none."""
        with self._database.writing() as session:
            session.execute(
                update(JobRow)
                .where(JobRow.id == job_id, JobRow.state.in_(("waiting", "running")))
                .values(state="cancelled", finished=now())
            )
        return self.get(job_id)

    def _check_bounds(self, waiting: int) -> None:
        if waiting >= self._max_waiting:
            raise LimitError(f"{waiting} detections wait already; wait until some are done, or cancel some.")
        moment = time.monotonic()
        if len(self._asked) == self._per_minute and moment - self._asked[0] < 60:
            raise LimitError(f"{self._per_minute} detections were asked for within a minute; wait a little.")
        self._asked.append(moment)

    def _record(self, row: JobRow, video: str, probe: str, version: int) -> JobRecord:
        done, total = self._live.get(row.id, (row.done, row.total)) if row.state == "running" else (row.done, row.total)
        return JobRecord(
            id=row.id,
            video_id=row.video_id,
            video=video,
            probe_id=row.probe_id,
            probe=f"{probe} {version}" if version else probe,
            explain=row.explain,
            state=row.state,
            done=done,
            total=total,
            error=row.error,
            created=row.created,
            started=row.started,
            finished=row.finished,
        )

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while not self._stopping.is_set():
                job = self._claim()
                if job is None:
                    break
                self._run(job)
            if self._stopping.is_set():
                return

    def _claim(self) -> JobRow | None:
        with self._database.writing() as session:
            job = session.scalar(select(JobRow).where(JobRow.state == "waiting").order_by(JobRow.id).limit(1))
            if job is not None:
                job.state, job.started, job.error = "running", now(), ""
            return job

    def _run(self, job: JobRow) -> None:
        try:
            video, probe = self._library.open(job.video_id), self._probes.load(job.probe_id)
            run = Run(self._store, self._reporter(job.id), check=lambda: self._check(job.id))
            detector = Detector(probe, self._backbone, run=run)
            try:
                found = detector.detect(video, explain=job.explain, anomaly_map=True)
            except UsageError:  # not every backbone tells places apart
                found = detector.detect(video, explain=job.explain)
            self._finish(job, found)
        except _StoppedError:
            pass  # its state says why
        except HiProbeError as error:
            self._fail(job, str(error))
        except Exception as error:
            _log.exception("job %d", job.id)
            self._fail(job, f"unexpected {type(error).__name__}: {error}")
        finally:
            self._live.pop(job.id, None)

    def _reporter(self, job_id: int) -> ProgressReport:
        """Return what notes the progress of a job, and stops it once it is no longer wanted."""
        noted = 0.0

        def report(progress: Progress) -> None:
            nonlocal noted
            done, total = progress.segment, progress.segments
            self._live[job_id] = (done, total)
            moment = time.monotonic()
            if self._stopping.is_set():
                raise _StoppedError
            if moment - noted >= _PROGRESS_INTERVAL or done == total:
                noted = moment
                self._check(job_id, done=done, total=total)

        return report

    def _check(self, job_id: int, **progress: int) -> None:
        """Note the progress, and stop a job that is no longer wanted."""
        if self._stopping.is_set():
            raise _StoppedError
        with self._database.writing() as session:
            row = session.get(JobRow, job_id)
            if row is None or row.state != "running":
                raise _StoppedError
            for name, value in progress.items():
                setattr(row, name, value)

    def _finish(self, job: JobRow, found: Detection) -> None:
        with self._database.writing() as session:
            row = session.get(JobRow, job.id)
            if row is None or row.state != "running":
                return
            keep_result(session, job.video_id, job.probe_id, found)
            row.state, row.finished = "done", now()

    def _fail(self, job: JobRow, error: str) -> None:
        with self._database.writing() as session:
            running = update(JobRow).where(JobRow.id == job.id, JobRow.state == "running")
            session.execute(running.values(state="failed", error=error, finished=now()))


def hand_over(session: Session, before_id: int, after_id: int) -> None:
    """Let what waits for a probe wait for the one that takes its place, and what runs be looked at by it as well."""
    active = JobRow.state.in_(("waiting", "running"))
    taken = set(session.scalars(select(JobRow.video_id).where(JobRow.probe_id == after_id, active)))
    for job in session.scalars(select(JobRow).where(JobRow.probe_id == before_id, active)).all():
        if job.video_id in taken:
            continue
        if job.state == "waiting":
            job.probe_id = after_id
        else:
            again = JobRow(video_id=job.video_id, probe_id=after_id, explain=job.explain, state="waiting")
            again.created = now()
            session.add(again)


def _records() -> Select[JobRow, str, str, int]:
    joined = select(JobRow, VideoRow.name, ProbeRow.name, ProbeRow.version)
    return joined.join(VideoRow, VideoRow.id == JobRow.video_id).join(ProbeRow, ProbeRow.id == JobRow.probe_id)
