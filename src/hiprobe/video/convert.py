"""A decoded frame to 8-bit RGB as a player shows it: pixel format, colour range, size and orientation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from av import VideoFrame
from av.sidedata.sidedata import Type
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray


@dataclass(frozen=True)
class Orientation:
    """How stored pixels are turned for display: mirrored left to right first, then rotated clockwise."""

    rotation: int = 0
    mirrored: bool = False

    def displayed(self, height: int, width: int) -> tuple[int, int]:
        """Return (height, width) after turning; the same call also undoes it."""
        return (width, height) if self.rotation in (90, 270) else (height, width)

    def turn(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn an image (H, W, 3)."""
        if self.mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, -self.rotation // 90))


# The signs of (a, b, c, d) in a display matrix, which maps (x, y) to (ax + cy, bx + dy), y downwards.
_ORIENTATIONS = {
    (1, 0, 0, 1): Orientation(0),
    (0, 1, -1, 0): Orientation(90),
    (-1, 0, 0, -1): Orientation(180),
    (0, -1, 1, 0): Orientation(270),
    (-1, 0, 0, 1): Orientation(0, mirrored=True),
    (0, -1, -1, 0): Orientation(90, mirrored=True),
    (1, 0, 0, -1): Orientation(180, mirrored=True),
    (0, 1, 1, 0): Orientation(270, mirrored=True),
}


def orientation_of(frame: VideoFrame) -> Orientation | None:
    """Read the display matrix of a frame; None where it is no multiple of 90 degrees."""
    try:
        entries: Any = frame.side_data  # iterates over its entries, whatever PyAV's type stub says
        data = [bytes(entry) for entry in entries if entry.type == Type.DISPLAYMATRIX]
    except ValueError:
        # PyAV cannot list side data newer than itself, such as EXIF; it still knows the angle (to the left).
        return Orientation(-frame.rotation % 360) if frame.rotation % 90 == 0 else None
    if not data:
        return Orientation()
    matrix = np.frombuffer(data[0][:20], dtype=np.int32)
    a, b, c, d = (int(np.sign(matrix[index])) for index in (0, 1, 3, 4))
    return _ORIENTATIONS.get((a, b, c, d))


class Converter:
    """Converts the frames of one video. Keeps swscale's tables between frames, so use one per pass.

    Parameters
    ----------
    orientation : Orientation
        How each frame is turned for display.
    size : tuple of int
        (height, width) as displayed: the size of results unless another is asked for.
    """

    def __init__(self, orientation: Orientation, size: tuple[int, int]) -> None:
        self._orientation = orientation
        self._size = size
        self._reformatter = VideoReformatter()

    def rgb(self, frame: VideoFrame, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Convert a frame to uint8 (H, W, 3) RGB, of ``size`` (height, width) as displayed if given."""
        height, width = self._orientation.displayed(*(size or self._size))
        smaller = height * width < frame.height * frame.width
        converted = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            interpolation=Interpolation.AREA if smaller else Interpolation.BICUBIC,
        )
        return self._orientation.turn(np.asarray(converted.to_ndarray(), dtype=np.uint8))
