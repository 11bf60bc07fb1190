"""The events of a video and its labels, beside the player: each event is accepted, rejected or given another kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui

from hiprobe.explain import told
from hiprobe.pipeline import Detection
from hiprobe.server.pages.frame import attempt
from hiprobe.server.pages.player import Player
from hiprobe.server.pages.widgets import Button, Link, Tag, clock, plural
from hiprobe.server.records import LabelRecord, LabelSource, ReviewedEvent, Verdict, VideoRecord
from hiprobe.server.service import Service


class Events:
    """The list of events and, below, of labels.

    Parameters
    ----------
    service : Service
    video : VideoRecord
    player : Player
        Goes to the event that is chosen.
    changed : callable
        Called when a label was added or withdrawn.
    """

    def __init__(self, service: Service, video: VideoRecord, player: Player, changed: Callable[[], None]) -> None:
        self._service, self._video, self._player, self._changed = service, video, player, changed
        self._cards: list[_Card] = []
        self._chosen = -1
        with Tag("div", classes="judgehead"):
            Tag("h2", "Events")
            Button("Previous", lambda: self.go(-1), "quiet", "Previous event")
            Button("Next", lambda: self.go(1), "quiet", "Next event")
        self._none = Tag("p", "", "soft")
        self._caveats = Tag("div", classes="caveats")
        self._list = Tag("ol", classes="cards")
        Tag("h2", "Labels")
        self._no_label = Tag("p", "None yet. Judge an event, or mark an interval on the timeline.", "soft")
        self._labels = Tag("ul", classes="labels")
        with Tag("div", classes="line"):
            self._rest = Button("The rest is normal", self._rest_is_normal)
            self._refit = Link("Refit", "/refit", "button")
        self._rest.attribute(
            "title",
            "Labels as normal what neither a label nor an event covers, once you have watched it all",
        )

    def show(self, events: Sequence[ReviewedEvent], labels: Sequence[LabelRecord], found: Detection | None) -> None:
        """Show events, labels and what must be known of the result; cards stay where the events are the same."""
        detected = found is not None
        self._none.say("No event was found." if detected else "Nothing was looked for yet.")
        self._show_caveats(found)
        self._none.show(not events)
        if [(event.start, event.end) for event in events] != [
            (card.event.start, card.event.end) for card in self._cards
        ]:
            self._list.clear()
            self._chosen = -1
            with self._list:
                self._cards = [_Card(self, number, event) for number, event in enumerate(events)]
        for card, event in zip(self._cards, events, strict=True):
            card.update(event)
        self._labels.clear()
        with self._labels:
            for label in labels:
                with Tag("li", classes=label.verdict):
                    span = f"{clock(label.start)} – {clock(label.end)}"
                    Button(span, lambda at=label.start: self._player.seek(at), "quiet", f"Go to {span}")
                    Tag("span", label.kind or "normal")
                    Button("Withdraw", lambda number=label.id: self.withdraw(number), "quiet", f"Withdraw {span}")
        self._no_label.show(not labels)
        self._refit.show(bool(labels))
        self._rest.show(detected)

    def _show_caveats(self, found: Detection | None) -> None:
        # What must be known of the model's texts stands wherever one does, whoever kept the result.
        spoken = found is not None and any(item.explanation for item in found.events)
        of_texts = self._service.backbone.info.warnings if spoken else ()
        said = [] if found is None else list(dict.fromkeys((*found.warnings, *of_texts)))
        for one in () if found is None else found.unjudged:
            said.append(f"{clock(one.start)} – {clock(one.end)} was not judged: {one.sentence}")
        self._caveats.clear()
        self._caveats.show(bool(said))
        with self._caveats:
            for sentence in said:
                Tag("p", sentence)

    def go(self, step: int) -> None:
        """Choose the next or the previous event, and go there."""
        if self._cards:
            self.choose(min(max(self._chosen + step, 0), len(self._cards) - 1) if self._chosen >= 0 else 0)

    def choose(self, number: int) -> None:
        """Choose an event, and go there."""
        for card in self._cards:
            card.mark(card.number == number)
        self._chosen = number
        self._player.seek(self._cards[number].event.start)

    async def accept(self, number: int | None = None) -> None:
        """Say that an event, by default the chosen one, is one."""
        await self._label(number, "abnormal", "", "accept")

    async def reject(self, number: int | None = None) -> None:
        """Say that an event, by default the chosen one, is none."""
        await self._label(number, "normal", "", "reject")

    async def relabel(self, number: int | None = None) -> None:
        """Ask of what kind an event is."""
        number = self._chosen if number is None else number
        if not 0 <= number < len(self._cards):
            return
        with ui.dialog() as dialog, Tag("div", classes="dialog"):
            Tag("h2", "What is it?")
            kind = ui.input("Kind of anomaly").props("dense outlined autofocus maxlength=80")
            kind.on("keydown.enter", lambda: dialog.submit(kind.value))
            with Tag("div", classes="line"):
                Button("Relabel", lambda: dialog.submit(kind.value), "primary")
                Button("Cancel", lambda: dialog.submit(None))
        answer = await dialog
        dialog.delete()
        if answer and answer.strip():
            await self._label(number, "abnormal", answer, "relabel")

    async def withdraw(self, label_id: int) -> None:
        """Take a label back."""
        await attempt(self._service.labels.withdraw, label_id)
        self._changed()

    async def _label(self, number: int | None, verdict: Verdict, kind: str, source: LabelSource) -> None:
        number = self._chosen if number is None else number
        if not 0 <= number < len(self._cards):
            return
        event, add = self._cards[number].event, self._service.labels.add
        before = event.label
        if before and not kind and before.verdict == verdict:
            return  # said already
        added = await attempt(add, self._video.id, event.start, event.end, verdict, kind=kind, source=source)
        if added and before and (before.start, before.end) == (event.start, event.end):
            await attempt(self._service.labels.withdraw, before.id)
        self._changed()

    async def _rest_is_normal(self) -> None:
        left = len(self._service.labels.unjudged(self._video.id))
        added = await attempt(self._service.labels.rest_is_normal, self._video.id)
        if added is not None:
            kept_out = f" {plural(left, 'event')} that nobody judged left without a label." if left else ""
            ui.notify(f"{plural(len(added), 'interval')} labelled as normal.{kept_out}", position="top")
        self._changed()


class _Card:
    def __init__(self, events: Events, number: int, event: ReviewedEvent) -> None:
        self.number, self.event = number, event
        span = f"{clock(event.start)} – {clock(event.end)}"
        with Tag("li", classes="card") as self._card:
            with Tag("div", classes="cardhead"):
                Button(span, lambda: events.choose(number), "quiet time", f"Go to event {number + 1}, {span}")
                Tag("span", f"peak {event.peak:.2f}", "soft")
                self._verdict = Tag("span", "", "verdict")
            self._evidence = Tag("p")
            self._text = Tag("p", "", "soft said")
            with Tag("div", classes="line"):
                accept = Button("Accept", lambda: events.accept(number))
                reject = Button("Reject", lambda: events.reject(number))
                relabel = Button("Relabel", lambda: events.relabel(number))
                self._undo = Button("Withdraw", self._withdraw, "quiet")
        self._buttons = {"accept": accept, "reject": reject}
        for button in (accept, reject, relabel, self._undo):
            button.attribute("aria-label", f"{button.text} event {number + 1}")
        self._events = events

    def update(self, event: ReviewedEvent) -> None:
        """Show what is known of the event, and how it is judged."""
        self.event, label = event, event.label
        self._evidence.say(event.evidence)
        self._evidence.show(bool(event.evidence))
        self._text.say(told(event.explanation, event.stance))
        self._text.show(bool(event.explanation))
        normal = "rejected" if label and label.source == "reject" else "normal"
        kind = "" if label is None else label.kind or normal
        self._verdict.say("accepted" if kind == "anomaly" else kind)
        self._buttons["accept"].attribute("aria-pressed", str(bool(label and label.verdict == "abnormal")).lower())
        self._buttons["reject"].attribute("aria-pressed", str(bool(label and label.verdict == "normal")).lower())
        self._undo.show(label is not None)

    def mark(self, chosen: bool) -> None:
        """Show whether this event is the chosen one."""
        self._card.attribute("aria-current", "true" if chosen else None)

    async def _withdraw(self) -> None:
        if self.event.label is not None:
            await self._events.withdraw(self.event.label.id)
