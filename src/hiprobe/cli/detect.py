"""``hiprobe detect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.groups import Events, Loading, Running, with_groups
from hiprobe.cli.outputs import Outputs, Writer
from hiprobe.cli.printing import Printer
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from hiprobe.probing import Probe

FOOTAGE = "footage"
"""In place of a probe's name: find what stands out in the footage itself."""


@with_groups
def detect(
    videos: Annotated[list[Path], typer.Argument(help="Video files, or folders of images with --fps.", readable=False)],
    probe: options.Probes = None,
    same_camera: Annotated[
        bool,
        typer.Option(
            "--same-camera",
            help="Without --probe: the videos are of one camera, so compare each with all.",
            rich_help_panel=options.LOOK,
        ),
    ] = False,
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
    """Find events in videos with one or more probes; write JSON per video and probe, and a CSV of all events.

    Without --probe, or with --probe footage, no label is needed: it finds what stands out in each video against the
    rest of that same video, which must last 30 s or more. --probe fight takes a starter probe.
    """
    from hiprobe.backbones import load_backbone
    from hiprobe.features import raise_failures
    from hiprobe.localize import LocalizeSettings
    from hiprobe.pipeline import Detector, StandOut, detect_together
    from hiprobe.video import VideoRef

    writer = Writer(outputs, videos)
    printer = Printer(quiet)
    loaded = _probes(probe or [], printer)
    if loaded and same_camera:
        raise UsageError("--same-camera says what footage is compared with; leave it out, or pass --probe footage.")
    for name, each in loaded.items():
        loading.check_pixels(name, each)
    depth = max((each.reading.layer for each in loaded.values()), default=None)
    backbone = load_backbone(model, printer.line, loading.load_options, depth)
    drawn = outputs.overlay is not None if places is None else places
    with printer.progress() as report:
        run, refs = running.run(report), [VideoRef.of(video, fps) for video in videos]
        if loaded:
            detectors = [Detector(each, backbone, events.over(each.localize), run) for each in loaded.values()]
            names = list(loaded) if len(loaded) > 1 else [""]
            failures = detect_together(
                detectors,
                refs,
                lambda number, found: writer.add(found, names[number]),
                explain=explain,
                anomaly_map=drawn,
            )
        else:
            standing = StandOut(backbone, events.over(LocalizeSettings()), together=same_camera, run=run)
            failures = standing.detect_all(refs, writer.add, explain=explain, anomaly_map=drawn)
    if writer.detections:
        writer.finish(printer)
    done = "the others are done:" if writer.detections else "nothing was detected:"
    raise_failures([*failures, *writer.failures], done)


def _probes(names: list[str], printer: Printer) -> dict[str, Probe]:
    """Load probes, by names that files can have; none where the footage itself is the reference.

    Without a name it is the footage, and that is said. Raises UsageError for a name given twice.
    """
    from hiprobe.probes import load_probe

    if names in ([], [FOOTAGE]):
        printer.line("probe: footage, each moment against the rest of the same footage (name another with --probe)")
        return {}
    if FOOTAGE in names:
        raise UsageError("--probe footage reads videos in its own way; run it apart from the other probes.")
    found: dict[str, Probe] = {}
    for name in names:
        stem = Path(name).stem
        if stem in found:
            raise UsageError(
                f"--probe {name}: {stem} is given twice, and results are named by it; rename one, or drop it."
            )
        found[stem] = load_probe(name)
    return found
