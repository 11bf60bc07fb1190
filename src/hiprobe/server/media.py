"""What browsers play, and how to make it: H.264 in MP4."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from hiprobe.files import atomic_path
from hiprobe.video import Video, VideoInfo

_CLOCK = Fraction(1, 90_000)

_PLAYED = {
    "mov": ("video/mp4", ("h264", "vp9", "av1")),
    "matroska": ("video/webm", ("vp8", "vp9", "av1")),
}
"""Media type and codecs of the containers that browsers play, by the first of FFmpeg's names for the container."""


def plays_as(path: Path, info: VideoInfo) -> str | None:
    """Return the media type as which browsers play a video, at the times that HiProbe counts; None if they do not."""
    if not path.is_file() or abs(info.start_pts) > 0.5 / info.fps:
        return None
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
        stream = container.streams.best("video")
        context: Any = getattr(stream, "codec_context", None)
        media_type, codecs = _PLAYED.get(container.format.name.partition(",")[0], (None, ()))
        if context is None or context.pix_fmt not in ("yuv420p", "yuvj420p"):
            return None
        return media_type if context.codec.canonical_name in codecs else None


def write_h264(
    video: Video,
    path: Path,
    start: float = 0.0,
    end: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write a video, or the part of it from ``start`` to ``end`` in seconds, as a browser plays it; without sound.

    Parameters
    ----------
    video : Video
        Any that can be read.
    path : Path
        Written atomically.
    start, end : float
        Frames in [start, end) are written; the first one comes at 0.
    check : callable
        Called at every frame: what it raises ends the writing.

    Raises
    ------
    VideoError
        If the video cannot be decoded.
    OutputError
        If the file cannot be written.
    """
    size = (video.info.height // 2 * 2 or 2, video.info.width // 2 * 2 or 2)  # 4:2:0 needs even sides
    times = video.frame_times()
    inside = (times >= start) & (times < (float("inf") if end is None else end))
    first: float | None = None
    with (
        atomic_path(path) as temporary,
        av.open(temporary, "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream: Any = container.add_stream(
            "libx264", rate=max(1, round(video.info.fps)), options={"preset": "veryfast", "crf": "23"}
        )
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = _CLOCK
        for picture in video.pictures(inside):
            check()
            if picture.time < start:
                continue
            if end is not None and picture.time >= end:
                break
            first = picture.time if first is None else first
            frame = av.VideoFrame.from_ndarray(picture.rgb(size), format="rgb24")
            frame.pts, frame.time_base = round((picture.time - first) / _CLOCK), _CLOCK
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
