"""The engine: from videos to hidden states.

One thread decodes, ahead of the model by a few batches; the caller's thread runs the model, on batches that may hold
segments of several videos; another writes what is complete. So memory does not grow with the length of a video, save
for its hidden states.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import NEEDS_CROP, Backbone, Batch, read_view
from hiprobe.errors import BackboneError, FeatureError, UsageError, VideoError
from hiprobe.features.background import Prefetch
from hiprobe.features.batching import Batches, largest_batch
from hiprobe.features.extraction import Extraction, as_read
from hiprobe.features.looks import Look, look_at
from hiprobe.features.run import Failure, Progress, Run
from hiprobe.features.store import Features, FeatureStore
from hiprobe.video import SampledSegment, VideoInfo, VideoRef, iter_segments, plan_segments

Found = tuple[Features, ...]
"""The features of one video, one of each extraction."""


def find_features(
    store: FeatureStore, video: VideoRef, identity: str, extraction: Extraction, layers: tuple[int, ...]
) -> Features | None:
    """Return features that a run has stored, cut out of those of all ``layers`` if need be, or joined of two views."""
    reading = extraction.reading
    found = store.find(video.path, identity, reading, extraction.name)
    if found is None and reading.view == "both" and extraction.keep is as_read:
        found = _joined(store, video, identity, extraction, layers)
    if found is not None:
        return found
    every = store.find(video.path, identity, replace(reading, layers=layers), extraction.name)
    if every is None or not reading.layers:
        return None
    columns = [every.layers.index(layer) for layer in reading.layers]
    return replace(every, reading=reading.kept, states=every.states[:, columns])


def _joined(
    store: FeatureStore, video: VideoRef, identity: str, extraction: Extraction, layers: tuple[int, ...]
) -> Features | None:
    """Return features of both views, if the store has those of each by itself."""
    each = (replace(extraction, reading=replace(extraction.reading, view=view)) for view in ("whole", "crop"))
    parts = [find_features(store, video, identity, part, layers) for part in each]
    whole, crop = parts
    if whole is None or crop is None:
        return None
    states = np.concatenate([whole.states, crop.states], axis=-1)
    return replace(whole, reading=extraction.reading.kept, states=states)


@dataclass(frozen=True, eq=False)
class _Opened:
    """A video begins, of so many segments; features of some extractions are known already, by their index."""

    video: int
    segments: int
    known: dict[int, Features]


@dataclass(frozen=True, eq=False)
class _Piece:
    """A segment of a video, decoded, and how its frames look."""

    video: int
    sampled: SampledSegment
    look: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Decoded:
    """A video was decoded to its end: its facts, and the identity of its content."""

    video: int
    info: VideoInfo
    identity: str


@dataclass(frozen=True, eq=False)
class _Ended:
    """A video is over without being decoded to its end: it is known from the store, or failed."""

    video: int
    outcome: Found | Failure


_Item = _Opened | _Piece | _Decoded | _Ended


class _Unfinished:
    """What is there of a video's features, in arrays of their final size.

    Small arrays kept from every batch would lie between its large ones that are freed, and hold their memory.
    """

    def __init__(self, segments: int, known: dict[int, Features]) -> None:
        self.done, self.segments, self.known = 0, segments, known
        self.decoded: _Decoded | None = None
        self.borders = np.empty((2, segments))
        self.looks = np.empty((segments, len(Look)), np.float32)
        self.kept: dict[int, NDArray[np.float32]] = {}

    @property
    def complete(self) -> bool:
        return self.decoded is not None and self.done == self.segments

    def add(self, piece: _Piece, rows: Mapping[int, NDArray[np.float32]]) -> None:
        """Add what is kept of a segment, (layers, W) for each index of an extraction that is not known."""
        segment = piece.sampled.segment
        self.borders[:, self.done] = segment.start, segment.end
        self.looks[self.done] = piece.look
        for index, row in rows.items():
            if index not in self.kept:
                self.kept[index] = np.empty((self.segments, *row.shape), np.float32)
            self.kept[index][self.done] = row
        self.done += 1

    def features(self, index: int, extraction: Extraction) -> Features:
        if index in self.known:
            return self.known[index]
        assert self.decoded is not None
        facts, (starts, ends) = self.decoded, self.borders
        reading, name = extraction.reading.kept, extraction.name
        return Features(facts.info, facts.identity, reading, starts, ends, self.kept[index], name, self.looks)


class Engine:
    """One run over a number of videos: each segment is decoded once, and read by each of the extractions.

    Parameters
    ----------
    videos : sequence of VideoRef
    backbone : Backbone
    extractions : sequence of Extraction
        Of this backbone, one or more; of one sampling, from frames of one size.
    run : Run

    Raises
    ------
    FeatureError
        If an extraction is of another backbone.
    UsageError
        If the extractions do not share the frames.
    """

    def __init__(
        self, videos: Sequence[VideoRef], backbone: Backbone, extractions: Sequence[Extraction], run: Run
    ) -> None:
        info = backbone.info
        readings = [extraction.reading for extraction in extractions]
        for reading in readings:
            if reading.backbone != info.fingerprint:
                name = videos[0] if videos else "No video"
                raise FeatureError(
                    f"{name}: features of backbone {reading.backbone[:12]} are asked for, but the one at hand is "
                    f"{info.fingerprint[:12]} ({info.name}); load the right backbone."
                )
        if len({(reading.sampling, reading.pixels, info.shown_size(reading)) for reading in readings}) != 1:
            raise UsageError("Readings of other segments or frames were asked for in one pass; read them one by one.")
        self._videos, self._backbone, self._extractions, self._run = videos, backbone, extractions, run
        self._sampling = readings[0].sampling
        self._crop = any(reading.view in NEEDS_CROP for reading in readings)
        self._batches = Batches(info.device, run.batch_memory)
        self._waiting: list[_Piece] = []
        self._unfinished: dict[int, _Unfinished] = {}
        self._done: dict[int, Found | Failure | Future[Found]] = {}

    def results(self) -> Generator[Found | Failure, None, None]:
        """Run, and yield what becomes of each video, in order."""
        room = 2 * largest_batch(self._backbone.info.device)
        # On leaving, the reader is stopped first; what is being written is then still written whole.
        with ThreadPoolExecutor(1, "hiprobe-writer") as writer, Prefetch(self._read, room) as items:
            following = 0
            for item in items:
                self._take(item, writer)
                if len(self._waiting) >= self._batches.size:
                    self._run_batch(writer)
                while self._is_ready(following):
                    yield self._result(following)
                    following += 1
            while self._waiting:
                self._run_batch(writer)
            for video in range(following, len(self._videos)):
                yield self._result(video)

    def _read(self) -> Generator[_Item, None, None]:
        """Decode video by video; runs in a thread of its own."""
        for index, video in enumerate(self._videos):
            try:
                yield from self._read_one(index, video)
            except (VideoError, FeatureError, UsageError) as error:
                yield _Ended(index, Failure(video, error))

    def _read_one(self, index: int, ref: VideoRef) -> Iterator[_Item]:
        video = ref.open()
        identity = ref.identity()
        known = self._known(ref, identity)
        if len(known) == len(self._extractions):
            yield _Ended(index, tuple(known[number] for number in range(len(known))))
            return
        yield _Opened(index, len(plan_segments(video.info.duration, self._sampling)), known)
        shown = self._extractions[0].reading
        size = self._backbone.info.shown_size(shown, (video.info.height, video.info.width))
        for sampled in iter_segments(video, self._sampling, size, self._crop):
            yield _Piece(index, sampled, look_at(sampled.frames))
        yield _Decoded(index, video.info, identity)

    def _known(self, ref: VideoRef, identity: str) -> dict[int, Features]:
        """Return the features that the store has, by the index of their extraction."""
        store, layers = self._run.store, self._backbone.info.every_layer
        if store is None:
            return {}
        found = {i: find_features(store, ref, identity, item, layers) for i, item in enumerate(self._extractions)}
        return {index: features for index, features in found.items() if features is not None}

    def _take(self, item: _Item, writer: ThreadPoolExecutor) -> None:
        if isinstance(item, _Opened):
            self._unfinished[item.video] = _Unfinished(item.segments, item.known)
            self._tell(item.video, 0, item.segments)
        elif isinstance(item, _Piece):
            self._waiting.append(item)
        elif isinstance(item, _Decoded):
            self._unfinished[item.video].decoded = item
            self._finish(item.video, writer)
        elif isinstance(item.outcome, Failure):
            self._unfinished.pop(item.video, None)
            self._waiting = [piece for piece in self._waiting if piece.video != item.video]
            self._done[item.video] = item.outcome
        else:
            segments = len(item.outcome[0].states)
            self._tell(item.video, segments, segments)
            self._done[item.video] = item.outcome

    def _run_batch(self, writer: ThreadPoolExecutor) -> None:
        self._backbone.load()
        size = self._batches.size
        pieces, self._waiting = self._waiting[:size], self._waiting[size:]
        names = ", ".join(dict.fromkeys(str(self._videos[piece.video]) for piece in pieces))
        try:
            rows = self._batches.run(self._forward, pieces)
        except BackboneError as error:
            raise BackboneError(f"{names}: {error}") from error
        except Exception as error:
            error.add_note(f"while the backbone read {names}")
            raise
        for piece, row in zip(pieces, rows, strict=True):
            self._unfinished[piece.video].add(piece, row)
        for video in dict.fromkeys(piece.video for piece in pieces):
            self._tell(video, self._unfinished[video].done, self._unfinished[video].segments)
            self._finish(video, writer)

    def _forward(self, pieces: Sequence[_Piece]) -> list[dict[int, NDArray[np.float32]]]:
        """Return what is kept of each piece, by the index of each extraction that is not known."""
        rows: list[dict[int, NDArray[np.float32]]] = [{} for _ in pieces]
        for index, extraction in enumerate(self._extractions):
            alike: dict[tuple[int, ...], list[int]] = {}  # videos of other proportions may have frames of another size
            for at, piece in enumerate(pieces):
                if index not in self._unfinished[piece.video].known:
                    alike.setdefault(piece.sampled.frames.shape, []).append(at)
            for wanted in alike.values():
                kept = self._kept(extraction, [pieces[at].sampled for at in wanted])
                for at, row in zip(wanted, kept, strict=True):
                    rows[at][index] = row
        return rows

    def _kept(self, extraction: Extraction, segments: Sequence[SampledSegment]) -> NDArray[np.float32]:
        batch = Batch.of(segments)
        if extraction.alter is not None:
            crop = None if batch.crop is None else extraction.alter(batch.crop)
            batch = replace(batch, frames=extraction.alter(batch.frames), crop=crop)
        states = read_view(self._backbone, batch, extraction.reading)
        if extraction.observe is not None:
            extraction.observe(batch, states)
        return extraction.keep(states)

    def _finish(self, video: int, writer: ThreadPoolExecutor) -> None:
        """Hand a video to the writer once all of it is there."""
        if self._unfinished[video].complete:
            unfinished = self._unfinished.pop(video)
            found = tuple(unfinished.features(index, item) for index, item in enumerate(self._extractions))
            self._done[video] = writer.submit(self._write, found, unfinished.known)

    def _write(self, found: Found, known: dict[int, Features]) -> Found:
        for index, features in enumerate(found):
            if self._run.store and index not in known:
                self._run.store.save(features)
        return found

    def _is_ready(self, video: int) -> bool:
        outcome = self._done.get(video)
        return outcome is not None and (not isinstance(outcome, Future) or outcome.done())

    def _result(self, video: int) -> Found | Failure:
        outcome = self._done.pop(video)
        return outcome.result() if isinstance(outcome, Future) else outcome

    def _tell(self, video: int, done: int, total: int) -> None:
        self._run.report(Progress(self._videos[video], video, len(self._videos), done, total))
