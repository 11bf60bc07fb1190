"""Marking an interval, by a drag on the timeline or typed, and saying what it is."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from hiprobe.server.pages.frame import attempt, tell
from hiprobe.server.pages.player import Player
from hiprobe.server.pages.widgets import Button, Tag
from hiprobe.server.records import Verdict, VideoRecord
from hiprobe.server.service import Service


class Marking:
    """The form below the timeline.

    Parameters
    ----------
    service : Service
    video : VideoRecord
    player : Player
        Shows what is marked.
    changed : callable
        Called when a label was added.
    marked : callable
        Called with what is marked: (start, end) in seconds, or None.
    """

    def __init__(
        self,
        service: Service,
        video: VideoRecord,
        player: Player,
        changed: Callable[[], None],
        marked: Callable[[tuple[float, float] | None], None],
    ) -> None:
        self._service, self._video, self._player, self._changed = service, video, player, changed
        self._marked = marked
        with Tag("fieldset", classes="marking"):
            Tag("legend", "Mark an interval: drag on the timeline, or type seconds")
            self._start = ui.number("From", min=0, max=video.duration, step=0.1, format="%.2f", on_change=self._typed)
            self._end = ui.number("To", min=0, max=video.duration, step=0.1, format="%.2f", on_change=self._typed)
            self._kind = ui.input("Kind").props("maxlength=80")
            for field in (self._start, self._end, self._kind):
                field.props("dense outlined")
            Button("Abnormal", self.abnormal, name="Label what is marked as abnormal")
            Button("Normal", self._normal, name="Label what is marked as normal")
            Button("Clear", lambda: self.set(None), "quiet", "Mark nothing")

    def set(self, interval: tuple[float, float] | None) -> None:
        """Mark an interval, (start, end) in seconds."""
        self._start.value, self._end.value = interval or (None, None)

    async def abnormal(self) -> None:
        """Label what is marked as abnormal."""
        await self._label("abnormal", str(self._kind.value or ""))

    async def _normal(self) -> None:
        await self._label("normal", "")

    async def _label(self, verdict: Verdict, kind: str) -> None:
        start, end = self._start.value, self._end.value
        if start is None or end is None:
            tell("Nothing is marked: drag on the timeline, or type where the interval starts and ends.")
            return
        add = self._service.labels.add
        if await attempt(add, self._video.id, start, end, verdict, kind=kind, source="missed") is not None:
            self.set(None)
            self._kind.value = ""
            self._changed()

    def _typed(self) -> None:
        start, end = self._start.value, self._end.value
        interval = None if start is None or end is None or end <= start else (start, end)
        self._player.show_marked(interval)
        self._marked(interval)
