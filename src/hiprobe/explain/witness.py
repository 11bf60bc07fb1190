"""A backbone that remembers, of the segments that a probe is scored on, what their anomaly maps are made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hiprobe.backbones import Backbone, PlacedBackbone, PlacedStates, TokenBackbone
from hiprobe.backbones.base import Pooling, token_grid
from hiprobe.backbones.deferred import Deferred
from hiprobe.backbones.frames import frame_key
from hiprobe.errors import UsageError
from hiprobe.probing import AnyProbe, OneClassProbe
from hiprobe.probing.oneclass import view_tokens
from hiprobe.video import SampledSegment, Segment, Video, sample_segments

MEMORY = 128_000_000
"""Bytes that are kept: of the embedded backbone, the states of 3,000 segments, or the maps of ten times as many."""

Recalled = NDArray[np.float32] | PlacedStates
"""Of one segment: its maps (steps, rows, columns), or its states where these await a direction."""


class Witness(Deferred):
    """Stands in for a backbone while a probe's segments are read, so that anomaly maps need no pass of their own.

    Parameters
    ----------
    backbone : Backbone
        The probe's.
    probe : Probe or OneClassProbe
        Whose segments are read.
    memory : int
        Bytes of what is kept; the segments that were read first are forgotten first.

    Raises
    ------
    UsageError
        If the backbone does not give what anomaly maps are read from.
    """

    def __init__(self, backbone: Backbone, probe: AnyProbe, memory: int = MEMORY) -> None:
        wanted = TokenBackbone if isinstance(probe, OneClassProbe) else PlacedBackbone
        if not isinstance(backbone, wanted):
            raise UsageError(
                f"The {backbone.info.name} backbone does not tell places in the picture apart; pass --no-map, or "
                "use another."
            )
        super().__init__(backbone.info, lambda: backbone)
        self._probe, self._room = probe, memory
        self._kept: OrderedDict[bytes, Recalled] = OrderedDict()

    @property
    def is_open(self) -> bool:
        """Whether the direction that maps are read along is known only once all segments are scored."""
        return self._probe.pooling == "last" and not isinstance(self._probe, OneClassProbe)

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """Read the probe's layer, and remember."""
        if list(layers) != [self._probe.layer]:
            return super().hidden_states(frames, prompt, layers, pooling, seconds)
        placed = self.placed_states(frames, prompt, layers[0], pooling, seconds)
        for index in range(len(frames)):
            self._keep(self._key(frames, seconds, index), self._linear(_one(placed, index)))
        return placed.pooled[:, None]

    def token_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """Read tokens, and remember how far from normal those of the probe's layer are."""
        states = super().token_states(frames, prompt, layers, seconds)
        if isinstance(self._probe, OneClassProbe) and list(layers) == [self._probe.layer]:
            for index in range(len(frames)):
                self._keep(
                    self._key(frames, seconds, index), self._distances(self._probe, states[index : index + 1, 0])
                )
        return states

    def sample(self, video: Video, segments: Sequence[Segment]) -> Iterator[SampledSegment]:
        """Decode segments as they are read for the probe."""
        size = self.info.frame_size
        if isinstance(self._probe, OneClassProbe):
            assert self.info.tokens is not None  # or it could not have scored
            size = self.info.tokens.frame_size
        return sample_segments(video, segments, self._probe.context.frames, size)

    def recall(self, item: SampledSegment) -> Recalled:
        """Return what is remembered of a segment; one that is not is read."""
        frames, seconds = item.frames[None], [item.segment.end - item.segment.start]
        key = self._key(frames, seconds, 0)
        if key not in self._kept:
            prompt, layer = self._probe.context.prompt, self._probe.layer
            if isinstance(self._probe, OneClassProbe):
                return self._distances(self._probe, super().token_states(frames, prompt, [layer], seconds)[:, 0])
            # The probe was checked by detection.
            pooling: Pooling = self._probe.pooling  # type: ignore[assignment]
            return self._linear(self.placed_states(frames, prompt, layer, pooling, seconds))
        return self._kept[key]

    def _linear(self, placed: PlacedStates) -> Recalled:
        assert not isinstance(self._probe, OneClassProbe)
        return placed if self.is_open else spread(placed, self._probe.scorer.weights / self._probe.scorer.scale)

    def _distances(self, probe: OneClassProbe, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how far tokens (1, steps, P, D) are from normal, the mean over the views: (steps, rows, columns)."""
        scorer, found = probe.scorer, []
        for view, seen in view_tokens(tokens).items():
            if view in scorer.models:
                _, steps, places, width = seen.shape
                flat = scorer.models[view].distances(seen.reshape(-1, width)).reshape(steps, places)
                distances = (flat - scorer.centres[view]) / scorer.scales[view]
                # Motion is from one step to the next, and has one less: what moves first is in the first step, too.
                found.append(np.concatenate([distances[:1]] * (tokens.shape[1] - len(distances)) + [distances]))
        anomaly_map = np.mean(found, axis=0, dtype=np.float32)
        assert self.info.tokens is not None
        return anomaly_map.reshape(-1, *token_grid(self.info, tokens.shape[2], self.info.tokens.frame_size))

    @staticmethod
    def _key(frames: NDArray[np.uint8], seconds: Sequence[float] | None, index: int) -> bytes:
        length = np.array([np.nan if seconds is None else seconds[index]])
        return frame_key([*frames[index], length])

    def _keep(self, key: bytes, recalled: Recalled) -> None:
        if key in self._kept:
            return
        self._kept[key] = recalled
        self._room -= _size(recalled)
        while self._room < 0:
            self._room += _size(self._kept.popitem(last=False)[1])


def _one(placed: PlacedStates, index: int) -> PlacedStates:
    """Return one segment's, as copies: a view would hold the whole batch in memory."""
    rows = slice(index, index + 1)
    motion = None if placed.motion is None else placed.motion[rows].copy()
    return PlacedStates(placed.pooled[rows].copy(), placed.states[rows].copy(), motion)


def _size(recalled: Recalled) -> int:
    if not isinstance(recalled, PlacedStates):
        return recalled.nbytes
    return recalled.states.nbytes + (0 if recalled.motion is None else recalled.motion.nbytes)


def spread(placed: PlacedStates, direction: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the map (steps, rows, columns) of a segment: how far along ``direction`` (D,) each of its tokens lies.

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
