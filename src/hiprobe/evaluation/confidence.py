"""Confidence intervals by bootstrap over groups of videos.

Frames of one video are anything but independent, and so are videos of one camera. So whole groups are drawn,
with replacement; a video without a group is one by itself. A resample is a count per video, not a copy of its
frames, and each metric of all resamples comes of matrix products of such counts with what was counted once per
video, or per pair of videos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.errors import UsageError
from hiprobe.evaluation.events import count_false_alarms, count_matches, normal_seconds, predicted_events
from hiprobe.evaluation.frames import within_video_auc
from hiprobe.evaluation.video_scores import VideoScores, check_videos

MOST_UNDEFINED = 0.5
"""Share of resamples without a value over which a metric gets no interval: the rest would be a chosen few."""

ROWS = 2048
"""Scores looked at together: a table of them by resamples takes 16 MB at 1000 resamples."""


@dataclass(frozen=True)
class Confidence:
    """A percentile interval.

    Attributes
    ----------
    low, high : float
        In the metric's own unit.
    level : float
        Share of resamples between them, such as 0.95.
    n_undefined : int
        Resamples in which the metric has no value; they are left out.
    """

    low: float
    high: float
    level: float
    n_undefined: int


@dataclass(frozen=True)
class Bootstrap:
    """Confidence intervals of the main metrics, from the same resamples; None where a metric has none.

    Attributes
    ----------
    n_resamples, seed : int
        How many times as many groups as there are were drawn, and from which random numbers.
    n_groups : int
        Groups of videos; as many as videos where each is a group of its own.
    pooled_auc, pooled_ap, abnormal_videos_auc, within_video_auc, false_alarms_per_hour : Confidence or None
    f1 : tuple of Confidence or None
        One per IoU, in the order asked for; empty where videos have no events.
    notes : tuple of str
        Which metrics have no interval though they have a value, and why.
    """

    n_resamples: int
    seed: int
    n_groups: int
    pooled_auc: Confidence | None
    pooled_ap: Confidence | None
    abnormal_videos_auc: Confidence | None
    within_video_auc: Confidence | None
    f1: tuple[Confidence | None, ...]
    false_alarms_per_hour: Confidence | None
    notes: tuple[str, ...]


def bootstrap(
    videos: Sequence[VideoScores],
    ious: Sequence[float] = (),
    n_resamples: int = 1000,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Bootstrap:
    """Resample groups of videos with replacement and return a percentile interval per metric.

    Parameters
    ----------
    videos : sequence of VideoScores
        Those of one ``group`` are drawn together. One without a group is drawn by itself. From a single group there
        is no interval, and a note says so.
    ious : sequence of float
        At which to give the interval of F1.
    n_resamples : int
        1000 put the ends of an interval of 95% at about 25 resamples from the extremes.
    level : float
        In (0, 1).
    seed : int
        Of the random numbers; the same seed gives the same intervals.

    Raises
    ------
    UsageError
        If there is no video, two share a name, or a number is out of range.
    """
    check_videos(videos)
    if n_resamples < 1:
        raise UsageError(f"{n_resamples} resamples for confidence intervals; give 1 or more, such as 1000.")
    if not 0 < level < 1:
        raise UsageError(f"A confidence level of {level}; give a share between 0 and 1, such as 0.95.")
    # A name marks a video without a group as one by itself, whatever the groups are called.
    names = [(video.group, "" if video.group else video.name) for video in videos]
    place = {name: index for index, name in enumerate(dict.fromkeys(names))}
    n = len(place)
    of_groups = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resamples)
    drawn = of_groups[:, [place[name] for name in names]].astype(np.float64)
    auc, ap, abnormal_auc = pooled_resamples(videos, drawn)
    values = {
        "pooled AUC": auc,
        "pooled AP": ap,
        "abnormal-videos-only AUC": abnormal_auc,
        "within-video AUC": _mean_within(videos, drawn),
    }
    scored = all(video.events is not None for video in videos)
    f1_names = [f"event F1 at IoU {iou:g}" for iou in ious] if scored else []
    if scored:
        truth = np.array([len(predicted_events(video)) + len(video.truth) for video in videos])
        for name, iou in zip(f1_names, ious, strict=False):
            values[name] = _ratio(drawn @ [2 * count_matches(video, iou) for video in videos], drawn @ truth)
        hours = np.array([normal_seconds(video) / 3600 for video in videos])
        values["false alarms per hour"] = _ratio(drawn @ [count_false_alarms(v) for v in videos], drawn @ hours)

    notes: list[str] = []
    if len(videos) == 1:
        notes.append("there are no confidence intervals: one video is given, and they are about more than one.")
    elif n == 1:
        notes.append(
            f"there are no confidence intervals: all {len(videos)} videos are of one group, and intervals draw groups; "
            "add videos of another source, or correct the group column."
        )
    found = {name: _interval(name, metric, level, n, notes) for name, metric in values.items()}
    return Bootstrap(
        n_resamples=n_resamples,
        seed=seed,
        n_groups=n,
        pooled_auc=found["pooled AUC"],
        pooled_ap=found["pooled AP"],
        abnormal_videos_auc=found["abnormal-videos-only AUC"],
        within_video_auc=found["within-video AUC"],
        f1=tuple(found[name] for name in f1_names),
        false_alarms_per_hour=found.get("false alarms per hour"),
        notes=tuple(notes),
    )


def pooled_resamples(videos: Sequence[VideoScores], drawn: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return AUC, AP and AUC of abnormal videos of each resample; NaN where one class is missing.

    An AUC is the share of pairs of an abnormal and a normal frame that are in the right order, so a table of such pairs
    for each two videos is all that its resamples need. AP needs, at the score of each abnormal frame, how many frames
    of each video are at least as high.
    """
    abnormal = [np.sort(video.scores[video.labels]) for video in videos]
    normal = [np.sort(video.scores[~video.labels]) for video in videos]
    n_abnormal = np.array([scores.size for scores in abnormal], dtype=np.float64)
    n_normal = np.array([scores.size for scores in normal], dtype=np.float64)
    thresholds = np.unique(np.concatenate(abnormal))[::-1]
    right = pair_table(abnormal, normal)
    precisions = np.zeros(len(drawn))
    above = np.zeros(len(videos))
    for first in range(0, thresholds.size, ROWS):
        scores = thresholds[first : first + ROWS]
        hits, alarms = _at_least(abnormal, scores), _at_least(normal, scores)
        drawn_hits = hits @ drawn.T
        passed = drawn_hits + alarms @ drawn.T
        precision = np.divide(drawn_hits, passed, out=np.zeros_like(passed), where=passed > 0)
        precisions += np.einsum("gb,gb->b", np.diff(drawn_hits, axis=0, prepend=above[None] @ drawn.T), precision)
        above = hits[-1]
    total_abnormal, total_normal = drawn @ n_abnormal, drawn @ n_normal
    both = (total_abnormal > 0) & (total_normal > 0)
    shown = drawn * (n_abnormal > 0)
    return (
        _ratio(np.sum((drawn @ right) * drawn, axis=1), total_abnormal * total_normal),
        np.where(both, _ratio(precisions, total_abnormal), np.nan),
        _ratio(np.sum((shown @ right) * shown, axis=1), total_abnormal * (shown @ n_normal)),
    )


def pair_table(abnormal: Sequence[FloatArray], normal: Sequence[FloatArray]) -> FloatArray:
    """Count, for each two videos, the pairs of an abnormal frame of one and a normal frame of the other in right order.

    Parameters
    ----------
    abnormal, normal : sequence of arrays
        Scores of the abnormal and of the normal frames of each video, ascending.

    Returns
    -------
    ndarray of shape (videos, videos)
        Row: the video of the abnormal frames. A pair of equal scores counts one half.
    """

    def in_order(above: FloatArray, below: FloatArray) -> float:
        return (np.searchsorted(below, above, "left").sum() + np.searchsorted(below, above, "right").sum()) / 2

    return np.array([[in_order(above, below) for below in normal] for above in abnormal])


def _at_least(ascending: Sequence[FloatArray], scores: FloatArray) -> FloatArray:
    """Return how many frames of each video have at least each score: shape (scores, videos)."""
    return np.stack([each.size - np.searchsorted(each, scores, "left") for each in ascending], axis=1).astype(float)


def _mean_within(videos: Sequence[VideoScores], drawn: FloatArray) -> FloatArray:
    per_video = within_video_auc(videos).per_video
    aucs = np.array([per_video.get(video.name, 0.0) for video in videos])
    defined = np.array([video.name in per_video for video in videos], dtype=np.float64)
    return _ratio(drawn @ aucs, drawn @ defined)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _interval(name: str, values: FloatArray, level: float, n_groups: int, notes: list[str]) -> Confidence | None:
    defined = values[~np.isnan(values)]
    undefined = values.size - defined.size
    if n_groups == 1 or not defined.size:
        return None  # for all metrics alike, or for the reason that the metric itself is undefined: said elsewhere
    if undefined > MOST_UNDEFINED * values.size:
        notes.append(
            f"{name} has no confidence interval: it is undefined in {undefined} of {values.size} resamples; "
            "add videos of the rarer kind, from other sources."
        )
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Confidence(float(low), float(high), level, undefined)
