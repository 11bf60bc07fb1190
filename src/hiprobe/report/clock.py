"""Times as people read them, and when a video was recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hiprobe.video import VideoInfo
from hiprobe.video.container import open_stream

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Clocks that were never set say 1904, 1970 or 1980."""

_SLACK = timedelta(seconds=2)
"""File systems round times of modification, some to two seconds."""


def stamp(seconds: float) -> str:
    """Return a time in a video as ``m:ss.s``, or ``h:mm:ss.s`` from an hour on."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    end = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"


def length(seconds: float) -> str:
    """Return a duration as ``12.5 s``, or like :func:`stamp` from a minute on."""
    return f"{seconds:.1f} s" if seconds < 60 else stamp(seconds)


def wall_clock(moment: datetime) -> str:
    """Return a moment as ``2026-03-01 22:14:07 UTC``; without a zone where none is known."""
    zone = ""
    if moment.tzinfo is not None:
        zone = " UTC" if not moment.utcoffset() else moment.strftime(" %z")
    return f"{moment:%Y-%m-%d %H:%M:%S}{zone}"


def recorded_at(video: VideoInfo) -> datetime | None:
    """Return when a video file says that it was begun; None for a folder, or where that is not to be trusted.

    It is not if it is before 2000, as of a clock that was never set, or if the file was last written before the video
    would have ended by it: then it tells the end of the recording, or the clock was wrong.

    Raises
    ------
    VideoError
        If the file can no longer be opened.
    """
    path = Path(video.path)
    if path.is_dir():
        return None
    with open_stream(path) as (container, stream):
        text = container.metadata.get("creation_time") or stream.metadata.get("creation_time")
    try:
        begun = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    if begun.tzinfo is None:
        begun = begun.replace(tzinfo=UTC)  # FFmpeg's is in UTC
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    if not _EARLIEST < begun < written or begun + timedelta(seconds=video.duration) > written + _SLACK:
        return None
    return begun
