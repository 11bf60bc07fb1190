"""Events: the intervals where the score curve is over a threshold.

The score curve is the linear interpolation of smoothed scores at segment centres, held constant before
the first and after the last centre. Events, their peaks and means, and frame scores are read off this
one curve.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hiprobe.arrays import FloatArray
from hiprobe.errors import UsageError
from hiprobe.localize.curves import finite_vector, merge_intervals, outside, score_curve
from hiprobe.localize.settings import LocalizeSettings, check_seconds


@dataclass(frozen=True)
class Event:
    """An interval over the threshold.

    Attributes
    ----------
    start, end : float
        Seconds from the start of the video.
    peak_time : float
        Centre of the highest segment, in seconds; the earliest one where several are equal.
    peak : float
        Highest value of the score curve within the event.
    mean : float
        Time average of the score curve over the event. A merged event includes its gaps.
    """

    start: float
    end: float
    peak_time: float
    peak: float
    mean: float


def find_events(
    smoothed: ArrayLike,
    centres: ArrayLike,
    duration: float,
    threshold: float,
    min_duration: float,
    merge_gap: float,
    without: Sequence[tuple[float, float]] = (),
) -> tuple[Event, ...]:
    """Find the events of one video.

    Where the curve is strictly over the threshold is an event; its borders are where the curve crosses.
    Events at most ``merge_gap`` apart become one, and then those shorter than ``min_duration`` are
    dropped. In a video shorter than ``min_duration``, the video's duration takes its place, so that an
    event as long as the video is kept.

    Parameters
    ----------
    smoothed : array of shape (n,)
        Smoothed scores, one per segment.
    centres : array of shape (n,)
        Segment centres in seconds, strictly ascending, within the video.
    duration : float
        Length of the video in seconds.
    threshold : float
        On the scale of the scores; may be infinite.
    min_duration, merge_gap : float
        Seconds.
    without : sequence of (start, end)
        Stretches in seconds, sorted and disjoint, that are cut out of events: nothing is merged over them.

    Returns
    -------
    tuple of Event
        Sorted, disjoint, within [0, duration].

    Raises
    ------
    UsageError
        If the arrays are no curve (see :func:`smooth`), a centre is outside the video, or a number is
        NaN or negative.
    """
    values, times = score_curve(smoothed, centres)
    if not (math.isfinite(duration) and duration > 0):
        raise UsageError(f"duration is {duration}; give the length of the video in seconds, more than 0.")
    if times[0] < 0 or times[-1] > duration:
        raise UsageError(
            f"Segment centres run from {times[0]} to {times[-1]} s, outside the video of {duration} s; "
            "give centres within it."
        )
    if math.isnan(threshold):
        raise UsageError("threshold is NaN; give a number.")
    check_seconds("min_duration", min_duration)
    check_seconds("merge_gap", merge_gap)

    over = _intervals_over(values, times, duration, threshold)
    merged = outside(merge_intervals(outside(over, without), merge_gap), without)
    shortest = min(min_duration, duration)
    # An excursion too thin for floating-point time has no length: nothing to show or average.
    kept = [(start, end) for start, end in merged if end > start and end - start >= shortest]
    return tuple(_event(values, times, start, end) for start, end in kept)


def count_events(
    smoothed: FloatArray, centres: FloatArray, duration: float, threshold: float, settings: LocalizeSettings
) -> int:
    """Return how many events :func:`find_events` would find, many times faster; the curve must be one."""
    if smoothed.max() <= threshold:
        return 0
    spans = np.array(_intervals_over(smoothed, centres, duration, threshold))
    apart = np.flatnonzero(spans[1:, 0] - spans[:-1, 1] > settings.merge_gap)
    lengths = spans[[*apart, -1], 1] - spans[[0, *(apart + 1)], 0]
    return int(np.count_nonzero((lengths > 0) & (lengths >= min(settings.min_duration, duration))))


def frame_scores(smoothed: ArrayLike, centres: ArrayLike, frame_times: ArrayLike) -> FloatArray:
    """Read the score curve at the true timestamps of frames.

    Parameters
    ----------
    smoothed, centres : array of shape (n,)
        Smoothed scores and segment centres in seconds, strictly ascending.
    frame_times : array of shape (n_frames,)
        Seconds.

    Returns
    -------
    ndarray of shape (n_frames,)

    Raises
    ------
    UsageError
        If an array is empty or not finite, or the first two are no curve.
    """
    values, times = score_curve(smoothed, centres)
    return np.interp(finite_vector("frame_times", frame_times), times, values)


def _intervals_over(
    values: FloatArray, times: FloatArray, duration: float, threshold: float
) -> list[tuple[float, float]]:
    """Return the (start, end) where the curve is over the threshold, in order."""
    over = values > threshold
    left = np.flatnonzero(over[1:] != over[:-1])
    # One end of a crossing piece is over and the other is not, so they differ: no division by zero.
    fraction = (threshold - values[left]) / (values[left + 1] - values[left])
    crossings = np.clip(times[left] + fraction * (times[left + 1] - times[left]), times[left], times[left + 1]).tolist()
    if over[0]:
        crossings.insert(0, 0.0)
    if over[-1]:
        crossings.append(float(duration))
    return list(zip(crossings[::2], crossings[1::2], strict=True))


def _event(values: FloatArray, times: FloatArray, start: float, end: float) -> Event:
    # A piecewise linear curve peaks at its knots; where an event was cut, its border may be highest.
    first, last = np.searchsorted(times, start, "left"), np.searchsorted(times, end, "right")
    knots = np.concatenate([[start], times[first:last], [end]])
    curve = np.interp(knots, times, values)
    top = first + int(np.argmax(values[first:last])) if first < last else -1
    if top >= 0 and values[top] >= curve.max():
        peak_time, peak = float(times[top]), float(values[top])
    else:
        peak_time, peak = float(knots[curve.argmax()]), float(curve.max())
    # The trapezoid rule is exact on a piecewise linear curve when every knot is a sample.
    mean = float(np.sum((curve[1:] + curve[:-1]) / 2 * (np.diff(knots) / (end - start))))
    return Event(start, end, peak_time, peak, mean=min(mean, peak))
