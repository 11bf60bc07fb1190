"""``evaluate``: detect on labelled videos and measure the result against the labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hiprobe.backbones import Backbone
from hiprobe.datasets import LabelledVideo, Manifest, check_intervals, load_manifest
from hiprobe.evaluation import EvalReport, VideoScores, evaluate, interval_labels
from hiprobe.features import FeatureStore, raise_failures
from hiprobe.features.engine import ProgressReport
from hiprobe.localize import Event, LocalizeSettings, frame_scores
from hiprobe.pipeline.detect import Detection, SegmentScore, detect_all
from hiprobe.probing import AnyProbe
from hiprobe.video import open_video


def evaluate_manifest(
    labels: str | Path | Manifest,
    probe: AnyProbe,
    backbone: Backbone,
    *,
    iou: float = 0.3,
    localize: LocalizeSettings | None = None,
    store: FeatureStore | None = None,
    fps: float | None = None,
    report: ProgressReport = lambda progress: None,
) -> EvalReport:
    """Detect on every video of a manifest and return all metrics.

    Raises
    ------
    ManifestError
        If the labels cannot be read or do not fit the videos.
    FailedVideosError
        If a video cannot be read: it is not left out of the metrics.
    """
    manifest = labels if isinstance(labels, Manifest) else load_manifest(labels)
    detections: list[Detection] = []
    failures = detect_all(
        [video.path for video in manifest.videos],
        probe,
        backbone,
        done=detections.append,
        localize=localize,
        store=store,
        fps=fps,
        report=report,
    )
    raise_failures(failures, "nothing is measured without them, so mend them or take them out of the manifest:")
    scored = [
        video_scores(video, found.video.duration, found.segments, [item.event for item in found.events], fps)
        for video, found in zip(manifest.videos, detections, strict=True)
    ]
    return evaluate(scored, iou)


def video_scores(
    video: LabelledVideo,
    duration: float,
    segments: Sequence[SegmentScore],
    events: Sequence[Event],
    fps: float | None = None,
) -> VideoScores:
    """Put what was detected in one video, of ``duration`` seconds, beside the truth, at every frame's true timestamp.

    Raises ManifestError if an interval runs past the end of the video.
    """
    check_intervals(video, duration)
    times = open_video(video.path, fps=fps if video.path.is_dir() else None).frame_times()
    truth = tuple((interval.start, interval.end) for interval in video.intervals)
    if video.clip_level:
        truth = ((0.0, duration),)
    centres = [(segment.start + segment.end) / 2 for segment in segments]
    return VideoScores(
        name=str(video.path),
        frame_times=times,
        scores=frame_scores([segment.smoothed for segment in segments], centres, times),
        labels=interval_labels(times, truth),
        duration=duration,
        events=tuple((event.start, event.end) for event in events),
        truth=truth,
    )
