"""``hiprobe eval``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.printing import Printer

if TYPE_CHECKING:
    from hiprobe.evaluation import EvalReport


@options.with_loading
def evaluate(
    labels: Annotated[Path, typer.Argument(help="Labelled videos, in the same form as for fit.", readable=False)],
    probe: Annotated[str, typer.Option("--probe", "-p", help=options.PROBE_HELP)],
    model: options.Model = "embedded",
    loading: options.Loading = options.LOADING,
    iou: Annotated[float, typer.Option("--iou", help="Temporal IoU from which an event counts as found.")] = 0.3,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    sigma: options.Sigma = None,
    threshold: options.Threshold = None,
    kappa: options.Kappa = None,
    min_duration: options.MinDuration = None,
    merge_gap: options.MergeGap = None,
    fps: options.Fps = None,
    features: options.Features = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure a probe on labelled videos that it was not fitted on."""
    from hiprobe.backbones import load_backbone
    from hiprobe.datasets import load_manifest
    from hiprobe.pipeline import evaluate_manifest
    from hiprobe.probes import load_probe

    printer = Printer(quiet or as_json)
    manifest = load_manifest(labels)
    loaded = load_probe(probe)
    settings = options.localize_settings(loaded.localize, sigma, threshold, kappa, min_duration, merge_gap)
    backbone = load_backbone(model, printer.line, loading, loaded.layer)
    with printer.progress() as report:
        result = evaluate_manifest(
            manifest,
            loaded,
            backbone,
            iou=iou,
            localize=settings,
            store=options.feature_store(features),
            fps=fps,
            report=report,
        )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(result), indent=2))
    else:
        summary(Printer(quiet=False), result)


def summary(printer: Printer, result: EvalReport) -> None:
    """Print an evaluation, a metric a line; what the labels do not define is said to be undefined."""

    def shown(value: float | None) -> str:
        return "undefined" if value is None else f"{value:.3f}"

    events = result.events
    printer.line(f"videos                    {result.n_videos} ({result.duration:.0f} s, {result.n_frames} frames)")
    printer.line(f"pooled frame AUC          {shown(result.pooled_auc)}")
    printer.line(f"pooled frame AP           {shown(result.pooled_ap)}")
    printer.line(f"within-video AUC          {shown(result.within_video.mean)}")
    printer.line(f"event precision, IoU {result.iou:g}  {shown(events.precision)} ({events.n_predicted} predicted)")
    printer.line(f"event recall, IoU {result.iou:g}     {shown(events.recall)} ({events.n_truth} true)")
    printer.line(f"event F1, IoU {result.iou:g}         {shown(events.f1)}")
    printer.line(f"false alarms per hour     {shown(result.false_alarms_per_hour)}")
    for note in result.notes:
        printer.line(f"note: {note}")
