"""Paths that a video is read from: checked before FFmpeg sees them, so that errors name the real cause."""

from __future__ import annotations

from pathlib import Path

from hiprobe.errors import VideoError, VideoNotFoundError


def readable(path: str | Path) -> Path:
    """Return ``path`` as a Path to a folder, or to a file that has content and may be read.

    Raises
    ------
    VideoNotFoundError
        If nothing is there.
    VideoError
        If it is empty, no regular file, or may not be read.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return path
        if not path.exists():
            raise VideoNotFoundError(f"{path}: there is no such file or folder; check the path.")
        if not path.is_file():
            raise VideoError(f"{path}: is neither a file nor a folder; name a video file or a folder of images.")
        with path.open("rb") as file:
            if not file.read(1):
                raise VideoError(f"{path}: is empty (0 bytes); copy or record the video again.")
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return path


def unreadable(path: Path, error: Exception) -> VideoError:
    """Make the error for an operating system's refusal."""
    if isinstance(error, PermissionError):
        return VideoError(f"{path}: may not be read (permission denied); grant read permission to this user.")
    reason = getattr(error, "strerror", None) or error
    return VideoError(f"{path}: cannot be read ({reason}); check the path and the disk it is on.")
