"""Detections that no backbone made, for tests of what becomes of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hiprobe.backbones import Reading
from hiprobe.explain import Explanation
from hiprobe.localize import Event, LocalizeSettings, Unjudged
from hiprobe.pipeline import DetectedEvent, Detection, Provenance, SegmentScore, Timings
from hiprobe.probing import CalibrationSegment, EventKind
from hiprobe.video import Sampling, VideoInfo, open_video, plan_segments

SIMILAR = (CalibrationSegment("day6_fight.mp4", 2.0, 4.0, "fight"), CalibrationSegment("day1_car.mp4", 1.0, 3.0, "car"))


def detection(
    video: Path | VideoInfo,
    events: Sequence[tuple[float, float]] = (),
    *,
    peak: float = 0.9,
    text: str = "Somebody fights in a square.",
    similar: tuple[CalibrationSegment, ...] = SIMILAR,
    warnings: tuple[str, ...] = (),
    kind: EventKind | None = None,
    evidence: str = "",
    unjudged: tuple[Unjudged, ...] = (),
) -> Detection:
    """Return a detection with these events, in seconds; scores are ``peak`` within them and 0.1 outside."""
    info = video if isinstance(video, VideoInfo) else open_video(video).info
    sampling = Sampling()
    segments = plan_segments(info.duration, sampling)
    scores = [peak if any(start <= one.centre < end for start, end in events) else 0.1 for one in segments]
    return Detection(
        video=info,
        segments=tuple(
            SegmentScore(one.start, one.end, float(np.clip(score + 0.05, 0, 1)), score)
            for one, score in zip(segments, scores, strict=True)
        ),
        threshold=0.5,
        events=tuple(
            DetectedEvent(
                Event(start, end, (start + end) / 2, peak, peak - 0.1),
                Explanation(text, "What is unusual?", start, end),
                similar,
                kind,
                evidence,
            )
            for start, end in events
        ),
        provenance=Provenance(
            "0.1.0",
            Reading("f" * 64, (5,), "visual", "What?", sampling, name="fake"),
            LocalizeSettings(),
            "2026-03-01T00:00:00+00:00",
            "labels.csv",
        ),
        timings=Timings(1.0, 1.0),
        warnings=warnings,
        unjudged=unjudged,
    )
