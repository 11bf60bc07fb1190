"""MSAD, Multi-Scenario Anomaly Detection: Zhu et al., NeurIPS 2024.

Expected in the folder, at any depth: videos below ``MSAD_normal_training_blur``, ``MSAD_normal_testing_blur`` and
``MSAD_anomaly_blur`` (the last by name: ``Assault_1.mp4``). Expected in it or up to two folders below:
``anomaly_annotation.csv``, with the columns ``name``, ``starting frame of anomaly`` and ``ending frame of anomaly``,
and for the authors' protocol ii the list of test videos ``MSAD_I3D_WS_Test.list``, which comes with their features.

With the list, the abnormal videos that are not on it are for training (protocol ii: 480 and 240 videos); without, all
abnormal videos are for testing (protocol i: 360 and 360). Frames are read as counted from 1, the last included.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from hiprobe.datasets.adapters.base import Dataset, FrameLabels
from hiprobe.datasets.adapters.files import VideoIndex, find_file, number, read_lines, read_table
from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

ANNOTATIONS = "anomaly_annotation.csv"
TEST_LIST = "MSAD_I3D_WS_Test.list"

_NAME, _FIRST, _LAST = "name", "starting frame of anomaly", "ending frame of anomaly"
_NORMAL_FOLDERS = {"train": "MSAD_normal_training", "test": "MSAD_normal_testing"}
_FEATURE = re.compile(r"(_i3d)?\.(npy|mp4)$")


class Msad(Dataset):
    """Short CCTV clips of 14 kinds of places and 11 kinds of events."""

    name = "msad"
    title = "MSAD"
    what = "CCTV of 14 kinds of places, 11 kinds of events"
    url = "https://msad-dataset.github.io/"
    terms = "on request, academic research only"
    counts: ClassVar = {"train": 360, "test": 360}
    overrun = 1  # where the last frame of a video is labelled, it is not said which counting holds

    def expected(self, root: Path, split: str) -> int | None:
        """Return how many videos a split should have, which depends on the protocol."""
        if not _has_test_list(root):
            return self.counts[split]
        return {"train": 480, "test": 240}[split]

    def read(self, root: Path, split: str) -> Iterator[FrameLabels]:
        """Read one split; see :meth:`Dataset.read`."""
        index = VideoIndex(root)
        for path in index:
            if any(part.startswith(_NORMAL_FOLDERS[split]) for part in path.relative_to(root).parts[:-1]):
                yield FrameLabels(path, NORMAL, (), group=path.stem, where=str(path))
        tested = read_test_list(find_file(root, TEST_LIST)) if _has_test_list(root) else None
        for where, name, ranges in read_annotations(find_file(root, ANNOTATIONS)):
            if (split == "test") == (tested is None or name in tested):
                kind = name.rpartition("_")[0]
                path = index.locate(f"MSAD_anomaly_blur/{kind}/{name}.mp4")
                yield FrameLabels(path, kind, ranges, group=name, where=where)


def read_annotations(path: Path) -> Iterator[tuple[str, str, tuple[tuple[int, int], ...]]]:
    """Yield place, name and 0-based half-open range of each abnormal video. Raises ManifestError."""
    for where, row in read_table(path, (_NAME, _FIRST, _LAST)):
        name = row[_NAME].removesuffix(".mp4")
        if not name.rpartition("_")[0]:
            raise ManifestError(f"{where}: the name {name!r} holds no kind, such as Assault_1; correct it.")
        yield where, name, ((number(row[_FIRST], where) - 1, number(row[_LAST], where)),)


def read_test_list(path: Path) -> frozenset[str]:
    """Return the names of the test videos; a line may be the path of a video or of its features."""
    return frozenset(_FEATURE.sub("", PurePosixPath(line).name) for _, line in read_lines(path))


def _has_test_list(root: Path) -> bool:
    return any(next(root.glob("*/" * depth + TEST_LIST), None) for depth in range(3))
