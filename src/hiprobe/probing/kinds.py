"""Kinds of events: what sort of event a segment shows."""

from __future__ import annotations

from dataclasses import dataclass

UNKNOWN = "unknown"
"""The kind of an event that no kind is probable enough for."""


@dataclass(frozen=True)
class EventKind:
    """What sort of event an event is, and how surely.

    Attributes
    ----------
    name : str
        A kind of the calibration set, or ``unknown``.
    probability : float
        Of that kind, calibrated by cross-validation; of ``unknown``, that of the most probable kind.
    """

    name: str
    probability: float
