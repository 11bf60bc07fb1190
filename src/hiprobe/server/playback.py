"""What a browser plays: the video itself, or a copy of it in H.264."""

from __future__ import annotations

from pathlib import Path

from hiprobe.video import VideoInfo


def plays_as_is(path: Path, info: VideoInfo) -> bool:
    """Whether browsers play a video as it is, with the times that HiProbe counts."""
    return True


class Playback:
    """Finds or makes the file that is played.

    Parameters
    ----------
    library : Library
    folder : Path
        Where copies are kept.
    """

    def __init__(self, library, folder: Path) -> None:
        self._library, self._folder = library, folder

    def file(self, video_id: int) -> Path | None:
        """Return the file to play; None while a copy of it is being made."""
        return self._library.open(video_id)[0]

    def close(self) -> None:
        """Stop making copies."""
