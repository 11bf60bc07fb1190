"""The frames of every segment, in one streaming pass over a video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hiprobe.errors import UsageError
from hiprobe.video.base import Picture, Video, check_size
from hiprobe.video.closer import busiest_part, closer_size
from hiprobe.video.segments import Sampling, Segment, plan_segments, sample_times

_SAME_INSTANT = 1e-6
"""Seconds within which a frame and a target count as simultaneous: rounding must not pick the one before."""


@dataclass(frozen=True, eq=False)
class SampledSegment:
    """A segment with its K frames.

    Attributes
    ----------
    segment : Segment
        The window that the frames were sampled from.
    times : ndarray of shape (K,), float64
        The true times of the frames, in seconds from the video's first frame; ascending, and repeated
        where the video has fewer than K frames in the segment.
    frames : ndarray of shape (K, H, W, 3), uint8
        The frames in RGB.
    crop : ndarray of the shape of ``frames``, uint8, optional
        The part of the picture that changes most, the same in all frames, larger; if it was asked for.
    """

    segment: Segment
    times: NDArray[np.float64]
    frames: NDArray[np.uint8]
    crop: NDArray[np.uint8] | None = None


@dataclass
class _Open:
    """A segment that still waits for frames."""

    segment: Segment
    targets: NDArray[np.float64]
    times: list[float] = field(default_factory=list)
    images: list[NDArray[np.uint8]] = field(default_factory=list)
    large: list[NDArray[np.uint8]] = field(default_factory=list)

    @property
    def next_target(self) -> float:
        return self.targets[len(self.times)] if len(self.times) < len(self.targets) else np.inf


def iter_segments(
    video: Video, sampling: Sampling, size: tuple[int, int] | None = None, crop: bool = False
) -> Iterator[SampledSegment]:
    """Decode a video once and yield its segments in order, each with the frames on display at its K times.

    The frame for a time is the last that starts at or before it. Only frames that a segment needs are
    converted, and each is dropped with the last segment that needs it, so memory does not grow with the
    length of the video.

    Parameters
    ----------
    video : Video
        What :func:`hiprobe.video.open_video` returns.
    sampling : Sampling
        Length and stride of the segments, and K.
    size : tuple of int, optional
        (height, width) in pixels to resize frames to.
    crop : bool
        Whether to show the part of the picture that changes most, too, in frames of that size; see
        :mod:`hiprobe.video.closer`. It costs no second decoding.

    Raises
    ------
    UsageError
        If ``size`` is not two whole numbers of at least 1, or a crop is asked for without one.
    VideoError
        If part of the video cannot be decoded. Segments before the damage may have been yielded by then.
    """
    return sample_segments(video, plan_segments(video.info.duration, sampling), sampling.frames, size, crop)


def sample_segments(
    video: Video, segments: Sequence[Segment], frames: int, size: tuple[int, int] | None = None, crop: bool = False
) -> Iterator[SampledSegment]:
    """Like :func:`iter_segments`, for segments of one's own choice, ordered by start and by end."""
    check_size(size)
    if crop and size is None:
        raise UsageError("A crop was asked for without the size of frames; give (height, width).")
    return _sample(video, tuple(segments), frames, size, crop)


def _sample(
    video: Video, segments: tuple[Segment, ...], frames: int, size: tuple[int, int] | None, crop: bool
) -> Iterator[SampledSegment]:
    large = closer_size(video.info.height, video.info.width, size) if crop and size else None
    filler = _Filler(segments, frames, size, large)
    on_display: Picture | None = None
    with closing(video.pictures(_wanted(video, segments, frames))) as pictures:
        for picture in pictures:
            if on_display is not None:
                yield from filler.show(on_display, picture.time)
            on_display = picture
    if on_display is not None:
        yield from filler.show(on_display, np.inf)


def _wanted(video: Video, segments: tuple[Segment, ...], frames: int) -> NDArray[np.bool_]:
    """Return which frames of a video are on display at one of the times of a segment."""
    times = video.frame_times()
    wanted = np.zeros(len(times), dtype=bool)
    for segment in segments:
        shown = np.searchsorted(times, sample_times(segment, frames) + _SAME_INSTANT, side="right") - 1
        wanted[np.maximum(shown, 0)] = True
    return wanted


class _Filler:
    """Hands frames to the segments whose turn it is; a segment is opened with its first frame."""

    def __init__(
        self,
        segments: tuple[Segment, ...],
        frames: int,
        size: tuple[int, int] | None,
        large: tuple[int, int] | None,
    ) -> None:
        self._upcoming = deque(segments)
        self._open: deque[_Open] = deque()
        self._frames = frames
        self._size = size
        self._large = large  # what a crop is cut out of

    def show(self, picture: Picture, until: float) -> Iterator[SampledSegment]:
        """Give ``picture`` to every target before ``until`` that has no frame yet; yield what is complete."""
        while self._upcoming:
            targets = sample_times(self._upcoming[0], self._frames) + _SAME_INSTANT
            if targets[0] >= until:
                break
            self._open.append(_Open(self._upcoming.popleft(), targets))
        image: NDArray[np.uint8] | None = None
        large: NDArray[np.uint8] | None = None
        for entry in self._open:
            while entry.next_target < until:
                if image is None:
                    image = picture.rgb(self._size)
                    large = picture.rgb(self._large) if self._large else None
                entry.times.append(picture.time)
                entry.images.append(image)
                if large is not None:
                    entry.large.append(large)
        while self._open and self._open[0].next_target == np.inf:
            entry = self._open.popleft()
            frames = np.stack(entry.images)
            yield SampledSegment(entry.segment, np.array(entry.times), frames, self._crop(entry))

    def _crop(self, entry: _Open) -> NDArray[np.uint8] | None:
        if not entry.large or self._size is None:
            return None
        large = np.stack(entry.large)
        rows, columns = busiest_part(large, self._size)
        return np.ascontiguousarray(large[:, rows, columns])
