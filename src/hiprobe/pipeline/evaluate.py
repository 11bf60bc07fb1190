"""``evaluate``: detect on labelled videos, or read the scores of another system, and measure against the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Backbone
from hiprobe.datasets import LabelledVideo, Manifest, check_intervals, load_manifest
from hiprobe.errors import VideoError
from hiprobe.evaluation import (
    DEFAULT_IOUS,
    EvalReport,
    ScoresSettings,
    VideoScores,
    evaluate,
    interval_labels,
    read_scores,
)
from hiprobe.evaluation.scores_file import listed
from hiprobe.evaluation.video_scores import Spans
from hiprobe.features import Failure, Run, raise_failures
from hiprobe.localize import Event, LocalizeSettings, frame_scores
from hiprobe.pipeline.detection import Detection, SegmentScore
from hiprobe.pipeline.detector import Detector
from hiprobe.probing import Probe

DEFAULT_RUN = Run()


def evaluate_manifest(
    labels: str | Path | Manifest,
    probe: Probe,
    backbone: Backbone,
    *,
    ious: Sequence[float] = DEFAULT_IOUS,
    n_resamples: int = 0,
    localize: LocalizeSettings | None = None,
    run: Run = DEFAULT_RUN,
) -> EvalReport:
    """Detect on every video of a manifest and return all metrics.

    ``ious`` and ``n_resamples`` (confidence intervals; 0: none) are those of :func:`hiprobe.evaluation.evaluate`.

    Raises
    ------
    ManifestError
        If the labels cannot be read or do not fit the videos.
    FailedVideosError
        If a video cannot be read: it is not left out of the metrics.
    """
    manifest = labels if isinstance(labels, Manifest) else load_manifest(labels)
    detections: list[Detection] = []
    failures = Detector(probe, backbone, localize, run).detect_all(manifest.refs, detections.append)
    raise_failures(failures, "nothing is measured without them, so mend them or take them out of the manifest:")
    scored = [
        video_scores(video, found.video.duration, found.segments, [item.event for item in found.events], _kinds(found))
        for video, found in zip(manifest.videos, detections, strict=True)
    ]
    report = evaluate(scored, ious, n_resamples=n_resamples)
    return replace(report, notes=(*report.notes, *_unjudged_notes(detections)))


def _unjudged_notes(detections: Sequence[Detection]) -> tuple[str, ...]:
    """Say how much of the videos was not judged, if anything."""
    spans = [stretch.end - stretch.start for found in detections for stretch in found.unjudged]
    if not spans:
        return ()
    whole, videos = sum(found.video.duration for found in detections), sum(bool(found.unjudged) for found in detections)
    return (
        f"{sum(spans):.1f} of {whole:.1f} s, in {videos} of {len(detections)} videos, could not be judged: nothing is "
        "detected there, and frame scores are those of the moments around.",
    )


def evaluate_scores(
    labels: str | Path | Manifest,
    scores: str | Path,
    *,
    ious: Sequence[float] = DEFAULT_IOUS,
    n_resamples: int = 0,
    settings: ScoresSettings | None = None,
) -> EvalReport:
    """Measure the scores of another system, or kept results of HiProbe, exactly as :func:`evaluate_manifest` does.

    Parameters
    ----------
    labels : path or Manifest
        The labelled videos; their files are read for lengths and frame times.
    scores : path
        A folder or file that :func:`hiprobe.evaluation.read_scores` reads.
    ious : sequence of float
        As in :func:`hiprobe.evaluation.evaluate`.
    n_resamples : int
        As in :func:`hiprobe.evaluation.evaluate`.
    settings : ScoresSettings, optional
        How many frames a score is for, and how events are found.

    Raises
    ------
    ManifestError
        If the labels cannot be read or do not fit the videos.
    ScoresError
        If scores cannot be read or do not fit their video, or a video has none.
    FailedVideosError
        If a video cannot be read: its length and frame times come from nowhere else.
    """
    manifest = labels if isinstance(labels, Manifest) else load_manifest(labels)
    given = read_scores(scores, manifest)
    scored: list[VideoScores] = []
    failures: list[Failure] = []
    for video in manifest.videos:
        try:
            opened = video.video.open()
            times, duration = opened.frame_times(), opened.info.duration
        except VideoError as error:
            failures.append(Failure(video.video, error))
            continue
        found = given.timelines[video.path].read(times, duration, settings or ScoresSettings())
        scored.append(beside_truth(video, times, duration, found.scores, found.events, found.kinds))
    raise_failures(failures, "nothing is measured without them, so mend them or take them out of the manifest:")
    report = evaluate(scored, ious, n_resamples=n_resamples)
    if not given.unused:
        return report
    note = f"scores that fit no video of the manifest were not used: {listed(given.unused)}."
    return replace(report, notes=(*report.notes, note))


def _kinds(found: Detection) -> tuple[str, ...] | None:
    """Return the kinds of a detection's events, if they have any."""
    kinds = tuple(item.kind.name for item in found.events if item.kind)
    return kinds if len(kinds) == len(found.events) else None


def video_scores(
    video: LabelledVideo,
    duration: float,
    segments: Sequence[SegmentScore],
    events: Sequence[Event],
    kinds: tuple[str, ...] | None = None,
) -> VideoScores:
    """Put what was detected in one video, of ``duration`` seconds, beside the truth, at every frame's true timestamp.

    Raises ManifestError if an interval runs past the end of the video.
    """
    times = video.video.open().frame_times()
    centres = [(segment.start + segment.end) / 2 for segment in segments]
    scores = frame_scores([segment.smoothed for segment in segments], centres, times)
    return beside_truth(video, times, duration, scores, tuple((event.start, event.end) for event in events), kinds)


def beside_truth(
    video: LabelledVideo,
    times: NDArray[np.float64],
    duration: float,
    scores: NDArray[np.float64],
    events: Spans | None,
    kinds: tuple[str, ...] | None = None,
) -> VideoScores:
    """Put frame scores (n,), at times (n,) in seconds, and events beside what the labels say of the same video.

    ``kinds`` are those of the events, where they have any.

    Raises ManifestError if an interval runs past the end of the video, of ``duration`` seconds.
    """
    check_intervals(video, duration)
    truth = tuple((interval.start, interval.end) for interval in video.intervals)
    true_kinds = tuple(interval.label for interval in video.intervals)
    if video.video_level:
        truth, true_kinds = ((0.0, duration),), (video.label,)
    return VideoScores(
        name=str(video.path),
        frame_times=times,
        scores=scores,
        labels=interval_labels(times, truth),
        duration=duration,
        events=events,
        truth=truth,
        event_kinds=kinds,
        truth_kinds=true_kinds,
        group=video.group,
    )
