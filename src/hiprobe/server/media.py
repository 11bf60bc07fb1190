"""What browsers play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av

from hiprobe.video import VideoInfo

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
