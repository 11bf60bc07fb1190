"""What anomaly maps are made of, kept while the segments of a probe are read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hiprobe.backbones import NEEDS_CROP, Backbone, Batch, Places, States, read_view
from hiprobe.backbones.base import token_grid
from hiprobe.backbones.frames import frame_key
from hiprobe.errors import UsageError
from hiprobe.features import Extraction, Run
from hiprobe.probing import Probe
from hiprobe.video import SampledSegment, Segment, Video, sample_segments

MEMORY = 128_000_000
"""Bytes that are kept: of the embedded backbone, the states of 3,000 segments, or the maps of ten times as many."""

Kept = NDArray[np.float32] | Places
"""Of one segment: its maps (steps, rows, columns), or its tokens' states where these await a direction."""


class MapKeeper:
    """Keeps what anomaly maps are made of as a probe's segments are read, so that maps need no pass of their own.

    Parameters
    ----------
    backbone : Backbone
        The probe's.
    probe : Probe
        Whose segments are read: by :attr:`extraction`, in place of its own.
    run : Run
        Checked before a segment is read again.
    memory : int
        Bytes of what is kept; the segments that were read first are forgotten first.

    Raises
    ------
    UsageError
        If the backbone does not give what anomaly maps are read from.
    """

    def __init__(self, backbone: Backbone, probe: Probe, run: Run, memory: int = MEMORY) -> None:
        self._tokens = probe.reading.pooling == "tokens"
        if not (backbone.info.tokens if self._tokens else backbone.info.places):
            raise UsageError(
                f"The {backbone.info.name} backbone does not tell places in the picture apart; pass --no-map, or "
                "use another."
            )
        self._backbone, self._probe, self._run, self._room = backbone, probe, run, memory
        self._reading = replace(probe.reading, places=not self._tokens)
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()

    @property
    def extraction(self) -> Extraction:
        """The probe's own, which keeps what maps are made of beside what the probe scores."""
        return replace(self._probe.extraction, reading=self._reading, observe=self._observe)

    @property
    def is_open(self) -> bool:
        """Whether the direction that maps are read along is known only once all segments are scored."""
        return not self._probe.scores_tokens

    def sample(self, video: Video, segments: Sequence[Segment]) -> Iterator[SampledSegment]:
        """Decode segments as they are read for the probe."""
        size = self._backbone.info.shown_size(self._reading, (video.info.height, video.info.width))
        crop = self._reading.view in NEEDS_CROP
        return sample_segments(video, segments, self._reading.sampling.frames, size, crop)

    def recall(self, item: SampledSegment) -> Kept:
        """Return what is kept of a segment; one that is not is read."""
        batch = Batch.of([item])
        key = _key(batch, 0)
        if key in self._kept:
            return self._kept[key]
        self._run.check()
        return self._made(read_view(self._backbone, batch, self._reading), batch)

    def _observe(self, batch: Batch, states: States) -> None:
        for index in range(len(batch)):
            key = _key(batch, index)
            if key not in self._kept:
                self._keep(key, self._made(_one(states, index), batch))

    def _keep(self, key: bytes, made: Kept) -> None:
        self._kept[key] = made
        self._room -= _size(made)
        while self._room < 0:
            self._room += _size(self._kept.popitem(last=False)[1])

    def _made(self, states: States, batch: Batch) -> Kept:
        """Return what is kept of the states of one segment of a batch."""
        if self._tokens:
            scores = self._probe.token_scores(states)
            height, width = batch.frames.shape[2:4]
            return scores.reshape(-1, *token_grid(self._backbone.info, scores.shape[1], (height, width)))
        assert states.places is not None
        return states.places if self.is_open else spread(self._probe.token_scores(states), states.places)


def along(
    places: Places, direction: NDArray[np.float64], there: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return the map of a segment (steps, rows, columns): how far along ``direction`` (D,) each of its tokens lies.

    ``there`` is as for :func:`spread`.
    """
    return spread(places.states[0] @ direction.astype(np.float32), places, there)


def spread(
    scores: NDArray[np.float32], places: Places, there: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Return the map of a segment by the scores (steps, rows, columns) of its tokens.

    It is counted from the segment's lowest place. Where there is a finer map of motion, it is weighted by that. With
    ``there`` (K, rows, columns), 0 to 1, a place counts as the fastest one does if something is there that usually is
    not: see :mod:`hiprobe.explain.backdrop`.
    """
    cells = scores - scores.min()
    if places.motion is None:
        return cells
    motion = places.motion[0]
    if there is not None:
        motion = np.maximum(motion, there * motion.max())
    size = motion.shape[:0:-1]
    finer = [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR)) for one in cells]
    return np.repeat(finer, len(motion) // len(finer), axis=0) * motion


def _key(batch: Batch, index: int) -> bytes:
    length = np.array([np.nan if batch.seconds is None else batch.seconds[index]])
    return frame_key([*batch.frames[index], length])


def _one(states: States, index: int) -> States:
    """Return one segment's, as copies: a view would hold the whole batch in memory."""
    rows, places = slice(index, index + 1), states.places
    if places is not None:
        motion = None if places.motion is None else places.motion[rows].copy()
        places = Places(places.states[rows].copy(), motion)
    return States(states.values[rows], places)


def _size(made: Kept) -> int:
    if not isinstance(made, Places):
        return made.nbytes
    return made.states.nbytes + (0 if made.motion is None else made.motion.nbytes)
