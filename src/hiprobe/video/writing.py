"""Writing H.264 in MP4, as browsers play it: yuv420p, the index at the front, sound as AAC.

Frames keep their own times, so that a variable frame rate stays one. They are written as displayed: rotation is in the
pixels. H.264 in yuv420p has even sides; the last row or column of an odd one is repeated.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import VideoFrame
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from hiprobe.errors import OutputError, UsageError
from hiprobe.files import atomic_path
from hiprobe.video.base import Picture, Video
from hiprobe.video.sound import Packets, SoundTrack

TICKS = 90_000
"""Parts of a second that times are rounded to: what MPEG counts in."""

QUALITY = "20"
"""The encoder's rate factor; lower is better and larger. Differences from the source are hard to see at 20."""

KEY_FRAMES = 48
"""Frames from one key frame to the next, to which a player can jump."""

_SAME_INSTANT = 1e-6


class Mp4:
    """An MP4 file that is being written, frame by frame. Made by :func:`open_mp4`."""

    def __init__(self, container: Any, size: tuple[int, int], fps: float, sound: SoundTrack | None) -> None:
        self._container = container
        self._size = size
        height, width = (side + side % 2 for side in size)
        # MP4 keeps durations in order of decoding: with B-frames, that of the last frame shown would be lost.
        options = {"crf": QUALITY, "preset": "veryfast", "bf": "0"}
        self._stream: Any = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        context = self._stream.codec_context
        context.time_base = Fraction(1, TICKS)
        context.flags |= Flags.frame_duration
        context.gop_size = KEY_FRAMES
        # What RGB is converted by; players would take another matrix for large pictures.
        context.colorspace, context.color_range = Colorspace.ITU601, ColorRange.MPEG
        self._sound: Packets = iter(()) if sound is None else sound.packets(container)
        self._heard: Any = None

    def add(self, image: NDArray[np.uint8], time: float, duration: float) -> None:
        """Add a frame, uint8 (H, W, 3) RGB, shown from ``time`` on for ``duration`` seconds; times ascend from 0."""
        height, width = self._size
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        frame = VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
        frame.duration = max(1, round((time + duration) * TICKS) - frame.pts)
        self._container.mux(self._stream.encode(frame))
        self._mux_sound(time + duration)

    def finish(self) -> None:
        """Write what the encoders hold back."""
        self._container.mux(self._stream.encode(None))
        self._mux_sound(float("inf"))

    def _mux_sound(self, until: float) -> None:
        """Keep sound level with the picture, or the container would have to hold one of them back."""
        while True:
            self._heard = self._heard or next(self._sound, None)
            if self._heard is None or float(self._heard.pts * self._heard.time_base) > until:
                return
            self._container.mux(self._heard)
            self._heard = None


@contextmanager
def open_mp4(path: Path, size: tuple[int, int], fps: float, sound: SoundTrack | None = None) -> Iterator[Mp4]:
    """Open an MP4 file to write frames to; it is there, whole, when the block ends.

    Parameters
    ----------
    path : Path
        The file.
    size : tuple of int
        (height, width) of the frames.
    fps : float
        Their mean rate, for the encoder; each has a time of its own.
    sound : SoundTrack, optional
        What is heard.

    Raises
    ------
    OutputError
        If it cannot be written. Nothing is left of it then.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        try:
            # FFmpeg would take a colon in a name for a protocol.
            with av.open(f"file:{temporary}", "w", format="mp4", options={"movflags": "+faststart"}) as container:
                writing = Mp4(container, size, fps, sound)
                yield writing
                writing.finish()
        except FFmpegError as error:
            reason = error.strerror or error
            raise OutputError(f"{path}: cannot be written ({reason}); free space or name another folder.") from error


@dataclass(frozen=True)
class Clip:
    """Part of a video that is to be written: ``start`` and ``end`` in seconds from its first frame, and where to."""

    start: float
    end: float
    path: Path


def write_clip(
    video: Video, start: float, end: float, path: Path, check: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """Write part of a video, as :func:`write_clips` writes several.

    Parameters
    ----------
    video : Video
        What :func:`hiprobe.video.open_video` returns.
    start, end : float
        Seconds from its first frame.
    path : Path
        Where to.
    check : callable
        Called at every frame: what it raises ends the writing, and nothing is left of the file.

    Returns
    -------
    tuple of float
        Where the clip really begins and ends, in seconds from the video's first frame.
    """
    return write_clips(video, [Clip(start, end, Path(path))], check)[0]


def write_clips(
    video: Video, clips: Sequence[Clip], check: Callable[[], None] = lambda: None
) -> list[tuple[float, float]]:
    """Write parts of a video, with their sound, as MP4 files that browsers play; the video is decoded once.

    The first frame of a clip is the one on display at its start, the last the last that begins before its end; each is
    shown as long as in the video. What is outside of the video is left out.

    Parameters
    ----------
    video : Video
        What :func:`hiprobe.video.open_video` returns.
    clips : sequence of Clip
        In any order; they may overlap.
    check : callable
        Called at every frame: what it raises ends the writing.

    Returns
    -------
    list of tuple of float
        Where each clip really begins and ends, in seconds from the video's first frame: at borders of frames.

    Raises
    ------
    UsageError
        If nothing of the video is between the start and the end of a clip.
    VideoError
        If a clip's part of the video cannot be decoded.
    OutputError
        If a file cannot be written. Of clips that are not whole nothing is left.
    """
    borders = np.append(video.frame_times(), video.info.duration)
    wanted = np.zeros(len(borders) - 1, dtype=bool)
    plans = []
    for clip in clips:
        first, last = _frames_of(video, borders, clip)
        wanted[first:last] = True
        plans.append(_Plan(clip.path, float(borders[first]), float(borders[last])))
    waiting = deque(sorted(plans, key=lambda plan: plan.begin))
    size = (video.info.height, video.info.width)
    opened: list[tuple[_Plan, Mp4, ExitStack]] = []
    with ExitStack() as stack, closing(shown_pictures(video, wanted)) as pictures:
        for picture, until in pictures if plans else ():
            check()
            while waiting and waiting[0].begin <= picture.time + _SAME_INSTANT:
                plan, own = waiting.popleft(), stack.enter_context(ExitStack())
                sound = SoundTrack.of(video, plan.begin, plan.end)
                opened.append((plan, own.enter_context(open_mp4(plan.path, size, video.info.fps, sound)), own))
            for plan, writing, own in tuple(opened):
                writing.add(picture.rgb(), picture.time - plan.begin, min(until, plan.end) - picture.time)
                if until >= plan.end - _SAME_INSTANT:
                    opened.remove((plan, writing, own))
                    own.close()
            if not opened and not waiting:
                break
    return [(plan.begin, plan.end) for plan in plans]


@dataclass(frozen=True)
class _Plan:
    """A clip at borders of frames, in seconds from the video's first frame."""

    path: Path
    begin: float
    end: float


def _frames_of(video: Video, borders: NDArray[np.float64], clip: Clip) -> tuple[int, int]:
    """Return the first frame of a clip and the one after its last."""
    start, end, duration = clip.start, clip.end, video.info.duration
    if not (start < end and start < duration and end > 0):
        raise UsageError(
            f"{video.info.path}: there is no clip from {start:g} s to {end:g} s; name a part of its {duration:.2f} s."
        )
    first = max(0, int(np.searchsorted(borders[:-1], start + _SAME_INSTANT, side="right")) - 1)
    last = int(np.searchsorted(borders[:-1], end - _SAME_INSTANT, side="left"))
    return first, max(first + 1, last)


def shown_pictures(
    video: Video, wanted: NDArray[np.bool_] | None = None
) -> Generator[tuple[Picture, float], None, None]:
    """Yield pictures as :meth:`Video.pictures`, each with the time of the next, until when it is on display."""
    held = None
    with closing(video.pictures(wanted)) as pictures:
        for picture in pictures:
            if held is not None:
                yield held, picture.time
            held = picture
    if held is not None:
        yield held, video.info.duration
