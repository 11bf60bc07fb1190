"""From a probe to the anomaly maps of a video's events: its weights, read against the states of single visual tokens.

- A probe that pools ``visual`` or ``motion`` scores a mean over visual tokens, and is linear: the score of that mean is
  the mean of what it makes of each token, and this is the token's place in the map.
- One that pools ``last`` has never seen a visual token, and its weights read against them were measured to say nothing.
  So the direction is found along which the mean of the visual tokens moves with the score, over the video's segments.
- A one-class probe scores single tokens: their distances from normal make the map.

Where tokens stand for all frames of a segment, as with the embedded backbone, their scores are spread over frames and
within their cells by what moves there, or is there and usually is not: who lies still does not move.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from hiprobe.backbones import Places
from hiprobe.explain.anomaly_map import AnomalyMap
from hiprobe.explain.backdrop import backdrop, departure
from hiprobe.explain.keeping import Kept, MapKeeper, along
from hiprobe.localize import Event
from hiprobe.video import SampledSegment, Segment, Video

COMPARED = 64
"""Segments of which a probe that pools ``last`` is told apart by the visual tokens: spread evenly over the scores."""

_LEAST = 3

_SURE = 1e-9


def read_anomaly_map(
    video: Video,
    segments: Sequence[Segment],
    scores: NDArray[np.float64],
    events: Sequence[Event],
    keeper: MapKeeper,
) -> AnomalyMap:
    """Return the anomaly maps of a video's events.

    Frames are decoded once more, of the segments that an event touches; the backbone runs only on those that the
    keeper has forgotten or never saw. A probe that pools ``last`` needs up to 64 segments more, and at least 3 whose
    scores differ: a shorter video has no map.

    Parameters
    ----------
    video : Video
        What was scored.
    segments : sequence of Segment
        All segments of the video, in order.
    scores : ndarray of shape (n,)
        Theirs, before smoothing.
    events : sequence of Event
        Of the video.
    keeper : MapKeeper
        Of the probe that scored them.

    Raises
    ------
    UsageError
        If the backbone does not tell places apart.
    VideoError
        If the video cannot be decoded.
    """
    touched = [s for s in segments if any(event.start < s.end and s.start < event.end for event in events)]
    direction: NDArray[np.float64] | None = None
    empty: NDArray[np.uint8] | None = None
    if keeper.is_open and touched:
        order = np.argsort(scores, kind="stable")
        places = np.unique(np.linspace(0, len(order) - 1, min(len(order), COMPARED)).round().astype(int))
        chosen = np.sort(order[places])
        means, shown = [], []
        for item in keeper.sample(video, [segments[i] for i in chosen]):
            means.append(_mean(keeper.recall(item)))
            shown.append(item.frames[0])
        empty = backdrop(shown)
        # A score may be 1 by rounding.
        direction = _moving_with(np.array(means), logit(np.clip(scores[chosen], _SURE, 1 - _SURE)))
        touched = [] if direction is None else touched
    times, maps = [], []
    for item in keeper.sample(video, touched):
        found = keeper.recall(item)
        if isinstance(found, Places):
            assert direction is not None
            found = along(found, direction, _there(item, found, empty))
        times += [part.mean() for part in np.array_split(item.times, len(found))]
        maps.append(found)
    return (
        _merged(np.array(times), np.concatenate(maps)) if maps else AnomalyMap(np.empty(0), np.empty((0, 1, 1), "f4"))
    )


def _there(item: SampledSegment, places: Places, empty: NDArray[np.uint8] | None) -> NDArray[np.float32] | None:
    """Return how far a segment departs from the empty scene, where its motion is told; None if it is not."""
    if empty is None or places.motion is None:
        return None
    rows, columns = places.motion.shape[2:]
    return departure(item.frames, empty, (rows, columns))


def _mean(kept: Kept) -> NDArray[np.float64]:
    assert isinstance(kept, Places)
    return kept.states.mean(axis=(0, 1, 2, 3), dtype=np.float64)


def _merged(times: NDArray[np.float64], maps: NDArray[np.float32]) -> AnomalyMap:
    """Put maps in order of time; of frames that overlapping segments share, the mean counts."""
    each, place = np.unique(times.round(3), return_inverse=True)
    total = np.zeros((len(each), *maps.shape[1:]))
    np.add.at(total, place, maps)
    return AnomalyMap(each, (total / np.bincount(place)[:, None, None]).astype(np.float32))


def _moving_with(means: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the direction (D,) in which standardised means (n, D) move with logits (n,); None if nothing can be told.

    That is their covariance: with fewer segments than features, regression was measured to tell pixels apart less well.
    """
    deviation = means.std(axis=0)
    deviation = np.where(deviation > 1e-6 * np.abs(means).max(initial=0.0), deviation, np.inf)
    if len(means) < _LEAST or np.ptp(logits) == 0 or np.isinf(deviation).all():
        return None
    return ((means - means.mean(axis=0)) / deviation).T @ (logits - logits.mean()) / deviation
