"""Small parts that the pages share: plain HTML elements, words and times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from hiprobe.server.records import ProbeRecord


class Tag(TextElement):
    """An HTML element with text in it, which is text whatever it says."""

    def __init__(self, tag: str, text: str = "", classes: str = "") -> None:
        super().__init__(tag=tag, text=text)
        self.classes(classes)

    def attribute(self, name: str, value: Any) -> Tag:
        """Set an attribute; None takes it away."""
        if self.props.get(name) != value:
            self.props.set_optional(name, value)
        return self

    def say(self, text: str) -> None:
        """Set the text, and send it only if it changed."""
        if self.text != text:
            self.text = text

    def show(self, visible: bool) -> None:
        """Show or hide it."""
        if self.visible != visible:
            self.visible = visible


class Button(Tag):
    """A button; ``kind`` is ``primary`` for the one thing to do next, ``quiet`` for what is beside the point."""

    def __init__(self, text: str, on_click: Callable[..., Any], kind: str = "", name: str | None = None) -> None:
        super().__init__("button", text, f"button {kind}")
        self.attribute("type", "button").attribute("aria-label", name)
        self.on("click", on_click, [])

    def enable(self, enabled: bool) -> None:
        """Let it be pressed, or not."""
        self.attribute("disabled", None if enabled else True)


class Link(Tag):
    """A link within the server."""

    def __init__(self, text: str, address: str, classes: str = "", download: bool = False) -> None:
        super().__init__("a", text, classes)
        self.attribute("href", address).attribute("download", "" if download else None)


class Strip(ui.element):
    """Where the events of a video are, as marks on a line that is as long as the video."""

    def __init__(self) -> None:
        super().__init__("div")
        self.classes("strip").props["role"] = "img"

    def draw(self, events: list[tuple[float, float]], duration: float) -> None:
        """Draw events, (start, end) in seconds."""
        self.clear()
        spans = [f"{clock(start)} to {clock(end)}" for start, end in events]
        self.props["aria-label"] = f"{plural(len(events), 'event')}{': ' if spans else ''}{', '.join(spans)}"
        with self:
            for start, end in events:
                ui.element("span").style(
                    f"left: {100 * start / duration:.3f}%; width: {100 * (end - start) / duration:.3f}%"
                )


def clock(seconds: float) -> str:
    """Write a time within a video: ``1:02.5``."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{start}:{rest // 10:02d}.{rest % 10}"


def plural(number: int, word: str) -> str:
    """Write a number of things."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def probe_name(probe: ProbeRecord) -> str:
    """Write the name of a probe: ``fight``, or of a version how it was made: ``fight, refit 2``."""
    how = {"given": "version", "refit": "refit", "threshold": "by hand", "ordinary": "calibrated"}[probe.made]
    return f"{probe.name}, {how} {probe.version}" if probe.version else probe.name


def figure(value: float | None) -> str:
    """Write a figure with three digits, or a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"
