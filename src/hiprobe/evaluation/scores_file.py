"""Scores files of any system, so that all are measured by the same code.

::

    given = read_scores("scores/", manifest)                 # or scores.csv, or the output folder of hiprobe detect
    scored = given.timelines[video.path].read(frame_times, duration, ScoresSettings())

Read are a folder with a file per video (``.npy``, ``.txt``, ``.csv``, or the ``.json`` of ``hiprobe detect``), one such
file, or a ``.csv`` table of all videos with a column ``path``. A file, or a path in a table or result, names the video
whose own path ends with it, with or without the video's suffix.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from hiprobe.datasets import LabelledVideo, Manifest
from hiprobe.errors import ScoresError
from hiprobe.evaluation.timelines import DetectedTimeline, FrameTimeline, PointTimeline, SpanTimeline, Timeline

SUFFIXES = (".npy", ".txt", ".csv", ".json")
EVENTS_TABLE = "events.csv"
"""Written by ``hiprobe detect`` beside its results; no scores are in it."""

_COLUMNS: tuple[tuple[str, ...], ...] = (("score",), ("time", "score"), ("start", "end", "score"))
_ALLOWED = ", or ".join(",".join(names) for names in _COLUMNS)
_NAMED = 5
"""Names that a message lists before it only counts the rest."""


@dataclass(frozen=True)
class GivenScores:
    """The timelines of a scores file or folder.

    Attributes
    ----------
    timelines : dict of Path to Timeline
        By the path of the video as the manifest has it; one for each of its videos.
    unused : tuple of str
        Names that scores were given for and the manifest does not have.
    """

    timelines: dict[Path, Timeline]
    unused: tuple[str, ...]


def read_scores(path: str | Path, manifest: Manifest) -> GivenScores:
    """Read the scores of every video of a manifest.

    Scores of videos that it does not have are told in ``unused`` and not read further: a manifest may be a part of what
    was scored.

    Raises
    ------
    ScoresError
        If something cannot be read, a value is not a finite number, times do not ascend, a video has no scores or has
        them twice, or a name fits several videos. The message names the file, and the line of a table.
    """
    source = Path(path)
    timelines: dict[Path, Timeline] = {}
    unused: list[str] = []
    videos = _Videos(manifest)
    for name, timeline in _named(source):
        video = videos.named(name, source)
        if video is None:
            unused.append(str(name))
            continue
        found = timeline if isinstance(timeline, Timeline) else _read_file(timeline)
        if video.path in timelines:
            raise ScoresError(
                f"{found.where}: has scores for {video.path}, which {timelines[video.path].where} has too; remove one."
            )
        timelines[video.path] = found
    missing = [str(video.path) for video in manifest.videos if video.path not in timelines]
    if missing:
        hint = f" (scores that fit no video: {listed(unused)})" if unused else ""
        raise ScoresError(
            f"{source}: has no scores for {listed(missing)}{hint}; score every video, or take it out of the manifest."
        )
    return GivenScores(timelines, tuple(unused))


def listed(names: list[str] | tuple[str, ...]) -> str:
    """Return names with commas, and only the number of those after the first few."""
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _named(source: Path) -> Iterator[tuple[PurePath, Timeline | Path]]:
    """Yield what names a video, and its timeline or the file that holds it."""
    if source.is_dir():
        files = sorted(
            file
            for file in source.rglob("*")
            if file.suffix.lower() in SUFFIXES and file.is_file() and not file.name.startswith(".")
        )
        if any(file.suffix.lower() == ".json" for file in files):
            files = [file for file in files if file.name != EVENTS_TABLE]
        if not files:
            raise ScoresError(f"{source}: holds no scores file ({', '.join(SUFFIXES)}); name another folder.")
        if len({file.suffix.lower() == ".json" for file in files}) > 1:
            raise ScoresError(f"{source}: mixes results of hiprobe detect with other scores files; keep one kind.")
    elif source.suffix.lower() in SUFFIXES:
        files = [source]
    else:
        raise ScoresError(f"{source}: is neither a folder nor a {', '.join(SUFFIXES)} file; name a scores file.")
    for file in files:
        if file.suffix.lower() == ".json":
            yield _read_result(file)
        elif file.suffix.lower() == ".csv" and file == source and "path" in _header(file):
            yield from _read_table(file)
        else:
            name = file.relative_to(source) if source.is_dir() else PurePath(file.name)
            yield name.with_name(name.name[: -len(file.suffix)]), file


class _Videos:
    """The videos of a manifest, to be found by the end of their path."""

    def __init__(self, manifest: Manifest) -> None:
        self._home = manifest.source if manifest.source.is_dir() else manifest.source.parent
        self._by_last: dict[str, list[tuple[tuple[str, ...], LabelledVideo]]] = {}
        for video in manifest.videos:
            whole = _parts(Path.cwd() / video.path)
            for last in dict.fromkeys((video.path.name, video.path.stem)):
                self._by_last.setdefault(last, []).append(((*whole[:-1], last), video))

    def named(self, name: PurePath, source: Path) -> LabelledVideo | None:
        """Return the video whose path ends with ``name``; if several do, the one that is at just this path."""
        wanted = _parts(name)
        fitting = [item for item in self._by_last.get(name.name, ()) if item[0][-len(wanted) :] == wanted]
        if len(fitting) > 1:
            exact = [item for item in fitting if item[0] == _parts(Path.cwd() / self._home / name)]
            if len(exact) != 1:
                paths = listed([str(video.path) for _, video in fitting])
                raise ScoresError(f"{source}: {name} fits {paths}; say which, by more of its path.")
            fitting = exact
        return fitting[0][1] if fitting else None


def _parts(path: PurePath) -> tuple[str, ...]:
    """Return the parts of a path, without what leads up from an unknown folder."""
    return tuple(part for part in PurePath(os.path.normpath(path)).parts if part != "..")


def _read_file(path: Path) -> Timeline:
    """Read the scores file of one video."""
    if path.suffix.lower() == ".npy":
        return FrameTimeline(str(path), _read_npy(path))
    header = _header(path) if path.suffix.lower() == ".csv" else []
    if "path" in header:
        raise ScoresError(f"{path}: is a table of videos within a folder; name the file itself.")
    if "score" in header:
        return next(timeline for _, timeline in _read_table(path))
    values = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if line.strip():
            values.append(_number(f"{path}:{number}", "score", line))
    if not values:
        raise ScoresError(f"{path}: holds no score; write one a line.")
    return FrameTimeline(str(path), np.array(values))


def _read_npy(path: Path) -> NDArray[np.float64]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ScoresError(f"{path}: cannot be read ({error}); save plain numbers with numpy.save.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        raise ScoresError(f"{path}: holds no plain numbers; save an array of them with numpy.save.")
    if array.ndim != 1 or not array.size:
        raise ScoresError(f"{path}: has shape {array.shape}; save one score per frame, of shape (n_frames,).")
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        index = int(np.flatnonzero(~np.isfinite(values))[0])
        raise ScoresError(f"{path}: score {index} is {values[index]}; every score must be a finite number.")
    return values


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")  # spreadsheets write a byte order mark
    except OSError as error:
        raise ScoresError(f"{path}: cannot be read ({error.strerror or error}); check the path.") from error
    except UnicodeDecodeError as error:
        raise ScoresError(f"{path}: is not UTF-8 text; save it as UTF-8.") from error


def _header(path: Path) -> list[str]:
    first = _text(path).partition("\n")[0]
    return [name.strip() for name in next(csv.reader([first]), [])]


def _number(where: str, name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ScoresError(f"{where}: {name} is {text.strip()!r}; give a finite number.")
    return value


def _read_table(path: Path) -> Iterator[tuple[PurePath, Timeline]]:
    """Yield the timeline of each video of a table; one without a column ``path`` is of one video, named ''."""
    rows = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    header = [name.strip() for name in next(rows, [])]
    columns = tuple(name for name in header if name != "path")
    if columns not in _COLUMNS or len(set(header)) < len(header):
        raise ScoresError(
            f"{path}:1: has columns {','.join(header)}; give {_ALLOWED}, and path before them for a table."
        )
    by_video: dict[str, list[tuple[float, ...]]] = {}
    try:
        for row in rows:
            where = f"{path}:{rows.line_num}"
            if not row:
                continue  # a blank line
            if len(row) != len(header):
                raise ScoresError(f"{where}: has {len(row)} fields under {len(header)} columns; give each row all.")
            cells = dict(zip(header, row, strict=True))
            video = cells.get("path", "").strip()
            if "path" in cells and not video:
                raise ScoresError(f"{where}: path is empty; name the video.")
            numbers = tuple(_number(where, name, cells[name]) for name in columns)
            earlier = by_video.setdefault(video, [])
            _check_row(where, columns, numbers, earlier)
            earlier.append(numbers)
    except csv.Error as error:
        raise ScoresError(f"{path}:{rows.line_num}: is not valid CSV ({error}); check its quotes.") from error
    if not by_video:
        raise ScoresError(f"{path}: has no rows; add one per score.")
    for video, rows_of_video in by_video.items():
        where = f"{path} ({video})" if video else str(path)
        values = np.array(rows_of_video)
        if len(columns) == 1:
            yield PurePath(video), FrameTimeline(where, values[:, 0])
        elif len(columns) == 2:
            yield PurePath(video), PointTimeline(where, values[:, 0], values[:, 1])
        else:
            yield PurePath(video), SpanTimeline(where, values[:, 0], values[:, 1], values[:, 2])


def _check_row(
    where: str, columns: tuple[str, ...], numbers: tuple[float, ...], earlier: list[tuple[float, ...]]
) -> None:
    name, value = columns[0], numbers[0]
    if name in ("time", "start") and value < 0:
        raise ScoresError(f"{where}: {name} is {value:g}; give seconds from the first frame, 0 or more.")
    if name == "time" and earlier and value <= earlier[-1][0]:
        raise ScoresError(
            f"{where}: time {value:g} does not come after {earlier[-1][0]:g}; sort the rows of a video by time."
        )
    if name == "start" and value >= numbers[1]:
        raise ScoresError(f"{where}: start {value:g} is not before end {numbers[1]:g}; swap or correct them.")


class _Segment(BaseModel):
    start: FiniteFloat
    end: FiniteFloat
    score: FiniteFloat
    smoothed: FiniteFloat


class _Span(BaseModel):
    start: FiniteFloat
    end: FiniteFloat


class _Kind(BaseModel):
    name: str


class _Found(BaseModel):
    event: _Span
    kind: _Kind | None = None


class _Video(BaseModel):
    path: str
    n_frames: int


class _Result(BaseModel):
    """What is read of a result of ``hiprobe detect``."""

    format: Literal["hiprobe.detection/1"] = Field(alias="schema")
    video: _Video
    segments: list[_Segment] = Field(min_length=1)
    events: list[_Found]


def _read_result(path: Path) -> tuple[PurePath, DetectedTimeline]:
    try:
        result = _Result.model_validate_json(_text(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ScoresError(
            f"{path}: is no result of hiprobe detect ({where + ': ' if where else ''}{first['msg']}); write it again."
        ) from error
    segments = np.array([(item.start, item.end, item.score, item.smoothed) for item in result.segments])
    starts, ends, raw, smoothed = segments.T
    events = tuple((found.event.start, found.event.end) for found in result.events)
    names = tuple(found.kind.name for found in result.events if found.kind)
    kinds = names if len(names) == len(events) else None
    timeline = DetectedTimeline(str(path), result.video.n_frames, starts, ends, raw, smoothed, events, kinds)
    named = Path(result.video.path)
    # Of another machine, or moved since: its name is all that can fit, and its frames are counted later on.
    moved = named.is_absolute() and not named.exists()
    return PurePath(named.name) if moved else named, timeline
