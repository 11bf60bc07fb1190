"""Event metrics: precision, recall and F1 at an IoU, false alarms per hour of normal video, and detection delay.

All of them raise UndefinedMetricError where a video has scores but no events (``VideoScores.events`` is None): that
nothing was looked for is not that nothing was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from hiprobe.errors import UndefinedMetricError, UsageError
from hiprobe.evaluation.video_scores import Spans, VideoScores, check_videos
from hiprobe.localize.curves import merge_intervals


@dataclass(frozen=True)
class EventScores:
    """Predicted events against true ones, over all videos.

    Attributes
    ----------
    iou : float
        From which temporal IoU on a predicted and a true event may match.
    precision : float or None
        Share of predicted events that are matched; None without predictions.
    recall : float or None
        Share of true events that are matched; None without true events.
    f1 : float or None
        2 * matched / (predicted + true): 0 where only one side has events, None where neither has.
    n_predicted, n_truth, n_matched : int
    """

    iou: float
    precision: float | None
    recall: float | None
    f1: float | None
    n_predicted: int
    n_truth: int
    n_matched: int


@dataclass(frozen=True)
class DetectionDelay:
    """How long after its start a true event is first alarmed at.

    Attributes
    ----------
    median, mean : float or None
        Seconds, over the true events that were found; None if none was.
    n_found : int
        True events that a predicted one overlaps, however little. IoU plays no part.
    n_missed : int
        True events that none overlaps. They have no delay and are in neither figure: read it beside this count.
    """

    median: float | None
    mean: float | None
    n_found: int
    n_missed: int


def event_scores(videos: Sequence[VideoScores], iou: float = 0.3) -> EventScores:
    """Match predicted to true events one to one, within each video, and count.

    A pair may match when its temporal intersection over union is at least ``iou``; the matching has as
    many pairs as possible.

    Raises
    ------
    UndefinedMetricError
        If a video has no events to speak of.
    UsageError
        If ``iou`` is not in (0, 1], there is no video, or two share a name.
    """
    check_videos(videos)
    if not 0 < iou <= 1:
        raise UsageError(f"iou is {iou}; give a number over 0 and at most 1, such as 0.3.")
    matched = sum(count_matches(video, iou) for video in videos)
    predicted = sum(len(predicted_events(video)) for video in videos)
    truth = sum(len(video.truth) for video in videos)
    return EventScores(
        iou=float(iou),
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
    UndefinedMetricError
        If a video has no events to speak of.
    UsageError
        If there is no video, or two share a name.
    """
    check_videos(videos)
    alarms = sum(count_false_alarms(video) for video in videos)
    seconds = sum(normal_seconds(video) for video in videos)
    return alarms / (seconds / 3600) if seconds > 0 else None


def detection_delay(videos: Sequence[VideoScores]) -> DetectionDelay:
    """Measure, for each true event, the seconds from its start to the first moment of it that is alarmed at.

    A true event [s, e) is found if a predicted event [a, b) of the same video overlaps it: a < e and s < b. Its delay
    is max(0, a - s) for the earliest such a; an alarm that is on already when the event starts has no delay. Each true
    interval counts, those that overlap included.

    This is the delay on the timeline, not that of an alarm in a live stream: the timeline is known once the video is,
    and smoothing looks ahead.

    Raises
    ------
    UndefinedMetricError
        If a video has no events to speak of.
    UsageError
        If there is no video, or two share a name.
    """
    check_videos(videos)
    delays: list[float] = []
    missed = 0
    for video in videos:
        for start, end in video.truth:
            alarms = [a for a, b in predicted_events(video) if _overlap((a, b), (start, end))]
            if alarms:
                delays.append(max(0.0, min(alarms) - start))
            else:
                missed += 1
    if not delays:
        return DetectionDelay(None, None, 0, missed)
    return DetectionDelay(float(np.median(delays)), float(np.mean(delays)), len(delays), missed)


def predicted_events(video: VideoScores) -> Spans:
    """Return the predicted events of a video; raise UndefinedMetricError if they were never looked for."""
    if video.events is None:
        raise UndefinedMetricError(
            f"event metrics are undefined: {video.name} has scores but no events; give a threshold."
        )
    return video.events


def count_matches(video: VideoScores, iou: float) -> int:
    """Return the most pairs of a predicted and a true event that an IoU of at least ``iou`` allows, one to one."""
    return len(matched_pairs(video, iou))


def matched_pairs(video: VideoScores, iou: float) -> list[tuple[int, int]]:
    """Match predicted and true events one to one, and return the index of each in its list.

    As many pairs as an IoU of at least ``iou`` allows; of such matchings, that of the highest IoUs.
    """
    events, truth = predicted_events(video), video.truth
    if not events or not truth:
        return []
    shared = _ious(np.array(events), np.array(truth))
    hits = shared >= iou
    # All IoUs together weigh less than one pair more.
    rows, columns = linear_sum_assignment(hits * (1 + shared / (len(events) + 1)), maximize=True)
    return [(int(a), int(b)) for a, b in zip(rows, columns, strict=True) if hits[a, b]]


def count_false_alarms(video: VideoScores) -> int:
    """Return how many predicted events overlap no true one."""
    return sum(not any(_overlap(event, true) for true in video.truth) for event in predicted_events(video))


def normal_seconds(video: VideoScores) -> float:
    """Return how many seconds of a video are outside its true events."""
    clipped = [(start, min(end, video.duration)) for start, end in video.truth if start < video.duration]
    return max(0.0, video.duration - sum(end - start for start, end in merge_intervals(clipped)))


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def _ious(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the temporal IoU of each of a (n, 2) with each of b (m, 2), shape (n, m)."""
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    shared = np.maximum(shared, 0)
    return shared / ((a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None, :] - shared)
