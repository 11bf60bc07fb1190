"""``hiprobe eval``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from hiprobe.cli import options
from hiprobe.cli.printing import Printer
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from hiprobe.evaluation import Confidence, EvalReport, ScoresSettings


@options.with_loading
def evaluate(
    labels: Annotated[Path, typer.Argument(help="Labelled videos, in the same form as for fit.", readable=False)],
    probe: Annotated[str | None, typer.Option("--probe", "-p", help=options.PROBE_HELP)] = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            help="Instead of a probe: scores of any system, or results that detect wrote. A folder with a file per "
            "video, or a .csv table; see docs/evaluate.md.",
            readable=False,
        ),
    ] = None,
    every: Annotated[
        int | None,
        typer.Option("--scores-every", help="With --scores: frames that each score is for.", show_default="1"),
    ] = None,
    model: options.Model = "embedded",
    loading: options.Loading = options.LOADING,
    iou: Annotated[
        list[float] | None,
        typer.Option(
            "--iou",
            help="Temporal IoU from which an event counts as found; may be repeated.",
            show_default="0.1, 0.3 and 0.5",
        ),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option("--bootstrap", help="Resamples of the videos for 95% confidence intervals; 0 for none."),
    ] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    sigma: options.Sigma = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            "--threshold",
            help="With a probe: 'calibrated' or 'adaptive', as for detect. With --scores: 'adaptive' or a number.",
            show_default="the probe's; with --scores the events of detect's results, and none of other scores",
        ),
    ] = None,
    kappa: options.Kappa = None,
    min_duration: options.MinDuration = None,
    merge_gap: options.MergeGap = None,
    fps: options.Fps = None,
    features: options.Features = None,
    batch_memory: options.BatchMemory = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Measure a probe on labelled videos that it was not fitted on, or the scores of another system."""
    from hiprobe.backbones import load_backbone
    from hiprobe.datasets import load_manifest
    from hiprobe.evaluation import DEFAULT_IOUS
    from hiprobe.pipeline import evaluate_manifest, evaluate_scores
    from hiprobe.probes import load_probe

    if (probe is None) == (scores is None):
        raise UsageError(
            "hiprobe eval measures a probe or scores: give --probe PROBE or --scores PATH, one of the two."
        )
    if every is not None and scores is None:
        raise UsageError("--scores-every is for --scores; leave it out with a probe.")
    printer = Printer(quiet or as_json)
    manifest = load_manifest(labels).with_fps(fps)
    if scores is not None:
        settings = scores_settings(every, sigma, threshold, kappa, min_duration, merge_gap)
        result = evaluate_scores(manifest, scores, ious=iou or DEFAULT_IOUS, n_resamples=resamples, settings=settings)
    else:
        loaded = load_probe(cast(str, probe))
        localize = options.localize_settings(loaded.localize, sigma, threshold, kappa, min_duration, merge_gap)
        backbone = load_backbone(model, printer.line, loading, loaded.reading.layer)
        with printer.progress() as report:
            result = evaluate_manifest(
                manifest,
                loaded,
                backbone,
                ious=iou or DEFAULT_IOUS,
                n_resamples=resamples,
                localize=localize,
                run=options.run_of(features, batch_memory, report),
            )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(result), indent=2))
    else:
        summary(Printer(quiet=False), result)


def scores_settings(
    every: int | None,
    sigma: float | None,
    threshold: str | None,
    kappa: float | None,
    min_duration: float | None,
    merge_gap: float | None,
) -> ScoresSettings:
    """Return how scores are read and events found. Raises UsageError if an option is wrong or has no effect."""
    from hiprobe.evaluation import ScoresSettings

    events = {"kappa": kappa, "min_duration": min_duration, "merge_gap": merge_gap}
    given = {name: value for name, value in events.items() if value is not None}
    if given and threshold is None:
        option = next(iter(given)).replace("_", "-")
        raise UsageError(f"--{option} is for finding events in scores: give --threshold too.")
    if "kappa" in given and threshold != "adaptive":
        raise UsageError("--kappa is for --threshold adaptive; leave it out.")
    level: float | Literal["adaptive"] | None
    if threshold is None or threshold == "adaptive":
        level = threshold
    else:
        try:
            level = float(threshold)
        except ValueError:
            raise UsageError(
                f"--threshold {threshold!r}: with --scores give 'adaptive' or a number on the scale of the scores; "
                "'calibrated' is of a probe."
            ) from None
    return ScoresSettings(every, sigma, level, **given)


def summary(printer: Printer, result: EvalReport) -> None:
    """Print an evaluation, a metric a line; what the labels do not define is said to be undefined."""

    def line(name: str, value: float | None, interval: Confidence | None = None, more: str = "", form: str = ".3f"):
        shown = "undefined" if value is None else format(value, form)
        spread = f" [{format(interval.low, form)}, {format(interval.high, form)}]" if interval else ""
        printer.line(f"{name:<26}{shown}{spread}{f' ({more})' if more else ''}")

    spread, within = result.bootstrap, result.within_video
    printer.line(f"videos                    {result.n_videos} ({result.duration:.0f} s, {result.n_frames} frames)")
    line("pooled frame AUC", result.pooled_auc, spread and spread.pooled_auc)
    line("pooled frame AP", result.pooled_ap, spread and spread.pooled_ap)
    line("abnormal-videos-only AUC", result.abnormal_videos_auc, spread and spread.abnormal_videos_auc)
    line(
        "within-video AUC",
        within.mean,
        spread and spread.within_video_auc,
        f"{len(within.per_video)} of {result.n_videos} videos",
    )
    for index, events in enumerate(result.events):
        line(f"event precision, IoU {events.iou:g}", events.precision, None, f"{events.n_predicted} predicted")
        line(f"event recall, IoU {events.iou:g}", events.recall, None, f"{events.n_truth} true")
        line(f"event F1, IoU {events.iou:g}", events.f1, spread.f1[index] if spread else None)
    if result.events:
        alarms = result.false_alarms_per_hour
        line("false alarms per hour", alarms, spread and spread.false_alarms_per_hour, form=".1f")
    if result.delay:
        found = f"{result.delay.n_found} true events found, {result.delay.n_missed} missed"
        line("detection delay, median s", result.delay.median, None, found, ".2f")
        line("detection delay, mean s", result.delay.mean, None, "", ".2f")
    if spread and result.n_videos > 1:
        printer.line(f"[low, high]: 95% confidence, {spread.n_resamples} resamples of the videos")
    for note in result.notes:
        printer.line(f"note: {note}")
