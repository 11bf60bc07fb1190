"""What browsers play and show."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from hiprobe.explain.anomaly_map import AnomalyMap, color_overlay
from hiprobe.video import VideoInfo

_MAP_ROWS = 144
"""Height in pixels: a map has far fewer places, and browsers smooth what they enlarge."""

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


def anomaly_map_png(anomaly_map: AnomalyMap, time: float, aspect: float) -> bytes:
    """Draw an anomaly map as a PNG to lay over a picture whose width is ``aspect`` times its height.

    It is clear where the map is low, and all over where there is no map near ``time``, in seconds.
    """
    size = (_MAP_ROWS, max(1, round(_MAP_ROWS * aspect)))
    found = anomaly_map.at(time)
    pixels = np.zeros((*size, 4), np.uint8) if found is None else color_overlay(found, size, *anomaly_map.range)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()
