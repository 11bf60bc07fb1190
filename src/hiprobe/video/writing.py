"""Writing H.264 in MP4, as browsers play it: yuv420p, the index at the front, sound as AAC.

Frames keep their own times, so that a variable frame rate stays one. They are written as displayed: rotation is in the
pixels. H.264 in yuv420p has even sides; the last row or column of an odd one is repeated.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av import VideoFrame
from av.codec.context import Flags
from av.error import FFmpegError
from numpy.typing import NDArray

from hiprobe.errors import OutputError, UsageError
from hiprobe.files import atomic_path
from hiprobe.video.base import Video
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

    def __init__(self, container: Any, size: tuple[int, int], sound: SoundTrack | None) -> None:
        self._container = container
        self._size = size
        height, width = (side + side % 2 for side in size)
        # MP4 keeps durations in order of decoding: with B-frames, that of the last frame shown would be lost.
        options = {"crf": QUALITY, "preset": "veryfast", "bf": "0"}
        self._stream: Any = container.add_stream("libx264", rate=TICKS, options=options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        context = self._stream.codec_context
        context.time_base = Fraction(1, TICKS)
        context.flags |= Flags.frame_duration
        context.gop_size = KEY_FRAMES
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
def open_mp4(path: Path, size: tuple[int, int], sound: SoundTrack | None = None) -> Iterator[Mp4]:
    """Open an MP4 file to write frames of ``size`` (height, width) to; it is there, whole, when the block ends.

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
                writing = Mp4(container, size, sound)
                yield writing
                writing.finish()
        except FFmpegError as error:
            reason = error.strerror or error
            raise OutputError(f"{path}: cannot be written ({reason}); free space or name another folder.") from error


def write_clip(video: Video, start: float, end: float, path: Path) -> tuple[float, float]:
    """Write part of a video, with its sound, as an MP4 file that browsers play.

    The first frame is the one on display at ``start``, the last the last that begins before ``end``; each is shown as
    long as in the video. What is outside of the video is left out.

    Parameters
    ----------
    video : Video
        What :func:`hiprobe.video.open_video` returns.
    start, end : float
        Seconds from the video's first frame.
    path : Path
        The file; ``.mp4``.

    Returns
    -------
    tuple of float
        Where the clip really begins and ends, in seconds from the video's first frame: at borders of frames.

    Raises
    ------
    UsageError
        If nothing of the video is between ``start`` and ``end``.
    VideoError
        If that part cannot be decoded.
    OutputError
        If the file cannot be written. Nothing is left of it then.
    """
    info, times = video.info, video.frame_times()
    if not (end > start and start < info.duration and end > 0):
        raise UsageError(
            f"{info.path}: a clip from {start:g} s to {end:g} s; name a part of its {info.duration:.2f} s."
        )
    borders = np.append(times, info.duration)
    first = max(0, int(np.searchsorted(times, start + _SAME_INSTANT, side="right")) - 1)
    last = max(first + 1, int(np.searchsorted(times, end - _SAME_INSTANT, side="left")))
    begin, over = float(borders[first]), float(borders[last])
    sound = SoundTrack.of(video, begin, over)
    with open_mp4(path, (info.height, info.width), sound) as writing:
        for image, time, until in _shown(video, borders, first, last):
            writing.add(image, time - begin, until - time)
    return begin, over


def _shown(
    video: Video, borders: NDArray[np.float64], first: int, last: int
) -> Generator[tuple[NDArray[np.uint8], float, float], None, None]:
    """Yield frames ``first`` to before ``last``: image, and from when until when it is shown.

    One that is damaged and left out is stood in for by the one before it.
    """
    wanted = np.zeros(len(borders) - 1, dtype=bool)
    wanted[first:last] = True
    held = None
    with closing(video.pictures(wanted)) as pictures:
        for picture in pictures:
            if picture.time < borders[first] - _SAME_INSTANT:
                continue
            if held is not None:
                yield held.rgb(), held.time, min(picture.time, float(borders[last]))
                held = None
            if picture.time > borders[last - 1] + _SAME_INSTANT:
                return
            held = picture
    if held is not None:
        yield held.rgb(), held.time, float(borders[last])
