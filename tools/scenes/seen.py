"""Clips whose event can really be seen: neither hidden, nor too far away, nor lost in the dark."""

from __future__ import annotations

import numpy as np

from tools.scenes.clips import Clip, draw_clip
from tools.scenes.raster import Renderer

TRIES = 8
SMALL = 96  # pixels, of the pictures that are compared
LEVELS = 10  # by which a pixel must differ, of 255, once the picture is exposed
LEAST = 0.012  # share of the picture that an event must change
LEAST_OF = {"object": 0.004, "smoke": 0.02, "fire": 0.006, "bicycle": 0.009}
MOMENTS = (0.35, 0.7)  # fractions of the clip


def seen_share(clip: Clip, renderer: Renderer) -> float:
    """How much of the picture, 0..1, the event changes: the clip compared with itself without the event."""
    times = [moment * clip.stage.duration for moment in MOMENTS]
    a, b = (renderer.frames(stage, times, SMALL).astype(np.float32) for stage in (clip.stage, clip.quiet))
    gain = min(clip.stage.sensor.brightness / max(float(b.mean()), 1.0), 3.0)
    return float((np.abs(a - b).max(-1) * gain > LEVELS).mean(axis=(1, 2)).min())


def draw_seen(seed: int, renderer: Renderer, event: str | None = "draw") -> Clip:
    """Like :func:`tools.scenes.clips.draw_clip`, drawn again until the event can be seen; deterministic by seed.

    Of `TRIES` draws that all fall short, the one that shows most is returned.
    """
    best, most = None, -1.0
    for attempt in range(TRIES):
        clip = draw_clip(seed * TRIES + attempt, event)
        if clip.event is None:
            return clip
        event = clip.event  # another draw must not change how often a kind occurs
        share = seen_share(clip, renderer) / LEAST_OF.get(clip.event, LEAST)
        if share >= 1:
            return clip
        if share > most:
            best, most = clip, share
    assert best is not None
    return best
