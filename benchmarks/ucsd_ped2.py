"""UCSD Ped2: fitted on the training clips and Test001 to Test004, measured on Test005 to Test012."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import hidden_states
from hiprobe.backbones import Backbone, Pooling
from hiprobe.datasets import LabelledVideo, Manifest, partly_covered, segment_labels
from hiprobe.evaluation import EvalReport, VideoScores, evaluate, interval_labels
from hiprobe.features import Features
from hiprobe.localize import LocalizeSettings, frame_scores, smooth
from hiprobe.pipeline.detector import score
from hiprobe.pipeline.evaluate import video_scores
from hiprobe.pipeline.fit import fit_features
from hiprobe.probing import LogisticProbe, fit_scorer
from hiprobe.video import open_video

FITTED_TESTS = 4
NORMAL_FOLDS = 4
IOU = 0.3
THRESHOLDS = ("calibrated", "adaptive")
POOLINGS_MEASURED: tuple[Pooling, ...] = ("last", "motion", "visual")


def measure_ucsd_ped2(splits: dict[str, list[LabelledVideo]], backbone: Backbone, work: Path) -> dict[str, Any]:
    """Print the tables and return the numbers."""
    # The data file has one group for all; a clip is a recording of its own.
    normal = [replace(video, group=video.path.stem) for video in splits["train"]]
    tests = [replace(video, group=video.path.stem) for video in splits["test"]]
    everything = [*normal, *tests]
    fitted, held_out = tests[:FITTED_TESTS], tests[FITTED_TESTS:]
    numbers: dict[str, Any] = {}
    lines = []
    for pooling, found in hidden_states(everything, backbone, work, POOLINGS_MEASURED).items():
        features = dict(zip(everything, found, strict=True))
        probe = _fit([*normal, *fitted], features)
        per_layer = _auc_per_layer([*normal, *fitted], held_out, features)
        numbers[pooling] = {
            "layer": probe.layer,
            "calibration": dataclasses.asdict(probe.calibration) | {"source": "ucsd_ped2"},
            "saliency": probe.dlsp.combined.tolist(),
            "stability": probe.dlsp.stability.tolist(),
            "pooled_auc_per_layer": per_layer,
        }
        for threshold in THRESHOLDS:
            report = _evaluate(held_out, probe, features, threshold)
            alarms = _alarms_on_normal(normal, fitted, features, threshold)
            numbers[pooling][threshold] = {"test": _strip(report), "alarms_on_normal_per_hour": alarms}
            (events,), within = report.events, report.within_video
            lines.append(
                f"| {pooling}, l* = {probe.layer} | {threshold} | {report.pooled_auc:.3f} | {report.pooled_ap:.3f} | "
                f"{within.mean:.3f} ({len(within.per_video)} of {report.n_videos}) | "
                f"{_shown(events.precision)} / {_shown(events.recall)} | {alarms:.0f} |"
            )
    print("\n| read at | threshold | pooled AUC | pooled AP | within-video AUC (of) | event P / R | false alarms/h |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(lines))
    print("\nPooled frame AUC at each layer (C chosen by cross-validation in the fitting clips)\n")
    print("| layer | " + " | ".join(numbers) + " |\n| --- |" + " --- |" * len(numbers))
    for layer in range(1, backbone.info.layers + 1):
        values = (f"{item['pooled_auc_per_layer'][layer - 1]:.3f}" for item in numbers.values())
        print(f"| {layer} | " + " | ".join(values) + " |")
    return numbers


def _fit(videos: Sequence[LabelledVideo], features: dict[LabelledVideo, Features]) -> LogisticProbe:
    manifest = Manifest(Path("ucsd_ped2"), tuple(videos))
    chosen = [features[video] for video in videos]
    return fit_features(manifest, chosen, LocalizeSettings()).probe


def _evaluate(
    videos: Sequence[LabelledVideo], probe: LogisticProbe, features: dict[LabelledVideo, Features], threshold: str
) -> EvalReport:
    settings = LocalizeSettings(threshold=threshold)  # type: ignore[arg-type]
    return evaluate([_scored(video, features[video], probe, settings) for video in videos], (IOU,))


def _scored(video: LabelledVideo, features: Features, probe: LogisticProbe, settings: LocalizeSettings) -> VideoScores:
    segments, _, events = score(features, probe, settings)
    return video_scores(video, features.video.duration, segments, events)


def _auc_per_layer(
    fitting: Sequence[LabelledVideo], held_out: Sequence[LabelledVideo], features: dict[LabelledVideo, Features]
) -> list[float]:
    """Pooled frame AUC on the held-out videos at every layer, C chosen at each as ``fit`` chooses it."""
    known = np.concatenate([~partly_covered(v, features[v].starts, features[v].ends) for v in fitting])
    labels = np.concatenate([segment_labels(v, features[v].starts, features[v].ends) for v in fitting])[known]
    groups = np.concatenate([np.full(len(features[v].states), v.group) for v in fitting])[known]
    states = np.concatenate([features[video].states for video in fitting])[known]
    aucs = []
    for index in range(states.shape[1]):
        scorer = fit_scorer(states[:, index], labels, groups).scorer
        truths, scores = [], []
        for video in held_out:
            item = features[video]
            times = open_video(video.path).frame_times()
            smoothed = smooth(scorer.scores(item.states[:, index]), item.centres, LocalizeSettings().sigma)
            scores.append(frame_scores(smoothed, item.centres, times))
            truths.append(interval_labels(times, tuple((i.start, i.end) for i in video.intervals)))
        aucs.append(float(roc_auc_score(np.concatenate(truths), np.concatenate(scores))))
    return aucs


def _alarms_on_normal(
    normal: Sequence[LabelledVideo],
    fitted: Sequence[LabelledVideo],
    features: dict[LabelledVideo, Features],
    threshold: str,
) -> float:
    """Events per hour on normal clips that the probe at hand was not fitted on, in folds over the clips."""
    events, seconds = 0, 0.0
    for fold in range(NORMAL_FOLDS):
        held_out = normal[fold::NORMAL_FOLDS]
        probe = _fit([*(v for v in normal if v not in held_out), *fitted], features)
        report = _evaluate(held_out, probe, features, threshold)
        events += report.events[0].n_predicted
        seconds += report.duration
    return events / seconds * 3600


def _shown(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"


def _strip(report: EvalReport) -> dict[str, Any]:
    numbers = dataclasses.asdict(report)
    within = numbers["within_video"]
    within["per_video"] = {Path(name).stem: auc for name, auc in within["per_video"].items()}
    within["undefined"] = [Path(name).stem for name in within["undefined"]]
    return numbers
