"""The review of one video: watch it, judge its events, mark what was missed."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import ui

from hiprobe.errors import HiProbeError
from hiprobe.server.pages.dial import Dial
from hiprobe.server.pages.events import Events
from hiprobe.server.pages.exporting import export_menu
from hiprobe.server.pages.frame import Key, attempt, frame
from hiprobe.server.pages.marking import Marking
from hiprobe.server.pages.ordinary import Ordinary
from hiprobe.server.pages.player import Player, Source
from hiprobe.server.pages.widgets import Button, Link, Tag, clock, plural
from hiprobe.server.records import JobRecord, VideoRecord
from hiprobe.server.service import Service


def add(app: FastAPI, service: Service) -> None:
    """Add the page to the application."""

    @ui.page("/videos/{video_id}", api_router=app.router)  # type: ignore[arg-type]
    def _(video_id: int, t: float = 0.0) -> None:
        try:
            video = service.library.get(video_id)
        except HiProbeError as error:
            with frame(service, "No such video", "/"):
                Tag("h1", "No such video")
                Tag("p", str(error))
                Link("Back to the videos", "/")
            return
        page = _Review(service, video)
        with frame(service, video.name, "/", page.keys()) as news:
            page.build(news, t)


class _Review:
    """The page: its parts are made once and changed in place, so that what has the focus keeps it."""

    def __init__(self, service: Service, video: VideoRecord) -> None:
        self._service, self._video = service, video
        self._seen: object = None
        self._job: JobRecord | None = None
        self._lacks = False

    def keys(self) -> list[Key]:
        """Return the keys of the page."""
        return [
            Key(" ", "Play or pause", lambda: self._player.run_method("toggle")),
            Key("ArrowLeft", "One second back", lambda: self._player.run_method("seek_by", -1)),
            Key("ArrowRight", "One second on", lambda: self._player.run_method("seek_by", 1)),
            Key(",", "One frame back", lambda: self._player.run_method("step", -1)),
            Key(".", "One frame on", lambda: self._player.run_method("step", 1)),
            Key("n", "Next event", lambda: self._events.go(1)),
            Key("p", "Previous event", lambda: self._events.go(-1)),
            Key("a", "Accept the event", lambda: self._events.accept()),
            Key("r", "Reject the event", lambda: self._events.reject()),
            Key("l", "Relabel the event", lambda: self._events.relabel()),
            Key("[", "Mark from here", lambda: self._player.run_method("mark_from_here")),
            Key("]", "Mark to here", lambda: self._player.run_method("mark_to_here")),
            Key("m", "Label what is marked as abnormal", lambda: self._marking.abnormal()),
            Key("Escape", "Mark nothing", lambda: self._marking.set(None)),
            Key("h", "Anomaly map on or off", lambda: self._player.run_method("toggle_map")),
        ]

    def build(self, news: Tag, start: float) -> None:
        """Create the page's content."""
        video, self._news = self._video, news
        with Tag("div", classes="heading"):
            with Tag("div"):
                Link("All videos", "/", "back")
                Tag("h1", video.name)
            self._detect = Button("Detect", self._submit, "primary")
            self._cancel = Button("Cancel", self._cancel_job)
            self._exports = export_menu(video.id)
        self._state = Tag("p", "", "soft")
        self._progress = Tag("progress").attribute("max", 1).attribute("aria-label", "Detection")
        with Tag("div", classes="review"):
            with Tag("section", classes="watch").attribute("aria-label", "Player"):
                self._player = Player(video, lambda first, last: self._marking.set((first, last)))
                Source(self._service, video, self._player)
                self._dial = Dial(self._service, video, self._player, self.refresh)
                self._marking = Marking(
                    self._service, video, self._player, self.refresh, lambda interval: self._ordinary.mark(interval)
                )
            with Tag("section", classes="judge").attribute("aria-label", "Events and labels"):
                self._events = Events(self._service, video, self._player, self.refresh)
                self._ordinary = Ordinary(self._service, video, self.refresh)
        self.refresh()
        if start:
            self._player.seek(start)
        ui.timer(1.0, self.refresh)

    def refresh(self) -> None:
        """Show what the service has now; what has not changed is not read again."""
        service, number = self._service, self._video.id
        try:
            video = service.library.get(number)
        except HiProbeError as error:  # somebody else removed it
            self._state.say(str(error))
            return
        self._job = next((job for job in service.jobs.list() if job.video_id == number), None)
        self._show_state(video, self._job)
        labels, current = service.labels.list(number), service.probes.current()
        seen = (current, video.state, video.n_events, video.peak, labels)
        if seen == self._seen:
            return
        self._seen = seen
        events, found = service.labels.events(number), service.results.find(number)
        mapped = service.results.has_anomaly_map(number)
        self._player.draw(found, events, labels, mapped)
        self._events.show(events, labels, found)
        self._dial.show(found, current)
        self._ordinary.show(current, found is not None)
        unmapped = not mapped and service.backbone.info.places
        items = () if found is None else found.events
        self._lacks = any(unmapped or item.explanation is None for item in items)
        self._show_detect(video)

    def _show_state(self, video: VideoRecord, job: JobRecord | None) -> None:
        running, waiting = video.state == "running", video.state == "waiting"
        facts = f"{clock(video.duration)}, {video.width}×{video.height}, {video.fps:.3g} frames a second"
        words = {
            "new": "Not looked at yet: detect first.",
            "waiting": "Waiting in the queue.",
            "running": f"Detecting: {job.done} of {job.total} segments." if job and job.total else "Detecting.",
            "failed": f"Detection failed: {job.error}" if job else "Detection failed.",
            "cancelled": "Detection was cancelled.",
            "done": plural(video.n_events or 0, "event") + " found." if video.n_events else "No event was found.",
        }
        self._state.say(f"{words[video.state]} {facts}.")
        if video.state != "running":
            self._news.say(words[video.state])
        self._progress.show(running)
        self._progress.attribute("value", job.done / job.total if running and job and job.total else None)
        self._show_detect(video)
        self._cancel.show(running or waiting)
        self._exports.show(video.n_events is not None)

    def _show_detect(self, video: VideoRecord) -> None:
        again = video.state == "done" and self._lacks  # events that a version of the probe found without the model
        self._detect.show(again or video.state in ("new", "failed", "cancelled"))
        self._detect.say("Detect again" if again else "Detect")
        self._detect.attribute("title", "Describes events that have no text or place yet" if again else None)

    async def _submit(self) -> None:
        await attempt(self._service.jobs.submit, self._video.id)
        self.refresh()

    async def _cancel_job(self) -> None:
        if self._job is not None:
            await attempt(self._service.jobs.cancel, self._job.id)
        self.refresh()
