"""All metrics of one evaluation in one result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hiprobe.errors import UndefinedMetricError, UsageError
from hiprobe.evaluation.confidence import Bootstrap, bootstrap
from hiprobe.evaluation.events import (
    DetectionDelay,
    EventScores,
    detection_delay,
    event_scores,
    false_alarms_per_hour,
)
from hiprobe.evaluation.frames import (
    WithinVideoAuc,
    abnormal_videos_auc,
    pooled_ap,
    pooled_auc,
    within_video_auc,
)
from hiprobe.evaluation.kinds import KindReport, kind_report
from hiprobe.evaluation.video_scores import VideoScores

DEFAULT_IOUS = (0.1, 0.3, 0.5)
"""From roughly the right place to mostly the right extent: annotators differ by seconds themselves."""

FEW_VIDEOS = 10
"""Under so many videos the notes say that intervals are too narrow to rely on."""


@dataclass(frozen=True)
class EvalReport:
    """All metrics of one evaluation; ``dataclasses.asdict`` of it is JSON-able.

    Attributes
    ----------
    n_videos, n_frames, n_abnormal_frames : int
    duration : float
        Seconds of video, over all videos.
    pooled_auc, pooled_ap : float or None
        Over all frames together.
    abnormal_videos_auc : float or None
        Over the frames of videos that hold an abnormal one.
    within_video : WithinVideoAuc
    events : tuple of EventScores
        One per IoU, in the order asked for; empty where videos have scores but no events.
    false_alarms_per_hour : float or None
        Per hour of truly normal video.
    delay : DetectionDelay or None
        None where videos have scores but no events.
    bootstrap : Bootstrap or None
        Confidence intervals; None if they were not asked for.
    notes : tuple of str
        What is None here, and why.
    kinds : KindReport or None
        Kinds named against true kinds, at the lowest IoU; None where events have no kinds.
    """

    n_videos: int
    n_frames: int
    n_abnormal_frames: int
    duration: float
    pooled_auc: float | None
    pooled_ap: float | None
    abnormal_videos_auc: float | None
    within_video: WithinVideoAuc
    events: tuple[EventScores, ...]
    false_alarms_per_hour: float | None
    delay: DetectionDelay | None
    bootstrap: Bootstrap | None
    notes: tuple[str, ...]
    kinds: KindReport | None = None


def evaluate(
    videos: Sequence[VideoScores],
    ious: Sequence[float] = DEFAULT_IOUS,
    *,
    n_resamples: int = 0,
    seed: int = 0,
) -> EvalReport:
    """Compute every metric; those that the labels do not define are None and named in ``notes``.

    Parameters
    ----------
    videos : sequence of VideoScores
        All of the data set: a video that could not be scored is an error to report, not one to leave out.
    ious : sequence of float
        At which events are scored, each in (0, 1]; one that is given twice counts once.
    n_resamples : int
        Of the bootstrap over groups of videos; 0 leaves confidence intervals out.
    seed : int
        Of the bootstrap.

    Raises
    ------
    UsageError
        If there is no IoU or one is not in (0, 1], there is no video, two share a name, or ``n_resamples`` is negative.
    """
    ious = tuple(dict.fromkeys(float(iou) for iou in ious))
    if not ious:
        raise UsageError("No IoU is given to score events at; give one or more, such as 0.3.")
    if n_resamples < 0:
        raise UsageError(f"{n_resamples} resamples for confidence intervals; give 0 (none) or more, such as 1000.")
    notes: list[str] = []

    def or_none(metric: Callable[[Sequence[VideoScores]], float]) -> float | None:
        try:
            return metric(videos)
        except UndefinedMetricError as error:
            notes.append(str(error))
            return None

    auc, ap, abnormal = or_none(pooled_auc), or_none(pooled_ap), or_none(abnormal_videos_auc)
    within = within_video_auc(videos)
    if within.undefined:
        notes.append(
            f"within-video AUC is undefined for {len(within.undefined)} of {len(videos)} videos, whose "
            "frames are all normal or all abnormal; its mean leaves them out."
        )
    try:
        events = tuple(event_scores(videos, iou) for iou in ious)
        alarms, delay = false_alarms_per_hour(videos), detection_delay(videos)
        kinds = kind_report(videos, min(ious))
        notes += _event_notes(events[0], alarms, delay)
    except UndefinedMetricError as error:
        events, alarms, delay, kinds = (), None, None, None
        notes.append(str(error))
    intervals = bootstrap(videos, ious, n_resamples, seed=seed) if n_resamples else None
    if intervals:
        notes += intervals.notes
        unit = "videos" if intervals.n_groups == len(videos) else "groups of videos"
        if 1 < intervals.n_groups < FEW_VIDEOS:
            notes.append(f"confidence intervals over {intervals.n_groups} {unit} are too narrow; label more of them.")
        if unit != "videos" and intervals.n_groups > 1:
            notes.append(
                f"confidence intervals draw {intervals.n_groups} groups of the manifest, the videos of one together."
            )
    return EvalReport(
        n_videos=len(videos),
        n_frames=sum(video.labels.size for video in videos),
        n_abnormal_frames=sum(int(video.labels.sum()) for video in videos),
        duration=float(sum(video.duration for video in videos)),
        pooled_auc=auc,
        pooled_ap=ap,
        abnormal_videos_auc=abnormal,
        within_video=within,
        events=events,
        false_alarms_per_hour=alarms,
        delay=delay,
        bootstrap=intervals,
        notes=tuple(notes),
        kinds=kinds,
    )


def _event_notes(events: EventScores, alarms: float | None, delay: DetectionDelay) -> list[str]:
    """Say which event metrics are undefined; that is the same at every IoU."""
    notes: list[str] = []
    if events.precision is None:
        notes.append("event precision is undefined: no event is predicted.")
    if events.recall is None:
        notes.append("event recall is undefined: no true event is given.")
    if events.f1 is None:
        notes.append("event F1 is undefined: there is neither a predicted nor a true event.")
    if alarms is None:
        notes.append("false alarms per hour are undefined: no time of any video is normal.")
    if delay.median is None:
        notes.append("detection delay is undefined: no true event overlaps a predicted one.")
    return notes
