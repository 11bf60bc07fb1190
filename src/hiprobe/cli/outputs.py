"""What detect writes: the options that say so, and the files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiprobe.cli.printing import Printer
    from hiprobe.features import Failure
    from hiprobe.pipeline import Detection


@dataclass(frozen=True)
class Outputs:
    """Which files detect writes."""

    start_time: options.StartTime = None
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the result files.", rich_help_panel=options.OUTPUT)
    ] = Path("hiprobe-out")
    page: Annotated[
        Path | None,
        typer.Option(
            "--report", help="Also write one HTML page about all videos, to this file.", rich_help_panel=options.OUTPUT
        ),
    ] = None
    clips: Annotated[
        Path | None,
        typer.Option("--clips", help="Folder for a clip of each event, MP4.", rich_help_panel=options.OUTPUT),
    ] = None
    margin: Annotated[
        float,
        typer.Option(
            "--margin",
            metavar="SECONDS",
            help="What a clip shows before and after its event.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = 2.0
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay",
            help="Folder for each video with scores, events and anomaly map drawn in, MP4.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None


class Writer:
    """Writes what is asked for of each detection as it comes, and of all at the end.

    Attributes
    ----------
    detections : list of Detection
        Those that were added, without their anomaly maps.
    failures : list of Failure
        Videos of which clips or an overlay could not be made.

    Raises
    ------
    UsageError
        If the options contradict each other, or a value is wrong.
    """

    def __init__(self, outputs: Outputs, videos: Sequence[Path]) -> None:
        from hiprobe.report import EventCsv, HtmlReport, check_margin

        if outputs.start_time and not outputs.page:
            raise UsageError("--start-time is for the report; ask for one with --report PAGE.")
        check_margin(outputs.margin)
        self._outputs, self._videos = outputs, videos
        self._html = HtmlReport(options.start_of(outputs.start_time, videos))
        self._events = EventCsv()
        self.detections: list[Detection] = []
        self.failures: list[Failure] = []

    def add(self, detection: Detection, probe: str = "") -> None:
        """Write what is of one video; ``probe`` names what found it, where several ran together."""
        from hiprobe.errors import VideoError
        from hiprobe.features import Failure
        from hiprobe.report import result_path, write_event_clips, write_json, write_overlay
        from hiprobe.video import VideoRef

        outputs = self._outputs
        detection = replace(detection, provenance=replace(detection.provenance, probe=probe))
        path = result_path(outputs.out, detection.video.path, self._videos, detection.provenance.probe)
        write_json(detection, path)
        self._events.add(detection)
        if outputs.page:
            self._html.add(detection)
        self.detections.append(replace(detection, anomaly_map=None))  # maps of many videos are large
        try:
            if outputs.clips:
                write_event_clips(detection, outputs.clips, path.stem, outputs.margin)
            if outputs.overlay:
                write_overlay(detection, outputs.overlay / f"{path.stem}-overlay.mp4")
        except VideoError as error:  # of frames that no segment needed
            self.failures.append(Failure(VideoRef.from_info(detection.video), error))

    def finish(self, printer: Printer) -> None:
        """Write what is of all videos, and say what was found and where it is."""
        outputs, named = self._outputs, any(found.provenance.probe for found in self.detections)
        self._events.write(outputs.out / "events.csv")
        printer.events(self.detections)
        printer.warnings([sentence for detection in self.detections for sentence in detection.warnings])
        printer.line(f"results: {outputs.out}/ (events.csv, and a JSON file per video{' and probe' if named else ''})")
        if outputs.page:
            self._html.write(outputs.page)
            printer.line(f"report: {outputs.page}")
        for folder in filter(None, (outputs.clips, outputs.overlay)):
            printer.line(f"videos: {folder}/")
