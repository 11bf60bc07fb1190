"""How scores are turned into events."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from hiprobe.errors import UsageError

ThresholdChoice = Literal["calibrated", "adaptive"]


@dataclass(frozen=True)
class LocalizeSettings:
    """How scores are turned into events.

    Parameters
    ----------
    sigma : float
        Standard deviation of the Gaussian smoothing, in seconds; 0 leaves scores as they are.
    threshold : {"calibrated", "adaptive"}
        ``calibrated``: one fixed threshold from the calibration set. ``adaptive``: mean + kappa * std
        of the video in hand, as in the paper; it sits inside the range of nearly every video's scores,
        so a wholly normal video yields events too.
    kappa : float
        Standard deviations over the mean; read by the adaptive threshold alone.
    min_duration : float
        Events shorter than this, in seconds, are dropped.
    merge_gap : float
        Events at most this far apart, in seconds, are one event.

    Raises
    ------
    UsageError
        If a number is not finite, a time is negative, or the threshold is neither of the two.
    """

    sigma: float = 1.0
    threshold: ThresholdChoice = "calibrated"
    kappa: float = 0.2
    min_duration: float = 0.5
    merge_gap: float = 1.0

    def __post_init__(self) -> None:
        choices = get_args(ThresholdChoice)
        if self.threshold not in choices:
            raise UsageError(f"threshold is {self.threshold!r}; choose one of {', '.join(choices)}.")
        if not math.isfinite(self.kappa):
            raise UsageError(f"kappa is {self.kappa}; give a finite number, such as 0.2.")
        for name in ("sigma", "min_duration", "merge_gap"):
            check_seconds(name, getattr(self, name))


def check_seconds(name: str, value: float) -> None:
    """Raise UsageError unless ``value`` is finite and not negative."""
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(f"{name} is {value}; give a number of seconds, 0 or more.")
