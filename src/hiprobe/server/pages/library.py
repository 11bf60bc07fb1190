"""The library: the videos of the project, what was found in each, and what is being looked for."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from nicegui import ui

from hiprobe.server.pages.adding import Adding
from hiprobe.server.pages.exporting import export_menu
from hiprobe.server.pages.frame import attempt, frame
from hiprobe.server.pages.widgets import Button, Link, Strip, Tag, clock, plural, probe_name
from hiprobe.server.records import JobRecord, VideoRecord
from hiprobe.server.service import Service

_SHOWN = 50
"""Videos that are shown before more are asked for."""

_ORDERS = {"severity": "Highest score first", "name": "By name", "added": "Latest first"}


def add(app: FastAPI, service: Service) -> None:
    """Add the page to the application."""

    @ui.page("/", api_router=app.router)  # type: ignore[arg-type]
    def _() -> None:
        with frame(service, "Videos", "/") as news:
            _Library(service, news)


class _Library:
    def __init__(self, service: Service, news: Tag) -> None:
        self._service, self._news = service, news
        self._rows: dict[int, _Row] = {}
        self._most, self._order = _SHOWN, "severity"
        with Tag("div", classes="heading"):
            Tag("h1", "Videos")
            self._detect_all = Button("Detect in new videos", self._submit_new, "primary")
            self._exports = export_menu()
        probe = service.probes.current()
        with Tag("p", classes="soft"):
            Tag("span", f"Looking for {probe.summary} (probe {probe_name(probe)}). ")
            Link("Choose another probe", "/probes")
        self._adding = Adding(service, self.refresh)
        with Tag("div", classes="toolbar") as self._toolbar:
            self._count = Tag("h2", "")
            ui.select(_ORDERS, value=self._order, label="Order", on_change=self._reorder).props("dense outlined")
        self._list = Tag("ul", classes="videos")
        self._more = Button(f"Show {_SHOWN} more", self._show_more)
        self.refresh()
        ui.timer(1.0, self.refresh)

    def refresh(self) -> None:
        """Show what the service has now, in place where it can be."""
        videos = self._service.library.list()
        jobs = {job.video_id: job for job in reversed(self._service.jobs.list(1000))}
        shown = self._ordered(videos)[: self._most]
        if [video.id for video in shown] != list(self._rows):
            self._list.clear()
            with self._list:
                self._rows = {video.id: _Row(self._service, self.refresh) for video in shown}
        for video in shown:
            self._rows[video.id].update(video, jobs.get(video.id))
        self._count.say(plural(len(videos), "video"))
        self._toolbar.show(bool(videos))
        self._more.show(len(videos) > self._most)
        self._adding.guide(empty=not videos)
        self._detect_all.show(any(video.state == "new" for video in videos))
        self._exports.show(any(video.n_events is not None for video in videos))
        self._news.say(_spoken(list(jobs.values())))

    def _ordered(self, videos: Sequence[VideoRecord]) -> list[VideoRecord]:
        if self._order == "severity":
            return sorted(videos, key=lambda video: -(video.peak or 0.0) if video.n_events else 1.0)
        if self._order == "added":
            return sorted(videos, key=lambda video: video.added, reverse=True)
        return list(videos)

    def _reorder(self, event: object) -> None:
        self._order = event.value  # type: ignore[attr-defined]
        self.refresh()

    def _show_more(self) -> None:
        self._most += _SHOWN
        self.refresh()

    async def _submit_new(self) -> None:
        for video in self._service.library.list():
            if video.state == "new" and await attempt(self._service.jobs.submit, video.id) is None:
                break
        self.refresh()


class _Row:
    """A video in the list. It is changed in place, so that what has the focus keeps it."""

    def __init__(self, service: Service, refresh: object) -> None:
        self._service, self._refresh = service, refresh
        self._video: VideoRecord | None = None
        self._job: JobRecord | None = None
        with Tag("li", classes="video"):
            with Tag("div", classes="what"):
                self._name = Link("", "", "name")
                self._facts = Tag("span", "", "soft")
            with Tag("div", classes="found"):
                self._strip = Strip()
                self._progress = Tag("progress").attribute("max", 1)
            self._state = Tag("div", "", "state")
            with Tag("div", classes="acts"):
                self._detect = Button("Detect", self._submit)
                self._cancel = Button("Cancel", self._cancel_job)
                self._remove = Button("Remove", self._remove_video, "quiet")

    def update(self, video: VideoRecord, job: JobRecord | None) -> None:
        """Show a video and its latest job."""
        before, self._video, self._job = self._video, video, job
        running, waiting = video.state == "running", video.state == "waiting"
        if before is None or (before.n_events, before.peak) != (video.n_events, video.peak):
            events = self._service.labels.events(video.id) if video.n_events is not None else ()
            self._strip.draw([(event.start, event.end) for event in events], video.duration)
        if before is None:
            self._name.say(video.name)
            self._name.attribute("href", f"/videos/{video.id}")
            for button, does in ((self._detect, "Detect in"), (self._cancel, "Cancel"), (self._remove, "Remove")):
                button.attribute("aria-label", f"{does} {video.name}")
        labels = f" · {plural(video.n_labels, 'label')}" if video.n_labels else ""
        self._facts.say(f"{clock(video.duration)}{labels}")
        self._strip.set_visibility(video.n_events is not None and not running)
        self._progress.show(running)
        if running and job is not None:
            share = job.done / job.total if job.total else None
            self._progress.attribute("value", share).attribute("aria-label", f"Detection in {video.name}")
        self._state.say(_words(video, job))
        self._state.classes(
            add="problem" if video.state == "failed" else "", remove="" if video.state == "failed" else "problem"
        )
        self._detect.show(video.state in ("new", "failed", "cancelled"))
        self._cancel.show(running or waiting)
        self._remove.show(not (running or waiting or video.n_labels))

    async def _submit(self) -> None:
        if self._video is not None:
            await attempt(self._service.jobs.submit, self._video.id)
        self._refresh()  # type: ignore[operator]

    async def _cancel_job(self) -> None:
        if self._job is not None:
            await attempt(self._service.jobs.cancel, self._job.id)
        self._refresh()  # type: ignore[operator]

    async def _remove_video(self) -> None:
        if self._video is None:
            return
        with ui.dialog() as dialog, Tag("div", classes="dialog"):
            Tag("h2", "Remove this video?")
            kept = "The uploaded file is deleted." if self._video.uploaded else "The file itself stays where it is."
            Tag("p", f"{self._video.name} leaves the library, with what was found in it. {kept}")
            with Tag("div", classes="line"):
                Button("Remove", lambda: dialog.submit(True), "primary")
                Button("Keep", lambda: dialog.submit(False))
        if await dialog:
            await attempt(self._service.library.remove, self._video.id)
            self._refresh()  # type: ignore[operator]
        dialog.delete()


def _words(video: VideoRecord, job: JobRecord | None) -> str:
    if video.state == "running":
        return f"Detecting, {job.done} of {job.total} segments" if job and job.total else "Detecting, opening"
    if video.state == "failed":
        return f"Failed: {job.error}" if job else "Failed"
    if video.n_events is not None:
        peak = f", peak {video.peak:.2f}" if video.n_events and video.peak is not None else ""
        return f"{plural(video.n_events, 'event')}{peak}" if video.n_events else "No event"
    return {"new": "Not looked at yet", "waiting": "Waiting in the queue", "cancelled": "Cancelled"}[video.state]


def _spoken(jobs: Sequence[JobRecord]) -> str:
    """Return what is going on, for screen readers: not every segment, but every tenth part."""
    parts = []
    for job in jobs:
        if job.state == "running":
            parts.append(f"Detecting in {job.video}: {10 * (10 * job.done // max(job.total, 1))} percent.")
    waiting = sum(job.state == "waiting" for job in jobs)
    if waiting:
        parts.append(f"{plural(waiting, 'video')} waiting.")
    return " ".join(parts) or ("Nothing is running." if jobs else "")
