"""``hiprobe detect``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.printing import Printer
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from hiprobe.pipeline import Detection


@options.with_loading
def detect(
    videos: Annotated[list[Path], typer.Argument(help="Video files, or folders of images with --fps.", readable=False)],
    probe: Annotated[
        str | None,
        typer.Option("--probe", "-p", help=options.PROBE_HELP, show_default="the starter probe fight"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the result files.")] = Path("hiprobe-out"),
    model: options.Model = "embedded",
    loading: options.Loading = options.LOADING,
    explain: Annotated[bool, typer.Option(help="Let the backbone describe each event.")] = True,
    sigma: options.Sigma = None,
    threshold: options.Threshold = None,
    kappa: options.Kappa = None,
    min_duration: options.MinDuration = None,
    merge_gap: options.MergeGap = None,
    fps: options.Fps = None,
    features: options.Features = None,
    page: Annotated[
        Path | None, typer.Option("--report", help="Also write one HTML page about all videos, to this file.")
    ] = None,
    start_time: options.StartTime = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Find events in videos with a probe; write JSON per video and a CSV of all events."""
    from hiprobe.backbones import load_backbone
    from hiprobe.features import raise_failures
    from hiprobe.pipeline import detect_all
    from hiprobe.probes import DEFAULT_STARTER, find_starter, load_probe, load_starter
    from hiprobe.report import EventCsv, HtmlReport, result_path, write_json

    if start_time and not page:
        raise UsageError("--start-time is for the report; ask for one with --report PAGE.")
    html = HtmlReport(options.start_of(start_time, videos))
    printer = Printer(quiet)
    if probe is None:
        loaded = load_starter(DEFAULT_STARTER)
        finds = find_starter(DEFAULT_STARTER).summary
        printer.line(f"probe: {DEFAULT_STARTER}, the starter probe for {finds} (name another with --probe)")
    else:
        loaded = load_probe(probe)
    settings = options.localize_settings(loaded.localize, sigma, threshold, kappa, min_duration, merge_gap)
    backbone = load_backbone(model, printer.line, loading, loaded.layer)
    results: list[Detection] = []
    events = EventCsv()

    def keep(detection: Detection) -> None:
        write_json(detection, result_path(out, detection.video.path, videos))
        events.add(detection)
        if page:
            html.add(detection)
        results.append(detection)

    with printer.progress() as report:
        failures = detect_all(
            videos,
            loaded,
            backbone,
            done=keep,
            explain=explain,
            localize=settings,
            store=options.feature_store(features),
            fps=fps,
            report=report,
        )
    if results:
        events.write(out / "events.csv")
        printer.events(results)
        printer.warnings([sentence for detection in results for sentence in detection.warnings])
        printer.line(f"results: {out}/ (events.csv, and a JSON file per video)")
        if page:
            html.write(page)
            printer.line(f"report: {page}")
    raise_failures(failures, "the others are done:" if results else "nothing was detected:")
