"""``hiprobe calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.groups import Loading, Running, with_groups
from hiprobe.cli.printing import Printer


@with_groups
def calibrate(
    probe: Annotated[str, typer.Argument(help="A probe file, or the name of a starter probe.")],
    videos: Annotated[
        list[Path],
        typer.Argument(help="Ordinary footage of one camera: video files, or folders of images with --fps."),
    ],
    alarms_per_day: Annotated[
        float | None,
        typer.Option("--alarms-per-day", metavar="N", help="Alarms wanted at most.", rich_help_panel=options.LOOK),
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option("--false-alarms", metavar="PER_HOUR", help="The same, an hour.", rich_help_panel=options.LOOK),
    ] = None,
    fps: options.Fps = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The probe file to write.", rich_help_panel=options.OUTPUT)
    ] = Path("site.probe"),
    quiet: options.Quiet = False,
    model: options.Model = "embedded",
    loading: Loading = Loading(),
    running: Running = Running(),
    debug: options.Debug = False,
) -> None:
    """Fit a probe to a camera: its threshold by ordinary footage of that camera, without labels."""
    from hiprobe.backbones import load_backbone
    from hiprobe.localize import rate_text
    from hiprobe.pipeline.calibrate import calibrate_to, per_hour
    from hiprobe.pipeline.ordinary import length_text, too_short
    from hiprobe.probes import load_probe
    from hiprobe.video import VideoRef

    asked = per_hour(alarms_per_day, false_alarms)
    printer = Printer(quiet)
    loaded = load_probe(probe)
    loading.check_pixels(probe, loaded)
    backbone = load_backbone(model, printer.line, loading.load_options, loaded.reading.layer)
    refs = [VideoRef.of(video, fps) for video in videos]
    with printer.progress() as report:
        found = calibrate_to(loaded, refs, backbone, asked, running.run(report))
    found.probe.save(out)
    threshold, alarms = found.probe.calibrated_threshold, found.alarms
    low, high = (rate_text(rate) for rate in alarms.interval(threshold))
    printer.line(f"ordinary footage: {length_text(alarms.hours)}, {len(alarms.peaks)} peaks")
    printer.line(f"its scores: median {found.centre:.3f}, spread {found.spread:.3f}")
    printer.line(f"threshold {threshold:.3f} (it was {loaded.calibrated_threshold:.3f})")
    printer.line(f"alarms to expect: {rate_text(alarms.rate_at(threshold))} (95%: {low} to {high})")
    for odd in found.odd:
        at = f"{odd.event.start:.0f} to {odd.event.end:.0f} s"
        printer.line(f"left out, as it stands out: {odd.video}, {at} (score {odd.event.peak:.3f}); look at it")
    printer.warnings(too_short(alarms))
    printer.line(f"probe: {out}")
