"""The peaks of a video's events, events counted as detection finds them: what thresholds are set on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.localize.events import count_events
from hiprobe.localize.settings import LocalizeSettings

_EXACT = 2000
"""Of the highest scores, each is tried as a threshold."""

_LOWER = 500
"""Thresholds that are tried below those."""


@dataclass(frozen=True, eq=False)
class OrdinaryScores:
    """Scores of a stretch of ordinary footage by a scorer that did not see it.

    Attributes
    ----------
    smoothed, centres : ndarray of shape (n,)
        Smoothed scores, and segment centres in seconds from the stretch's start.
    duration : float
        Of the stretch, in seconds.
    """

    smoothed: FloatArray
    centres: FloatArray
    duration: float


def event_peaks(video: OrdinaryScores, settings: LocalizeSettings) -> FloatArray:
    """Return the peaks (k,) of the events of one video, highest first; one at least.

    The threshold comes down from the highest score. Each time it brings an event more than any threshold before, the
    level that it came from is a peak. So at most as many events are over a threshold as peaks are. Excursions that
    detection drops as too short are no events here either, and those that it joins are one.

    Of long videos not every score is tried. Then a peak may be told too high, never too low.

    Raises
    ------
    UsageError
        If the scores are no curve; see :func:`find_events`.
    """
    levels = np.unique(video.smoothed)[::-1]
    if len(levels) > _EXACT:
        rest = levels[_EXACT:]
        kept = np.unique(np.linspace(0, len(rest) - 1, min(_LOWER, len(rest))).astype(int))
        levels = np.concatenate([levels[:_EXACT], rest[kept]])
    peaks: list[float] = []
    for above, level in zip(levels.tolist(), [*levels[1:].tolist(), -np.inf], strict=True):
        more = count_events(video.smoothed, video.centres, video.duration, level, settings) - len(peaks)
        peaks += [above] * max(more, 0)
    return np.array(peaks)
