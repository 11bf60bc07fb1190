"""The manifest: which videos there are and what is abnormal in them.

As CSV, one row per video, or one per abnormal interval::

    path,label,start,end,group,fps
    yard/monday.mp4,normal,,,yard,
    yard/tuesday.mp4,fight,12.5,20,yard,
    yard/tuesday.mp4,fire,31,44.5,yard,
    street.mp4,accident,,,,
    frames/0017,normal,,,lane,12.5

``path`` is relative to the manifest's folder and may be a folder of frames. ``label`` is ``normal`` (in
any case) or a kind of anomaly. ``start`` and ``end`` are seconds; without them an abnormal label holds
for the whole video. ``group`` names the source that a video shares with others; by default each video is
its own. ``fps`` is the frame rate of a folder of frames, and only of a folder; the column may be left out.
As JSON Lines (``.jsonl``), each line is an object with the same keys. As a folder, it has ``normal/`` and a subfolder
for each kind of anomaly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from hiprobe.datasets.folder import read_folder
from hiprobe.datasets.labels import NORMAL, Interval, LabelledVideo
from hiprobe.datasets.rows import Row, read_rows
from hiprobe.errors import ManifestError
from hiprobe.video import VideoRef


@dataclass(frozen=True)
class Manifest:
    """Labelled videos and the file or folder they were read from."""

    source: Path
    videos: tuple[LabelledVideo, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, each once, in order of first appearance."""
        return tuple(dict.fromkeys(video.group for video in self.videos))

    @property
    def refs(self) -> tuple[VideoRef, ...]:
        """The videos, as every verb takes them."""
        return tuple(item.video for item in self.videos)

    def with_fps(self, fps: float | None) -> Manifest:
        """Return the manifest with a frame rate for folders of frames that have none."""
        videos = tuple(replace(item, video=VideoRef.of(item.video, fps)) for item in self.videos)
        return replace(self, videos=videos)


def load_manifest(path: str | Path) -> Manifest:
    """Read a manifest: a ``.csv`` or ``.jsonl`` file, or a folder with ``normal/`` and other subfolders.

    Videos come in the order of their first row, or sorted by path for a folder. Whether intervals lie
    within a video is not checked here, since no video is opened; see :func:`check_intervals`.

    Raises
    ------
    ManifestError
        If it cannot be read, a row is wrong, rows contradict each other, or a video does not exist. The
        message names ``file:line``.
    """
    source = Path(path)
    if not _exists(source):
        raise ManifestError(f"{source}: does not exist; give a .csv or .jsonl manifest or a folder.")
    if source.is_dir():
        return Manifest(source, read_folder(source))
    by_video: dict[Path, list[Row]] = {}
    for row in read_rows(source):
        video = source.parent / row.path
        if not _exists(video):
            raise ManifestError(
                f"{row.where}: the video {video} does not exist; correct the path, which is relative to the "
                "manifest's folder."
            )
        # Resolved, so that a.mp4, ./a.mp4 and a link to it are one video.
        by_video.setdefault(video.resolve(), []).append(row)
    return Manifest(source, tuple(_merge(source.parent / rows[0].path, rows) for rows in by_video.values()))


def _merge(path: Path, rows: list[Row]) -> LabelledVideo:
    """Make one labelled video of all its rows; raise ManifestError where they contradict each other."""
    first = rows[0]
    seen = {(first.label, first.span): first}
    for row in rows[1:]:
        earlier = seen.setdefault((row.label, row.span), row)
        if earlier is not row:
            raise ManifestError(f"{row.where}: repeats {earlier.where}; remove one.")
        if NORMAL in (first.label, row.label):
            raise ManifestError(
                f"{row.where}: {path} is {row.label} here and {first.label} at {first.where}; remove the "
                "normal row if part of the video is abnormal, or the other if none is."
            )
        if row.span is None or first.span is None:
            raise ManifestError(
                f"{row.where}: {path} has more than one row ({first.where} is the first), and not all have "
                "an interval; give each start and end, or keep one row for the whole video."
            )
    intervals = sorted((*row.span, row.label) for row in rows if row.span)
    return LabelledVideo(
        video=VideoRef(path, _fps(path, rows)),
        label=intervals[0][2] if intervals else first.label,
        intervals=tuple(Interval(start, end, label) for start, end, label in intervals),
        group=_group(rows) or str(path),
    )


def _group(rows: list[Row]) -> str | None:
    """Return the group that the rows give; rows of the same video may leave it out."""
    named = [row for row in rows if row.group]
    for row in named[1:]:
        if row.group != named[0].group:
            raise ManifestError(
                f"{row.where}: the group is {row.group!r} here and {named[0].group!r} at {named[0].where}; "
                "give a video one group."
            )
    return named[0].group if named else None


def _fps(path: Path, rows: list[Row]) -> float | None:
    """Return the frame rate that the rows give; rows of the same video may leave it out."""
    given = [row for row in rows if row.fps is not None]
    for row in given:
        if not path.is_dir():
            raise ManifestError(f"{row.where}: fps is for folders of frames; {path} is a file, so leave it out.")
        if row.fps != given[0].fps:
            raise ManifestError(
                f"{row.where}: fps is {row.fps:g} here and {given[0].fps:g} at {given[0].where}; give a video one."
            )
    return given[0].fps if given else None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False  # not reachable, or too long to be a name
