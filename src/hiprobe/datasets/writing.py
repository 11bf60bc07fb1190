"""Writing a manifest, so that it reads back as it was."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from hiprobe.datasets.labels import LabelledVideo
from hiprobe.datasets.manifest import Manifest
from hiprobe.datasets.rows import ALLOWED
from hiprobe.errors import UsageError
from hiprobe.files import write_text


def write_manifest(manifest: Manifest, path: str | Path) -> None:
    """Write a manifest as CSV, which :func:`hiprobe.datasets.load_manifest` reads back.

    Videos below the folder of the file are written relative to it, so that both can be moved together; others with
    their whole path.

    Raises
    ------
    UsageError
        If the name does not end in ``.csv``.
    OutputError
        If it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise UsageError(f"{path}: a manifest is written as CSV; give a name that ends in .csv.")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    # Few have folders of frames, so the column is there only where it says something.
    width = len(ALLOWED) - (all(video.video.fps is None for video in manifest.videos))
    rows.writerow(ALLOWED[:width])
    for video in manifest.videos:
        rows.writerows(row[:width] for row in _rows(video, path))
    write_text(path, text.getvalue())


def _rows(video: LabelledVideo, target: Path) -> Iterator[tuple[str, ...]]:
    # abspath and not resolve(): a link stays the name that its owner gave it.
    place = Path(os.path.abspath(video.path))  # noqa: PTH100
    folder = Path(os.path.abspath(target)).parent  # noqa: PTH100
    name = place.relative_to(folder) if place.is_relative_to(folder) else place
    # A video that is its own group says so by leaving the group out, since a path is written differently here.
    group = "" if video.group == str(video.path) else video.group
    fps = "" if video.video.fps is None else repr(video.video.fps)
    if not video.intervals:
        yield (str(name), video.label, "", "", group, fps)
    for interval in video.intervals:
        # repr() of a float reads back as the same float.
        yield (str(name), interval.label, repr(interval.start), repr(interval.end), group, fps)
