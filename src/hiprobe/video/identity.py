"""A cheap content identity, to tell whether what was computed from a video still applies to it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from hiprobe.video.folder import image_paths
from hiprobe.video.paths import readable, unreadable

_EDGE = 1 << 20


def video_identity(path: str | Path) -> str:
    """Return the identity of a video's content: 64 hexadecimal digits, the same wherever the video lies.

    For a file it is the SHA-256 of its size and its first and last MiB; for a folder of images, of each
    image's name and size, and of the first and last image as for a file. Modification times do not count,
    so a copy keeps its identity. An edit that changes neither size nor ends goes unseen: that is the price
    of not reading the whole file.

    Raises
    ------
    VideoNotFoundError
        If nothing is at ``path``.
    VideoError
        If it cannot be read, or is a folder without images.
    """
    path = readable(path)
    digest = hashlib.sha256(b"hiprobe video 1\n")
    try:
        if path.is_dir():
            _add_folder(digest, path)
        else:
            _add_file(digest, path)
    except OSError as error:
        raise unreadable(path, error) from error
    return digest.hexdigest()


def _add_folder(digest: hashlib._Hash, folder: Path) -> None:
    images = image_paths(folder)
    for image in images:
        digest.update(f"{image.name}\0{image.stat().st_size}\n".encode("utf-8", "surrogateescape"))
    for image in (images[0], images[-1]):
        _add_file(digest, image)


def _add_file(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    digest.update(f"{size}\n".encode())
    with path.open("rb") as file:
        digest.update(file.read(_EDGE))
        file.seek(max(_EDGE, size - _EDGE))
        digest.update(file.read(_EDGE))
