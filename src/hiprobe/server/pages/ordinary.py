"""Footage that was ordinary: the probe is calibrated on it, and the page says what changed."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import ui

from hiprobe.server.pages.frame import attempt, tell
from hiprobe.server.pages.widgets import Button, Link, Tag, clock, probe_name
from hiprobe.server.records import ProbeRecord, VideoRecord
from hiprobe.server.service import Service

PER_DAY = 2.0
"""Alarms a day that are asked for unless somebody says otherwise."""


class Ordinary:
    """Fits the probe to the camera by this video, or by what is marked of it; it can be undone.

    Parameters
    ----------
    service : Service
    video : VideoRecord
    changed : callable
        Called after the current probe changed.
    """

    def __init__(self, service: Service, video: VideoRecord, changed: Callable[[], None]) -> None:
        self._service, self._video, self._changed = service, video, changed
        self._within: tuple[float, float] | None = None
        self._current: ProbeRecord | None = None
        with Tag("section", classes="ordinary").attribute("aria-label", "Ordinary footage") as self._all:
            with Tag("details"):
                Tag("summary", "Was this footage ordinary?")
                Tag(
                    "p",
                    "Footage on which nothing happened fits the probe to this camera: it sets the threshold for as "
                    "many alarms as you can live with. It takes the place of earlier such footage, and labels nothing.",
                    "soft",
                )
                with Tag("div", classes="line"):
                    self._rate = ui.number("Alarms a day, at most", value=PER_DAY, min=0.01, step=1)
                    self._rate.props("dense outlined")
                    self._button = Button("", self._calibrate)
            with Tag("div", classes="told") as self._told:
                self._news = Tag("div").attribute("role", "status")
                with Tag("div", classes="line"):
                    self._undo = Button("Undo", self._go_back)
                    Link("Choose another probe", "/probes", "button")
        self.mark(None)
        self._all.show(False)

    def mark(self, interval: tuple[float, float] | None) -> None:
        """Take a stretch in seconds for ordinary, or the whole video."""
        self._within = interval
        span = "The whole video" if interval is None else f"{clock(interval[0])} – {clock(interval[1])}"
        self._button.say(f"{span} was ordinary")

    def show(self, current: ProbeRecord, detected: bool) -> None:
        """Show what the calibration of the current probe changed, if it was calibrated here."""
        self._all.show(detected)
        if current == self._current:
            return
        self._current = current
        calibrated = self._service.thresholds.own()
        self._told.show(calibrated.made == "ordinary")
        self._news.clear()
        if calibrated.made != "ordinary" or calibrated.before_id is None:
            return
        before = self._service.probes.get(calibrated.before_id)
        with self._news:
            for number, note in enumerate(calibrated.notes):
                Tag("p", note, "soft" if number else "")
        self._undo.say(f"Undo: back to {probe_name(before)}")
        self._undo.show(calibrated.id == current.id)

    async def _calibrate(self) -> None:
        if not self._rate.value:
            tell("Say how many alarms a day you can live with: a number over 0.")
            return
        self._button.enable(False)
        self._button.say("Calibrating …")
        await attempt(self._service.thresholds.ordinary, self._video.id, float(self._rate.value), self._within)
        self.mark(self._within)
        self._button.enable(True)
        self._changed()

    async def _go_back(self) -> None:
        if self._current is not None:
            await attempt(self._service.refits.roll_back, self._current.id)
            self._changed()
