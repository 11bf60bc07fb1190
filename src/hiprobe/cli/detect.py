"""``hiprobe detect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.groups import Events, Loading, Running, with_groups
from hiprobe.cli.outputs import Outputs, Writer
from hiprobe.cli.printing import Printer

if TYPE_CHECKING:
    from hiprobe.probing import Probe


@with_groups
def detect(
    videos: Annotated[list[Path], typer.Argument(help="Video files, or folders of images with --fps.", readable=False)],
    probe: options.Probe = None,
    events: Events = Events(),
    explain: Annotated[
        bool, typer.Option(help="Let the backbone describe each event.", rich_help_panel=options.LOOK)
    ] = True,
    places: Annotated[
        bool | None,
        typer.Option(
            "--map/--no-map",
            help="Find where in the picture events are.",
            show_default="with --overlay",
            rich_help_panel=options.LOOK,
        ),
    ] = None,
    fps: options.Fps = None,
    outputs: Outputs = Outputs(),
    quiet: options.Quiet = False,
    model: options.Model = "embedded",
    loading: Loading = Loading(),
    running: Running = Running(),
    debug: options.Debug = False,
) -> None:
    """Find events in videos with a probe; write JSON per video and a CSV of all events.

    Without --probe, the starter probe `fight` is taken.
    """
    from hiprobe.backbones import load_backbone
    from hiprobe.features import raise_failures
    from hiprobe.pipeline import Detector
    from hiprobe.video import VideoRef

    writer = Writer(outputs, videos)
    printer = Printer(quiet)
    loaded = _probe(probe, printer)
    settings = events.over(loaded.localize)
    backbone = load_backbone(model, printer.line, loading.load_options, loaded.reading.layer)
    drawn = outputs.overlay is not None if places is None else places
    with printer.progress() as report:
        detector = Detector(loaded, backbone, settings, running.run(report))
        refs = [VideoRef.of(video, fps) for video in videos]
        failures = detector.detect_all(refs, writer.add, explain=explain, anomaly_map=drawn)
    if writer.detections:
        writer.finish(printer)
    done = "the others are done:" if writer.detections else "nothing was detected:"
    raise_failures([*failures, *writer.failures], done)


def _probe(name: str | None, printer: Printer) -> Probe:
    """Load a probe; without a name the default starter probe, and say so."""
    from hiprobe.probes import DEFAULT_STARTER, find_starter, load_probe, load_starter

    if name is not None:
        return load_probe(name)
    finds = find_starter(DEFAULT_STARTER).summary
    probe = load_starter(DEFAULT_STARTER)
    printer.line(f"probe: {DEFAULT_STARTER}, the starter probe for {finds} (name another with --probe)")
    return probe
