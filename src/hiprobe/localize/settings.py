"""How scores are turned into events."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from hiprobe.errors import UsageError

ThresholdChoice = Literal["calibrated", "adaptive"]
"""A threshold by name; a number is one by itself."""


@dataclass(frozen=True)
class LocalizeSettings:
    """How scores are turned into events.

    Parameters
    ----------
    sigma : float
        Standard deviation of the Gaussian smoothing, in seconds; 0 leaves scores as they are.
    threshold : "calibrated", "adaptive" or float
        ``calibrated``: the probe's own, one fixed threshold. ``adaptive``: mean + kappa * std
        of the video in hand, as in the paper; it sits inside the range of nearly every video's scores,
        so a wholly normal video yields events too. A number: that one, on the scale of smoothed scores.
    kappa : float
        Standard deviations over the mean; read by the adaptive threshold alone.
    min_duration : float
        Events shorter than this, in seconds, are dropped.
    merge_gap : float
        Events at most this far apart, in seconds, are one event.
    false_alarms : float, optional
        Events an hour of ordinary footage that are wanted at most, in place of a threshold: the probe knows which
        threshold gives them.

    Raises
    ------
    UsageError
        If a number is not finite, a time is negative, the threshold is none of these, or a rate is given beside one.
    """

    sigma: float = 1.0
    threshold: ThresholdChoice | float = "calibrated"
    kappa: float = 0.2
    min_duration: float = 0.5
    merge_gap: float = 1.0
    false_alarms: float | None = None

    def __post_init__(self) -> None:
        choices, given = get_args(ThresholdChoice), self.threshold
        number = isinstance(given, float | int) and not isinstance(given, bool) and math.isfinite(given)
        if not number and given not in choices:
            raise UsageError(f"threshold is {given!r}; choose one of {', '.join(choices)}, or give a number.")
        if self.false_alarms is not None:
            check_rate(self.false_alarms)
            if given != "calibrated":
                raise UsageError(
                    f"threshold is {given!r} and false_alarms {self.false_alarms:g} an hour; give one of the two."
                )
        if not math.isfinite(self.kappa):
            raise UsageError(f"kappa is {self.kappa}; give a finite number, such as 0.2.")
        for name in ("sigma", "min_duration", "merge_gap"):
            check_seconds(name, getattr(self, name))

    def of_probe(self) -> LocalizeSettings:
        """Return the same with the probe's own threshold in place of any other."""
        return replace(self, threshold="calibrated", false_alarms=None)


def check_seconds(name: str, value: float) -> None:
    """Raise UsageError unless ``value`` is finite and not negative."""
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(f"{name} is {value}; give a number of seconds, 0 or more.")


def check_rate(per_hour: float) -> float:
    """Return a rate of false alarms. Raises UsageError unless it is finite and over 0."""
    if not (math.isfinite(per_hour) and per_hour > 0):
        raise UsageError(f"A false-alarm rate of {per_hour} an hour: give a finite number over 0.")
    return per_hour
