"""The ordinary footage among labelled videos: what a threshold is set on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hiprobe.arrays import FloatArray
from hiprobe.datasets import LabelledVideo
from hiprobe.features import Features
from hiprobe.localize import AlarmRates, OrdinaryScores, rate_text, smooth

MARGIN = 3.0
"""Smoothing lets an event reach so many of its standard deviations into what is around it."""


def ordinary_footage(
    videos: Sequence[LabelledVideo],
    features: Sequence[Features],
    scores: FloatArray,
    normal: NDArray[np.bool_],
    sigma: float,
) -> list[OrdinaryScores]:
    """Return the normal videos, and of the others the stretches that no event is near, their scores smoothed.

    ``scores`` and ``normal`` are of the segments of all videos, (n,), one after the other. Where events are near to
    everything, the stretches of normal segments are taken, which events may reach into.
    """
    ends = np.cumsum([len(item.starts) for item in features])[:-1]
    by_video = list(zip(videos, features, np.split(scores, ends), np.split(normal, ends), strict=True))
    for margin in (MARGIN * sigma, None):
        found = [
            stretch
            for video, item, of_video, is_normal in by_video
            for stretch in stretches_of(
                item,
                smooth(of_video, item.centres, sigma),
                is_normal if margin is None else is_normal & _free(video, item, margin),
            )
        ]
        if found:
            return found
    return []


def sureness(alarms: AlarmRates, threshold: float) -> str:
    """Say in a sentence how many alarms a threshold gives, and how sure that is."""
    low, high = (rate_text(rate) for rate in alarms.interval(threshold))
    asked = f"{rate_text(alarms.asked)} was asked; " if alarms.asked else ""
    seen = length_text(alarms.hours)
    return f"threshold {threshold:.3f}: {asked}by {seen} of ordinary footage, expect {low} to {high} (95%)"


def too_short(alarms: AlarmRates) -> tuple[str, ...]:
    """Return a note if the footage cannot count the rate that was asked."""
    if alarms.asked is None or alarms.counts(alarms.asked):
        return ()
    high = alarms.interval(alarms.threshold_for(alarms.asked))[1]
    return (
        f"{length_text(alarms.hours)} of ordinary footage cannot count {rate_text(alarms.asked)}: the threshold for it "
        f"is extrapolated, and up to {rate_text(high)} may come. `hiprobe calibrate` makes it surer with more footage.",
    )


def length_text(hours: float) -> str:
    """Say how long footage is."""
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


def _free(video: LabelledVideo, item: Features, margin: float) -> NDArray[np.bool_]:
    """Return whether each segment (n,) is farther from every event than the margin."""
    free = np.full(len(item.starts), not video.video_level)
    for event in video.intervals:
        free &= (item.ends <= event.start - margin) | (item.starts >= event.end + margin)
    return free


def stretches_of(item: Features, smoothed: FloatArray, ordinary: NDArray[np.bool_]) -> list[OrdinaryScores]:
    """Return the runs of ordinary segments as footage of their own."""
    if ordinary.all():
        return [OrdinaryScores(smoothed, item.centres, item.video.duration)]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], ordinary, [False]])))
    return [
        OrdinaryScores(
            smoothed[first:last],
            item.centres[first:last] - item.starts[first],
            float(item.ends[last - 1] - item.starts[first]),
        )
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    ]
