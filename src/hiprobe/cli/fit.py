"""``hiprobe fit``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.printing import Printer

if TYPE_CHECKING:
    from hiprobe.pipeline import FitNormalResult, FitResult
    from hiprobe.probing import DlspResult


@options.with_loading
def fit(
    labels: Annotated[
        Path,
        typer.Argument(
            help="CSV or JSON Lines (path,label[,start,end][,group]), or a folder with normal/ and other subfolders.",
            readable=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The probe file to write.")] = Path("hiprobe.probe"),
    model: options.Model = "embedded",
    loading: options.Loading = options.LOADING,
    keep_layer: Annotated[
        str | None,
        typer.Option(
            "--keep-layer",
            metavar="PROBE",
            help="Keep the layer of this probe, and fit the rest anew: after relabelling. How it cuts and reads videos "
            "is kept too.",
        ),
    ] = None,
    normal_only: Annotated[
        bool,
        typer.Option("--normal-only", help="Fit to normal videos alone; see docs/normal-only.md."),
    ] = False,
    false_alarms: Annotated[
        float | None,
        typer.Option(
            "--false-alarms",
            metavar="PER_HOUR",
            help="With --normal-only: events an hour of normal video that are wanted at most.",
            show_default="1.0",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", help="With --normal-only: 'gaussian' or 'memory-bank'.", show_default="gaussian"),
    ] = None,
    length: Annotated[
        float | None,
        typer.Option(
            "--segment", help="Length of a segment, in seconds.", show_default="the kept probe's; 2.0 in a new one"
        ),
    ] = None,
    stride: Annotated[
        float | None,
        typer.Option(
            "--stride", help="Seconds between segment starts.", show_default="the kept probe's; 1.0 in a new one"
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            "--frames", help="K, frames sampled from a segment.", show_default="the kept probe's; 8 in a new one"
        ),
    ] = None,
    prompt: Annotated[str | None, typer.Option("--prompt", help="The text given with the frames.")] = None,
    system: Annotated[
        str | None, typer.Option("--system", help="System message.", show_default="none, or the chat template's")
    ] = None,
    pooling: Annotated[
        str | None,
        typer.Option("--pooling", help="'last', 'visual' or 'motion'.", show_default="the backbone's own"),
    ] = None,
    sigma: options.Sigma = None,
    threshold: options.Threshold = None,
    kappa: options.Kappa = None,
    min_duration: options.MinDuration = None,
    merge_gap: options.MergeGap = None,
    seed: Annotated[int, typer.Option("--seed", help="Of cross-validation and bootstrap.")] = 0,
    fps: options.Fps = None,
    features: options.Features = None,
    batch_memory: options.BatchMemory = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fit a probe to a few labelled videos: pick the layer, train the scorer, calibrate the threshold.

    With --normal-only, fit it to normal videos alone.
    """
    from hiprobe.backbones import POOLINGS, load_backbone
    from hiprobe.datasets import load_manifest
    from hiprobe.errors import UsageError
    from hiprobe.localize import LocalizeSettings
    from hiprobe.pipeline import fit as fit_labels
    from hiprobe.pipeline.fit_normal import FALSE_ALARMS, fit_normal
    from hiprobe.probes import load_probe
    from hiprobe.probing import METHODS

    printer = Printer(quiet)
    if pooling is not None and pooling not in POOLINGS:
        raise UsageError(f"--pooling {pooling!r}: choose one of {', '.join(POOLINGS)}.")
    if method is not None and method not in METHODS:
        raise UsageError(f"--method {method!r}: choose one of {', '.join(METHODS)}.")
    if not normal_only and (false_alarms, method) != (None, None):
        raise UsageError("--false-alarms and --method go with --normal-only; add it, or leave them out.")
    if normal_only and (pooling, keep_layer) != (None, None):
        raise UsageError(
            "--normal-only reads single tokens at a layer that it chooses; leave --pooling, --keep-layer out."
        )
    keep = load_probe(keep_layer) if keep_layer else None
    if keep and keep.dlsp is None:
        raise UsageError(f"{keep_layer}: was fitted with --normal-only, and its layer cannot be kept; name another.")
    settings = keep.localize if keep else LocalizeSettings()
    localize = options.localize_settings(settings, sigma, threshold, kappa, min_duration, merge_gap)
    manifest = load_manifest(labels).with_fps(fps)
    backbone = load_backbone(model, printer.line, loading)
    info = backbone.info
    reading = info.token_reading() if normal_only else keep.reading if keep else info.reading()
    cut = {"length": length, "stride": stride, "frames": frames}
    sampling = replace(reading.sampling, **{name: value for name, value in cut.items() if value is not None})
    asked = {"prompt": prompt or None, "system": system or None, "pooling": pooling}
    changed = {name: value for name, value in asked.items() if value is not None}
    reading = replace(reading, sampling=sampling, **changed)  # type: ignore[arg-type]
    with printer.progress() as report:
        run = options.run_of(features, batch_memory, report, seed)
        if normal_only:
            found = fit_normal(
                manifest,
                backbone,
                method=method or "gaussian",  # type: ignore[arg-type]
                false_alarms=FALSE_ALARMS if false_alarms is None else false_alarms,
                reading=reading,
                localize=localize,
                run=run,
            )
        else:
            result = fit_labels(manifest, backbone, reading=reading, localize=localize, keep=keep, run=run)
    if normal_only:
        found.probe.save(out)
        normal_summary(printer, found)
        printer.line(f"probe: {out}")
        return
    result.probe.save(out)
    summary(printer, result)
    printer.line(f"probe: {out}")


def summary(printer: Printer, result: FitResult) -> None:
    """Print what a fit found, in a few lines."""
    calibration, dlsp = result.probe.calibration, result.dlsp
    printer.line(
        f"calibration set: {calibration.n_videos} videos, {calibration.n_segments} segments, "
        f"{calibration.n_abnormal} abnormal, {calibration.n_groups} groups"
    )
    if result.kept:
        printer.line(f"layer {result.probe.layer}, kept; the scorer and the threshold are new")
    else:
        _choice(printer, dlsp)
    printer.line(f"cross-validated AUC of the scorer on segments: {calibration.cv_auc:.3f} (C = {calibration.C:g})")
    printer.warnings((*calibration.notes, *dlsp.notes))


def normal_summary(printer: Printer, result: FitNormalResult) -> None:
    """Print what a fit to normal videos found, in a few lines."""
    probe = result.probe
    stats = probe.calibration
    printer.line(
        f"normal set: {stats.n_videos} videos, {60 * stats.hours:.1f} minutes, {stats.n_segments} segments, "
        f"{stats.n_groups} groups"
    )
    told = zip(stats.layers, stats.layer_auc, strict=True)
    printer.line(
        f"layer {probe.layer} of the {probe.reading.site}"
        + "".join(f"; AUC of pseudo-anomalies at layer {layer}: {auc:.3f}" for layer, auc in told)
    )
    printer.line(
        f"threshold {probe.calibrated_threshold:.3f}: {stats.events} events on these videos, held out; "
        f"{stats.false_alarms_per_hour:g} an hour were allowed"
    )
    printer.warnings(stats.notes)


def _choice(printer: Printer, dlsp: DlspResult) -> None:
    """Print why this layer."""
    import numpy as np

    best, top = dlsp.layers.index(dlsp.layer), int(np.nanargmax(dlsp.cv_auc))
    printer.line(
        f"layer l* = {dlsp.layer} of {len(dlsp.layers)}: D_KL {dlsp.d_kl[best]:.3f}, LDR {dlsp.ldr[best]:.3f}, "
        f"H {dlsp.entropy[best]:.3f}, S {dlsp.combined[best]:.3f}; wins {dlsp.stability[best]:.0%} of bootstraps"
    )
    printer.line(
        f"beside it: silhouette {dlsp.silhouette[best]:.3f}, AUC {dlsp.cv_auc[best]:.3f} at l*; "
        f"the highest AUC of any layer is {dlsp.cv_auc[top]:.3f}, at layer {dlsp.layers[top]}"
    )
