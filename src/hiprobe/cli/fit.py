"""``hiprobe fit``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.groups import Events, Loading, Running, given, with_groups
from hiprobe.cli.printing import Printer
from hiprobe.cli.reading import ReadingOptions
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiprobe.backbones import Backbone
    from hiprobe.datasets import Manifest
    from hiprobe.features import Run
    from hiprobe.probing import DlspResult, Probe


LAYER_BY = ("auc", "dlsp")
ESTIMATORS = ("per-feature", "held-out-lda", "multivariate")
"""As in :mod:`hiprobe.probing.formulas`, which takes long to import."""

METHODS = ("gaussian", "memory-bank")
"""As in :mod:`hiprobe.probing.oneclass`, which takes long to import."""


@dataclass(frozen=True)
class NormalOptions:
    """How a probe is fitted to normal videos alone; what is not given is as the library has it."""

    method: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(METHODS),
            autocompletion=options.choices(*METHODS),
            help="With --normal-only: how far a token is from normal ones.",
            show_default="gaussian",
            rich_help_panel=options.LOOK,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.method is not None and self.method not in METHODS:
            raise UsageError(f"--method {self.method!r}: choose one of {', '.join(METHODS)}.")


@dataclass(frozen=True)
class LayerOptions:
    """How the layer is chosen; what is not given is as the library has it."""

    layer_by: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(LAYER_BY),
            autocompletion=options.choices(*LAYER_BY),
            help="auc: the first layer of about the highest cross-validated AUC. dlsp: of the highest saliency S.",
            show_default="auc",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None
    estimator: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(ESTIMATORS),
            autocompletion=options.choices(*ESTIMATORS),
            help="What D_KL and LDR of a layer are of.",
            show_default="per-feature",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None

    def __post_init__(self) -> None:
        for option, value, known in (("layer-by", self.layer_by, LAYER_BY), ("estimator", self.estimator, ESTIMATORS)):
            if value is not None and value not in known:
                raise UsageError(f"--{option} {value!r}: choose one of {', '.join(known)}.")


@with_groups
def fit(
    labels: Annotated[
        Path,
        typer.Argument(
            help="CSV or JSON Lines (path,label[,start,end][,group][,fps]), or a folder with normal/ and other "
            "subfolders.",
            readable=False,
        ),
    ],
    reading: ReadingOptions = ReadingOptions(),
    events: Events = Events(),
    normal_only: Annotated[
        bool,
        typer.Option(
            "--normal-only",
            help="Fit to normal videos alone; see docs/normal-only.md.",
            rich_help_panel=options.LOOK,
            show_default=False,
        ),
    ] = False,
    normal: NormalOptions = NormalOptions(),
    fps: options.Fps = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The probe file to write.", rich_help_panel=options.OUTPUT)
    ] = Path("hiprobe.probe"),
    quiet: options.Quiet = False,
    model: options.Model = "embedded",
    loading: Loading = Loading(),
    keep_layer: Annotated[
        str | None,
        typer.Option(
            "--keep-layer",
            metavar="PROBE",
            help="Keep the layer of this probe, and fit the rest anew: after relabelling. How it cuts and reads videos "
            "is kept too.",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None,
    layer: LayerOptions = LayerOptions(),
    running: Running = Running(),
    seed: options.Seed = 0,
    debug: options.Debug = False,
) -> None:
    """Fit a probe to a few labelled videos: pick the layer, train the scorer, calibrate the threshold.

    With --normal-only, fit it to normal videos alone.
    """
    from hiprobe.backbones import load_backbone
    from hiprobe.datasets import load_manifest

    if given(normal) and not normal_only:
        raise UsageError("--method goes with --normal-only; add it, or leave it out.")
    if normal_only and (reading.pooling, reading.view, keep_layer) != (None, None, None):
        raise UsageError(
            "--normal-only reads single tokens at a layer that it chooses; leave --pooling, --view, --keep-layer out."
        )
    if given(layer) and (normal_only or keep_layer):
        raise UsageError("--layer-by and --estimator choose a layer; leave --normal-only and --keep-layer out.")
    printer = Printer(quiet)
    keep = _kept(keep_layer) if keep_layer else None
    if keep is not None and keep_layer:
        loading.check_pixels(keep_layer, keep)
    manifest = load_manifest(labels).with_fps(fps)
    backbone = load_backbone(model, printer.line, loading.load_options)
    with printer.progress() as report:
        run = running.run(report, seed)
        if normal_only:
            fitted = _fit_normal(manifest, backbone, reading, events, normal, run)
        else:
            fitted = _fit_labelled(manifest, backbone, reading, events, layer, keep, run)
    fitted.probe.save(out)
    for line in fitted.lines:
        printer.line(line)
    printer.warnings(fitted.notes)
    printer.line(f"probe: {out}")


@dataclass(frozen=True)
class _Fitted:
    """A probe, how it came about in a few lines, and what to know before relying on it."""

    probe: Probe
    lines: Sequence[str]
    notes: Sequence[str]


def _kept(name: str) -> Probe:
    """Load the probe whose layer is to be kept. Raises UsageError if it has none that can be."""
    from hiprobe.probes import load_probe

    probe = load_probe(name)
    if probe.dlsp is None:
        raise UsageError(f"{name}: was fitted with --normal-only, and its layer cannot be kept; name another.")
    return probe


def _fit_labelled(
    manifest: Manifest,
    backbone: Backbone,
    reading: ReadingOptions,
    events: Events,
    layer: LayerOptions,
    keep: Probe | None,
    run: Run,
) -> _Fitted:
    from hiprobe.localize import LocalizeSettings
    from hiprobe.pipeline import fit as fit_labelled
    from hiprobe.probing import SaliencySettings

    result = fit_labelled(
        manifest,
        backbone,
        reading=reading.over(keep.reading if keep else backbone.info.reading(), backbone.info),
        localize=events.over(keep.localize if keep else LocalizeSettings()),
        saliency=SaliencySettings(**given(layer)),
        keep=keep,
        run=run,
    )
    calibration, dlsp = result.probe.calibration, result.dlsp
    lines = [
        f"calibration set: {calibration.n_videos} videos, {calibration.n_segments} segments, "
        f"{calibration.n_abnormal} abnormal, {calibration.n_groups} groups",
        *([_left_out(result.n_partly)] if result.n_partly else []),
        *(
            [f"layer {result.probe.layer}, kept; the scorer and the threshold are new"]
            if result.kept
            else _why_this_layer(dlsp)
        ),
        f"cross-validated AUC of the scorer on segments: {calibration.cv_auc:.3f} (C = {calibration.C:g})",
        *_alarms(result.probe),
    ]
    return _Fitted(result.probe, lines, (*calibration.notes, *dlsp.notes))


def _left_out(n_partly: int) -> str:
    them, was = ("segment", "was") if n_partly == 1 else ("segments", "were")
    return f"{n_partly} {them} that an event covers in part, by less than half, {was} left out"


def _why_this_layer(dlsp: DlspResult) -> list[str]:
    import numpy as np

    best = dlsp.layers.index(dlsp.layer)
    by = "cross-validated AUC" if dlsp.layer_by == "auc" else f"saliency S ({dlsp.estimator})"
    # S and AUC are undefined where one layer alone was read.
    top = dlsp.layers[int(np.argmax(np.nan_to_num(dlsp.combined if dlsp.layer_by == "auc" else dlsp.cv_auc)))]
    lines = [
        f"layer l* = {dlsp.layer} of {len(dlsp.layers)}, by {by}: AUC {dlsp.cv_auc[best]:.3f}; "
        f"chosen in {dlsp.stability[best]:.0%} of bootstraps",
        f"beside it: D_KL {dlsp.d_kl[best]:.3f}, LDR {dlsp.ldr[best]:.3f}, H {dlsp.entropy[best]:.3f}, "
        f"S {dlsp.combined[best]:.3f}, silhouette {dlsp.silhouette[best]:.3f}; "
        f"{'S' if dlsp.layer_by == 'auc' else 'AUC'} is highest at layer {top}",
    ]
    if (chance := dlsp.permuted) is not None:
        lines.append(
            f"a layer chosen under permuted labels reaches AUC {np.mean(chance.best):.3f} "
            f"(95% up to {np.quantile(chance.best, 0.95):.3f}), these labels {chance.auc[best]:.3f}, by discriminants"
        )
    return lines


def _fit_normal(
    manifest: Manifest, backbone: Backbone, reading: ReadingOptions, events: Events, normal: NormalOptions, run: Run
) -> _Fitted:
    from hiprobe.localize import LocalizeSettings
    from hiprobe.pipeline import fit_normal

    result = fit_normal(
        manifest,
        backbone,
        reading=reading.over(backbone.info.token_reading(), backbone.info),
        localize=events.over(LocalizeSettings()),
        run=run,
        **given(normal),
    )
    probe, stats = result.probe, result.probe.calibration
    told = zip(stats.layers, stats.layer_auc, strict=True)
    lines = [
        f"normal set: {stats.n_videos} videos, {60 * stats.hours:.1f} minutes, {stats.n_segments} segments, "
        f"{stats.n_groups} groups",
        f"layer {probe.layer} of the {probe.reading.site}"
        + "".join(f"; AUC of pseudo-anomalies at layer {layer}: {auc:.3f}" for layer, auc in told),
        *_alarms(probe),
    ]
    return _Fitted(probe, lines, stats.notes)


def _alarms(probe: Probe) -> list[str]:
    from hiprobe.pipeline.ordinary import sureness

    return [sureness(probe.alarms, probe.calibrated_threshold)] if probe.alarms else []
