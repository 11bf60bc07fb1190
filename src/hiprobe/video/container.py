"""A video file, decoded with PyAV."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

import av
import numpy as np
from av import VideoFrame
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import PictureType
from av.video.stream import VideoStream
from numpy.typing import NDArray

from hiprobe.errors import VideoError
from hiprobe.video.base import Picture, Video, VideoInfo
from hiprobe.video.convert import Converter, Orientation, orientation_of
from hiprobe.video.paths import readable
from hiprobe.video.timeline import Timeline, packets, read_timeline

_DAMAGED_SHARE = 0.1
"""Share of damaged frames above which a video is refused."""

_SKIPPING = ("h264", "hevc", "mpeg2video", "mpeg4")
"""Codecs whose decoders leave out just the frames that nothing refers to; libdav1d, of AV1, leaves out more."""


@contextmanager
def open_stream(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the video stream of a file; it is closed when the block ends.

    Raises
    ------
    VideoError
        If the file is no video, has no video stream, or has one that cannot be decoded.
    """
    readable(path)
    try:
        # A playlist must not reach for the network; tags in an old encoding must not stop us.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"{path}: cannot be opened as a video ({_reason(error)}): it is none, or it was cut short and "
            "lost its index; copy the file again or name another."
        ) from error
    with container:
        name = container.format.name
        if name == "tty":
            raise VideoError(f"{path}: is a text file, not a video; name a video file.")
        if name.endswith("_pipe") or name == "image2":
            raise VideoError(f"{path}: is a single image; name the folder that holds the frames, and their fps.")
        yield container, _video_stream(path, container)


def _video_stream(path: Path, container: InputContainer) -> VideoStream:
    """Choose the first video stream that is not cover art."""
    for stream in container.streams.video:
        if stream.disposition & Disposition.attached_pic:
            continue
        # Without a decoder PyAV has no codec context, whatever its type stub says.
        if getattr(stream, "codec_context", None) is None:
            raise VideoError(f"{path}: no decoder for its video codec; convert the file to H.264 and try again.")
        stream.thread_type = "AUTO"
        return stream
    held = "only sound" if container.streams.audio else "no video stream"
    raise VideoError(f"{path}: has {held}; name a file with a video stream.")


@dataclass(frozen=True, eq=False)
class _FilePicture:
    time: float
    frame: VideoFrame
    converter: Converter

    def rgb(self, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        return self.converter.rgb(self.frame, size)


class FileVideo(Video):
    """A video file. Opening it reads all packets, decodes one frame, and closes the file again.

    Raises
    ------
    VideoError
        If the file cannot be read as video, or less of it is there than its header promises.
    """

    def __init__(self, path: Path) -> None:
        with open_stream(path) as (container, stream):
            timeline = read_timeline(path, container, stream)
        first = _first_frame(path)
        self._timeline = timeline.starting_at(path, first.pts)
        self._times = self._timeline.seconds()
        orientation = orientation_of(first)
        warnings = self._timeline.warnings
        if orientation is None:
            warnings = (
                *warnings,
                "The frames are to be shown at an angle that is no multiple of 90°: left as stored.",
            )
        self._orientation = orientation or Orientation()
        height, width = self._orientation.displayed(first.height, first.width)
        duration = self._timeline.duration
        self._info = VideoInfo(
            path=path,
            start_pts=float(int(self._timeline.pts[0]) * self._timeline.time_base),
            duration=duration,
            n_frames=len(self._times),
            width=width,
            height=height,
            fps=len(self._times) / duration,
            rotation=self._orientation.rotation,
            warnings=warnings,
        )

    @property
    def info(self) -> VideoInfo:
        """The facts of this video; decoding it may add to ``warnings``."""
        return self._info

    def frame_times(self) -> NDArray[np.float64]:
        """Return the time of each frame: float64 (n_frames,), seconds from the first frame, ascending."""
        return self._times.copy()

    def pictures(self, wanted: NDArray[np.bool_] | None = None) -> Generator[Picture, None, None]:
        """Decode frame by frame, in order of presentation; see :meth:`Video.pictures`.

        Frames that others do not refer to are decoded only if they are wanted, and from one key frame to the next
        nothing is if nothing there is wanted.
        """
        converter = Converter(self._orientation, (self._info.height, self._info.width))
        # Where times follow from the order of frames, none may be missing.
        every = wanted is None or self._timeline.ranked
        needed = np.ones(len(self._times), dtype=bool) if every else np.asarray(wanted)
        clock = _Clock(self._info.path, self._timeline, self._times, needed)
        unwanted = frozenset[int]() if every else frozenset(self._timeline.pts[~needed].tolist())
        gops = None if every else self._timeline.needed(needed)
        try:
            for time, frame in self._timed(clock, unwanted, gops):
                yield _FilePicture(time, frame, converter)
        except _NoEntryError:
            clock.damaged = 0  # those are met again
            for time, frame in self._timed(clock, unwanted, None):
                yield _FilePicture(time, frame, converter)
        found = [warning for warning in clock.finish() if warning not in self._info.warnings]
        self._info = replace(self._info, warnings=(*self._info.warnings, *found))

    def _timed(
        self, clock: _Clock, unwanted: frozenset[int], gops: frozenset[int] | None
    ) -> Iterator[tuple[float, VideoFrame]]:
        with open_stream(self._info.path) as (container, stream):
            for frame in _decoded(self._info.path, container, stream, clock, unwanted, gops):
                time = clock.time_of(frame)
                if time is not None:
                    yield time, frame


class _NoEntryError(Exception):
    """A key frame is none: it refers to frames before it, as where pictures are refreshed bit by bit."""


@dataclass
class _Entry:
    """The key frame, by its timestamp, with which decoding begins anew; None once it has come."""

    pts: int | None = None

    def passes(self, frame: object) -> TypeGuard[VideoFrame]:
        """Whether a decoded frame is to be shown. Raises _NoEntryError if another comes in place of the key frame."""
        if not isinstance(frame, VideoFrame):
            return False
        if self.pts is not None and frame.pts is not None and frame.pts >= self.pts:
            if frame.pts > self.pts or frame.pict_type != PictureType.I:
                raise _NoEntryError
            self.pts = None
        return self.pts is None

    def leave(self) -> None:
        """End a gop. Raises _NoEntryError if its key frame never came."""
        if self.pts is not None:
            raise _NoEntryError


class _Clock:
    """Gives decoded frames their times, and holds what was decoded against what the packets promised.

    Only frames that are ``needed``, bool (n_frames,), count as lost when they do not come.
    """

    def __init__(self, path: Path, timeline: Timeline, times: NDArray[np.float64], needed: NDArray[np.bool_]) -> None:
        self._path = path
        self._timeline = timeline
        self._times = times
        self._needed = needed
        self._next = 0
        self._last = -1.0
        self._shown = 0
        self.damaged = 0

    def time_of(self, frame: VideoFrame) -> float | None:
        """Return the time of the next decoded frame; None if it has no place on the timeline."""
        self.damaged += frame.is_corrupt
        if self._timeline.ranked or frame.pts is None:
            if self._next >= len(self._times):
                return None
            time = float(self._times[self._next])
        else:
            time = self._timeline.at(frame.pts)
        if time <= self._last:
            return None
        index = int(np.searchsorted(self._times, time))
        self._check_lost(index)
        self._next, self._last = index + 1, time
        self._shown += bool(self._needed[index])
        return time

    def finish(self) -> list[str]:
        """Check the end of the video; return sentences on what was handled."""
        self._check_lost(len(self._times))
        total = int(self._needed.sum())
        lost = total - self._shown
        if self.damaged > max(2, _DAMAGED_SHARE * len(self._times)) or 2 * self._shown < total - 2:
            raise VideoError(
                f"{self._path}: is damaged, {max(lost, self.damaged)} of its {len(self._times)} frames cannot be "
                "decoded; copy the file again, or cut off the damaged part."
            )
        warnings = []
        if lost > 0:
            warnings.append(f"{lost} of {total} frames could not be decoded; the frames before them stand in.")
        if self.damaged:
            warnings.append(f"{self.damaged} of {len(self._times)} packets are damaged.")
        return warnings

    def _check_lost(self, index: int) -> None:
        """Refuse a video in which more than a moment is missing before frame ``index``."""
        missing = np.flatnonzero(self._needed[self._next : index])
        if not len(missing):
            return
        duration = self._timeline.duration
        end = float(self._times[index]) if index < len(self._times) else duration
        if end - float(self._times[self._next + missing[0]]) <= self._timeline.tolerance:
            return
        begin = float(self._times[self._next])
        if index < len(self._times):
            what = f"damaged, {end - begin:.1f} s from {begin:.1f} s on cannot be decoded"
        else:
            what = f"truncated or damaged, only {begin:.1f} s of {duration:.1f} s can be decoded"
        raise VideoError(f"{self._path}: is {what}; copy the file again, or cut off the damaged part.")


def _decoded(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    clock: _Clock | None = None,
    unwanted: frozenset[int] = frozenset(),
    gops: frozenset[int] | None = None,
) -> Iterator[VideoFrame]:
    """Decode a stream, passing over packets that are damaged; ``clock`` counts them.

    Of packets with a timestamp among ``unwanted``, only those are decoded that other frames refer to; of those outside
    of ``gops``, as :meth:`Timeline.needed` numbers them, none. Raises _NoEntryError where decoding cannot begin
    with the first of a gop.
    """
    context = stream.codec_context
    codec = context.codec
    skips = codec.intra_only or codec.canonical_name in _SKIPPING
    if codec.intra_only:
        gops = None  # each frame is a gop of its own

    def attempt(decode: Callable[[], Iterable[object]]) -> Iterable[object]:
        try:
            return decode()
        except FFmpegError:
            if clock is not None:
                clock.damaged += 1
            return ()

    gop, resting, entry = 0, False, _Entry()
    try:
        for packet in packets(container, stream):
            gop += bool(packet.size and packet.is_keyframe)
            if gops is not None and gop not in gops:
                if not resting:
                    yield from filter(entry.passes, attempt(lambda: context.decode(None)))
                    entry.leave()
                    context.flush_buffers()
                resting = True
                continue
            if resting:
                resting, entry.pts = False, packet.pts
            if skips:
                skip = packet.pts in unwanted
                if skip and codec.intra_only:
                    continue
                context.skip_frame = "NONREF" if skip else "DEFAULT"
            yield from filter(entry.passes, attempt(packet.decode))
        entry.leave()
    except (FFmpegError, OSError) as error:
        raise VideoError(
            f"{path}: cannot be read to its end ({_reason(error)}); copy the file again, or check the disk it is on."
        ) from error


def _first_frame(path: Path) -> VideoFrame:
    with open_stream(path) as (container, stream):
        for frame in _decoded(path, container, stream):
            return frame
    raise VideoError(f"{path}: not one of its frames can be decoded; copy the file again or convert it to H.264.")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
