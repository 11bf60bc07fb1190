"""What all pages have around them: navigation, theme, help on the keys, and how trouble is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from nicegui import run, ui

from hiprobe.errors import HiProbeError
from hiprobe.server.pages.widgets import Button, Link, Tag
from hiprobe.server.service import Service

P = ParamSpec("P")
T = TypeVar("T")

ASSETS = Path(__file__).parent / "assets"

_STYLE = (ASSETS / "style.css").read_text(encoding="utf-8")

_PLACES = (("Videos", "/"), ("Label next", "/next"), ("Refit", "/refit"), ("Probes", "/probes"))


@dataclass(frozen=True)
class Key:
    """A key, what it does in words, and the verb; ``name`` is the browser's name of it."""

    name: str
    does: str
    act: Callable[[], Any]

    @property
    def shown(self) -> str:
        """How it is written for people."""
        return {" ": "Space", "ArrowLeft": "←", "ArrowRight": "→", "Escape": "Esc"}.get(self.name, self.name)


class Keys(ui.element, component="assets/keys.js"):
    """Listens to keys, but not while somebody types; and keeps the theme that was chosen in this browser."""

    def __init__(self, keys: Sequence[Key]) -> None:
        super().__init__()
        acts = {key.name: key.act for key in keys}
        self.props["keys"] = list(acts)
        self.on("key", lambda event: acts[event.args]() if event.args in acts else None)

    def next_theme(self) -> None:
        """Go from the system's theme to light, to dark, and back."""
        self.run_method("next_theme")


@contextmanager
def frame(service: Service, title: str, place: str, keys: Sequence[Key] = ()) -> Iterator[Tag]:
    """Lay out a page; what is created within is its content. Yields what reads news aloud to screen readers.

    Parameters
    ----------
    service : Service
        Of the project.
    title : str
        Of the browser's tab.
    place : str
        The address of the place in the navigation that the page belongs to.
    keys : sequence of Key
        Of this page; ``?`` for help is there anyway.
    """
    ui.page_title(f"{title} · HiProbe")
    ui.add_css(_STYLE)
    ui.query(".nicegui-content").classes("page")
    helped = _help(keys)
    listener = Keys([*keys, Key("?", "Show this help", helped.open)])
    # NiceGUI's page is the main landmark, so the banner goes before it.
    with ui.context.client.layout, Tag("header", classes="top") as banner:
        Link("HiProbe", "/", "brand")
        with Tag("nav").attribute("aria-label", "Pages"):
            for name, address in _PLACES:
                link = Link(name, address)
                if address == place:
                    link.attribute("aria-current", "page")
        Tag("span", service.settings.folder.resolve().name, "project").attribute("title", "The project's folder")
        Button("Theme", listener.next_theme, "quiet", "Theme: as the system, light or dark")
        Button("?", helped.open, "quiet", "Help on keys")
    banner.move(target_index=0)
    content = Tag("div", classes="content")
    ui.skip_link("Skip to the content", target=content)
    news = Tag("div", classes="unseen").attribute("role", "status").attribute("aria-live", "polite")
    with content:
        yield news


def tell(problem: object) -> None:
    """Show what went wrong, until somebody has read it."""
    close = [{"label": "Close", "color": "white", "noCaps": True}]
    ui.notify(str(problem), type="negative", position="top", timeout=10_000, actions=close, multi_line=True)


async def attempt(verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Run a verb of the service beside the page; where it refuses, tell why and return None."""
    try:
        return await run.io_bound(verb, *args, **kwargs)
    except HiProbeError as error:
        tell(error)
        return None


def _help(keys: Sequence[Key]) -> ui.dialog:
    with ui.dialog() as dialog, Tag("div", classes="dialog"):
        Tag("h2", "Keys")
        with Tag("dl", classes="keys"):
            for key in (*keys, Key("?", "Show this help", dialog.open)):
                with Tag("dt"):
                    Tag("kbd", key.shown)
                Tag("dd", key.does)
        Button("Close", dialog.close)
    return dialog
