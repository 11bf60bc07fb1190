"""Label next: the segments whose label would teach the probe most, one at a time."""

from __future__ import annotations

from fastapi import FastAPI
from nicegui import ui

from hiprobe.server.pages.frame import Key, attempt, frame
from hiprobe.server.pages.player import Player, Source
from hiprobe.server.pages.widgets import Button, Link, Tag, clock
from hiprobe.server.records import Uncertain, Verdict
from hiprobe.server.service import Service

_AHEAD = 100
"""Segments that are asked for at a time: more than somebody skips."""


def add(app: FastAPI, service: Service) -> None:
    """Add the page to the application."""

    @ui.page("/next", api_router=app.router)  # type: ignore[arg-type]
    def _() -> None:
        page = _Next(service)
        with frame(service, "Label next", "/next", page.keys()) as news:
            page.build(news)


class _Next:
    def __init__(self, service: Service) -> None:
        self._service = service
        self._skipped: set[tuple[int, float]] = set()
        self._item: Uncertain | None = None

    def keys(self) -> list[Key]:
        """Return the keys of the page."""
        return [
            Key(" ", "Play or pause", lambda: self._player.run_method("toggle")),
            Key("a", "Abnormal", lambda: self._label("abnormal")),
            Key("r", "Normal", lambda: self._label("normal")),
            Key("s", "Skip", self._skip),
        ]

    def build(self, news: Tag) -> None:
        """Create the page's content."""
        self._news = news
        with Tag("div", classes="heading"):
            Tag("h1", "Label next")
            Link("Refit", "/refit", "button")
        Tag("p", "These segments are nearest to the threshold: their labels teach the probe most.", "soft")
        self._place = Tag("div", classes="queue")
        with Tag("div", classes="line") as self._answers:  # made once: what has the focus keeps it
            Button("Abnormal", lambda: self._label("abnormal"))
            Button("Normal", lambda: self._label("normal"))
            Button("Skip", self._skip, "quiet")
        self._show()

    def _show(self) -> None:
        waiting = [one for one in self._service.labels.next(_AHEAD) if (one.video_id, one.start) not in self._skipped]
        self._item = item = waiting[0] if waiting else None
        self._answers.show(item is not None)
        self._place.clear()
        with self._place:
            if item is None:
                found = any(video.n_events is not None for video in self._service.library.list())
                self._empty("Nothing is left to label here." if found else "Nothing to label yet: detect first.")
                return
            said = f"{clock(item.start)} and {clock(item.end)}"
            Tag("h2", f"Is something abnormal between {said}?")
            with Tag("p", classes="soft"):
                Tag("span", f"Score {item.score:.3f}, threshold {item.threshold:.3f}. ")
                Link(item.video, f"/videos/{item.video_id}?t={item.start:.2f}")
            video = self._service.library.get(item.video_id)
            self._player = Player(video)
            Source(self._service, video, self._player)
            labels = self._service.labels.list(item.video_id)
            events = self._service.labels.events(item.video_id)
            self._player.draw(self._service.results.find(item.video_id), events, labels)
            self._player.show_marked((item.start, item.end))
            self._player.loop(item.start, item.end)
            self._news.say(f"{item.video}, {said}")

    def _empty(self, words: str) -> None:
        Tag("p", words)
        Link("Go to the videos", "/", "button")
        self._news.say(words)

    def _skip(self) -> None:
        if self._item is not None:
            self._skipped.add((self._item.video_id, self._item.start))
            self._show()

    async def _label(self, verdict: Verdict) -> None:
        item = self._item
        if item is not None:
            await attempt(self._service.labels.add, item.video_id, item.start, item.end, verdict, source="next")
            self._show()
