"""What every dataset offers, and what its label files say before any video is opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from hiprobe.datasets.labels import NORMAL, Interval, LabelledVideo
from hiprobe.datasets.manifest import Manifest
from hiprobe.errors import ManifestError, UsageError
from hiprobe.video import Video, VideoRef

ALL = "all"
"""The split that holds every video of a dataset."""


@dataclass(frozen=True)
class FrameLabels:
    """What the label files of a dataset say of one video, in frames.

    Attributes
    ----------
    path : Path
        Where the video belongs: a file or a folder of frames. It need not be there.
    label : str
        ``normal`` or a kind of anomaly.
    ranges : tuple of (int, int)
        Abnormal frames, 0-based and half-open whatever the label file counts; by start. Empty for a normal video,
        and for one of which only the kind is known.
    group : str
        What it shares a source with; see :class:`hiprobe.datasets.LabelledVideo`.
    where : str
        The place that says so, as ``file:line`` or a path.
    n_frames : int or None
        How many frames the video has according to its labels; None if they do not say.
    """

    path: Path
    label: str
    ranges: tuple[tuple[int, int], ...]
    group: str
    where: str
    n_frames: int | None = None

    def __post_init__(self) -> None:
        for start, end in self.ranges:
            if not 0 <= start < end:
                raise ManifestError(
                    f"{self.where}: the abnormal frames {start} to {end} (0-based, half-open) are no range; "
                    "correct them, or fetch the label file again."
                )
        if self.ranges and self.label == NORMAL:
            raise ManifestError(
                f"{self.where}: {self.path.name} is normal and has abnormal frames; fetch the label file again."
            )

    @property
    def last(self) -> int:
        """The number of frames that the video must have for its ranges to lie within it."""
        return max((end for _, end in self.ranges), default=0)


class Dataset(ABC):
    """A public dataset in the layout of its authors. One small file of this folder each.

    Attributes
    ----------
    name : str
        What it is called on the command line.
    title : str
        What its authors call it.
    what : str
        What is seen in it, in a few words.
    url, terms : str
        The official page, and under what terms its videos are given.
    counts : mapping of str to int
        How many videos each official split has.
    fps : float or None
        Frames a second of its folders of frames; None if it has none.
    overrun : int
        By how many frames a label may reach past the end of its video, as rounded annotations do, before it is an
        error. The range then ends with the video.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    what: ClassVar[str]
    url: ClassVar[str]
    terms: ClassVar[str]
    counts: ClassVar[Mapping[str, int]]
    fps: ClassVar[float | None] = None
    overrun: ClassVar[int] = 0

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that can be asked for: the official ones, and ``all``."""
        return (*self.counts, ALL) if ALL not in self.counts else tuple(self.counts)

    def expected(self, root: Path, split: str) -> int | None:
        """Return how many videos a split should have; None if the copy in ``root`` lists its own."""
        return self.counts[split]

    @abstractmethod
    def read(self, root: Path, split: str) -> Iterable[FrameLabels]:
        """Read the labels of one split of ``counts``; no video is opened. Raises ManifestError."""

    def labels(self, root: str | Path, split: str = ALL) -> tuple[FrameLabels, ...]:
        """Return the labels of a split, in frames. No video is opened, and none need be there.

        Raises
        ------
        ManifestError
            If ``root`` is no folder, or a label file is missing or wrong; the message names ``file:line``.
        UsageError
            If the dataset has no such split.
        """
        return tuple(item for part in self.parts(split) for item in self._read(Path(root), part))

    def load(self, root: str | Path, split: str = ALL) -> Manifest:
        """Return a split as a manifest, its intervals in seconds by the true times of the frames.

        Videos with labelled frames are opened, which reads each file once.

        Parameters
        ----------
        root : path
            The folder of the copy, laid out as ``docs/datasets.md`` says.
        split : str
            One of ``splits``.

        Raises
        ------
        ManifestError
            As :meth:`labels`, or if a video is missing or shorter than its labels.
        UsageError
            If the dataset has no such split.
        VideoError
            If a video with labelled frames cannot be read.
        """
        return Manifest(Path(root), tuple(self._resolve(item) for item in self.labels(root, split)))

    def ref(self, path: Path) -> VideoRef:
        """Return a reference to a video of this dataset: folders of frames have its rate."""
        return VideoRef.of(path, self.fps)

    def open(self, path: Path) -> Video:
        """Open a video of this dataset. Raises VideoError."""
        return self.ref(path).open()

    def parts(self, split: str) -> tuple[str, ...]:
        """Return the splits of ``counts`` that make up ``split``. Raises UsageError for an unknown one."""
        if split in self.counts:
            return (split,)
        if split not in self.splits:
            raise UsageError(f"{self.name} has no split {split!r}; choose one of {', '.join(self.splits)}.")
        return tuple(self.counts)

    def _read(self, root: Path, part: str) -> Iterable[FrameLabels]:
        if not root.is_dir():
            raise ManifestError(f"{root}: is no folder; give the one that holds your copy of {self.title}.")
        return self.read(root, part)

    def _resolve(self, labels: FrameLabels) -> LabelledVideo:
        if not labels.path.exists():
            raise ManifestError(
                f"{labels.where}: the video {labels.path} does not exist; complete the copy, of which "
                f"`hiprobe datasets check {self.name}` lists all that is missing."
            )
        intervals = seconds(labels, self.open(labels.path), self.overrun) if labels.ranges else ()
        return LabelledVideo(self.ref(labels.path), labels.label, intervals, labels.group)


def seconds(labels: FrameLabels, video: Video, overrun: int = 0) -> tuple[Interval, ...]:
    """Turn the labelled frames of a video into intervals in seconds.

    An interval begins with its first frame and ends when the frame after its last one is shown, or with the video.

    Parameters
    ----------
    labels : FrameLabels
        What is known of the video.
    video : Video
        The video itself, for the times of its frames.
    overrun : int
        By how many frames a range may reach past the end; it is cut there.

    Raises
    ------
    ManifestError
        If one reaches further, or has no frame within the video.
    """
    problem = misfit(labels, video.info.n_frames, overrun)
    if problem:
        raise ManifestError(f"{labels.where}: {problem}")
    edges = [*video.frame_times().tolist(), video.info.duration]
    last = len(edges) - 1
    return tuple(Interval(edges[start], edges[min(end, last)], labels.label) for start, end in labels.ranges)


def misfit(labels: FrameLabels, n_frames: int, overrun: int = 0) -> str | None:
    """Say how a video of ``n_frames`` frames does not fit its labels; None if it does."""
    if labels.n_frames is not None and labels.n_frames != n_frames:
        return (
            f"{labels.path.name} has {n_frames} frames where its labels count {labels.n_frames}; "
            "fetch the video and its labels from one source."
        )
    if labels.last > n_frames + overrun or any(start >= n_frames for start, _ in labels.ranges):
        return (
            f"{labels.path.name} has {n_frames} frames and its labels reach frame {labels.last}; "
            "fetch the video again, it is cut short or another version."
        )
    return None
