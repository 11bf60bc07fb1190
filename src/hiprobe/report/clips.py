"""The events of a detection as clips to play."""

from __future__ import annotations

from pathlib import Path

from hiprobe.errors import UsageError
from hiprobe.pipeline import Detection
from hiprobe.video import Clip, VideoRef, write_clips

MARGIN = 2.0
"""Seconds before and after an event."""


def write_event_clips(detection: Detection, folder: Path, name: str, margin: float = MARGIN) -> list[Path]:
    """Write each event as ``NAME-event1.mp4``, ``NAME-event2.mp4``, ...; the video is decoded once.

    Parameters
    ----------
    detection : Detection
        Whose events.
    folder : Path
        Made if it is not there.
    name : str
        What the names begin with, such as the video's stem.
    margin : float
        Seconds that are shown before and after each event.

    Returns
    -------
    list of Path
        One per event.

    Raises
    ------
    UsageError
        If the margin is negative or not finite.
    VideoError
        If the video cannot be decoded.
    OutputError
        If a clip cannot be written. Nothing is left of it then.
    """
    check_margin(margin)
    clips = [
        Clip(item.event.start - margin, item.event.end + margin, folder / f"{name}-event{number}.mp4")
        for number, item in enumerate(detection.events, 1)
    ]
    write_clips(VideoRef.from_info(detection.video).open(), clips)
    return [clip.path for clip in clips]


def check_margin(margin: float) -> None:
    """Raise UsageError unless a margin is a number of seconds of at least 0."""
    if not 0 <= margin < float("inf"):
        raise UsageError(f"A margin of {margin:g} s: give a finite number of seconds, at least 0.")
