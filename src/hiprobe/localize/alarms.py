"""What ordinary footage says of thresholds: how many alarms an hour each of them will give.

::

    alarms = AlarmRates.of(ordinary, settings)       # scored footage of an ordinary hour or more
    threshold = alarms.threshold_for(2 / 24)         # two a day
    low, high = alarms.interval(threshold)           # of the rate that will come, an hour
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import expit, logit
from scipy.stats import gamma

from hiprobe.arrays import FloatArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.localize.peaks import OrdinaryScores, event_peaks
from hiprobe.localize.settings import LocalizeSettings, check_rate
from hiprobe.localize.tail import Tail, odd_ones

UNLIKELY = 0.01
"""Ordinary peaks of this height, in as much footage, are expected so seldom that one of them is none."""

_UNITS = {1: "an hour", 24: "a day", 168: "a week"}

MOST = 1000
"""Peaks that are kept, the highest."""


@dataclass(frozen=True)
class AlarmRates:
    """How many events an hour ordinary footage has over a threshold.

    Attributes
    ----------
    hours : float
        Of ordinary footage.
    peaks : tuple of float
        Of its events, highest first; see :func:`event_peaks`.
    probabilities : bool
        Whether scores are probabilities. Their tail is that of their log odds.
    asked : float, optional
        Events an hour that the probe's own threshold was set by.

    Raises
    ------
    UsageError
        If there is no footage or peak, the peaks do not descend, or a number is wrong.
    """

    hours: float
    peaks: tuple[float, ...]
    probabilities: bool = False
    asked: float | None = None

    def __post_init__(self) -> None:
        values = np.array(self.peaks)
        if not (math.isfinite(self.hours) and self.hours > 0) or not values.size:
            raise UsageError(f"{len(self.peaks)} peaks in {self.hours} hours of footage; give some of both.")
        if not np.isfinite(values).all() or (np.diff(values) > 0).any():
            raise UsageError("Peaks must be finite numbers, the highest first.")
        if self.probabilities and not (values[0] <= 1 and values[-1] >= 0):
            raise UsageError("Peaks that are probabilities must lie from 0 to 1.")

    @classmethod
    def of(
        cls, videos: Sequence[OrdinaryScores], settings: LocalizeSettings, probabilities: bool = False
    ) -> AlarmRates:
        """Take the peaks of ordinary footage, scored by a scorer that did not see it.

        Raises
        ------
        CalibrationError
            If there is no footage.
        UsageError
            If a video's scores are no curve.
        """
        if not videos:
            raise CalibrationError("No ordinary footage is left to set a threshold on; add some.")
        peaks = np.sort(np.concatenate([event_peaks(video, settings) for video in videos]))[::-1]
        hours = sum(video.duration for video in videos) / 3600
        return cls(hours, tuple(peaks[:MOST].tolist()), probabilities)

    def asking(self, per_hour: float) -> AlarmRates:
        """Return the same with the rate that the probe's own threshold is set by."""
        return replace(self, asked=check_rate(per_hour))

    def up_to(self, score: float) -> AlarmRates:
        """Return the same without the peaks over a score, as if nothing had been there; the lowest peak stays."""
        kept = tuple(peak for peak in self.peaks if peak <= score)
        return replace(self, peaks=kept or self.peaks[-1:])

    def standing_out(self) -> float:
        """Return the score over which peaks are no ordinary ones: events that are hidden in the footage.

        A peak is one if the others, by an exponential tail, would reach it less than :data:`UNLIKELY` times in as much
        footage. Of the highest tenth of the peaks the tail knows only that they are high, so all of them may be such.
        Infinity if none is.
        """
        over = odd_ones(np.array([self._scale(peak) for peak in self.peaks]), UNLIKELY)
        return self.peaks[over] if over else math.inf

    def counts(self, per_hour: float) -> bool:
        """Whether the footage is long enough to count such a rate: to hold one event."""
        return per_hour * self.hours >= 1 - 1e-9

    def threshold_for(self, per_hour: float) -> float:
        """Return the threshold that so many events an hour of ordinary footage are over.

        Where the footage holds m events at that rate, it is the m-th highest peak: over it will be m events in as much
        footage, on average. Where it is too short for one event, the tail of the peaks says it, and the threshold is
        no lower than the highest peak.

        Raises
        ------
        UsageError
            If the rate is not a finite number over 0.
        """
        check_rate(per_hour)
        held = math.floor(per_hour * self.hours + 1e-9)
        if held:
            return self.peaks[min(held, len(self.peaks)) - 1]
        tail = self._tail
        if tail is None:
            return self.peaks[0]
        return max(self._score(tail.score_of(per_hour * self.hours)), self.peaks[0])

    def rate_at(self, score: float) -> float:
        """Return how many events an hour of ordinary footage reach a score; far over all peaks it nears 0."""
        reached = self._reached(score)
        if reached or self._tail is None:
            return max(reached, 1) / self.hours
        return min(self._tail.count_over(self._scale(score)), 1.0) / self.hours

    def interval(self, threshold: float) -> tuple[float, float]:
        """Return the 95% interval of the events an hour that will be over a threshold.

        Where events were over it, that of a Poisson rate by their number. Over all peaks, that of the tail.

        References
        ----------
        Garwood, Fiducial limits for the Poisson distribution, 1936.
        """
        over = int(np.count_nonzero(self._peaks > threshold))
        high = float(gamma.ppf(0.975, over + 1))
        low = float(gamma.ppf(0.025, over)) if over else 0.0
        if not over and self._tail is not None:
            low, tail_high = self._tail.interval(self._scale(threshold))
            low, high = min(low, high), min(tail_high, high)
        return low / self.hours, high / self.hours

    def _reached(self, score: float) -> int:
        return int(np.count_nonzero(self._peaks >= score))

    @cached_property
    def _peaks(self) -> FloatArray:
        return np.array(self.peaks)

    @cached_property
    def _tail(self) -> Tail | None:
        return Tail.of(np.array([self._scale(peak) for peak in self.peaks]))

    def _scale(self, score: float) -> float:
        """Return a score on the scale of the tail. What rounding made 0 or 1 stays finite."""
        if not self.probabilities:
            return score
        return float(logit(min(max(score, 1e-15), 1 - 1e-15)))

    def _score(self, scaled: float) -> float:
        return float(expit(scaled)) if self.probabilities else scaled


def rate_text(per_hour: float) -> str:
    """Say a rate in words: an hour where one or more comes in it, else a day or a week.

    >>> rate_text(3.2), rate_text(0.25), rate_text(0.01)
    ('3.2 an hour', '6 a day', '1.7 a week')
    """
    hours = next((one for one in (1, 24) if per_hour * one >= 1), 168)
    return f"{_figure(per_hour * hours)} {_UNITS[hours]}"


def expected_text(per_hour: float, interval: tuple[float, float], hours: int | None = None) -> str:
    """Say a rate with its interval in one unit: that of ``hours`` (1, 24 or 168), or as :func:`rate_text` chooses.

    >>> expected_text(3.2, (1.2, 12)), expected_text(1 / 12, (0, 0.5), hours=24)
    ('3.2 an hour (95%: 1.2 to 12)', '2 a day (95%: 0 to 12)')
    """
    hours = hours or next((one for one in (1, 24) if per_hour * one >= 1), 168)
    low, high = (_figure(one * hours) for one in interval)
    return f"{_figure(per_hour * hours)} {_UNITS[hours]} (95%: {low} to {high})"


def _figure(value: float) -> str:
    if value < 0.005:
        return "0"
    return f"{value:.0f}" if value >= 9.95 else f"{value:.2g}"
