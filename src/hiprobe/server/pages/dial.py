"""The dial of a review: a threshold, and at once the events and false alarms that it would give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nicegui import ui
from nicegui.events import GenericEventArguments
from scipy.special import expit, logit

from hiprobe.pipeline import Detection
from hiprobe.server.pages.frame import attempt
from hiprobe.server.pages.player import Player
from hiprobe.server.pages.widgets import Button, Tag
from hiprobe.server.records import ProbeRecord, VideoRecord
from hiprobe.server.service import Service
from hiprobe.server.thresholds import outlook, own_threshold

STEPS = 400
"""Of the slider, over the range of the video's scores."""


class Slider(ui.element, component="assets/slider.js"):
    """A slider of whole steps, from 0.

    Parameters
    ----------
    name : str
        What it sets.
    steps : int
    on_move : callable
        Called with the step that somebody moved it to.
    """

    def __init__(self, name: str, steps: int, on_move: Callable[[int], None]) -> None:
        super().__init__()
        self.step = 0
        self._moves = 0
        self.props.update(name=name, steps=steps, set=None, spoken="")

        def moved(event: GenericEventArguments) -> None:
            self.step = int(event.args)
            on_move(self.step)

        self.on("move", moved)

    def go(self, step: int) -> None:
        """Set it, whatever the hand does."""
        self.step, self._moves = step, self._moves + 1
        self.props["set"] = {"to": step, "times": self._moves}


class Dial:
    """A slider for the threshold: it says what would be, and nothing changes until that is kept.

    Parameters
    ----------
    service : Service
    video : VideoRecord
    player : Player
        Shows the threshold and the events that would be.
    changed : callable
        Called after the current probe changed.
    """

    def __init__(self, service: Service, video: VideoRecord, player: Player, changed: Callable[[], None]) -> None:
        self._service, self._video, self._player, self._changed = service, video, player, changed
        self._shown: object = None
        self._found: Detection | None = None
        self._levels, self._home = [0.0] * (STEPS + 1), 0
        with Tag("section", classes="dial").attribute("aria-label", "Threshold") as self._all:
            self._slider = Slider("Threshold", STEPS, lambda step: self._tell())
            self._said = Tag("p").attribute("role", "status")
            with Tag("div", classes="line"):
                self._keep = Button("Keep", self._set)
                self._back = Button("Back to the probe's own", self._go_back)
                self._note = Tag("span", "", "soft")
        self._all.show(False)

    def show(self, found: Detection | None, current: ProbeRecord) -> None:
        """Show the threshold of what the current probe found; hide without a result.

        A slider that is being moved stays, unless scores or threshold are others.
        """
        self._all.show(found is not None)
        if found is None:
            return
        scores = [segment.smoothed for segment in found.segments]
        shown = (current.id, found.threshold, scores)
        if shown == self._shown:
            return
        self._shown, self._found = shown, found
        base = self._service.thresholds.own()
        self._probe = self._service.probes.load(current.id)
        self._by_hand = current if base.id != current.id else None
        self._levels, self._home = levels(scores, found.threshold, self._probe.probabilities)
        own = own_threshold(self._service.probes.load(base.id))
        self._note.say(f"It was set by hand; the probe's own is {own}.")
        self._note.show(self._by_hand is not None)
        self._slider.go(self._home)
        self._tell()

    def _tell(self) -> None:
        if self._found is None:
            return
        moved, threshold = self._slider.step != self._home, self._levels[self._slider.step]
        told = outlook(self._found, self._probe, threshold)
        self._said.say(told.sentence)
        self._slider.props["spoken"] = told.sentence
        self._player.show_trial((threshold, told.events) if moved else None)
        self._keep.say(f"Keep {threshold:.3f}" if moved else "Keep")
        self._keep.enable(moved)
        self._back.enable(moved or self._by_hand is not None)

    async def _set(self) -> None:
        threshold = self._levels[self._slider.step]
        self._keep.enable(False)
        self._keep.say("Finding events anew …")
        await attempt(self._service.thresholds.set, threshold)
        self._tell()
        self._changed()

    async def _go_back(self) -> None:
        self._slider.go(self._home)
        self._tell()
        if self._by_hand is not None:
            await attempt(self._service.refits.roll_back, self._by_hand.id)
            self._changed()


def levels(scores: list[float], threshold: float, probabilities: bool) -> tuple[list[float], int]:
    """Return the thresholds of the slider's steps, ascending, and the step of the one that holds now.

    They run from below all scores to above; probabilities in even steps of their log odds, so that those near 1 can be
    told apart.
    """
    values = np.array([*scores, threshold])
    if probabilities:
        values = logit(np.clip(values, min(1e-3, max(threshold, 1e-9)), 1 - 1e-9))
    room = max(0.02 * np.ptp(values), 1e-3)
    steps = np.linspace(values.min() - room, values.max() + room, STEPS + 1)
    home = int(np.abs(steps - values[-1]).argmin())
    found = (expit(steps) if probabilities else steps).tolist()
    found[home] = threshold
    return found, home
