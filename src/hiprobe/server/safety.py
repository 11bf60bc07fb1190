"""What may be opened: paths within allowed folders, and files that hold a video and lead nowhere else."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

import av
from av.error import FFmpegError

from hiprobe.errors import UsageError, VideoError
from hiprobe.video import VideoInfo, open_video

CONTAINERS = "mov,matroska,avi,mpegts,mpeg,flv,asf,ogg"
"""FFmpeg's names of what is taken: containers that hold all of their content. A playlist would name other files."""

MOST_PIXELS = 8192 * 8192
"""Of a frame: decoding one takes memory by its pixels, whatever the size of the file."""

_LONGEST_NAME = 120


class AllowedFolders:
    """The folders that videos may lie in, with all that is below them.

    Parameters
    ----------
    folders : iterable of Path
        The first is where relative paths start.

    Raises
    ------
    UsageError
        If one is no folder.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = []
        for folder in folders:
            if not folder.is_dir():
                raise UsageError(f"{folder}: is no folder; name one that holds videos.")
            self._folders.append(folder.resolve())

    def resolve(self, given: str | Path) -> Path:
        """Return where a path really leads, links followed, if that is within an allowed folder.

        What is not there and what is not allowed get one answer, so that nobody learns what else lies on this machine.

        Raises
        ------
        UsageError
            If it is not.
        """
        try:
            path = (self._folders[0] / given).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):  # missing, a NUL, a ring of links
            path = None
        if path is None or not any(path.is_relative_to(folder) for folder in self._folders):
            raise UsageError(
                f"{str(given)!r}: there is no such video in the project's folder or another allowed one; correct the "
                "path, or start the server with --allow FOLDER."
            )
        return path

    def keep(self, path: Path) -> str:
        """Return how a path that :meth:`resolve` gave is kept: relative where it can be, so that a project can move."""
        first = self._folders[0]
        return str(path.relative_to(first) if path.is_relative_to(first) else path)

    def reopen(self, kept: str) -> Path:
        """Return a path that was kept, if it still leads to itself; a link may have taken its place.

        Raises
        ------
        UsageError
            If it is gone, or leads elsewhere.
        """
        path = self._folders[0] / kept
        if self.resolve(path) != path:
            raise UsageError(f"{kept!r}: has been replaced by a link; put the video back.")
        return path


def check_video(path: Path, image_fps: float | None = None) -> VideoInfo:
    """Return the facts of what really is a video, decoding its first frame; its name says nothing.

    Raises
    ------
    VideoError
        If it is none, in no container that is taken, or of more pixels than can be meant.
    UsageError
        If it is a folder of images and ``image_fps`` is missing, or the other way round.
    """
    if path.is_file():
        try:
            options = {"protocol_whitelist": "file", "format_whitelist": CONTAINERS}
            with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
                pixels = max((stream.width * stream.height for stream in container.streams.video), default=0)
        except (FFmpegError, OSError, ValueError) as error:
            raise VideoError(
                f"{path.name}: is no video of a kind that is taken (MP4, MOV, MKV, WebM, AVI, MPEG, FLV, WMV, Ogg); "
                "convert it, to MP4 for instance."
            ) from error
        if pixels > MOST_PIXELS:
            raise VideoError(f"{path.name}: has frames of {pixels} pixels, more than {MOST_PIXELS}; scale it down.")
    return open_video(path, fps=image_fps).info


def safe_name(given: str) -> str:
    """Return a file name that is one everywhere: no folders, no control characters, not hidden, not long."""
    text = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    text = re.sub(r"[^\w.\- ()\[\]]", "_", text).strip(" .")
    stem, dot, suffix = text.rpartition(".")
    if not dot:
        stem, suffix = text, ""
    suffix = suffix[:10]
    # A name is limited in bytes, and what is shown of it is not cut within a letter.
    stem = stem.encode()[: _LONGEST_NAME - len(suffix.encode()) - 1].decode(errors="ignore").strip(" .") or "video"
    return f"{stem}.{suffix}" if suffix else stem
