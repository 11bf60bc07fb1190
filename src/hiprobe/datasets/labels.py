"""What is known about one video, and what that says about its segments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.errors import ManifestError, UsageError
from hiprobe.localize.curves import merge_intervals
from hiprobe.video import VideoRef

NORMAL = "normal"
"""The label of a normal video; any other string is a kind of anomaly."""

INTERVAL_TOLERANCE = 0.1
"""Seconds by which an interval may run past the end of its video: annotations are rounded."""

_ROUNDING = 1e-9
"""Seconds that rounding may take from a segment that is exactly half covered."""


@dataclass(frozen=True)
class Interval:
    """An abnormal part of a video, [start, end) in seconds, and its kind."""

    start: float
    end: float
    label: str


@dataclass(frozen=True)
class LabelledVideo:
    """A video and what is known about it.

    Attributes
    ----------
    video : VideoRef
        A file, or a folder of frames with their rate.
    label : str
        ``normal`` or a kind of anomaly; with intervals, the kind of the earliest.
    intervals : tuple of Interval
        Abnormal parts by start; everything outside them is normal. Those of different kinds may overlap.
    group : str
        Videos of one group come from one source and are never split between fitting and testing.
    """

    video: VideoRef
    label: str
    intervals: tuple[Interval, ...]
    group: str

    @property
    def path(self) -> Path:
        """Where the video lies."""
        return self.video.path

    @property
    def is_abnormal(self) -> bool:
        """Whether anything in the video is abnormal."""
        return self.label != NORMAL

    @property
    def video_level(self) -> bool:
        """Whether all that is known is that the video is abnormal, not when."""
        return self.is_abnormal and not self.intervals


def check_intervals(video: LabelledVideo, duration: float) -> None:
    """Check that no interval runs past the end of its video by more than 0.1 s.

    Parameters
    ----------
    video : LabelledVideo
        The video whose intervals to check.
    duration : float
        Length of the video in seconds.

    Raises
    ------
    ManifestError
        If an interval does. Often its times are frame numbers, or another video's.
    UsageError
        If the duration is no positive number.
    """
    if not (math.isfinite(duration) and duration > 0):
        raise UsageError(f"{video.path}: duration is {duration}; give seconds, more than 0.")
    for interval in video.intervals:
        if interval.end > duration + INTERVAL_TOLERANCE:
            raise ManifestError(
                f"{video.path}: the interval {interval.start:g} to {interval.end:g} s ({interval.label}) "
                f"runs past the end of the video at {duration:.2f} s; correct its times, in seconds."
            )


def segment_labels(video: LabelledVideo, starts: ArrayLike, ends: ArrayLike) -> NDArray[np.bool_]:
    """Label the segments of a video.

    With intervals, a segment is abnormal if at least half of it lies within their union, strictly: a
    short event inside a long segment leaves the segment normal. Without, every segment takes the label
    of the video. To fit on, leave out the segments of :func:`partly_covered`.

    Parameters
    ----------
    video : LabelledVideo
        The video that the segments are of.
    starts, ends : array of shape (n,)
        Segment borders in seconds.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where abnormal.

    Raises
    ------
    UsageError
        If the shapes differ or a segment does not end after it starts.
    """
    covered, length = _covered(video, starts, ends)
    if not video.intervals:
        return np.full(length.shape, video.is_abnormal)
    return covered >= 0.5 * length - _ROUNDING


def partly_covered(video: LabelledVideo, starts: ArrayLike, ends: ArrayLike) -> NDArray[np.bool_]:
    """Tell the segments that events cover in part, by less than half: they are neither normal nor abnormal.

    A probe is not fitted to such segments, and its threshold is not set on them. Where they count as normal, the
    start and the end of each event push the threshold up.

    Parameters
    ----------
    video : LabelledVideo
        The video that the segments are of.
    starts, ends : array of shape (n,)
        Segment borders in seconds.

    Returns
    -------
    ndarray of bool, shape (n,)
        True where covered in part; nowhere without intervals.

    Raises
    ------
    UsageError
        As :func:`segment_labels`.

    Examples
    --------
    >>> partly_covered(video, [0, 1, 2], [2, 3, 4])  # an event from 2.5 to 4 s       # doctest: +SKIP
    array([False,  True, False])
    """
    covered, length = _covered(video, starts, ends)
    return (covered > _ROUNDING) & (covered < 0.5 * length - _ROUNDING)


def _covered(
    video: LabelledVideo, starts: ArrayLike, ends: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the seconds (n,) of segments that events cover, and the segments' lengths."""
    first, last = np.asarray(starts, dtype=np.float64), np.asarray(ends, dtype=np.float64)
    if first.ndim != 1 or first.shape != last.shape:
        raise UsageError(f"Segment starts {first.shape} and ends {last.shape} must be vectors of one length.")
    if not (first < last).all():
        raise UsageError(f"{video.path}: a segment does not end after it starts; give starts before ends.")
    covered = np.zeros_like(first)
    for start, end in merge_intervals([(interval.start, interval.end) for interval in video.intervals]):
        covered += np.maximum(0, np.minimum(last, end) - np.maximum(first, start))
    return covered, last - first
