"""The way in: a path to a video."""

from __future__ import annotations

from pathlib import Path

from hiprobe.errors import UsageError
from hiprobe.video.base import Video
from hiprobe.video.container import FileVideo
from hiprobe.video.folder import FolderVideo
from hiprobe.video.paths import readable


def open_video(path: str | Path, fps: float | None = None) -> Video:
    """Open a video file, or a folder of numbered images.

    All packets of a file are read, so that its timestamps are known exactly, but only its first frame is
    decoded.

    Parameters
    ----------
    path : str or Path
        A file in any format that FFmpeg reads, or a folder of jpg, png, bmp, tif or webp images, which are
        taken in the order of the numbers in their names.
    fps : float, optional
        Images a second, for a folder and only for a folder: a file has its own timestamps.

    Raises
    ------
    VideoNotFoundError
        If nothing is at ``path``.
    UsageError
        If ``fps`` is missing for a folder, given for a file, or not above 0.
    VideoError
        If the video is empty, unreadable, truncated, or has no video stream.

    Examples
    --------
    >>> video = open_video("night.mp4")                                   # doctest: +SKIP
    >>> for sampled in iter_segments(video, Sampling(), size=(448, 448)):  # doctest: +SKIP
    ...     print(sampled.segment.start, sampled.frames.shape)
    """
    path = readable(path)
    if path.is_dir():
        if fps is None:
            raise UsageError(f"{path}: a folder of images has no frame rate; give it with --fps, e.g. --fps 10.")
        return FolderVideo(path, fps)
    if fps is not None:
        raise UsageError(f"{path}: --fps is for folders of images; a video file has its own times, so leave it out.")
    return FileVideo(path)
