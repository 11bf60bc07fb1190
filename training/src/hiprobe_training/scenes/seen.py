"""Clips whose event can really be seen: neither hidden, nor too far away, nor lost in the dark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hiprobe_training.scenes.clips import Clip, draw_clip
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.sensor import recorded_map

TRIES = 5
SMALL = 96  # pixels, of the pictures that are compared
LEVELS = 10  # by which a pixel must differ, of 255, once the picture is exposed
LEAST = 0.03  # share of the picture that an event must change
LEAST_OF = {"object": 0.01, "run": 0.02, "crawl": 0.02, "fall": 0.025, "smoke": 0.04, "fire": 0.015, "bicycle": 0.02}
MOMENTS = (0.35, 0.7)  # fractions of the clip


def changed(clip: Clip, renderer: Renderer) -> NDArray[np.bool_]:
    """What the event changes of the rendered picture: the clip compared with itself without the event.

    Returns
    -------
    ndarray of shape (2, SMALL, SMALL)
        At each of `MOMENTS`.
    """
    times = [moment * clip.stage.duration for moment in MOMENTS]
    a, b = (renderer.frames(stage, times, SMALL).astype(np.float32) for stage in (clip.stage, clip.quiet))
    gain = min(clip.stage.sensor.brightness / max(float(b.mean()), 1.0), 3.0)
    return np.abs(a - b).max(-1) * gain > LEVELS


def seen_share(marked: NDArray[np.bool_]) -> float:
    """How much of the picture, 0..1, the event changes at the moment when it changes least."""
    return float(marked.mean(axis=(1, 2)).min())


def event_map(marked: NDArray[np.bool_], clip: Clip, grid: int) -> NDArray[np.float32]:
    """Which share of each cell of the recorded picture the event changes, (2, grid, grid), 0..1."""
    recorded = np.stack([recorded_map(one, clip.stage.sensor) for one in marked])
    side = SMALL // grid
    return recorded.reshape(len(recorded), grid, side, grid, side).mean(axis=(2, 4), dtype=np.float32)


def draw_seen(
    seed: int,
    renderer: Renderer,
    event: str | None = "draw",
    camera: int | None = None,
    duration: float | None = None,
) -> tuple[Clip, NDArray[np.bool_]]:
    """Like :func:`~hiprobe_training.scenes.clips.draw_clip`, drawn again until the event can be seen; deterministic.

    Of `TRIES` draws that all fall short, the one that shows most is returned.

    Returns
    -------
    Clip
    ndarray of shape (2, SMALL, SMALL)
        What the event changes, see :func:`changed`; all false for a normal clip.
    """
    nothing = np.zeros((len(MOMENTS), SMALL, SMALL), dtype=bool)
    best, most, seen = None, -1.0, nothing
    for attempt in range(TRIES):
        clip = draw_clip(seed * TRIES + attempt, event, camera, duration)
        if clip.event is None:
            return clip, nothing
        event = clip.event  # another draw must not change how often a kind occurs
        marked = changed(clip, renderer)
        share = seen_share(marked) / LEAST_OF.get(clip.event, LEAST)
        if share >= 1:
            return clip, marked
        if share > most:
            best, most, seen = clip, share, marked
    assert best is not None
    return best, seen
