"""The timeline of a video as a scores file gives it, in one of four forms, and what it says about frames and events.

Scores are never stretched to fit: a form either says exactly which frames a score is for, or it is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.datasets import INTERVAL_TOLERANCE
from hiprobe.errors import ScoresError, UsageError
from hiprobe.evaluation.video_scores import Spans
from hiprobe.localize import adaptive_threshold, find_events, frame_scores, smooth
from hiprobe.localize.settings import check_seconds

_ROUNDING = 1e-3
"""Seconds that writing times with three decimals may move them by."""


@dataclass(frozen=True)
class ScoresSettings:
    """How scores files are read, and how events are found in them.

    Parameters
    ----------
    every : int, optional
        Frames that each score of a file without times is for; by default 1.
    sigma : float, optional
        Gaussian smoothing in seconds, of HiProbe's own results from their raw scores. By default scores are taken as
        they are: who wrote them has smoothed them as they should be.
    threshold : float or "adaptive", optional
        What is strictly over it is an event. By default HiProbe's own results keep their events, and other scores have
        none: a threshold is part of a system, and choosing one for it would be measuring something else.
    kappa : float
        Of the adaptive threshold.
    min_duration, merge_gap : float
        Seconds, as in :class:`hiprobe.localize.LocalizeSettings`; read with a threshold only.

    Raises
    ------
    UsageError
        If a number is out of range.
    """

    every: int | None = None
    sigma: float | None = None
    threshold: float | Literal["adaptive"] | None = None
    kappa: float = 0.2
    min_duration: float = 0.5
    merge_gap: float = 1.0

    def __post_init__(self) -> None:
        if self.every is not None and self.every < 1:
            raise UsageError(f"One score every {self.every} frames: give a whole number of at least 1.")
        if isinstance(self.threshold, str) and self.threshold != "adaptive":
            raise UsageError(
                f"threshold is {self.threshold!r}; give 'adaptive' or a number on the scale of the scores."
            )
        if isinstance(self.threshold, float | int) and not math.isfinite(self.threshold):
            raise UsageError(f"threshold is {self.threshold}; give a finite number on the scale of the scores.")
        if not math.isfinite(self.kappa):
            raise UsageError(f"kappa is {self.kappa}; give a finite number, such as 0.2.")
        for name in ("sigma", "min_duration", "merge_gap"):
            check_seconds(name, getattr(self, name) or 0.0)

    def find(self, scores: FloatArray, times: FloatArray, duration: float) -> Spans | None:
        """Return the events of scores (n,) at times (n,) in seconds; None without a threshold."""
        if self.threshold is None:
            return None
        threshold = adaptive_threshold(scores, self.kappa) if self.threshold == "adaptive" else self.threshold
        found = find_events(scores, times, duration, threshold, self.min_duration, self.merge_gap)
        return tuple((event.start, event.end) for event in found)


@dataclass(frozen=True)
class Scored:
    """What a timeline comes to: ``scores`` (n_frames,), and events in seconds or None, with their kinds if known."""

    scores: FloatArray
    events: Spans | None
    kinds: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class FrameTimeline:
    """A score per frame, or per block of ``every`` frames; ``where`` is the file, for messages."""

    where: str
    values: FloatArray

    def read(self, times: FloatArray, duration: float, settings: ScoresSettings) -> Scored:
        """Give each frame the score of its block. Raises ScoresError unless there are exactly as many as blocks."""
        every = settings.every or 1
        wanted = math.ceil(times.size / every)
        if self.values.size != wanted:
            blocks = f", {wanted} blocks of {every}" if every > 1 else ""
            remedy = (
                "score every block, the shorter one at the end too"
                if every > 1
                else "score every frame, or say with --scores-every how many frames each score is for"
            )
            raise ScoresError(
                f"{self.where}: holds {self.values.size} scores, but the video has {times.size} frames{blocks}; "
                f"{remedy}."
            )
        return _at_frames(np.repeat(self.values, every)[: times.size], times, duration, settings)


@dataclass(frozen=True, eq=False)
class PointTimeline:
    """Scores at ``times`` in seconds, strictly ascending; linear between them and constant beyond the ends."""

    where: str
    times: FloatArray
    values: FloatArray

    def read(self, times: FloatArray, duration: float, settings: ScoresSettings) -> Scored:
        """Read the scores at frames. Raises ScoresError where they begin late, stop early or run past the end."""
        _refuse_every(self.where, settings)
        if self.times.size < 2:
            raise ScoresError(f"{self.where}: has one time only; give more, or start and end of what the score is for.")
        if self.times[-1] > duration + INTERVAL_TOLERANCE:
            raise ScoresError(_past_the_end(self.where, "time", self.times[-1], duration))
        # The first and last of a regular grid may be a step from the borders, and no further.
        step = float(np.diff(self.times).max())
        late, early = self.times[0] - times[0], times[-1] - self.times[-1]
        if max(late, early) > step + _ROUNDING:
            raise ScoresError(
                f"{self.where}: scores run from {self.times[0]:g} to {self.times[-1]:g} s, at most {step:g} s apart, "
                f"but the video has frames from 0 to {times[-1]:.2f} s; score all of it."
            )
        return _at_frames(frame_scores(self.values, self.times, times), times, duration, settings)


@dataclass(frozen=True, eq=False)
class SpanTimeline:
    """Scores of spans [start, end) in seconds, in any order; they may overlap."""

    where: str
    starts: FloatArray
    ends: FloatArray
    values: FloatArray

    def read(self, times: FloatArray, duration: float, settings: ScoresSettings) -> Scored:
        """Give each frame the mean of the spans that hold it. Raises ScoresError if none does."""
        _refuse_every(self.where, settings)
        if self.starts.max() > duration + INTERVAL_TOLERANCE:
            raise ScoresError(_past_the_end(self.where, "start", self.starts.max(), duration))
        # A span adds its score where it starts and takes it away where it ends.
        first, last = np.searchsorted(times, self.starts, "left"), np.searchsorted(times, self.ends, "left")
        count = np.zeros(times.size + 1)
        np.add.at(count, first, 1)
        np.add.at(count, last, -1)
        count = np.cumsum(count)[:-1]
        if not count.all():
            gap = times[np.flatnonzero(count == 0)[0]]
            raise ScoresError(
                f"{self.where}: no span holds the frame at {gap:.3f} s of {duration:.2f} s of video; score all of it."
            )
        # Summed span by span: a running sum would carry the rounding of one part of the video into another.
        total = np.zeros(times.size)
        for start, end, value in zip(first, last, self.values, strict=True):
            total[start:end] += value
        return _at_frames(total / count, times, duration, settings)


@dataclass(frozen=True, eq=False)
class DetectedTimeline:
    """A result of ``hiprobe detect``: segments with raw and smoothed scores (n,), and the events found."""

    where: str
    n_frames: int
    starts: FloatArray
    ends: FloatArray
    raw: FloatArray
    smoothed: FloatArray
    events: Spans
    kinds: tuple[str, ...] | None = None

    def read(self, times: FloatArray, duration: float, settings: ScoresSettings) -> Scored:
        """Read the score curve at frames, as ``hiprobe eval --probe`` does; events change with the settings."""
        _refuse_every(self.where, settings)
        if self.n_frames != times.size:
            raise ScoresError(
                f"{self.where}: is of a video of {self.n_frames} frames, but the video at hand has {times.size}; run "
                "hiprobe detect on it again."
            )
        centres = (self.starts + self.ends) / 2
        smoothed = self.smoothed if settings.sigma is None else smooth(self.raw, centres, settings.sigma)
        if settings.sigma is not None and settings.threshold is None:
            raise UsageError("--sigma changes which scores are over the threshold of a result: give --threshold too.")
        found = settings.find(smoothed, centres, duration)
        frames = frame_scores(smoothed, centres, times)
        # Events that are found anew were never given a kind.
        return Scored(frames, self.events, self.kinds) if found is None else Scored(frames, found)


Timeline = FrameTimeline | PointTimeline | SpanTimeline | DetectedTimeline


def _at_frames(scores: FloatArray, times: FloatArray, duration: float, settings: ScoresSettings) -> Scored:
    if settings.sigma:
        scores = smooth(scores, times, settings.sigma)
    return Scored(scores, settings.find(scores, times, duration))


def _refuse_every(where: str, settings: ScoresSettings) -> None:
    """Raise UsageError if the settings count frames per score, for scores that have times of their own."""
    if settings.every is not None:
        raise UsageError(f"{where}: has times, so --scores-every does not apply; leave it out.")


def _past_the_end(where: str, name: str, seconds: float, duration: float) -> str:
    return (
        f"{where}: the {name} {seconds:g} s is past the end of the video at {duration:.2f} s; give seconds of this "
        "video, not frame numbers."
    )
