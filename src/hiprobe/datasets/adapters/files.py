"""Finding and reading the files of a copy of a dataset; errors name ``file:line``."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy.io import loadmat

from hiprobe.datasets.adapters.base import FrameLabels
from hiprobe.datasets.folder import VIDEO_SUFFIXES
from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

COPY_LABELS = "labels.csv"
"""Label file of a copy that was encoded or cut anew; see :func:`read_copy`."""

_COPY_COLUMNS = ("path", "label", "category", "n_frames", "segments", "split", "group")
_DEPTH = 3


def find_file(root: Path, *names: str) -> Path:
    """Find a label file under one of its names, in ``root`` or at most two folders below it.

    Raises
    ------
    ManifestError
        If there is none, or several of one name.
    """
    for name in names:
        for depth in range(_DEPTH):
            found = sorted(root.glob("*/" * depth + name))
            if len(found) > 1:
                raise ManifestError(f"{found[1]}: is there twice, also as {found[0]}; remove one.")
            if found:
                return found[0]
    raise ManifestError(
        f"{root}: holds no {' or '.join(names)}; put the official label file there, as docs/datasets.md says."
    )


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the lines of a text file that are not blank, each with its place, ``file:line``.

    Raises
    ------
    ManifestError
        If it cannot be read as UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror or error}); check its permissions.") from error
    except UnicodeDecodeError as error:
        raise ManifestError(f"{path}: is not UTF-8 text; fetch the label file again.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"{path}:{number}", line.strip()


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the rows of a CSV file with a header, each with its place. Raises ManifestError."""
    lines = list(read_lines(path))
    rows = csv.reader([line for _, line in lines])
    header = [name.strip() for name in next(rows, [])]
    missing = [name for name in columns if name not in header]
    if missing:
        raise ManifestError(f"{path}:1: the column {missing[0]!r} is missing; the first line names the columns.")
    for (where, _), fields in zip(lines[1:], rows, strict=False):
        if len(fields) != len(header):
            raise ManifestError(f"{where}: has {len(fields)} fields under {len(header)} columns; correct the row.")
        yield where, {name: field.strip() for name, field in zip(header, fields, strict=True)}


def read_cells(path: Path, variable: str) -> list[np.ndarray]:
    """Return the cells of a cell array in a ``.mat`` file. Raises ManifestError."""
    try:
        cells = loadmat(path, variable_names=[variable]).get(variable)
    except Exception as error:  # a damaged file makes SciPy raise anything from zlib.error to TypeError
        raise ManifestError(f"{path}: cannot be read as a .mat file ({error}); fetch it again.") from error
    if cells is None or cells.dtype != object:
        raise ManifestError(f"{path}: has no cell array {variable!r}; fetch the official ground truth.")
    return [np.asarray(cell) for cell in cells.ravel()]


def number(text: str, where: str) -> int:
    """Read a whole number. Raises ManifestError."""
    try:
        return int(text)
    except ValueError:
        raise ManifestError(f"{where}: {text!r} is no whole number of frames; correct it.") from None


def pairs(texts: Sequence[str], where: str) -> list[tuple[int, int]]:
    """Read pairs of whole numbers, first and last frame. Raises ManifestError if one is left over."""
    if len(texts) % 2:
        raise ManifestError(f"{where}: has {len(texts)} frame numbers, which are no pairs; fetch the label file again.")
    numbers = [number(text, where) for text in texts]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def runs(abnormal: ArrayLike) -> tuple[tuple[int, int], ...]:
    """Return the runs of true values in a mask of shape (n,), 0-based and half-open."""
    padded = np.concatenate([[0], np.asarray(abnormal, dtype=bool), [0]]).astype(np.int8)
    edges = np.flatnonzero(np.diff(padded)).tolist()
    return tuple(zip(edges[::2], edges[1::2], strict=True))


class VideoIndex:
    """The video files below a folder, by name: copies are unpacked into folders of many names.

    Parameters
    ----------
    root : Path
        The folder.
    ignored : str
        Name of a folder whose files are left out.
    """

    def __init__(self, root: Path, ignored: str = "") -> None:
        self._root = root
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(root.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.suffix.lower() in VIDEO_SUFFIXES and not hidden and ignored not in path.parts:
                self._by_name[path.name].append(path)

    def __iter__(self) -> Iterator[Path]:
        return (path for paths in self._by_name.values() for path in paths)

    def locate(self, listed: str) -> Path:
        """Return where a video is, or where it belongs if it is missing.

        Parameters
        ----------
        listed : str
            Its official path, relative to the folder; if it is not there, its name alone is looked for.

        Raises
        ------
        ManifestError
            If several files have the name, and none is at the official path.
        """
        official = self._root / listed
        found = self._by_name.get(official.name, [])
        if official in found or not found:
            return official
        if len(found) > 1:
            raise ManifestError(f"{found[1]}: is there twice, also as {found[0]}; remove one.")
        return found[0]


def read_copy(root: Path) -> Iterator[tuple[str, FrameLabels]]:
    """Yield split and labels of each row of ``labels.csv``, the label file of a copy that lists its own videos.

    Its columns are ``path`` (relative to the file), ``label`` (0 or 1), ``category``, ``n_frames``, ``segments``
    (0-based half-open frame ranges, such as ``10-25;40-62``), ``split`` and ``group``; others are ignored.

    Raises
    ------
    ManifestError
        If a row is wrong.
    """
    for where, row in read_table(root / COPY_LABELS, _COPY_COLUMNS):
        texts = re.split(r"[-;\s]+", row["segments"]) if row["segments"] else []
        if row["label"] not in ("0", "1"):
            raise ManifestError(f"{where}: label is {row['label']!r}; give 0 (normal) or 1.")
        label = row["category"] if row["label"] == "1" else NORMAL
        if not row["path"] or not label or (label == NORMAL) != (row["label"] == "0"):
            raise ManifestError(f"{where}: path or category is missing, or contradicts the label; correct the row.")
        path = root / row["path"]
        yield (
            row["split"],
            FrameLabels(
                path=path,
                label=label,
                ranges=tuple(sorted(pairs(texts, where))),
                group=row["group"] or str(path),
                where=where,
                n_frames=number(row["n_frames"], where),
            ),
        )
