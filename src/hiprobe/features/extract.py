"""Reading videos: one, or many of which one that fails does not stop the others."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing

from hiprobe.backbones import Backbone, Reading
from hiprobe.features.engine import Engine, find_features
from hiprobe.features.extraction import Extraction
from hiprobe.features.run import Failure, Run
from hiprobe.features.store import Features, FeatureStore
from hiprobe.video import VideoLike, VideoRef

DEFAULT_RUN = Run()


def extract(video: VideoLike, backbone: Backbone, what: Reading | Extraction, run: Run = DEFAULT_RUN) -> Features:
    """Return the hidden states of every segment of a video, from the store where it has them.

    Parameters
    ----------
    video : VideoRef or path
        What to read.
    backbone : Backbone
        Its fingerprint must be the reading's.
    what : Reading or Extraction
        What to read, and what to keep of it.
    run : Run
        Where features are kept, and who is told the progress.

    Raises
    ------
    VideoError
        If the video cannot be read, wholly or in part. Nothing is stored then.
    FeatureError
        If the reading is another backbone's, or the stored file is damaged.
    OutputError
        If the store cannot be written.
    """
    (found,) = extract_each([VideoRef.of(video)], backbone, what, run)
    if isinstance(found, Failure):
        raise found.error
    return found


def extract_each(
    videos: Sequence[VideoRef], backbone: Backbone, what: Reading | Extraction, run: Run = DEFAULT_RUN
) -> Generator[Features | Failure, None, None]:
    """Extract from several videos, yielding each as soon as it is done; one that fails does not stop the others.

    Yields features or a failure per video, in order; parameters are those of :func:`extract`. Errors that are not about
    one video (a full disk, a broken backbone) are raised. Closing the generator ends the run; what is complete is in
    the store by then.
    """
    with closing(extract_each_together(videos, backbone, [what], run)) as results:
        for found in results:
            yield found if isinstance(found, Failure) else found[0]


def extract_each_together(
    videos: Sequence[VideoRef], backbone: Backbone, whats: Sequence[Reading | Extraction], run: Run = DEFAULT_RUN
) -> Generator[tuple[Features, ...] | Failure, None, None]:
    """Like :func:`extract_each`, of several readings or extractions in one pass; they must share the frames.

    Yields of each video a tuple, the features of each of ``whats``, or a failure.
    """
    with closing(Engine(videos, backbone, [Extraction.of(what) for what in whats], run).results()) as results:
        yield from results


def extract_all(
    videos: Sequence[VideoRef], backbone: Backbone, what: Reading | Extraction, run: Run = DEFAULT_RUN
) -> tuple[list[Features], list[Failure]]:
    """Like :func:`extract_each`, but return all features, in order, and all failures, when everything is done."""
    found = list(extract_each(videos, backbone, what, run))
    return (
        [item for item in found if isinstance(item, Features)],
        [item for item in found if isinstance(item, Failure)],
    )


def extract_together(
    videos: Sequence[VideoRef], backbone: Backbone, readings: Sequence[Reading], run: Run = DEFAULT_RUN
) -> tuple[list[tuple[Features, ...]], list[Failure]]:
    """Read several readings of one sampling in one pass: frames are decoded, and go through the vision tower, once.

    Returns the features of each video, one of each reading, and all failures. Each reading is kept by itself.
    """
    found = list(Engine(videos, backbone, [Extraction(reading) for reading in readings], run).results())
    return (
        [item for item in found if not isinstance(item, Failure)],
        [item for item in found if isinstance(item, Failure)],
    )


def stored_features(
    store: FeatureStore, video: VideoRef, what: Reading | Extraction, layers: tuple[int, ...]
) -> Features | None:
    """Return the features of a video that a run has stored, cut out of those of all layers if need be.

    Parameters
    ----------
    store : FeatureStore
        Where the run kept them.
    video, what
        As for :func:`extract`.
    layers : tuple of int
        All of the backbone's decoder blocks.

    Raises
    ------
    VideoError
        If the video cannot be read.
    FeatureError
        If the stored file is damaged.
    """
    return find_features(store, video, video.identity(), Extraction.of(what), layers)
