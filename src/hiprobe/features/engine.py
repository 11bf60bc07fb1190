"""The engine: from videos to hidden states, one video at a time, in batches of segments."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hiprobe.backbones import Backbone
from hiprobe.errors import FailedVideosError, FeatureError, HiProbeError, UsageError, VideoError
from hiprobe.features.store import Features, FeatureSpec, FeatureStore
from hiprobe.video import SampledSegment, iter_segments, open_video, plan_segments, video_identity

BATCH = 4
"""Segments in one forward pass."""


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
        Where features are kept between runs; without one nothing is written. Features of all layers, as a fit
        keeps them, serve for some of the layers too.
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
    if spec.fingerprint != backbone.info.fingerprint:
        raise FeatureError(
            f"{path}: features of backbone {spec.fingerprint[:12]} are asked for, but the one at hand is "
            f"{backbone.info.fingerprint[:12]} ({backbone.info.name}); load the right backbone."
        )
    path = Path(path)
    video = open_video(path, fps=fps)
    # The same images at another frame rate are another video.
    identity = video_identity(path) + (f"@{fps:g}" if fps else "")
    found = _find(store, path, identity, spec, backbone.info.layers) if store else None
    if found is not None:
        report(len(found.states), len(found.states))
        return found
    total = len(plan_segments(video.info.duration, spec.sampling))
    sampled = iter_segments(video, spec.sampling, backbone.info.frame_size)
    starts, ends, states = [], [], []
    report(0, total)
    for batch in _batched(sampled, BATCH):
        frames = np.stack([item.frames for item in batch])
        seconds = [item.segment.end - item.segment.start for item in batch]
        states.append(backbone.hidden_states(frames, spec.prompt, spec.layers, spec.pooling, seconds))
        starts += [item.segment.start for item in batch]
        ends += [item.segment.end for item in batch]
        report(len(starts), total)
    features = Features(video.info, identity, spec, np.array(starts), np.array(ends), np.concatenate(states))
    if store:
        store.save(features)
    return features


def extract_all(
    paths: Sequence[Path],
    backbone: Backbone,
    spec: FeatureSpec,
    store: FeatureStore | None = None,
    fps: float | None = None,
    report: ProgressReport = lambda progress: None,
) -> tuple[list[Features], list[Failure]]:
    """Extract from several videos; one that fails does not stop the others.

    ``fps`` is for those that are folders of images. Returns the features of those that succeeded, in order,
    and the failures. Errors that are not about one video (a full disk, a broken backbone) are raised.
    """
    done: list[Features] = []
    failures: list[Failure] = []
    for index, path in enumerate(paths):
        try:
            rate = fps if Path(path).is_dir() else None
            tell = _teller(report, path, index, len(paths))
            done.append(extract(path, backbone, spec, store, rate, tell))
        except (VideoError, FeatureError, UsageError) as error:
            failures.append(Failure(Path(path), error))
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


def _find(store: FeatureStore, path: Path, identity: str, spec: FeatureSpec, layers: int) -> Features | None:
    """Return the stored features of a video, cut out of those of all layers if need be."""
    found = store.find(path, identity, spec)
    if found is not None:
        return found
    whole = store.find(path, identity, replace(spec, layers=tuple(range(1, layers + 1))))
    if whole is None:
        return None
    columns = [whole.spec.layers.index(layer) for layer in spec.layers]
    return replace(whole, spec=spec, states=whole.states[:, columns])


def _teller(report: ProgressReport, path: Path, index: int, videos: int) -> Callable[[int, int], None]:
    return lambda done, total: report(Progress(Path(path), index, videos, done, total))


def _batched(items: Iterable[SampledSegment], size: int) -> Iterator[list[SampledSegment]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
