"""``hiprobe eval``."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.groups import Events, Loading, Running, given, with_groups
from hiprobe.cli.printing import Printer
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from hiprobe.evaluation import Confidence, EvalReport, KindReport, ScoresSettings


@dataclass(frozen=True)
class MeasuredEvents(Events):
    """As detect finds events; the events of scores are found too, by a threshold on their own scale."""

    threshold: Annotated[
        str | None,
        typer.Option(
            metavar="calibrated|adaptive|NUMBER",
            autocompletion=options.choices("calibrated", "adaptive"),
            help="With a probe: as for detect. With --scores: adaptive or a number.",
            show_default="the probe's; with --scores the events of detect's results, and none of other scores",
            rich_help_panel=options.LOOK,
        ),
    ] = None

    def of_scores(self, every: int | None) -> ScoresSettings:
        """Return how scores are read and events found. Raises UsageError if an option is wrong or has no effect."""
        from hiprobe.evaluation import ScoresSettings

        if self.false_alarms is not None:
            raise UsageError("--false-alarms is for --probe: given scores have no known rate; leave it out.")
        sigma, level, finding = self.sigma, self.threshold, given(self)
        for name in ("sigma", "threshold"):
            finding.pop(name, None)
        if finding and level is None:
            option = next(iter(finding)).replace("_", "-")
            raise UsageError(f"--{option} is for finding events in scores: give --threshold too.")
        if "kappa" in finding and level != "adaptive":
            raise UsageError("--kappa is for --threshold adaptive; leave it out.")
        if level is None or level == "adaptive":
            return ScoresSettings(every, sigma, level, **finding)
        try:
            return ScoresSettings(every, sigma, float(level), **finding)
        except ValueError:
            raise UsageError(
                f"--threshold {level!r}: with --scores give 'adaptive' or a number on the scale of the scores; "
                "'calibrated' is of a probe."
            ) from None


@with_groups
def evaluate(
    labels: Annotated[Path, typer.Argument(help="Labelled videos, in the same form as for fit.", readable=False)],
    probe: options.Probes = None,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores",
            help="Instead of a probe: scores of any system, or results that detect wrote. A folder with a file per "
            "video, or a .csv table; see docs/evaluate.md.",
            readable=False,
            rich_help_panel=options.LOOK,
        ),
    ] = None,
    iou: Annotated[
        list[float] | None,
        typer.Option(
            "--iou",
            help="Temporal IoU from which an event counts as found; may be repeated.",
            show_default="0.1, 0.3 and 0.5",
            rich_help_panel=options.LOOK,
        ),
    ] = None,
    events: MeasuredEvents = MeasuredEvents(),
    every: Annotated[
        int | None,
        typer.Option(
            "--scores-every",
            help="With --scores: frames that each score is for.",
            show_default="1",
            rich_help_panel=options.INPUT,
        ),
    ] = None,
    fps: options.Fps = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    model: options.Model = "embedded",
    loading: Loading = Loading(),
    resamples: Annotated[
        int,
        typer.Option(
            "--bootstrap",
            help="Resamples of the manifest's groups for 95% confidence intervals; 0 for none.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = 1000,
    running: Running = Running(),
    debug: options.Debug = False,
) -> None:
    """Measure a probe on labelled videos that it was not fitted on, or the scores of another system."""
    from hiprobe.backbones import load_backbone
    from hiprobe.datasets import load_manifest
    from hiprobe.evaluation import DEFAULT_IOUS
    from hiprobe.pipeline import evaluate_manifest, evaluate_scores
    from hiprobe.probes import load_probe

    if every is not None and scores is None:
        raise UsageError("--scores-every is for --scores; leave it out with a probe.")
    if probe is not None and len(probe) > 1:
        raise UsageError(f"hiprobe eval measures one probe at a time, and {len(probe)} are given; run it for each.")
    printer = Printer(quiet or as_json)
    ious = iou or DEFAULT_IOUS
    if probe and scores is None:
        manifest, loaded = load_manifest(labels).with_fps(fps), load_probe(probe[0])
        loading.check_pixels(probe[0], loaded)
        localize = events.over(loaded.localize)
        backbone = load_backbone(model, printer.line, loading.load_options, loaded.reading.layer)
        with printer.progress() as report:
            run = running.run(report)
            result = evaluate_manifest(
                manifest, loaded, backbone, ious=ious, n_resamples=resamples, localize=localize, run=run
            )
    elif scores is not None and not probe:
        manifest, settings = load_manifest(labels).with_fps(fps), events.of_scores(every)
        result = evaluate_scores(manifest, scores, ious=ious, n_resamples=resamples, settings=settings)
    else:
        raise UsageError(
            "hiprobe eval measures a probe or scores: give --probe PROBE or --scores PATH, one of the two."
        )
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(result), indent=2))
    else:
        summary(Printer(quiet=False), result)


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
    if result.kinds:
        _kinds(printer, result.kinds)
    if spread and result.n_videos > 1:
        drawn = "videos" if spread.n_groups == result.n_videos else f"{spread.n_groups} groups of videos"
        printer.line(f"[low, high]: 95% confidence, {spread.n_resamples} resamples of the {drawn}")
    for note in result.notes:
        printer.line(f"note: {note}")


def _kinds(printer: Printer, kinds: KindReport) -> None:
    """Print how well kinds of events are named: a row a true kind, a column a name."""
    right, given = kinds.right
    printer.line(f"kinds named rightly       {right} of {given} events found and named (IoU {kinds.iou:g})")
    of = {item.kind: item for item in kinds.kinds}

    def shown(value: float | None) -> str:
        return "undefined" if value is None else f"{value:.2f}"

    scores = [(shown(of[row].precision), shown(of[row].recall)) if row in of else ("", "") for row in kinds.rows]
    body = [
        (row, *(str(count) for count in counts), *each)
        for row, counts, each in zip(kinds.rows, kinds.confusion, scores, strict=True)
    ]
    printer.table(("true \\ named", *kinds.columns, "precision", "recall"), body)
