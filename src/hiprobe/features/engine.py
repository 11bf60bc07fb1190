"""The engine: from videos to hidden states.

One thread decodes, ahead of the model by a few batches; the caller's thread runs the model, on batches that may hold
segments of several videos; another writes what is complete. So memory does not grow with the length of a video, save
for its hidden states.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Backbone
from hiprobe.errors import BackboneError, FailedVideosError, FeatureError, HiProbeError, UsageError, VideoError
from hiprobe.features.background import Prefetch
from hiprobe.features.batching import Batches, largest_batch
from hiprobe.features.store import Features, FeatureSpec, FeatureStore
from hiprobe.video import SampledSegment, Segment, VideoInfo, iter_segments, open_video, plan_segments, video_identity


@dataclass(frozen=True)
class Progress:
    """How far a run is: segment ``segment`` of ``segments``, in video ``video`` of ``videos`` (from 0)."""

    path: Path
    video: int
    videos: int
    segment: int
    segments: int


@dataclass(frozen=True)
class Failure:
    """A video that could not be processed, and why, in one sentence."""

    path: Path
    error: HiProbeError


ProgressReport = Callable[[Progress], None]


def extract(
    path: Path,
    backbone: Backbone,
    spec: FeatureSpec,
    store: FeatureStore | None = None,
    fps: float | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Features:
    """Return the hidden states of every segment of a video, from the store where it has them.

    Parameters
    ----------
    path : Path
        A video file, or a folder of images with ``fps``.
    backbone : Backbone
        Its fingerprint must be the spec's.
    spec : FeatureSpec
        What to read.
    store : FeatureStore, optional
        Where features are kept between runs; without one nothing is written.
    fps : float, optional
        Frame rate of a folder of images.
    report : callable
        Told (segments done, segments in all).

    Raises
    ------
    VideoError
        If the video cannot be read, wholly or in part. Nothing is stored then.
    FeatureError
        If the spec is another backbone's, or the stored file is damaged.
    OutputError
        If the store cannot be written.
    """

    def tell(progress: Progress) -> None:
        report(progress.segment, progress.segments)

    (found,) = _Run([(Path(path), fps)], backbone, spec, store, tell).results()
    if isinstance(found, Failure):
        raise found.error
    return found


def extract_each(
    paths: Sequence[Path],
    backbone: Backbone,
    spec: FeatureSpec,
    store: FeatureStore | None = None,
    fps: float | None = None,
    report: ProgressReport = lambda progress: None,
) -> Generator[Features | Failure, None, None]:
    """Extract from several videos, yielding each as soon as it is done; one that fails does not stop the others.

    ``fps`` is for those that are folders of images; see :func:`extract` for the rest. Yields features or a failure per
    video, in order. Errors that are not about one video (a full disk, a broken backbone) are raised. Closing the
    generator ends the run; what is complete is in the store by then.
    """
    jobs = [(Path(path), fps if Path(path).is_dir() else None) for path in paths]
    return _Run(jobs, backbone, spec, store, report).results()


def extract_all(
    paths: Sequence[Path],
    backbone: Backbone,
    spec: FeatureSpec,
    store: FeatureStore | None = None,
    fps: float | None = None,
    report: ProgressReport = lambda progress: None,
) -> tuple[list[Features], list[Failure]]:
    """Like :func:`extract_each`, but return all features, in order, and all failures, when everything is done."""
    done: list[Features] = []
    failures: list[Failure] = []
    for found in extract_each(paths, backbone, spec, store, fps, report):
        if isinstance(found, Failure):
            failures.append(found)
        else:
            done.append(found)
    return done, failures


def raise_failures(failures: Sequence[Failure], remedy: str) -> None:
    """Raise FailedVideosError that names every failure, if there is any."""
    if not failures:
        return
    # A message starts with the path already wherever the error is about the file itself.
    lines = [
        str(failure.error) if str(failure.path) in str(failure.error) else f"{failure.path}: {failure.error}"
        for failure in failures
    ]
    count = "1 video" if len(failures) == 1 else f"{len(failures)} videos"
    error = FailedVideosError(f"{count} failed; {remedy}\n" + "\n".join(f"  {line}" for line in lines))
    error.exit_code = max(failure.error.exit_code for failure in failures)
    raise error


def stored_features(
    store: FeatureStore, path: Path, spec: FeatureSpec, layers: int, fps: float | None = None
) -> Features | None:
    """Return the features of a video that a run has stored, cut out of those of all layers if need be.

    Parameters
    ----------
    store : FeatureStore
        Where the run kept them.
    path, spec, fps
        As for :func:`extract`.
    layers : int
        L, the number of the backbone's decoder blocks.

    Raises
    ------
    VideoError
        If the video cannot be read.
    FeatureError
        If the stored file is damaged.
    """
    return _find(store, path, _identity(path, fps), spec, layers)


def _identity(path: Path, fps: float | None) -> str:
    # The same images at another frame rate are another video.
    return video_identity(path) + (f"@{fps:g}" if fps else "")


def _find(store: FeatureStore, path: Path, identity: str, spec: FeatureSpec, layers: int) -> Features | None:
    found = store.find(path, identity, spec)
    if found is not None:
        return found
    whole = store.find(path, identity, replace(spec, layers=tuple(range(1, layers + 1))))
    if whole is None:
        return None
    columns = [whole.spec.layers.index(layer) for layer in spec.layers]
    return replace(whole, spec=spec, states=whole.states[:, columns])


@dataclass(frozen=True, eq=False)
class _Opened:
    """A video begins, of so many segments."""

    video: int
    segments: int


@dataclass(frozen=True, eq=False)
class _Piece:
    """A segment of a video, decoded."""

    video: int
    sampled: SampledSegment


@dataclass(frozen=True, eq=False)
class _Ended:
    """A video is over: it was decoded to its end, or is known from the store, or failed."""

    video: int
    outcome: tuple[VideoInfo, str] | Features | Failure


class _Growing:
    """What is there of a video's features, in arrays of their final size.

    Small arrays kept from every batch would lie between its large ones that are freed, and hold their memory.
    """

    def __init__(self, segments: int, layers: int, width: int) -> None:
        self.done = 0
        self.decoded: tuple[VideoInfo, str] | None = None
        self.borders = np.empty((2, segments))
        self.states = np.empty((segments, layers, width), np.float32)

    @property
    def complete(self) -> bool:
        return self.decoded is not None and self.done == len(self.states)

    def add(self, segment: Segment, states: NDArray[np.float32]) -> None:
        self.borders[:, self.done] = segment.start, segment.end
        self.states[self.done] = states
        self.done += 1

    def features(self, spec: FeatureSpec) -> Features:
        assert self.decoded is not None
        info, identity = self.decoded
        return Features(info, identity, spec, self.borders[0], self.borders[1], self.states)


class _Run:
    """One run over a number of videos, each a path and the frame rate of a folder of images."""

    def __init__(
        self,
        jobs: Sequence[tuple[Path, float | None]],
        backbone: Backbone,
        spec: FeatureSpec,
        store: FeatureStore | None,
        report: ProgressReport,
    ) -> None:
        if spec.fingerprint != backbone.info.fingerprint:
            name = jobs[0][0] if jobs else "No video"
            raise FeatureError(
                f"{name}: features of backbone {spec.fingerprint[:12]} are asked for, but the one at hand is "
                f"{backbone.info.fingerprint[:12]} ({backbone.info.name}); load the right backbone."
            )
        self._jobs = jobs
        self._backbone = backbone
        self._spec = spec
        self._store = store
        self._report = report
        self._batches = Batches(backbone.info.device, backbone.info.memory)
        self._waiting: list[_Piece] = []
        self._growing: dict[int, _Growing] = {}
        self._done: dict[int, Features | Failure | Future[Features]] = {}

    def results(self) -> Generator[Features | Failure, None, None]:
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
            for video in range(following, len(self._jobs)):
                yield self._result(video)

    def _read(self) -> Generator[_Opened | _Piece | _Ended, None, None]:
        """Decode video by video; runs in a thread of its own."""
        for video, (path, fps) in enumerate(self._jobs):
            try:
                yield from self._read_one(video, path, fps)
            except (VideoError, FeatureError, UsageError) as error:
                yield _Ended(video, Failure(path, error))

    def _read_one(self, index: int, path: Path, fps: float | None) -> Iterator[_Opened | _Piece | _Ended]:
        video = open_video(path, fps=fps)
        identity = _identity(path, fps)
        found = _find(self._store, path, identity, self._spec, self._backbone.info.layers) if self._store else None
        if found is not None:
            yield _Ended(index, found)
            return
        yield _Opened(index, len(plan_segments(video.info.duration, self._spec.sampling)))
        for sampled in iter_segments(video, self._spec.sampling, self._backbone.info.frame_size):
            yield _Piece(index, sampled)
        yield _Ended(index, (video.info, identity))

    def _take(self, item: _Opened | _Piece | _Ended, writer: ThreadPoolExecutor) -> None:
        if isinstance(item, _Opened):
            self._growing[item.video] = _Growing(item.segments, len(self._spec.layers), self._backbone.info.width)
            self._tell(item.video, 0, item.segments)
        elif isinstance(item, _Piece):
            self._waiting.append(item)
        elif isinstance(item.outcome, Failure):
            self._growing.pop(item.video, None)
            self._waiting = [piece for piece in self._waiting if piece.video != item.video]
            self._done[item.video] = item.outcome
        elif isinstance(item.outcome, Features):
            self._tell(item.video, len(item.outcome.states), len(item.outcome.states))
            self._done[item.video] = item.outcome
        else:
            self._growing[item.video].decoded = item.outcome
            self._finish(item.video, writer)

    def _run_batch(self, writer: ThreadPoolExecutor) -> None:
        self._backbone.load()
        size = self._batches.size
        pieces, self._waiting = self._waiting[:size], self._waiting[size:]
        names = ", ".join(dict.fromkeys(str(self._jobs[piece.video][0]) for piece in pieces))
        try:
            states = self._batches.run(self._forward, pieces)
        except BackboneError as error:
            raise BackboneError(f"{names}: {error}") from error
        except Exception as error:
            error.add_note(f"while the backbone read {names}")
            raise
        for piece, state in zip(pieces, states, strict=True):
            self._growing[piece.video].add(piece.sampled.segment, state)
        for video in dict.fromkeys(piece.video for piece in pieces):
            self._tell(video, self._growing[video].done, len(self._growing[video].states))
            self._finish(video, writer)

    def _forward(self, pieces: Sequence[_Piece]) -> NDArray[np.float32]:
        frames = np.stack([piece.sampled.frames for piece in pieces])
        seconds = [piece.sampled.segment.end - piece.sampled.segment.start for piece in pieces]
        spec = self._spec
        return self._backbone.hidden_states(frames, spec.prompt, spec.layers, spec.pooling, seconds)

    def _finish(self, video: int, writer: ThreadPoolExecutor) -> None:
        """Hand a video to the writer once all of it is there."""
        if self._growing[video].complete:
            features = self._growing.pop(video).features(self._spec)
            self._done[video] = writer.submit(self._write, features)

    def _write(self, features: Features) -> Features:
        if self._store:
            self._store.save(features)
        return features

    def _is_ready(self, video: int) -> bool:
        outcome = self._done.get(video)
        return outcome is not None and (not isinstance(outcome, Future) or outcome.done())

    def _result(self, video: int) -> Features | Failure:
        outcome = self._done.pop(video)
        return outcome.result() if isinstance(outcome, Future) else outcome

    def _tell(self, video: int, done: int, total: int) -> None:
        self._report(Progress(self._jobs[video][0], video, len(self._jobs), done, total))
