"""Still frames of events, small enough to lie in the report itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hiprobe.explain.anomaly_map import AnomalyMap, blend
from hiprobe.localize import Event
from hiprobe.report.clock import stamp
from hiprobe.video import Segment, Video, sample_segments

BOX = (240, 320)
"""Height and width in pixels that a still fits into."""

_QUALITY = 65


@dataclass(frozen=True)
class Still:
    """A picture of an event.

    Attributes
    ----------
    caption : str
        What it shows, in a word or two, and when.
    source : str
        The picture itself, as a ``data:`` address.
    height, width : int
        In pixels.
    """

    caption: str
    source: str
    height: int
    width: int


def event_stills(
    video: Video, events: Sequence[Event], anomaly_map: AnomalyMap | None = None
) -> tuple[tuple[Still, ...], ...]:
    """Take the stills of events, ordered by time: of each its start, peak and end, and its anomaly map if there is one.

    One pass over the video, up to the last of them.

    Raises
    ------
    VideoError
        If the video cannot be decoded.
    """
    moments = [time for event in events for time in (event.start, event.peak_time, event.end)]
    instants = [Segment(index, time, time) for index, time in enumerate(moments)]
    # No frame is asked for after the last still, and so the rest of the video is not decoded.
    sampled = islice(sample_segments(video, instants, 1, _size(video)), len(moments))
    images = [one.frames[0] for one in sampled]
    return tuple(_row(event, images[3 * index : 3 * index + 3], anomaly_map) for index, event in enumerate(events))


def _row(event: Event, images: Sequence[NDArray[np.uint8]], anomaly_map: AnomalyMap | None) -> tuple[Still, ...]:
    """Return the stills of an event from left to right."""
    start, peak, end = images
    row = [_still(f"Start {stamp(event.start)}", start), _still(f"Peak {stamp(event.peak_time)}", peak)]
    found = None if anomaly_map is None else anomaly_map.at(event.peak_time)
    if anomaly_map is not None and found is not None:
        row.append(_still("Anomaly map of the peak", blend(peak, found, *anomaly_map.range)))
    return (*row, _still(f"End {stamp(event.end)}", end))


def _size(video: Video) -> tuple[int, int]:
    height, width = video.info.height, video.info.width
    shrink = min(1.0, BOX[0] / height, BOX[1] / width)
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def _still(caption: str, image: NDArray[np.uint8]) -> Still:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=_QUALITY)
    source = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
    return Still(caption, source, *image.shape[:2])
