"""The threshold that keeps events on normal video to a wanted number an hour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.localize.curves import score_curve
from hiprobe.localize.events import find_events
from hiprobe.localize.settings import LocalizeSettings


@dataclass(frozen=True, eq=False)
class NormalScores:
    """Scores of a normal video by a scorer that did not see it.

    Attributes
    ----------
    smoothed, centres : ndarray of shape (n,)
        Smoothed scores, and segment centres in seconds.
    duration : float
        Of the video, in seconds.
    """

    smoothed: FloatArray
    centres: FloatArray
    duration: float


@dataclass(frozen=True)
class FalseAlarmThreshold:
    """A threshold, and what it was calibrated on.

    Attributes
    ----------
    threshold : float
        What is strictly over it is an event.
    events : int
        Events on the normal videos at this threshold.
    hours : float
        Of normal video.
    per_hour : float
        What was wanted.
    """

    threshold: float
    events: int
    hours: float
    per_hour: float

    @property
    def is_certain(self) -> bool:
        """Whether the videos are long enough to hold one event at the wanted rate."""
        return self.per_hour * self.hours >= 1


def false_alarm_threshold(
    videos: Sequence[NormalScores], settings: LocalizeSettings, per_hour: float
) -> FalseAlarmThreshold:
    """Return the lowest threshold from which on upwards normal videos have no more events than wanted.

    Events are found as detection finds them, so that short excursions that are dropped, and close ones that are joined,
    count as they will. Where the videos are too short for a single event at the wanted rate, none of them has
    one at the threshold.

    Parameters
    ----------
    videos : sequence of NormalScores
        Scored by scorers that did not see them: in-sample scores are too low, and the threshold with them.
    settings : LocalizeSettings
        Shortest event and joining.
    per_hour : float
        Events an hour; 0 or more.

    Raises
    ------
    CalibrationError
        If there is no video.
    UsageError
        If the rate is not finite or negative, or a video's scores are no curve.
    """
    if not videos:
        raise CalibrationError("No normal video is left to set a threshold on; add normal videos.")
    if not (math.isfinite(per_hour) and per_hour >= 0):
        raise UsageError(f"A false-alarm rate of {per_hour} an hour: give a finite number, 0 or more.")
    for video in videos:
        score_curve(video.smoothed, video.centres)
    hours = sum(video.duration for video in videos) / 3600
    allowed = math.floor(per_hour * hours + 1e-9)
    # Joining makes the number of events rise and fall: every threshold above must hold, too.
    best, events = math.nan, 0
    for threshold in np.unique(np.concatenate([video.smoothed for video in videos]))[::-1].tolist():
        found = sum(_count(video, settings, threshold) for video in videos)
        if found > allowed:
            break
        best, events = threshold, found
    return FalseAlarmThreshold(best, events, hours, per_hour)


def _count(video: NormalScores, settings: LocalizeSettings, threshold: float) -> int:
    if video.smoothed.max() <= threshold:
        return 0
    return len(
        find_events(video.smoothed, video.centres, video.duration, threshold, settings.min_duration, settings.merge_gap)
    )
