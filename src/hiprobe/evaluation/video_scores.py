"""What the metrics read: one video's scores beside its truth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.datasets import INTERVAL_TOLERANCE
from hiprobe.errors import UsageError

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True, eq=False)
class VideoScores:
    """Scores and truth of one video.

    Parameters
    ----------
    name : str
        Unique among the videos evaluated together.
    frame_times : array of shape (n,)
        True timestamps in seconds, strictly ascending.
    scores : array of shape (n,)
        One finite score per frame. A video that could not be scored has no place here: it is an error to
        report, not a video to leave out or to fill with zeros.
    labels : array of shape (n,)
        True or 1 where the frame is abnormal; kept as bool.
    duration : float
        Length of the video in seconds.
    events : tuple of (start, end), or None
        Predicted events in seconds. None where scores are all there is; () says that nothing was found.
    truth : tuple of (start, end)
        True abnormal intervals in seconds, all of them. Those on record may overlap.
    group : str
        Name of the source, such as a camera. Confidence intervals draw the videos of one group together. Empty: the
        video is a group of its own.
    event_kinds : tuple of str, optional
        The kind that each predicted event was given; None where kinds are not told.
    truth_kinds : tuple of str, optional
        The kind of each true interval, where it is known.

    Raises
    ------
    UsageError
        If shapes differ, there is no frame, a value is not finite, or an interval is reversed or outside
        the video by more than 0.1 s.
    """

    name: str
    frame_times: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: NDArray[np.bool_]
    duration: float
    events: Spans | None
    truth: Spans
    group: str = ""
    event_kinds: tuple[str, ...] | None = None
    truth_kinds: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        times = np.asarray(self.frame_times, dtype=np.float64)
        scores = np.asarray(self.scores, dtype=np.float64)
        labels = np.asarray(self.labels)
        if times.ndim != 1 or not times.size or not times.shape == scores.shape == labels.shape:
            raise UsageError(
                f"{self.name}: frame_times {times.shape}, scores {scores.shape} and labels {labels.shape} "
                "must be of one length, at least 1; score every frame of the video."
            )
        if not (np.isfinite(times).all() and np.isfinite(scores).all()):
            raise UsageError(f"{self.name}: a frame time or score is NaN or infinite; score the video again.")
        if (np.diff(times) <= 0).any():
            raise UsageError(f"{self.name}: frame times do not ascend; sort frames and keep each once.")
        if not np.isin(labels, (0, 1)).all():
            raise UsageError(f"{self.name}: labels must be 0 (normal) or 1 (abnormal), one per frame.")
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise UsageError(f"{self.name}: duration is {self.duration}; give seconds, more than 0.")
        for kind in ("events", "truth"):
            for start, end in getattr(self, kind) or ():
                if not 0 <= start < end <= self.duration + INTERVAL_TOLERANCE:
                    raise UsageError(
                        f"{self.name}: {kind} has the interval {start} to {end} s; start must come before "
                        f"end, both within the video of {self.duration} s."
                    )
        for kind in ("event", "truth"):
            spans, names = getattr(self, "events" if kind == "event" else kind) or (), getattr(self, f"{kind}_kinds")
            if names is not None and len(names) != len(spans):
                raise UsageError(f"{self.name}: {len(names)} {kind}_kinds for {len(spans)} intervals; give each one.")
        # Frozen, so the checked copies go in through the back door, once.
        object.__setattr__(self, "frame_times", times)
        object.__setattr__(self, "scores", scores)
        object.__setattr__(self, "labels", labels.astype(bool))


def interval_labels(frame_times: ArrayLike, truth: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """Label frames by intervals: a frame at time t is abnormal if start <= t < end for any of them.

    Parameters
    ----------
    frame_times : array of shape (n,)
        Seconds.
    truth : sequence of (start, end)
        Seconds, in any order; may overlap.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    times = np.asarray(frame_times, dtype=np.float64)
    labels = np.zeros(times.shape, dtype=bool)
    for start, end in truth:
        labels |= (start <= times) & (times < end)
    return labels


def check_videos(videos: Sequence[VideoScores]) -> None:
    """Raise UsageError if there is no video or two share a name."""
    if not videos:
        raise UsageError("There is no video to evaluate; give at least one.")
    seen: set[str] = set()
    for video in videos:
        if video.name in seen:
            raise UsageError(f"Two videos are named {video.name!r}; give each a name of its own.")
        seen.add(video.name)
