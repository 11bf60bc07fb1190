"""From a probe to the heat maps of a video's events: its weights, read against the states of single visual tokens.

- A probe that pools ``visual`` or ``motion`` scores a mean over visual tokens, and is linear: the score of that mean is
  the mean of what it makes of each token, and this is the token's heat.
- One that pools ``last`` has never seen a visual token, and its weights read against them were measured to say nothing.
  So the direction is found along which the mean of the visual tokens moves with the score, over the video's segments.
- A one-class probe scores single tokens: their distances from normal are the heat.

Where tokens stand for all frames of a segment, as with the embedded backbone, their heat is spread over frames and
within their cells by what moves there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import logit

from hiprobe.backbones import Backbone, PlacedBackbone, PlacedStates, TokenBackbone
from hiprobe.backbones.base import Pooling, token_grid
from hiprobe.errors import UsageError
from hiprobe.explain.heatmap import HeatMap
from hiprobe.localize import Event
from hiprobe.probing import AnyProbe, OneClassProbe, Probe
from hiprobe.probing.oneclass import view_tokens
from hiprobe.video import SampledSegment, Segment, Video, sample_segments

COMPARED = 64
"""Segments of which a probe that pools ``last`` is told apart by the visual tokens: spread evenly over the scores."""

_LEAST = 3

Read = Callable[[SampledSegment], NDArray[np.float32]]
"""Makes the maps (steps, rows, columns) of a segment."""


def read_heat(
    video: Video,
    segments: Sequence[Segment],
    scores: NDArray[np.float64],
    events: Sequence[Event],
    probe: AnyProbe,
    backbone: Backbone,
) -> HeatMap:
    """Return the heat maps of a video's events; only segments that an event touches are read.

    A probe that pools ``last`` needs up to 64 segments more, and at least 3 whose scores differ: a shorter video has no
    map.

    Parameters
    ----------
    video : Video
        Where the segments are read.
    segments : sequence of Segment
        All segments of the video, in order.
    scores : ndarray of shape (n,)
        Theirs, before smoothing.
    events : sequence of Event
        Of the video.
    probe : Probe or OneClassProbe
        What scored them.
    backbone : Backbone
        The probe's.

    Raises
    ------
    UsageError
        If the backbone does not tell places apart.
    VideoError
        If the video cannot be decoded.
    """
    check_heat(probe, backbone)
    touched = [s for s in segments if any(event.start < s.end and s.start < event.end for event in events)]
    if isinstance(probe, OneClassProbe):
        size, read = _one_class(probe, backbone)
    else:
        size = backbone.info.frame_size
        read = _linear(video, segments, scores, probe, backbone) if touched else None
    times, maps = [], []
    if read is not None:
        for item in sample_segments(video, touched, probe.context.frames, size):
            found = read(item)
            times += [part.mean() for part in np.array_split(item.times, len(found))]
            maps.append(found)
    return _merged(np.array(times), np.concatenate(maps)) if maps else HeatMap(np.empty(0), np.empty((0, 1, 1), "f4"))


def check_heat(probe: AnyProbe, backbone: Backbone) -> None:
    """Raise UsageError if the backbone does not give what heat maps are read from."""
    wanted = TokenBackbone if isinstance(probe, OneClassProbe) else PlacedBackbone
    if not isinstance(backbone, wanted):
        raise UsageError(
            f"The {backbone.info.name} backbone does not tell places in the picture apart; pass --no-heat, or "
            "use another."
        )


def _merged(times: NDArray[np.float64], maps: NDArray[np.float32]) -> HeatMap:
    """Put maps in order of time; of frames that overlapping segments share, the mean counts."""
    each, place = np.unique(times.round(3), return_inverse=True)
    total = np.zeros((len(each), *maps.shape[1:]))
    np.add.at(total, place, maps)
    return HeatMap(each, (total / np.bincount(place)[:, None, None]).astype(np.float32))


def _one_class(probe: OneClassProbe, backbone: Backbone) -> tuple[tuple[int, int], Read]:
    """Return the size of frames, and what reads the distances of a segment's tokens: the mean over the views."""
    assert isinstance(backbone, TokenBackbone) and backbone.info.tokens is not None  # or it could not have scored
    scorer, prompt, size = probe.scorer, probe.context.prompt, backbone.info.tokens.frame_size

    def read(item: SampledSegment) -> NDArray[np.float32]:
        tokens = backbone.token_states(
            item.frames[None], prompt, [probe.layer], [item.segment.end - item.segment.start]
        )
        found = []
        for view, seen in view_tokens(tokens[:, 0]).items():
            if view in scorer.models:
                flat = scorer.models[view].distances(seen.reshape(-1, seen.shape[-1]))
                distances = (flat.reshape(seen.shape[1:3]) - scorer.centres[view]) / scorer.scales[view]
                # Motion is from one step to the next, and has one less: what moves first is in the first step, too.
                found.append(np.concatenate([distances[:1]] * (tokens.shape[2] - len(distances)) + [distances]))
        heat = np.stack(found).mean(axis=0)
        return heat.reshape(-1, *token_grid(backbone.info, heat.shape[-1], size)).astype(np.float32)

    return size, read


def _linear(
    video: Video, segments: Sequence[Segment], scores: NDArray[np.float64], probe: Probe, backbone: Backbone
) -> Read | None:
    """Return what reads the visual tokens of a segment, or None if the video does not show what to look for."""
    assert isinstance(backbone, PlacedBackbone)
    # The probe was checked by detection.
    pooling: Pooling = probe.pooling  # type: ignore[assignment]

    def placed(item: SampledSegment) -> PlacedStates:
        seconds = item.segment.end - item.segment.start
        return backbone.placed_states(item.frames[None], probe.context.prompt, probe.layer, pooling, [seconds])

    if pooling != "last":
        direction = probe.scorer.weights / probe.scorer.scale
    else:
        order = np.argsort(scores, kind="stable")
        places = np.unique(np.linspace(0, len(order) - 1, min(len(order), COMPARED)).round().astype(int))
        chosen = np.sort(order[places])
        sampled = sample_segments(video, [segments[i] for i in chosen], probe.context.frames, backbone.info.frame_size)
        means = np.array([placed(item).states[0].mean(axis=(0, 1, 2), dtype=np.float64) for item in sampled])
        found = _moving_with(means, logit(scores[chosen]))
        if found is None:
            return None
        direction = found

    def read(item: SampledSegment) -> NDArray[np.float32]:
        return spread(placed(item), direction)

    return read


def _moving_with(means: NDArray[np.float64], logits: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the direction (D,) in which standardised means (n, D) move with logits (n,); None if nothing can be told.

    That is their covariance: with fewer segments than features, regression was measured to tell pixels apart less well.
    """
    deviation = means.std(axis=0)
    deviation = np.where(deviation > 1e-6 * np.abs(means).max(initial=0.0), deviation, np.inf)
    if len(means) < _LEAST or np.ptp(logits) == 0 or np.isinf(deviation).all():
        return None
    return ((means - means.mean(axis=0)) / deviation).T @ (logits - logits.mean()) / deviation


def spread(placed: PlacedStates, direction: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the heat (steps, rows, columns) of a segment: how far along ``direction`` (D,) each of its tokens lies.

    It is counted from the segment's coldest place, and multiplied by motion where there is a finer map of that.
    """
    cells = placed.states[0] @ direction.astype(np.float32)
    cells -= cells.min()
    if placed.motion is None:
        return cells
    motion = placed.motion[0]
    size = motion.shape[:0:-1]
    finer = [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR)) for one in cells]
    return np.repeat(finer, len(motion) // len(finer), axis=0) * motion
