"""UCSD Ped1 and Ped2: Mahadevan et al., CVPR 2010.

Expected: ``Train/Train001`` ... and ``Test/Test001`` ..., folders of frames, in the folder or in its ``UCSDped1`` or
``UCSDped2``, and the ground truth ``Test/UCSDped1.m`` or ``Test/UCSDped2.m``, or ``ped1.mat`` or ``ped2.mat`` as later
code carries it. Folders of masks (``Test003_gt``) are not read. A copy as videos, with a ``labels.csv`` and without the
folder ``Test``, is read too; see :func:`hiprobe.datasets.adapters.files.read_copy`.

The ``.m`` file has a line for each test clip, frames counted from 1, the last included, several ranges possible:
``TestVideoFile{end+1}.gt_frame = [5:90, 140:200];``. The ``.mat`` file holds the same as columns of first and last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from hiprobe.datasets.adapters.base import Dataset, FrameLabels
from hiprobe.datasets.adapters.files import COPY_LABELS, find_file, pairs, read_cells, read_copy, read_lines
from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

ABNORMAL = "abnormal"
"""The kind of every event: carts, bicycles and skaters are not told apart in the ground truth."""

_LINE = re.compile(r"gt_frame\s*=\s*\[([^\]]*)\]")

Ranges = tuple[tuple[int, int], ...]


class _Ucsd(Dataset):
    url = "http://www.svcl.ucsd.edu/projects/anomaly/dataset.htm"
    terms = "none stated; asks for citation"
    fps = 10.0
    folder: ClassVar[str]

    def expected(self, root: Path, split: str) -> int | None:
        """Return how many clips a split should have."""
        return None if self._is_copy(self._home(root)) else self.counts[split]

    def read(self, root: Path, split: str) -> Iterator[FrameLabels]:
        """Read one split; see :meth:`Dataset.read`."""
        home = self._home(root)
        if self._is_copy(home):
            for part, labels in read_copy(home):
                if part == split:
                    # Its group is the camera, the same for all; without clips as groups nothing could be fitted.
                    yield replace(labels, group=labels.path.stem)
            return
        if split == "train":
            for number in range(1, self.counts["train"] + 1):
                yield self._clip(home / f"Train/Train{number:03d}", (), str(home / "Train"))
            return
        for number, (where, ranges) in enumerate(self._truth(home), start=1):
            yield self._clip(home / f"Test/Test{number:03d}", ranges, where)

    def _home(self, root: Path) -> Path:
        return root / self.folder if (root / self.folder).is_dir() else root

    def _is_copy(self, home: Path) -> bool:
        return (home / COPY_LABELS).exists() and not (home / "Test").is_dir()

    def _clip(self, path: Path, ranges: Ranges, where: str) -> FrameLabels:
        return FrameLabels(path, ABNORMAL if ranges else NORMAL, ranges, group=path.name, where=where)

    def _truth(self, home: Path) -> list[tuple[str, Ranges]]:
        short = self.folder.removeprefix("UCSD")
        path = find_file(home, f"{self.folder}.m", f"{short}.mat")
        found = list(read_m(path) if path.suffix == ".m" else read_mat(path))
        if len(found) != self.counts["test"]:
            raise ManifestError(
                f"{path}: has ground truth of {len(found)} clips where {self.title} has {self.counts['test']}; "
                "fetch it again."
            )
        return found


class UcsdPed1(_Ucsd):
    """A walkway seen along its length; events are carts, bicycles and skaters."""

    name = "ucsd-ped1"
    title = "UCSD Ped1"
    what = "a walkway, people come and go; carts, bicycles, skaters"
    counts: ClassVar = {"train": 34, "test": 36}
    folder = "UCSDped1"


class UcsdPed2(_Ucsd):
    """A walkway seen from its side; events are carts, bicycles and skaters."""

    name = "ucsd-ped2"
    title = "UCSD Ped2"
    what = "a walkway, people cross the picture; carts, bicycles, skaters"
    counts: ClassVar = {"train": 16, "test": 12}
    folder = "UCSDped2"


def read_m(path: Path) -> Iterator[tuple[str, Ranges]]:
    """Yield place and 0-based half-open ranges of each clip in an ``.m`` file. Raises ManifestError."""
    for where, line in read_lines(path):
        found = _LINE.search(line)
        if found is None or line.startswith("%"):
            continue
        texts = re.split(r"[:,;\s]+", found[1].strip())
        yield where, tuple(sorted((first - 1, last) for first, last in pairs(texts, where)))


def read_mat(path: Path) -> Iterator[tuple[str, Ranges]]:
    """Yield place and 0-based half-open ranges of each clip in a ``.mat`` file. Raises ManifestError."""
    for number, cell in enumerate(read_cells(path, "gt"), start=1):
        where = f"{path}, clip {number}"
        if cell.ndim != 2 or (cell.size and len(cell) != 2):
            raise ManifestError(f"{where}: is no row of first frames above one of last frames; fetch it again.")
        # To Python's integers first: the file holds bytes, in which 0 - 1 is 255.
        yield where, tuple(sorted((int(first) - 1, int(last)) for first, last in cell.T if cell.size))
