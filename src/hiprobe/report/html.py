"""The report: one HTML file with everything in it, for a person to read, print or send on.

Nothing in it is loaded from anywhere, and its content security policy lets nothing be: it runs two scripts, its own and
Plotly's, by their digests, and shows pictures that lie in it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from hiprobe.files import write_text
from hiprobe.pipeline import Detection
from hiprobe.report.views import VideoView, view
from hiprobe.version import __version__


class HtmlReport:
    """Collects detections, whose stills it takes at once, and writes the report of all.

    Parameters
    ----------
    start_time : datetime, optional
        When the videos were begun, in place of what they say themselves.
    """

    def __init__(self, start_time: datetime | None = None) -> None:
        self._start_time = start_time
        self._videos: list[VideoView] = []

    def add(self, detection: Detection) -> None:
        """Add a detection. Its video is read once more, up to the last still; if it is gone, the report says so."""
        self._videos.append(view(detection, self._start_time))

    def write(self, path: Path) -> None:
        """Write the report, atomically. Raises OutputError if it cannot be written."""
        write_text(path, _render(sorted(self._videos, key=_order)))


def write_report(detections: Iterable[Detection], path: str | Path, start_time: datetime | None = None) -> None:
    """Write one HTML page about detections: what happened when, the gravest video first.

    The *severity* of a video is how far its highest peak is over its threshold; where that is equal, the seconds that
    its events last. Detections may come from a generator: no more than one is kept.

    Parameters
    ----------
    detections : iterable of Detection
        Their videos are read once more, for stills of the events.
    path : path
        Of the page.
    start_time : datetime, optional
        When the videos were begun, in place of what they say themselves.

    Raises
    ------
    OutputError
        If the page cannot be written.
    """
    report = HtmlReport(start_time)
    for detection in detections:
        report.add(detection)
    report.write(Path(path))


def _order(video: VideoView) -> tuple[float, float, str]:
    margin, seconds = video.severity
    return -margin, -seconds, video.name


def _render(videos: list[VideoView]) -> str:
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=PackageLoader("hiprobe.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"default": asdict}
    plotly = get_plotlyjs()
    script, style = (_source(environment, name) for name in ("report.js", "report.css"))
    counts = Counter(warning for video in videos for warning in set(video.warnings))
    return environment.get_template("report.html").render(
        videos=videos,
        shared={warning for warning, count in counts.items() if count > 1},
        version=__version__,
        script=script,
        style=style,
        digests=[_digest(script), _digest(plotly)],
        # Packed, it takes less than half; mtime 0 makes equal reports equal to the byte.
        plotly=base64.b64encode(gzip.compress(plotly.encode(), mtime=0)).decode("ascii"),
    )


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _digest(script: str) -> str:
    """Return how a content security policy names a script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
