"""The HTTP API. Each route is one verb of the service; the schema is at ``/api/openapi.json``."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from hiprobe.errors import HiProbeError, LimitError, NotFoundError, OutputError, TooLargeError, UsageError, VideoError
from hiprobe.report import detection_json
from hiprobe.server.media import anomaly_map_png
from hiprobe.server.records import (
    Comparison,
    JobRecord,
    LabelRecord,
    LabelSource,
    LayerSaliency,
    Outlook,
    ProbeRecord,
    ReviewedEvent,
    Uncertain,
    Verdict,
    VideoRecord,
)
from hiprobe.server.service import Service

PREFIX = "/api/v1"

_STATUS: tuple[tuple[type[HiProbeError], int], ...] = (
    (NotFoundError, 404),
    (LimitError, 429),
    (TooLargeError, 413),
    (UsageError, 422),
    (VideoError, 422),
    (OutputError, 507),
    (HiProbeError, 500),
)


class NewVideo(BaseModel):
    """A video that lies in an allowed folder; ``image_fps`` if it is a folder of images."""

    path: str
    image_fps: float | None = Field(None, gt=0)


class NewJob(BaseModel):
    """A detection to run; by the current probe unless another is named."""

    video_id: int
    probe_id: int | None = None
    explain: bool = True


class NewLabel(BaseModel):
    """What an interval is, in seconds."""

    start: float
    end: float
    verdict: Verdict
    kind: str = ""
    source: LabelSource = "missed"


class Problem(BaseModel):
    """What went wrong, in a sentence."""

    detail: str


def add_api(app: FastAPI, service: Service) -> None:
    """Add the routes, and how errors become answers."""
    app.add_exception_handler(HiProbeError, _problem)
    problems = {code: {"model": Problem} for code in (404, 422)}
    for router in (_videos(service), _jobs(service), _labels(service), _probes(service), _exports(service)):
        app.include_router(router, prefix=PREFIX, responses=problems)  # type: ignore[arg-type]


def _videos(service: Service) -> APIRouter:
    router = APIRouter(tags=["videos"])

    @router.get("/videos")
    def list_videos() -> Sequence[VideoRecord]:
        """List the library."""
        return service.library.list()

    @router.post("/videos", status_code=201)
    def add_video(video: NewVideo) -> VideoRecord:
        """Add a video that lies in the project's folder or another allowed one; a known one is returned as it is."""
        return service.library.add(video.path, video.image_fps)

    @router.post(
        "/uploads",
        status_code=201,
        openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}, "required": True}},
    )
    async def upload(request: Request, name: Annotated[str, Query(max_length=300)]) -> VideoRecord:
        """Upload a video: the bytes of the file are the body, and its name is in the query."""
        return await service.uploads.receive(name, request.stream())

    @router.get("/videos/{video_id}")
    def get_video(video_id: int) -> VideoRecord:
        """Return one video."""
        return service.library.get(video_id)

    @router.delete("/videos/{video_id}", status_code=204)
    def remove_video(video_id: int) -> None:
        """Take a video without labels out of the library."""
        service.library.remove(video_id)

    @router.get("/videos/{video_id}/media", response_class=FileResponse)
    def media(video_id: int) -> Response:
        """Return what a browser plays, in ranges if asked to; 503 while a copy of it is being made."""
        found = service.playback.find(video_id)
        if found is None:
            return JSONResponse({"detail": "A copy that browsers play is being made."}, 503, {"Retry-After": "2"})
        return FileResponse(found.path, media_type=found.media_type)

    @router.get("/videos/{video_id}/result")
    def result(video_id: int, probe_id: int | None = None) -> Response:
        """Return what a probe, by default the current one, found: the JSON that `hiprobe detect` writes."""
        return Response(detection_json(service.results.get(video_id, probe_id)), media_type="application/json")

    @router.get("/videos/{video_id}/anomaly-map", response_class=Response)
    def anomaly_map(video_id: int, time: Annotated[float, Query(ge=0, allow_inf_nan=False)]) -> Response:
        """Return the anomaly map of the current probe at a time in seconds, a PNG to lay over the picture."""
        video, found = service.library.get(video_id), service.results.anomaly_map(video_id)
        return Response(anomaly_map_png(found, time, video.width / video.height), media_type="image/png")

    @router.get("/videos/{video_id}/events-at")
    def events_at(video_id: int, threshold: Annotated[float, Query(allow_inf_nan=False)]) -> Outlook:
        """Return the events that a video would have at a threshold, and the false alarms to expect; no model runs."""
        return service.thresholds.outlook(video_id, threshold)

    @router.get("/videos/{video_id}/events")
    def events(video_id: int) -> Sequence[ReviewedEvent]:
        """Return the events of the current probe, each with the label that judges it."""
        return service.labels.events(video_id)

    return router


def _jobs(service: Service) -> APIRouter:
    router = APIRouter(tags=["jobs"])

    @router.get("/jobs")
    def list_jobs(limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Sequence[JobRecord]:
        """List the latest jobs, newest first."""
        return service.jobs.list(limit)

    @router.post("/jobs", status_code=202, responses={429: {"model": Problem}})
    def submit(job: NewJob) -> JobRecord:
        """Queue a detection; one that waits or runs already is returned as it is."""
        return service.jobs.submit(job.video_id, job.probe_id, explain=job.explain)

    @router.get("/jobs/{job_id}")
    def get_job(job_id: int) -> JobRecord:
        """Return one job: its state, and how far it is."""
        return service.jobs.get(job_id)

    @router.post("/jobs/{job_id}/cancel")
    def cancel(job_id: int) -> JobRecord:
        """Cancel a job that waits or runs."""
        return service.jobs.cancel(job_id)

    return router


def _labels(service: Service) -> APIRouter:
    router = APIRouter(tags=["labels"])

    @router.get("/labels")
    def list_labels() -> Sequence[LabelRecord]:
        """List the labels of all videos, oldest first."""
        return service.labels.list()

    @router.get("/videos/{video_id}/labels")
    def list_labels_of(video_id: int) -> Sequence[LabelRecord]:
        """List the labels of one video, oldest first."""
        service.library.get(video_id)
        return service.labels.list(video_id)

    @router.post("/videos/{video_id}/labels", status_code=201)
    def add_label(video_id: int, label: NewLabel) -> LabelRecord:
        """Say what an interval is. The label is on the disk when this is answered."""
        return service.labels.add(video_id, label.start, label.end, label.verdict, kind=label.kind, source=label.source)

    @router.post("/videos/{video_id}/labels/rest", status_code=201)
    def rest_is_normal(video_id: int) -> Sequence[LabelRecord]:
        """Label as normal what no label covers yet, of a video that was looked through."""
        return service.labels.rest_is_normal(video_id)

    @router.delete("/labels/{label_id}", status_code=204)
    def withdraw(label_id: int) -> None:
        """Take a label back."""
        service.labels.withdraw(label_id)

    @router.get("/next")
    def label_next(limit: Annotated[int, Query(ge=1, le=100)] = 10) -> Sequence[Uncertain]:
        """Return the segments whose label would teach most."""
        return service.labels.next(limit)

    return router


def _probes(service: Service) -> APIRouter:
    router = APIRouter(tags=["probes"])

    @router.get("/probes")
    def list_probes() -> Sequence[ProbeRecord]:
        """List the probes, with the cards of starter probes."""
        return service.probes.list()

    @router.get("/probes/{probe_id}")
    def get_probe(probe_id: int) -> ProbeRecord:
        """Return one probe."""
        return service.probes.get(probe_id)

    @router.post("/probes/{probe_id}/choose")
    def choose(probe_id: int) -> ProbeRecord:
        """Make a probe the current one."""
        return service.probes.choose(probe_id)

    @router.get("/probes/{probe_id}/saliency")
    def saliency(probe_id: int) -> LayerSaliency:
        """Return why a probe reads its layer."""
        return service.probes.saliency(probe_id)

    @router.post("/threshold", status_code=201)
    def set_threshold(threshold: Annotated[float, Query(allow_inf_nan=False)]) -> ProbeRecord:
        """Give the current probe a threshold, as a version of its own; what was detected is found anew."""
        return service.thresholds.set(threshold)

    @router.post("/videos/{video_id}/ordinary", status_code=201)
    def ordinary(
        video_id: int,
        alarms_per_day: Annotated[float, Query(gt=0, allow_inf_nan=False)],
        start: Annotated[float, Query(ge=0, allow_inf_nan=False)] = 0.0,
        end: Annotated[float | None, Query(gt=0, allow_inf_nan=False)] = None,
    ) -> ProbeRecord:
        """Calibrate the current probe on a video, or a stretch of it, that was ordinary; no model runs."""
        within = (start, end if end is not None else service.library.get(video_id).duration)
        return service.thresholds.ordinary(video_id, alarms_per_day, within)

    @router.post("/refits", status_code=201)
    def refit() -> Comparison:
        """Refit the current probe from the labels; compare the candidate with it."""
        return service.refits.refit()

    @router.get("/refits/{probe_id}")
    def compare(probe_id: int) -> Comparison:
        """Compare a refit with the probe before it."""
        return service.refits.compare(probe_id)

    @router.post("/refits/{probe_id}/keep")
    def keep(probe_id: int) -> ProbeRecord:
        """Keep a refit: it becomes the current probe, and what was detected is scored anew."""
        return service.refits.keep(probe_id)

    @router.post("/refits/{probe_id}/roll-back")
    def roll_back(probe_id: int) -> ProbeRecord:
        """Drop a refit; return the current probe."""
        return service.refits.roll_back(probe_id)

    return router


def _exports(service: Service) -> APIRouter:
    router = APIRouter(tags=["export"])
    writers: dict[str, tuple[Callable[[Sequence[int] | None, Path], None], str]] = {
        "json": (service.exports.json, "application/json"),
        "csv": (service.exports.csv, "text/csv"),
        "clips": (service.exports.clips, "application/zip"),
        "report": (service.exports.report, "text/html"),
    }
    names = {"json": "hiprobe.json", "csv": "hiprobe.csv", "clips": "hiprobe-clips.zip", "report": "hiprobe.html"}

    @router.get("/export/{form}", response_class=FileResponse)
    def export(
        form: Literal["json", "csv", "clips", "report"], video: Annotated[list[int] | None, Query()] = None
    ) -> FileResponse:
        """Download what the current probe found: JSON, CSV of events, a ZIP of clips, or the HTML report."""
        write, kind = writers[form]
        folder = tempfile.TemporaryDirectory(prefix="hiprobe-export-")
        try:
            path = Path(folder.name) / names[form]
            write(video, path)
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(path, media_type=kind, filename=names[form], background=BackgroundTask(folder.cleanup))

    return router


def _problem(_request: Request, error: Exception) -> JSONResponse:
    code = next(code for kind, code in _STATUS if isinstance(error, kind))
    headers = {"Retry-After": "30"} if code == 429 else None
    return JSONResponse({"detail": str(error)}, code, headers)
