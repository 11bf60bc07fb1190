"""A name for a video: where it lies, and what its file does not say of itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hiprobe.video.base import Video, VideoInfo
from hiprobe.video.identity import video_identity
from hiprobe.video.opening import open_video


@dataclass(frozen=True)
class VideoRef:
    """Names a video: what every verb takes, and a row of a manifest makes.

    Attributes
    ----------
    path : Path
        A video file, or a folder of numbered images.
    fps : float, optional
        Images a second, of a folder and only of a folder: a file has its own times.
    start : datetime, optional
        When the first frame was recorded, with its time zone where that is known.

    Examples
    --------
    >>> VideoRef(Path("night.mp4")).open().info.duration          # doctest: +SKIP
    >>> VideoRef(Path("frames"), fps=10).open().info.n_frames      # doctest: +SKIP
    """

    path: Path
    fps: float | None = None
    start: datetime | None = None

    @classmethod
    def of(cls, video: VideoLike, fps: float | None = None) -> VideoRef:
        """Return the reference that a path stands for; ``fps`` counts if it is a folder of images.

        A reference comes back as it is, but for a folder without a rate, which takes ``fps``.
        """
        ref = video if isinstance(video, VideoRef) else cls(Path(video))
        if ref.fps is None and fps is not None and ref.path.is_dir():
            return cls(ref.path, fps, ref.start)
        return ref

    @classmethod
    def from_info(cls, info: VideoInfo) -> VideoRef:
        """Return a reference to a video that was open before, by its facts."""
        return cls(info.path, info.fps if info.path.is_dir() else None)

    def open(self) -> Video:
        """Open the video. Raises what :func:`hiprobe.video.open_video` raises."""
        return open_video(self.path, self.fps)

    def identity(self) -> str:
        """Return the identity of the content: the same images at another frame rate are another video.

        Raises what :func:`hiprobe.video.video_identity` raises.
        """
        return video_identity(self.path) + (f"@{self.fps:g}" if self.fps else "")

    def __str__(self) -> str:
        return str(self.path)


VideoLike = VideoRef | Path | str
"""What a verb takes for a video."""
