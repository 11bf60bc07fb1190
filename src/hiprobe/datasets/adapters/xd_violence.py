"""XD-Violence: Wu et al., ECCV 2020.

Expected in the folder, at any depth: the videos by their official names, as the parts of the download unpack. Expected
in it or up to two folders below: ``annotations.txt``, the frames of the abnormal test videos, and ``rgb_test.list``
from the authors' code, which names all test videos, normal ones too. Every other video is taken for a training video.

Kinds of anomaly are in the names: ``..._label_B2-G-0`` is shooting, then an explosion; ``_label_A`` is normal. An
annotation is ``NAME start end [start end ...]``, which the authors read as ``gt[start:end] = 1``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from hiprobe.datasets.adapters.base import Dataset, FrameLabels
from hiprobe.datasets.adapters.files import VideoIndex, find_file, pairs, read_lines
from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

ANNOTATIONS = "annotations.txt"
TEST_LIST = "rgb_test.list"

_KINDS = {
    "B1": "fighting",
    "B2": "shooting",
    "B4": "riot",
    "B5": "abuse",
    "B6": "car accident",
    "G": "explosion",
}
_FEATURE = re.compile(r"(__[0-9]+)?\.npy$")
"""End of a line of the test list: it names files of features, five crops a video."""

Ranges = tuple[tuple[int, int], ...]


class XdViolence(Dataset):
    """Films and clips from the web with six kinds of violence, test events labelled by frame."""

    name = "xd-violence"
    title = "XD-Violence"
    what = "films and web video with sound, 6 kinds of violence"
    url = "https://roc-ng.github.io/XD-Violence/"
    terms = "see the page"
    counts: ClassVar = {"train": 3954, "test": 800}
    overrun = 16  # the authors' slices cut what reaches past the end

    def read(self, root: Path, split: str) -> Iterator[FrameLabels]:
        """Read one split; see :meth:`Dataset.read`."""
        names = read_test_list(find_file(root, TEST_LIST))
        index = VideoIndex(root)
        if split == "train":
            for path in index:
                if path.stem not in names:
                    yield FrameLabels(path, kind(path.stem, str(path)), (), film(path.stem), str(path))
            return
        annotations = find_file(root, ANNOTATIONS)
        for where, name, label, ranges in combine(names, read_annotations(annotations), annotations):
            yield FrameLabels(index.locate(f"{name}.mp4"), label, ranges, film(name), where)


def kind(name: str, where: str) -> str:
    """Return the label that the name of a video holds; several kinds are joined by ``+``. Raises ManifestError."""
    codes = [code for code in name.rpartition("_label_")[2].split("-") if code != "0"]
    if "_label_" in name and codes == ["A"]:
        return NORMAL
    if "_label_" not in name or not codes or any(code not in _KINDS for code in codes):
        raise ManifestError(
            f"{where}: the name {name!r} holds no label, such as _label_B2-G-0; restore the official name, or move "
            "the file elsewhere if it is of no dataset."
        )
    return "+".join(_KINDS[code] for code in codes)


def film(name: str) -> str:
    """Return what a video was cut from: a film or a video of the web gives several."""
    return name.partition("__#")[0]


def read_test_list(path: Path) -> dict[str, str]:
    """Return the names of the test videos, each with the place of its first line. Raises ManifestError."""
    names: dict[str, str] = {}
    for where, line in read_lines(path):
        # A feature path in the authors' list; a bare name in other copies of it.
        names.setdefault(_stem(_FEATURE.sub("", PurePosixPath(line).name)), where)
    return names


def read_annotations(path: Path) -> dict[str, tuple[str, Ranges]]:
    """Return place and frame ranges of each abnormal test video. Raises ManifestError."""
    found: dict[str, tuple[str, Ranges]] = {}
    for where, line in read_lines(path):
        name, *texts = line.split()
        if not texts:
            raise ManifestError(f"{where}: {name!r} has no frames; fetch the label file again.")
        # Fourteen of the names end in .mp4; the others do not.
        earlier = found.setdefault(_stem(name), (where, tuple(sorted(pairs(texts, where)))))
        if earlier[0] != where:
            raise ManifestError(f"{where}: repeats {earlier[0]}; fetch the label file again.")
    return found


def combine(
    names: dict[str, str], annotations: dict[str, tuple[str, Ranges]], source: Path
) -> Iterator[tuple[str, str, str, Ranges]]:
    """Yield place, name, label and ranges of each test video. Raises ManifestError where the two files disagree."""
    for name, (where, _) in annotations.items():
        if name not in names:
            raise ManifestError(f"{where}: {name} is not on {TEST_LIST}; fetch both files again.")
    for name, listed in names.items():
        label = kind(name, listed)
        if label != NORMAL and name not in annotations:
            raise ManifestError(f"{listed}: {name} is abnormal and {source} has no frames of it; fetch it again.")
        where, ranges = annotations.get(name, (listed, ()))
        if label == NORMAL and ranges:
            raise ManifestError(f"{where}: {name} is normal by its name and has frames; fetch the label file again.")
        yield where, name, label, ranges


def _stem(name: str) -> str:
    return name.removesuffix(".mp4")
