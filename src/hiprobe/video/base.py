"""What every kind of video offers: its facts, the times of its frames, and the frames themselves."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hiprobe.errors import UsageError


@dataclass(frozen=True)
class VideoInfo:
    """The facts of a video, read from its timestamps and its first frame.

    Attributes
    ----------
    path : Path
        The file, or the folder of images.
    start_pts : float
        Presentation time of the first presented frame, in seconds as the container counts them; it may be
        other than 0. Every other time in HiProbe is counted from this frame.
    duration : float
        Seconds from the first frame to the end of the last one.
    n_frames : int
        Number of frames presented.
    width, height : int
        Size in pixels as displayed, after rotation. Pixels that are not square are not stretched.
    fps : float
        Mean frame rate, ``n_frames / duration``.
    rotation : int
        Degrees clockwise by which stored frames are turned for display: 0, 90, 180 or 270.
    warnings : tuple of str
        Sentences on what was irregular but could be handled. Reading the frames may add to them.
    """

    path: Path
    start_pts: float
    duration: float
    n_frames: int
    width: int
    height: int
    fps: float
    rotation: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame: ``time`` in seconds from the first frame, ``image`` uint8 (H, W, 3) in RGB."""

    time: float
    image: NDArray[np.uint8]


class Picture(Protocol):
    """A decoded frame that has not been converted to RGB yet, because it may not be needed."""

    @property
    def time(self) -> float:
        """Seconds from the first frame."""
        ...

    def rgb(self, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Convert to uint8 (H, W, 3) RGB, of ``size`` (height, width) where given."""
        ...


class Video(ABC):
    """A video that can be read any number of times. Made by :func:`hiprobe.video.open_video`.

    No file stays open between two calls.
    """

    @property
    @abstractmethod
    def info(self) -> VideoInfo:
        """The facts of this video."""

    @abstractmethod
    def frame_times(self) -> NDArray[np.float64]:
        """Return the time of each frame: float64 (n_frames,), seconds from the first frame, ascending."""

    @abstractmethod
    def pictures(self, wanted: NDArray[np.bool_] | None = None) -> Generator[Picture, None, None]:
        """Decode frame by frame, in order of presentation, without converting.

        Parameters
        ----------
        wanted : bool array of shape (n_frames,), optional
            The frames that must be among the pictures; by default all. Others are left out where that saves decoding
            and changes no pixel of those that are wanted.

        Raises
        ------
        VideoError
            If part of the video cannot be decoded.
        """

    def frames(self, size: tuple[int, int] | None = None) -> Iterator[Frame]:
        """Decode and convert every frame, in order of presentation, one in memory at a time.

        Parameters
        ----------
        size : tuple of int, optional
            (height, width) in pixels to resize to; the aspect ratio is not kept. By default the frames
            keep the size that ``info`` states.

        Raises
        ------
        UsageError
            If ``size`` is not two whole numbers of at least 1.
        VideoError
            If part of the video cannot be decoded.
        """
        check_size(size)
        return self._frames(size)

    def _frames(self, size: tuple[int, int] | None) -> Iterator[Frame]:
        with closing(self.pictures()) as pictures:
            for picture in pictures:
                yield Frame(picture.time, picture.rgb(size))


def check_size(size: tuple[int, int] | None) -> None:
    """Raise UsageError unless ``size`` is None or (height, width) of at least one pixel each."""
    if size is not None and (len(size) != 2 or any(side < 1 or side != math.floor(side) for side in size)):
        raise UsageError(f"A frame size of {size!r}: give (height, width), whole numbers of at least 1.")
