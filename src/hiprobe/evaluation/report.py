"""All metrics of one evaluation in one result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hiprobe.errors import UndefinedMetricError
from hiprobe.evaluation.events import EventScores, event_scores, false_alarms_per_hour
from hiprobe.evaluation.frames import WithinVideoAuc, pooled_ap, pooled_auc, within_video_auc
from hiprobe.evaluation.video_scores import VideoScores


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
    within_video : WithinVideoAuc
    iou : float
        From which IoU on a predicted and a true event match.
    events : EventScores
    false_alarms_per_hour : float or None
        Per hour of truly normal video.
    notes : tuple of str
        What is None here, and why.
    """

    n_videos: int
    n_frames: int
    n_abnormal_frames: int
    duration: float
    pooled_auc: float | None
    pooled_ap: float | None
    within_video: WithinVideoAuc
    iou: float
    events: EventScores
    false_alarms_per_hour: float | None
    notes: tuple[str, ...]


def evaluate(videos: Sequence[VideoScores], iou: float = 0.3) -> EvalReport:
    """Compute every metric; those that the labels do not define are None and named in ``notes``.

    Raises
    ------
    UsageError
        If ``iou`` is not in (0, 1], there is no video, or two share a name.
    """
    notes: list[str] = []

    def or_none(metric: Callable[[Sequence[VideoScores]], float]) -> float | None:
        try:
            return metric(videos)
        except UndefinedMetricError as error:
            notes.append(str(error))
            return None

    auc, ap = or_none(pooled_auc), or_none(pooled_ap)
    within, events = within_video_auc(videos), event_scores(videos, iou)
    alarms = false_alarms_per_hour(videos)
    if within.undefined:
        notes.append(
            f"within-video AUC is undefined for {len(within.undefined)} of {len(videos)} videos, whose "
            "frames are all normal or all abnormal; its mean leaves them out."
        )
    if events.precision is None:
        notes.append("event precision is undefined: no event is predicted.")
    if events.recall is None:
        notes.append("event recall is undefined: no true event is given.")
    if events.f1 is None:
        notes.append("event F1 is undefined: there is neither a predicted nor a true event.")
    if alarms is None:
        notes.append("false alarms per hour are undefined: no time of any video is normal.")
    return EvalReport(
        n_videos=len(videos),
        n_frames=sum(video.labels.size for video in videos),
        n_abnormal_frames=sum(int(video.labels.sum()) for video in videos),
        duration=float(sum(video.duration for video in videos)),
        pooled_auc=auc,
        pooled_ap=ap,
        within_video=within,
        iou=float(iou),
        events=events,
        false_alarms_per_hour=alarms,
        notes=tuple(notes),
    )
