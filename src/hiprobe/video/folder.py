"""A folder of numbered images as a video."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av import VideoFrame
from av.error import FFmpegError
from numpy.typing import NDArray

from hiprobe.errors import UsageError, VideoError
from hiprobe.video.base import Picture, Video, VideoInfo
from hiprobe.video.convert import Converter, Orientation, orientation_of
from hiprobe.video.paths import readable, unreadable

IMAGE_SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"])
_LENIENT = (".tif", ".tiff")
"""Kinds of which FFmpeg, when strict, refuses whole images for a tag that it does not know."""
_SAME_KIND = {".jpeg": ".jpg", ".tiff": ".tif"}


def image_paths(folder: Path) -> list[Path]:
    """List the images of a folder by the numbers in their names (2 before 10); hidden files are left out.

    Raises
    ------
    VideoError
        If there are none, images of several kinds, or the folder may not be read.
    """
    try:
        paths = [path for path in folder.iterdir() if _is_image(path)]
    except OSError as error:
        raise unreadable(folder, error) from error
    if not paths:
        raise VideoError(
            f"{folder}: holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}); name a video file or a folder of frames."
        )
    kinds = sorted({_SAME_KIND.get(path.suffix.lower(), path.suffix.lower()) for path in paths})
    if len(kinds) > 1:
        raise VideoError(f"{folder}: mixes {' and '.join(kinds)} images; keep only the frames of the video there.")
    return sorted(paths, key=_natural)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _natural(path: Path) -> tuple[tuple[int | str, ...], str]:
    # Splitting on digits puts text at even places and numbers at odd ones, so like meets like.
    parts = re.split(r"([0-9]+)", path.stem)
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), path.name


def _decode(path: Path) -> tuple[VideoFrame, Orientation]:
    readable(path)
    try:
        # From memory: FFmpeg would take a % in a file's name for a pattern.
        with av.open(io.BytesIO(path.read_bytes()), mode="r", metadata_errors="replace") as container:
            stream = container.streams.video[0]
            if path.suffix.lower() not in _LENIENT:
                stream.codec_context.options = {"err_detect": "explode"}
            frame = next(container.decode(stream))
    except (FFmpegError, OSError, ValueError, IndexError, StopIteration) as error:
        if isinstance(error, OSError) and not isinstance(error, FFmpegError):
            raise unreadable(path, error) from error
        raise VideoError(f"{path}: cannot be decoded as an image; replace or remove this frame.") from error
    if frame.is_corrupt:
        raise VideoError(f"{path}: is a damaged image; replace or remove this frame.")
    return frame, orientation_of(frame) or Orientation()


@dataclass(frozen=True, eq=False)
class _ImagePicture:
    time: float
    frame: VideoFrame
    converter: Converter

    def rgb(self, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        return self.converter.rgb(self.frame, size)


class FolderVideo(Video):
    """A folder of images shown at a constant rate.

    Parameters
    ----------
    path : Path
        The folder.
    fps : float
        Images a second.

    Raises
    ------
    UsageError
        If ``fps`` is not a finite number above 0.
    VideoError
        If the folder holds no images, or its first one cannot be decoded.
    """

    def __init__(self, path: Path, fps: float) -> None:
        if not (math.isfinite(fps) and fps > 0):
            raise UsageError(f"--fps {fps!r}: give a finite number of frames a second above 0.")
        self._paths = image_paths(path)
        first, orientation = _decode(self._paths[0])
        height, width = orientation.displayed(first.height, first.width)
        count = len(self._paths)
        self._info = VideoInfo(
            path=path,
            start_pts=0.0,
            duration=count / fps,
            n_frames=count,
            width=width,
            height=height,
            fps=float(fps),
            rotation=orientation.rotation,
            warnings=_gaps(self._paths),
        )

    @property
    def info(self) -> VideoInfo:
        """The facts of this video."""
        return self._info

    def frame_times(self) -> NDArray[np.float64]:
        """Return the time of each frame: float64 (n_frames,), seconds from the first frame, ascending."""
        return np.arange(self._info.n_frames) / self._info.fps

    def pictures(self, wanted: NDArray[np.bool_] | None = None) -> Generator[Picture, None, None]:
        """Decode image by image, and only those that are wanted; see :meth:`Video.pictures`.

        Raises
        ------
        VideoError
            If an image cannot be decoded, or has another size than the first.
        """
        expected = (self._info.height, self._info.width)
        converters: dict[Orientation, Converter] = {}
        for index, (path, time) in enumerate(zip(self._paths, self.frame_times(), strict=True)):
            if wanted is not None and not wanted[index]:
                continue
            frame, orientation = _decode(path)
            height, width = orientation.displayed(frame.height, frame.width)
            if (height, width) != expected:
                raise VideoError(
                    f"{path}: is {width}x{height} pixels where the first frame is {expected[1]}x{expected[0]}"
                    "; give all frames of the folder one size."
                )
            converter = converters.setdefault(orientation, Converter(orientation, expected))
            yield _ImagePicture(float(time), frame, converter)


def _gaps(paths: list[Path]) -> tuple[str, ...]:
    """Warn where the last number in the names skips."""
    numbers = [int(found[-1]) for path in paths if (found := re.findall(r"[0-9]+", path.stem))]
    steps = np.diff(np.array(numbers, dtype=object)) if len(numbers) == len(paths) > 1 else np.array([])
    if len(set(steps.tolist())) <= 1:
        return ()
    return ("The numbers of the images are not evenly spaced; times follow from their order.",)
