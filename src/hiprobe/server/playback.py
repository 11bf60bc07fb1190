"""The file that is played: the video itself, or a copy of it that is made once and kept."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hiprobe.server.library import Library
from hiprobe.video import VideoRef, video_identity, write_clip


@dataclass(frozen=True)
class Playable:
    """A file, and its media type: not guessed from its name, which may say anything."""

    path: Path
    media_type: str


class _ClosedError(Exception):
    """Raised in the making of a copy when the server ends."""


class Playback:
    """Finds or makes the file that is played.

    Parameters
    ----------
    library : Library
    folder : Path
        Where copies are kept, by the content of their video.
    """

    def __init__(self, library: Library, folder: Path) -> None:
        self._library, self._folder = library, folder
        self._maker = ThreadPoolExecutor(1, "hiprobe-playback")
        self._making: dict[Path, Future[None]] = {}
        self._lock, self._closed = threading.Lock(), threading.Event()

    def find(self, video_id: int) -> Playable | None:
        """Return the file to play; None while a copy of the video is being made, which this call sets off.

        Raises
        ------
        NotFoundError
            If there is none of this id.
        UsageError, VideoError
            If its file is gone, or cannot be decoded.
        """
        video, media_type = self._library.open_media(video_id)
        if media_type is not None:
            return Playable(video.path, media_type)
        rate = f"-{video.fps:g}" if video.fps else ""
        copy = self._folder / f"{video_identity(video.path)[:32]}{rate}.mp4"
        with self._lock:
            making = self._making.get(copy)
            if making is None and not copy.exists():
                making = self._making[copy] = self._maker.submit(self._make, video, copy)
            if making is not None and not making.done():
                return None
            self._making.pop(copy, None)
        if making is not None:
            making.result()  # raises what went wrong
        return Playable(copy, "video/mp4")

    def close(self) -> None:
        """Stop making copies; what is not whole is gone."""
        self._closed.set()
        self._maker.shutdown(cancel_futures=True)

    def _make(self, video: VideoRef, copy: Path) -> None:
        write_clip(video.open(), 0.0, math.inf, copy, self._check)

    def _check(self) -> None:
        if self._closed.is_set():
            raise _ClosedError
