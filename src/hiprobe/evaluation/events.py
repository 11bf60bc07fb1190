"""Event metrics: precision, recall and F1 at an IoU, and false alarms per hour of normal video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hiprobe.errors import UsageError
from hiprobe.evaluation.video_scores import Spans, VideoScores, check_videos
from hiprobe.localize.arrays import merge_intervals


@dataclass(frozen=True)
class EventScores:
    """Predicted events against true ones, over all videos.

    Attributes
    ----------
    precision : float or None
        Share of predicted events that are matched; None without predictions.
    recall : float or None
        Share of true events that are matched; None without true events.
    f1 : float or None
        2 * matched / (predicted + true): 0 where only one side has events, None where neither has.
    n_predicted, n_truth, n_matched : int
    """

    precision: float | None
    recall: float | None
    f1: float | None
    n_predicted: int
    n_truth: int
    n_matched: int


def event_scores(videos: Sequence[VideoScores], iou: float = 0.3) -> EventScores:
    """Match predicted to true events one to one, within each video, and count.

    A pair may match when its temporal intersection over union is at least ``iou``; the matching has as
    many pairs as possible.

    Raises
    ------
    UsageError
        If ``iou`` is not in (0, 1], there is no video, or two share a name.
    """
    check_videos(videos)
    if not 0 < iou <= 1:
        raise UsageError(f"iou is {iou}; give a number over 0 and at most 1, such as 0.3.")
    matched = sum(_count_matches(video.events, video.truth, iou) for video in videos)
    predicted = sum(len(video.events) for video in videos)
    truth = sum(len(video.truth) for video in videos)
    return EventScores(
        precision=matched / predicted if predicted else None,
        recall=matched / truth if truth else None,
        f1=2 * matched / (predicted + truth) if predicted + truth else None,
        n_predicted=predicted,
        n_truth=truth,
        n_matched=matched,
    )


def false_alarms_per_hour(videos: Sequence[VideoScores]) -> float | None:
    """Return predicted events that overlap no true interval, per hour of truly normal video.

    Normal time is what the true intervals leave of each video, abnormal videos included. Returns None if
    that is nothing.

    Raises
    ------
    UsageError
        If there is no video, or two share a name.
    """
    check_videos(videos)
    alarms = sum(
        not any(start < true_end and true_start < end for true_start, true_end in video.truth)
        for video in videos
        for start, end in video.events
    )
    seconds = sum(_normal_seconds(video) for video in videos)
    return alarms / (seconds / 3600) if seconds > 0 else None


def _normal_seconds(video: VideoScores) -> float:
    clipped = [(start, min(end, video.duration)) for start, end in video.truth if start < video.duration]
    return max(0.0, video.duration - sum(end - start for start, end in merge_intervals(clipped)))


def _count_matches(events: Spans, truth: Spans, iou: float) -> int:
    if not events or not truth:
        return 0
    hits = _overlaps(np.array(events), np.array(truth)) >= iou
    rows, columns = linear_sum_assignment(hits, maximize=True)
    return int(hits[rows, columns].sum())


def _overlaps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the temporal IoU of each of a (n, 2) with each of b (m, 2), shape (n, m)."""
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    shared = np.maximum(shared, 0)
    return shared / ((a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None, :] - shared)
