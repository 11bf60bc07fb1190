"""What a run over videos is given once, what it tells, and how it says what failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hiprobe.errors import FailedVideosError, HiProbeError, UsageError
from hiprobe.features.store import FeatureStore
from hiprobe.video import VideoRef


@dataclass(frozen=True)
class Progress:
    """How far a run is: segment ``segment`` of ``segments``, in number ``index`` of ``videos`` (from 0)."""

    video: VideoRef
    index: int
    videos: int
    segment: int
    segments: int


ProgressReport = Callable[[Progress], None]


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True)
class Run:
    """How a verb runs: passed once, to whatever reads videos.

    Attributes
    ----------
    store : FeatureStore, optional
        Where hidden states are kept between runs; without one nothing is written.
    report : callable
        Told the progress, a :class:`Progress` each time.
    seed : int
        Of folds, samples and resamples.
    batch_memory : int, optional
        Bytes that one forward pass may take: by it, the number of segments in a batch is found. By default half of
        what is free.
    check : callable
        Called before what takes long and reports no progress; what it raises ends the run.

    Raises
    ------
    UsageError
        If ``batch_memory`` is not over 0.

    Examples
    --------
    >>> run = Run(FeatureStore(folder), seed=1)                                     # doctest: +SKIP
    >>> fit("labels.csv", backbone, run=run)                                        # doctest: +SKIP
    """

    store: FeatureStore | None = None
    report: ProgressReport = _nothing
    seed: int = 0
    batch_memory: int | None = None
    check: Callable[[], None] = _nothing

    def __post_init__(self) -> None:
        if self.batch_memory is not None and self.batch_memory <= 0:
            raise UsageError(f"batch_memory is {self.batch_memory}; give a number of bytes over 0.")


@dataclass(frozen=True)
class Failure:
    """A video that could not be processed, and why, in one sentence."""

    video: VideoRef
    error: HiProbeError


def raise_failures(failures: Sequence[Failure], remedy: str) -> None:
    """Raise FailedVideosError that names every failure, if there is any."""
    if not failures:
        return
    # A message starts with the path already wherever the error is about the file itself.
    lines = [
        str(failure.error) if str(failure.video) in str(failure.error) else f"{failure.video}: {failure.error}"
        for failure in failures
    ]
    count = "1 video" if len(failures) == 1 else f"{len(failures)} videos"
    error = FailedVideosError(f"{count} failed; {remedy}\n" + "\n".join(f"  {line}" for line in lines))
    error.exit_code = max(failure.error.exit_code for failure in failures)
    raise error
