"""Adding videos: uploads, a path on this machine, and a sample to try."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from nicegui import ui

from hiprobe.errors import HiProbeError
from hiprobe.samples import DEMO_VIDEO
from hiprobe.server.access import UPLOADS
from hiprobe.server.pages.frame import attempt, tell
from hiprobe.server.pages.widgets import Button, Tag
from hiprobe.server.service import Service


class Upload(ui.element, component="assets/upload.js"):
    """A button that sends files to the API, one after the other, with progress; files may be dropped on it, too."""

    def __init__(self, address: str, on_done: Callable[[], None]) -> None:
        super().__init__()
        self.props["address"] = address
        self.on("done", on_done, [])
        self.on("refused", lambda event: tell(event.args))


class Adding:
    """The part of the library page that adds videos.

    Parameters
    ----------
    service : Service
    changed : callable
        Called when a video was added.
    """

    def __init__(self, service: Service, changed: Callable[[], None]) -> None:
        self._service, self._changed = service, changed
        with Tag("section", classes="adding").attribute("aria-label", "Add videos"):
            with Tag("div", classes="guide") as self._guide:
                Tag("h2", "What to do first")
                with Tag("ol"):
                    Tag("li", "Add a video: upload it, or name a file in the project's folder.")
                    Tag("li", "Let HiProbe detect: it marks the times that look abnormal to the probe.")
                    Tag("li", "Open the video, watch its events, and accept or reject each of them.")
                    Tag("li", "Refit: within seconds the probe learns from your labels.")
                with Tag("p"):
                    Tag("span", "No video at hand? ")
                    Button("Add a sample video", self._sample)
            with Tag("div", classes="line"):
                self._upload = Upload(UPLOADS, changed)
                self._path = ui.input("Path in the project's folder, or of another allowed one")
                self._path.props("dense outlined").classes("path").on("keydown.enter", self._add)
                Button("Add", self._add, name="Add the video at this path")

    def guide(self, empty: bool) -> None:
        """Say what to do first while the library is empty."""
        self._guide.show(empty)
        if self._upload.props.get("first") != empty:
            self._upload.props["first"] = empty

    async def _add(self) -> None:
        path = str(self._path.value or "").strip()
        if path and await attempt(self._service.library.add, path) is not None:
            self._path.value = ""
            self._changed()

    async def _sample(self) -> None:
        try:
            await self._service.uploads.receive(DEMO_VIDEO.name, _content())
        except HiProbeError as error:
            tell(error)
        self._changed()


async def _content() -> AsyncIterator[bytes]:
    yield DEMO_VIDEO.read_bytes()
