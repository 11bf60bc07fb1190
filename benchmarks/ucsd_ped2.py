"""UCSD Ped2: fitted on the training clips and Test001 to Test004, measured on Test005 to Test012."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.extraction import hidden_states
from hiprobe.backbones import Backbone
from hiprobe.datasets import LabelledVideo, Manifest
from hiprobe.evaluation import EvalReport, evaluate
from hiprobe.features import Features, FeatureStore
from hiprobe.localize import LocalizeSettings
from hiprobe.pipeline import detect
from hiprobe.pipeline.evaluate import video_scores
from hiprobe.pipeline.fit import fit_features
from hiprobe.probing import Probe

FITTED_TESTS = 4
NORMAL_FOLDS = 4
THRESHOLDS = ("calibrated", "adaptive")


def measure_ucsd_ped2(splits: dict[str, list[LabelledVideo]], backbone: Backbone, work: Path) -> dict[str, Any]:
    """Print the tables and return the numbers."""
    # The data file has one group for all; a clip is a recording of its own.
    normal = [replace(video, group=video.path.stem) for video in splits["train"]]
    tests = [replace(video, group=video.path.stem) for video in splits["test"]]
    fitted, held_out = tests[:FITTED_TESTS], tests[FITTED_TESTS:]
    everything = [*normal, *tests]
    features = dict(zip(everything, hidden_states(everything, backbone, work, backbone.info.pooling), strict=True))
    store = FeatureStore(work / "features")

    probe = _fit([*normal, *fitted], features, backbone)
    numbers: dict[str, Any] = {
        "layer": probe.layer,
        "calibration": dataclasses.asdict(probe.calibration) | {"source": "ucsd_ped2"},
        "saliency": probe.dlsp.combined.tolist(),
        "stability": probe.dlsp.stability.tolist(),
        "cv_auc_per_layer": probe.dlsp.cv_auc.tolist(),
    }
    print(f"\nl* = {probe.layer}; {probe.calibration.n_segments} segments, {probe.calibration.n_abnormal} abnormal\n")
    print("| threshold | pooled AUC | pooled AP | within-video AUC (of) | event P / R, IoU 0.3 | false alarms/h |")
    print("| --- | --- | --- | --- | --- | --- |")
    for threshold in THRESHOLDS:
        report = _evaluate(held_out, probe, backbone, store, threshold)
        alarms = _alarms_on_normal(normal, fitted, features, backbone, store, threshold)
        numbers[threshold] = {"test": _strip(report), "alarms_on_normal_per_hour": alarms}
        events, within = report.events, report.within_video
        print(
            f"| {threshold} | {report.pooled_auc:.3f} | {report.pooled_ap:.3f} | {within.mean:.3f} "
            f"({len(within.per_video)} of {report.n_videos}) | {events.precision} / {events.recall} | {alarms:.0f} |"
        )
    return numbers


def _fit(videos: Sequence[LabelledVideo], features: dict[LabelledVideo, Features], backbone: Backbone) -> Probe:
    manifest = Manifest(Path("ucsd_ped2"), tuple(videos))
    chosen = [features[video] for video in videos]
    return fit_features(manifest, chosen, backbone.info.name, LocalizeSettings()).probe


def _evaluate(
    videos: Sequence[LabelledVideo], probe: Probe, backbone: Backbone, store: FeatureStore, threshold: str
) -> EvalReport:
    settings = LocalizeSettings(threshold=threshold)  # type: ignore[arg-type]
    scored = [
        video_scores(video, detect(video.path, probe, backbone, localize=settings, store=store)) for video in videos
    ]
    return evaluate(scored)


def _alarms_on_normal(
    normal: Sequence[LabelledVideo],
    fitted: Sequence[LabelledVideo],
    features: dict[LabelledVideo, Features],
    backbone: Backbone,
    store: FeatureStore,
    threshold: str,
) -> float:
    """Events per hour on normal clips that the probe at hand was not fitted on, in folds over the clips."""
    events, seconds = 0, 0.0
    for fold in range(NORMAL_FOLDS):
        held_out = normal[fold::NORMAL_FOLDS]
        probe = _fit([*(v for v in normal if v not in held_out), *fitted], features, backbone)
        report = _evaluate(held_out, probe, backbone, store, threshold)
        events += report.events.n_predicted
        seconds += report.duration
    return events / seconds * 3600


def _strip(report: EvalReport) -> dict[str, Any]:
    numbers = dataclasses.asdict(report)
    within = numbers["within_video"]
    within["per_video"] = {Path(name).stem: auc for name, auc in within["per_video"].items()}
    within["undefined"] = [Path(name).stem for name in within["undefined"]]
    return numbers
