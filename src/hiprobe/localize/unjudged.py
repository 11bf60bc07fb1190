"""Stretches of video that no score can be trusted in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reason = Literal["unlike", "blind"]
"""``unlike``: unlike what the probe learned. ``blind``: there is nothing to see (black, frozen, covered)."""


@dataclass(frozen=True)
class Unjudged:
    """A stretch of a video that a probe cannot judge.

    Attributes
    ----------
    start, end : float
        Seconds from the start of the video.
    reason : {"unlike", "blind"}
    sentence : str
        What a person is told.
    """

    start: float
    end: float
    reason: Reason
    sentence: str
