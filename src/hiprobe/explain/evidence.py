"""One sentence about an event, made of measurements alone: it comes before what a language model says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import label

from hiprobe.explain.anomaly_map import AnomalyMap
from hiprobe.localize import Event
from hiprobe.probing import CalibrationSegment, EventKind
from hiprobe.probing.kinds import UNKNOWN

WIDEST = 0.4
"""Share of the picture: what fills more of it is at no place in it."""


def evidence(
    kind: EventKind | None = None,
    rate_per_hour: float | None = None,
    hours: float | None = None,
    place: str = "",
    similar: Sequence[CalibrationSegment] = (),
) -> str:
    """Return what was measured of an event as one sentence; empty if nothing was.

    Parameters
    ----------
    kind : EventKind, optional
        What sort of event it is.
    rate_per_hour : float, optional
        How many events an hour of ordinary footage reach a score as high.
    hours : float, optional
        How much ordinary footage that rate comes from: no claim goes beyond it.
    place : str
        As of :func:`place_of`.
    similar : sequence of CalibrationSegment
        Nearest first; the first is named.

    Examples
    --------
    >>> evidence(EventKind("fight", 0.81), rate_per_hour=1 / 9, hours=20, place="in the lower left")
    'Fight (81%); ordinary footage reaches such a score about once in 9 hours; in the lower left of the picture.'
    """
    parts = []
    if kind is not None:
        parts.append("kind unknown" if kind.name == UNKNOWN else f"{kind.name} ({kind.probability:.0%})")
    if rate_per_hour is not None:
        parts.append(rarity(rate_per_hour, hours))
    if place:
        parts.append(f"{place} of the picture")
    if similar:
        nearest = similar[0]
        parts.append(f"most like {nearest.video} at {_clock(nearest.start)} ({nearest.label})")
    said = "; ".join(parts)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def rarity(rate_per_hour: float, hours: float | None = None) -> str:
    """Say how often ordinary footage reaches a score, by events an hour of so many hours of it.

    Raises
    ------
    ValueError
        If a number is negative.

    >>> rarity(0.001, hours=0.7)
    'ordinary footage never reached such a score (there are 42 minutes of it)'
    """
    if rate_per_hour < 0 or (hours is not None and hours < 0):
        raise ValueError(f"{rate_per_hour} events an hour of {hours} hours; give numbers of at least 0.")
    # Less than one event in all the footage: what is rarer than that, the footage cannot tell.
    if hours is not None and rate_per_hour * hours < 1 - 1e-9:
        return f"ordinary footage never reached such a score (there are {_span(hours)} of it)"
    if rate_per_hour == 0:
        return "ordinary footage never reached such a score"
    often = (
        f"about {rate_per_hour:.0f} times an hour"
        if rate_per_hour >= 1.5
        else f"about once in {_span(1 / rate_per_hour)}"
    )
    return f"ordinary footage reaches such a score {often}"


def place_of(maps: AnomalyMap | None, event: Event) -> str:
    """Return where in the picture an event is, as "in the lower left"; empty if its maps are missing or show no place.

    It is the middle of the hottest region of the mean map of the event: what lies around its highest point and over
    halfway from the median.
    """
    if maps is None or not len(maps.times):
        return ""
    within = maps.between(event.start, event.end).maps
    if not len(within):
        return ""
    heat = within.mean(axis=0, dtype=np.float64)
    heat -= np.median(heat)
    if heat.max() <= 0:
        return ""
    regions, _ = label(heat >= heat.max() / 2)  # pyright: ignore[reportGeneralTypeIssues]
    hottest = regions == regions[np.unravel_index(heat.argmax(), heat.shape)]
    if hottest.mean() > WIDEST:
        return ""
    rows, columns = np.nonzero(hottest)
    down = ("upper", "", "lower")[_third(rows, heat.shape[0])]
    across = ("left", "", "right")[_third(columns, heat.shape[1])]
    if down and across:
        return f"in the {down} {across}"
    if down:
        return {"upper": "at the top", "lower": "at the bottom"}[down]
    return f"at the {across}" if across else "in the middle"


def _third(places: np.ndarray, size: int) -> int:
    return min(int(3 * (places.mean() + 0.5) / size), 2)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"


def _span(hours: float) -> str:
    """Say a stretch of time in the largest unit that it holds more than one of."""
    for unit, length in (("day", 24.0), ("hour", 1.0), ("minute", 1 / 60), ("second", 1 / 3600)):
        count = round(hours / length)
        if count > 1:
            return f"{count} {unit}s"
    return "a second"
