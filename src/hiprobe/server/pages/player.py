"""The player: a video with its timeline under it.

The timeline is plain SVG and HTML of our own, not a plotting library's: it has to seek at a click, mark at a drag,
follow the picture at its rate, be a slider to screen readers and keys, and take the colours of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import run, ui

from hiprobe.errors import HiProbeError
from hiprobe.pipeline import Detection
from hiprobe.server.api import PREFIX
from hiprobe.server.pages.widgets import Tag
from hiprobe.server.records import LabelRecord, ReviewedEvent, VideoRecord
from hiprobe.server.service import Service

_NO_CURVE = {"times": [], "raw": [], "smoothed": [], "threshold": None}


class Player(ui.element, component="assets/player.js"):
    """A video with its timeline.

    Parameters
    ----------
    video : VideoRecord
    on_mark : callable, optional
        Called with the (start, end) in seconds that somebody marks.
    """

    def __init__(self, video: VideoRecord, on_mark: Callable[[float, float], None] = lambda start, end: None) -> None:
        super().__init__()
        self.props.update(
            src="",
            name=video.name,
            duration=video.duration,
            fps=video.fps,
            curve=_NO_CURVE,
            events=[],
            labels=[],
            unjudged=[],
            trial=None,
            map=None,
        )
        self._video = video
        self.on("mark", lambda event: on_mark(event.args["start"], event.args["end"]))

    def draw(
        self,
        found: Detection | None,
        events: Sequence[ReviewedEvent],
        labels: Sequence[LabelRecord],
        has_anomaly_map: bool = False,
    ) -> None:
        """Draw what was found, and what was said of it; ``has_anomaly_map`` if there are anomaly maps to be shown."""
        address = f"{PREFIX}/videos/{self._video.id}/anomaly-map?time={{time}}"
        self.props["map"] = address if has_anomaly_map else None
        if found is None:
            self.props["curve"] = _NO_CURVE
        else:
            self.props["curve"] = {
                "times": [(segment.start + segment.end) / 2 for segment in found.segments],
                "raw": [segment.score for segment in found.segments],
                "smoothed": [segment.smoothed for segment in found.segments],
                "threshold": found.threshold,
            }
        self.props["events"] = [
            {"start": event.start, "end": event.end, "state": event.label.verdict if event.label else "open"}
            for event in events
        ]
        self.props["unjudged"] = [{"start": one.start, "end": one.end} for one in (found.unjudged if found else ())]
        self.props["labels"] = [{"start": label.start, "end": label.end, "verdict": label.verdict} for label in labels]

    def show_marked(self, interval: tuple[float, float] | None) -> None:
        """Show what is marked."""
        self.props["marked"] = None if interval is None else {"start": interval[0], "end": interval[1]}

    def show_trial(self, trial: tuple[float, Sequence[tuple[float, float]]] | None) -> None:
        """Show a threshold that somebody tries, and the (start, end) of the events that it would give."""
        events = [{"start": start, "end": end} for start, end in trial[1]] if trial else []
        self.props["trial"] = {"threshold": trial[0], "events": events} if trial else None

    def loop(self, start: float, end: float) -> None:
        """Play an interval again and again."""
        self.props["loop"] = {"start": start, "end": end}
        self.seek(start)

    def seek(self, seconds: float) -> None:
        """Go to a time."""
        self.run_method("seek", seconds)


class Source:
    """Gives a player its file, as soon as there is one that browsers play; until then, a line says so.

    Parameters
    ----------
    service : Service
    video : VideoRecord
    player : Player
    """

    def __init__(self, service: Service, video: VideoRecord, player: Player) -> None:
        self._service, self._video, self._player = service, video, player
        self._note = Tag("p", "A copy of the video that browsers play is being made.", "soft")
        self._note.show(not video.playable)
        self._timer = ui.timer(0.5, self._look)

    async def _look(self) -> None:
        try:
            found = await run.io_bound(self._service.playback.find, self._video.id)
        except HiProbeError as error:
            self._note.say(str(error))
            self._note.show(True)
            self._timer.deactivate()
            return
        if found is not None:
            self._player.props["src"] = f"{PREFIX}/videos/{self._video.id}/media"
            self._note.show(False)
            self._timer.deactivate()
