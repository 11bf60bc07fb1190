"""A folder used as a manifest: ``normal/``, and one subfolder for each kind of anomaly where there is any."""

from __future__ import annotations

from pathlib import Path

from hiprobe.datasets.labels import NORMAL, LabelledVideo
from hiprobe.errors import ManifestError
from hiprobe.video import IMAGE_SUFFIXES, VideoRef

# fmt: off
VIDEO_SUFFIXES = frozenset([
    ".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv",
    ".ts", ".vob", ".webm", ".wmv",
])
# fmt: on
"""Files that count as videos in a folder used as a manifest. A manifest file may name any file."""


def read_folder(source: Path) -> tuple[LabelledVideo, ...]:
    """Label the videos of a folder by their subfolder, in order of names.

    Hidden entries and files of other types are left out; a video that would be left out, because it is
    too deep or not deep enough, is an error instead.

    Raises
    ------
    ManifestError
        If ``normal/`` is missing, a subfolder holds no video, or a video lies elsewhere.
    """
    try:
        return _read_folder(source)
    except OSError as error:
        raise ManifestError(
            f"{error.filename or source}: cannot be read ({error.strerror or error}); check its permissions."
        ) from error


def _read_folder(source: Path) -> tuple[LabelledVideo, ...]:
    entries = _visible(source)
    folders = [entry for entry in entries if entry.is_dir()]
    if not any(_label(folder) == NORMAL for folder in folders):
        raise ManifestError(
            f"{source}: has no subfolder {NORMAL}/; put normal videos there and each kind of anomaly in a "
            "subfolder named after it, or give a .csv manifest."
        )
    for entry in entries:
        if entry.is_file() and _is(entry, VIDEO_SUFFIXES):
            raise ManifestError(f"{entry}: has no label; move it into {NORMAL}/ or the subfolder of its kind.")
    videos: list[LabelledVideo] = []
    for folder in folders:
        found = [entry for entry in _visible(folder) if _is_video(entry)]
        if not found:
            raise ManifestError(f"{folder}: holds no video; add some, or remove the subfolder.")
        videos += [LabelledVideo(VideoRef(path), _label(folder), (), group=str(path)) for path in found]
    return tuple(videos)


def _is_video(entry: Path) -> bool:
    if entry.is_file():
        return _is(entry, VIDEO_SUFFIXES)
    if any(_is(inner, IMAGE_SUFFIXES) for inner in _visible(entry)):
        return True
    if any(_holds_deeper(inner) for inner in _visible(entry)):
        raise ManifestError(f"{entry}: holds videos one level too deep; move them up, or give a .csv manifest.")
    return False


def _holds_deeper(entry: Path) -> bool:
    if entry.is_dir():
        return any(_holds_deeper(inner) for inner in _visible(entry))
    return _is(entry, VIDEO_SUFFIXES | IMAGE_SUFFIXES)


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _is(entry: Path, suffixes: frozenset[str]) -> bool:
    return entry.suffix.lower() in suffixes


def _label(folder: Path) -> str:
    return NORMAL if folder.name.casefold() == NORMAL else folder.name
