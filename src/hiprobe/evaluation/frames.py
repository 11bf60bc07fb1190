"""Frame metrics: pooled AUC and AP, the AUC of abnormal videos only, and the AUC within each video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from hiprobe.errors import UndefinedMetricError
from hiprobe.evaluation.video_scores import VideoScores, check_videos


@dataclass(frozen=True)
class WithinVideoAuc:
    """AUC of each video on its own: whether the abnormal part stands out from the rest of the same video.

    Attributes
    ----------
    mean : float or None
        Mean over the videos that have one, each counting the same; None if none has.
    per_video : dict of str to float
        By video name.
    undefined : tuple of str
        Videos whose frames are all normal or all abnormal.
    """

    mean: float | None
    per_video: dict[str, float]
    undefined: tuple[str, ...]


def pooled_auc(videos: Sequence[VideoScores]) -> float:
    """Return the area under the ROC curve over the frames of all videos together.

    Every frame counts the same, so long videos and high frame rates weigh more.

    Raises
    ------
    UndefinedMetricError
        If all frames are normal, or all abnormal.
    UsageError
        If there is no video, or two share a name.
    """
    labels, scores = _pool(videos, "AUC")
    return float(roc_auc_score(labels, scores))


def pooled_ap(videos: Sequence[VideoScores]) -> float:
    """Return the average precision over the frames of all videos together.

    Raises
    ------
    UndefinedMetricError
        If all frames are normal, or all abnormal.
    UsageError
        If there is no video, or two share a name.
    """
    labels, scores = _pool(videos, "AP")
    return float(average_precision_score(labels, scores))


def abnormal_videos_auc(videos: Sequence[VideoScores]) -> float:
    """Return the area under the ROC curve over the frames of all videos that hold an abnormal frame.

    Videos that are normal throughout are often easy to tell as a whole; without them what is left is to find the
    moment. Scores of different videos are still compared with each other, unlike in :func:`within_video_auc`.

    Raises
    ------
    UndefinedMetricError
        If no video holds an abnormal frame, or those that do hold no normal one.
    UsageError
        If there is no video, or two share a name.
    """
    check_videos(videos)
    abnormal = [video for video in videos if video.labels.any()]
    if not abnormal:
        raise UndefinedMetricError(
            "abnormal-videos-only AUC is undefined: no video holds an abnormal frame; add abnormal videos."
        )
    labels = np.concatenate([video.labels for video in abnormal])
    if labels.all():
        raise UndefinedMetricError(
            f"abnormal-videos-only AUC is undefined: all {labels.size} frames of the abnormal videos are abnormal; "
            "add abnormal videos with normal frames."
        )
    return float(roc_auc_score(labels, np.concatenate([video.scores for video in abnormal])))


def within_video_auc(videos: Sequence[VideoScores]) -> WithinVideoAuc:
    """Return the AUC of each video and their mean; videos of one class are named, not scored.

    Raises
    ------
    UsageError
        If there is no video, or two share a name.
    """
    check_videos(videos)
    defined = [video for video in videos if video.labels.any() and not video.labels.all()]
    per_video = {video.name: float(roc_auc_score(video.labels, video.scores)) for video in defined}
    mean = float(np.mean(list(per_video.values()))) if per_video else None
    return WithinVideoAuc(mean, per_video, tuple(video.name for video in videos if video.name not in per_video))


def _pool(videos: Sequence[VideoScores], metric: str) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    check_videos(videos)
    labels = np.concatenate([video.labels for video in videos])
    if labels.all() or not labels.any():
        kind, other = ("abnormal", "normal") if labels[0] else ("normal", "abnormal")
        raise UndefinedMetricError(
            f"pooled {metric} is undefined: all {labels.size} frames are {kind}; add {other} frames."
        )
    return labels, np.concatenate([video.scores for video in videos])
