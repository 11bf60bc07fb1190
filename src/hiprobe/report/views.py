"""What the report shows of a detection, ready for the template: texts, stills, and the points of the chart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from hiprobe.errors import VideoError
from hiprobe.explain import AnomalyMap, told
from hiprobe.localize import Event
from hiprobe.pipeline import DetectedEvent, Detection
from hiprobe.probing import CalibrationSegment
from hiprobe.report.clock import length, recorded_at, stamp, wall_clock
from hiprobe.report.stills import Still, event_stills
from hiprobe.report.thinning import thin
from hiprobe.video import VideoInfo, VideoRef

CARDS = 12
"""Events of a video that get a card with stills, the highest first; the others are in its table."""

POINTS = 1000
"""Points of a chart: more than a screen can tell apart."""

_ROWS = 24
"""Rows of the table that says what the chart shows."""


@dataclass(frozen=True)
class Similar:
    """A calibration segment that an event is like: its label, and its video and time."""

    label: str
    where: str


@dataclass(frozen=True)
class EventView:
    """An event. ``number`` counts the events of a video by time; ``clock`` is empty where no clock is known."""

    number: int
    start: float
    end: float
    when: str
    clock: str
    length: str
    peak: str
    peak_at: str
    mean: str
    evidence: str
    explanation: str
    similar: tuple[Similar, ...]
    stills: tuple[Still, ...] = ()


@dataclass(frozen=True)
class Span:
    """A row of the table under the chart: a part of the video and its highest smoothed score."""

    when: str
    highest: str
    over: bool


@dataclass(frozen=True)
class Stretch:
    """A part of the video that the probe could not judge, and why, in a sentence."""

    when: str
    why: str


@dataclass(frozen=True)
class Chart:
    """What the script draws: numbers alone, so that no text of anybody reaches it. Times are seconds."""

    times: list[float]
    scores: list[float]
    smoothed: list[float]
    threshold: float
    events: list[tuple[float, float]]
    unjudged: list[tuple[float, float]]
    duration: float
    begun: float | None


@dataclass(frozen=True)
class VideoView:
    """A video.

    Attributes
    ----------
    severity : tuple of float
        How far its highest peak is over its threshold, then seconds within events: what the index is sorted by.
        (-inf, 0) without any event.
    facts : tuple of (str, str)
        Name and value.
    events, cards : tuple of EventView
        All by time, and those that get a card, by time.
    spans : tuple of Span
    unjudged : tuple of Stretch
        By time.
    notes, warnings : tuple of str
        What the report has to say about this video, and what the detection has.
    """

    name: str
    path: str
    severity: tuple[float, float]
    duration: float
    length: str
    abnormal: str
    peak: str
    over: str
    threshold: str
    facts: tuple[tuple[str, str], ...]
    events: tuple[EventView, ...]
    cards: tuple[EventView, ...]
    chart: Chart
    spans: tuple[Span, ...]
    unjudged: tuple[Stretch, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def view(detection: Detection, start_time: datetime | None) -> VideoView:
    """Return what the report shows of a detection; its video is read once more, for the stills.

    Where that is impossible, or it is another video by now, there are no stills and a note says why.
    """
    video = detection.video
    found = [item.event for item in detection.events]
    carded = sorted(sorted(range(len(found)), key=lambda index: -found[index].peak)[:CARDS])
    stills, begun, notes = _from_the_video(video, [found[index] for index in carded], detection.anomaly_map)
    begun = start_time or detection.start or begun
    pictures = dict(zip(carded, stills, strict=False))  # of all or none
    events = tuple(_event(index, item, begun, pictures.get(index, ())) for index, item in enumerate(detection.events))
    abnormal = sum(event.end - event.start for event in found)
    peak = max((event.peak for event in found), default=-math.inf)
    return VideoView(
        name=video.path.name + (f" ({detection.provenance.probe})" if detection.provenance.probe else ""),
        path=str(video.path),
        severity=(peak - detection.threshold if events else -math.inf, abnormal),
        duration=video.duration,
        length=stamp(video.duration),
        abnormal=length(abnormal) if events else "",
        peak=f"{peak:.2f}" if events else "",
        over=f"{peak - detection.threshold:+.2f}" if events else "",
        threshold=f"{detection.threshold:.2f}",
        facts=_facts(detection, begun),
        events=events,
        cards=tuple(events[index] for index in carded),
        chart=_chart(detection, begun),
        spans=_spans(detection),
        unjudged=tuple(Stretch(f"{stamp(one.start)} – {stamp(one.end)}", one.sentence) for one in detection.unjudged),
        notes=notes,
        warnings=detection.warnings,
    )


def _from_the_video(
    info: VideoInfo, events: Sequence[Event], anomaly_map: AnomalyMap | None
) -> tuple[tuple[tuple[Still, ...], ...], datetime | None, tuple[str, ...]]:
    """Return stills, when the video was begun by its own word, and notes."""
    try:
        video = VideoRef.from_info(info).open()
        # The duration of a folder depends on its frame rate, which was rounded.
        if video.info.n_frames != info.n_frames or not math.isclose(video.info.duration, info.duration, rel_tol=1e-6):
            return (), None, (f"No stills: {info.path} is another video than the one that was detected on.",)
        stills = event_stills(video, events, anomaly_map) if events else ()
        return stills, recorded_at(video.info), ()
    except VideoError as error:
        return (), None, (f"No stills: {error}",)


def _event(index: int, item: DetectedEvent, begun: datetime | None, stills: tuple[Still, ...]) -> EventView:
    event = item.event
    clock = wall_clock(begun + timedelta(seconds=event.start)) if begun else ""
    return EventView(
        number=index + 1,
        start=event.start,
        end=event.end,
        when=f"{stamp(event.start)} – {stamp(event.end)}",
        clock=clock,
        length=length(event.end - event.start),
        peak=f"{event.peak:.2f}",
        peak_at=stamp(event.peak_time),
        mean=f"{event.mean:.2f}",
        evidence=item.evidence,
        explanation=told(item.said, item.stance) if item.said else "",
        similar=tuple(_similar(one) for one in item.similar),
        stills=stills,
    )


def _similar(segment: CalibrationSegment) -> Similar:
    return Similar(segment.label, f"{segment.video}, {stamp(segment.start)} – {stamp(segment.end)}")


def _facts(detection: Detection, begun: datetime | None) -> tuple[tuple[str, str], ...]:
    video, made = detection.video, detection.provenance
    facts = [
        ("Length", f"{stamp(video.duration)} ({video.n_frames} frames, {video.width} × {video.height})"),
        ("Begins", wall_clock(begun) if begun else ""),
        ("Threshold", f"{detection.threshold:.3f}, {made.localize.threshold}"),
        ("Probe", f"{made.probe_source}, made {made.probe_created}"),
        ("Backbone", f"{made.reading.name}, layer {made.reading.layer}, {made.reading.pooling}"),
    ]
    return tuple((name, value) for name, value in facts if value)


def _curves(detection: Detection) -> tuple[np.ndarray, np.ndarray]:
    """Return the centres of the segments (n,), and raw and smoothed scores (2, n)."""
    rows = [((one.start + one.end) / 2, one.score, one.smoothed) for one in detection.segments]
    centres, *curves = np.array(rows, np.float64).T
    return centres, np.array(curves)


def _chart(detection: Detection, begun: datetime | None) -> Chart:
    centres, curves = _curves(detection)
    kept = thin(curves, POINTS)
    return Chart(
        times=np.round(centres[kept], 2).tolist(),
        scores=np.round(curves[0, kept], 4).tolist(),
        smoothed=np.round(curves[1, kept], 4).tolist(),
        threshold=round(detection.threshold, 4),
        events=[(round(item.event.start, 2), round(item.event.end, 2)) for item in detection.events],
        unjudged=[(round(one.start, 2), round(one.end, 2)) for one in detection.unjudged],
        duration=detection.video.duration,
        # As if the clock on the wall were in UTC: the script is to show its digits, not to convert them.
        begun=None if begun is None else (begun.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds(),
    )


def _spans(detection: Detection) -> tuple[Span, ...]:
    """Cut the video into a few parts, each from the start of a segment to the start of a later one or to the end."""
    _, (_, smoothed) = _curves(detection)
    starts = [one.start for one in detection.segments]
    parts = np.array_split(np.arange(len(starts)), min(_ROWS, len(starts)))
    borders = [*(starts[part[0]] for part in parts), detection.video.duration]
    tops = [float(smoothed[part].max()) for part in parts]
    return tuple(
        Span(f"{stamp(start)} – {stamp(end)}", f"{top:.2f}", top > detection.threshold)
        for (start, end), top in zip(pairwise(borders), tops, strict=True)
    )
