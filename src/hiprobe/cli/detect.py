"""``hiprobe detect``."""

from __future__ import annotations

from dataclasses import replace
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
    places: Annotated[
        bool | None,
        typer.Option("--map/--no-map", help="Find where in the picture events are.", show_default="with --overlay"),
    ] = None,
    clips: Annotated[Path | None, typer.Option(help="Folder for a clip of each event, MP4.")] = None,
    margin: Annotated[float, typer.Option(help="Seconds that a clip shows before and after its event.")] = 2.0,
    overlay: Annotated[
        Path | None, typer.Option(help="Folder for each video with scores, events and anomaly map drawn in, MP4.")
    ] = None,
    sigma: options.Sigma = None,
    threshold: options.Threshold = None,
    kappa: options.Kappa = None,
    min_duration: options.MinDuration = None,
    merge_gap: options.MergeGap = None,
    fps: options.Fps = None,
    features: options.Features = None,
    batch_memory: options.BatchMemory = None,
    page: Annotated[
        Path | None, typer.Option("--report", help="Also write one HTML page about all videos, to this file.")
    ] = None,
    start_time: options.StartTime = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Find events in videos with a probe; write JSON per video and a CSV of all events."""
    from hiprobe.backbones import load_backbone
    from hiprobe.errors import VideoError
    from hiprobe.features import Failure, raise_failures
    from hiprobe.pipeline import Detector
    from hiprobe.probes import DEFAULT_STARTER, find_starter, load_probe, load_starter
    from hiprobe.report import (
        EventCsv,
        HtmlReport,
        check_margin,
        result_path,
        write_event_clips,
        write_json,
        write_overlay,
    )
    from hiprobe.video import VideoRef

    if start_time and not page:
        raise UsageError("--start-time is for the report; ask for one with --report PAGE.")
    html = HtmlReport(options.start_of(start_time, videos))
    check_margin(margin)
    printer = Printer(quiet)
    if probe is None:
        loaded = load_starter(DEFAULT_STARTER)
        finds = find_starter(DEFAULT_STARTER).summary
        printer.line(f"probe: {DEFAULT_STARTER}, the starter probe for {finds} (name another with --probe)")
    else:
        loaded = load_probe(probe)
    settings = options.localize_settings(loaded.localize, sigma, threshold, kappa, min_duration, merge_gap)
    backbone = load_backbone(model, printer.line, loading, loaded.reading.layer)
    refs = [VideoRef.of(video, fps) for video in videos]
    results: list[Detection] = []
    undrawn: list[Failure] = []
    events = EventCsv()

    def keep(detection: Detection) -> None:
        path = result_path(out, detection.video.path, videos)
        write_json(detection, path)
        events.add(detection)
        if page:
            html.add(detection)
        results.append(replace(detection, anomaly_map=None))  # maps of many videos are large
        try:
            if clips:
                write_event_clips(detection, clips, path.stem, margin)
            if overlay:
                write_overlay(detection, overlay / f"{path.stem}-overlay.mp4")
        except VideoError as error:  # of frames that no segment needed
            undrawn.append(Failure(VideoRef.from_info(detection.video), error))

    with printer.progress() as report:
        detector = Detector(loaded, backbone, settings, options.run_of(features, batch_memory, report))
        drawn = overlay is not None if places is None else places
        failures = detector.detect_all(refs, keep, explain=explain, anomaly_map=drawn)
    if results:
        events.write(out / "events.csv")
        printer.events(results)
        printer.warnings([sentence for detection in results for sentence in detection.warnings])
        printer.line(f"results: {out}/ (events.csv, and a JSON file per video)")
        if page:
            html.write(page)
            printer.line(f"report: {page}")
        for folder in filter(None, (clips, overlay)):
            printer.line(f"videos: {folder}/")
    raise_failures([*failures, *undrawn], "the others are done:" if results else "nothing was detected:")
