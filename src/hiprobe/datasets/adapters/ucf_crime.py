"""UCF-Crime: Sultani, Chen and Shah, CVPR 2018.

Expected in the folder, at any depth: the videos by their official names (``Abuse001_x264.mp4``), as the parts of the
download unpack. Expected in it or up to two folders below: ``Anomaly_Train.txt`` and
``Temporal_Anomaly_Annotation_for_Testing_Videos.txt`` (``Temporal_Anomaly_Annotation.txt`` on GitHub).

A test line is ``NAME  CLASS  first last  first last``, frames counted from 1, the last included, -1 for no event: the
authors' MATLAB sets ``GT(first:last) = 1``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import ClassVar

from hiprobe.datasets.adapters.base import Dataset, FrameLabels
from hiprobe.datasets.adapters.files import VideoIndex, find_file, pairs, read_lines
from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

TEST = ("Temporal_Anomaly_Annotation_for_Testing_Videos.txt", "Temporal_Anomaly_Annotation.txt")
TRAIN = ("Anomaly_Train.txt",)

_NORMAL_TEST = "Testing_Normal_Videos_Anomaly"
_NORMAL_TRAIN = "Training_Normal_Videos_Anomaly"
_OTHER_TASK = "Normal_Videos_for_Event_Recognition"
"""Fifty of the normal videos again, for another task."""
_NOTHING = (-1, -1)


class UcfCrime(Dataset):
    """Long CCTV videos of 13 kinds of crime and of nothing, test events labelled by frame."""

    name = "ucf-crime"
    title = "UCF-Crime"
    what = "long CCTV videos, 13 kinds of crime"
    url = "https://www.crcv.ucf.edu/projects/real-world/"
    terms = "none stated"
    counts: ClassVar = {"train": 1610, "test": 290}
    overrun = 16  # the authors' MATLAB cuts what reaches past the end

    def read(self, root: Path, split: str) -> Iterator[FrameLabels]:
        """Read one split; see :meth:`Dataset.read`."""
        reader, names = (read_train, TRAIN) if split == "train" else (read_test, TEST)
        index = VideoIndex(root, ignored=_OTHER_TASK)
        for where, listed, label, ranges in reader(find_file(root, *names)):
            path = index.locate(listed)
            yield FrameLabels(path, label, ranges, group=path.stem, where=where)


Line = tuple[str, str, str, tuple[tuple[int, int], ...]]
"""A parsed line: where it stands, the official path of its video, label, ranges of frames."""


def read_test(path: Path) -> Iterator[Line]:
    """Read the annotation of the test videos. Raises ManifestError."""
    for where, line in read_lines(path):
        name, label, *texts = line.split()
        if not texts:
            raise ManifestError(f"{where}: is no annotation, NAME CLASS FIRST LAST ...; fetch the label file again.")
        spans = [span for span in pairs(texts, where) if span != _NOTHING]
        if label.casefold() == NORMAL:
            yield where, f"{_NORMAL_TEST}/{name}", NORMAL, tuple((first - 1, last) for first, last in spans)
            continue
        if not spans:
            raise ManifestError(f"{where}: {name} is {label} and has no frames; fetch the label file again.")
        yield where, f"{label}/{name}", label, tuple(sorted((first - 1, last) for first, last in spans))


def read_train(path: Path) -> Iterator[Line]:
    """Read the list of training videos, whose folder is all that is known of them. Raises ManifestError."""
    for where, line in read_lines(path):
        folder = PurePosixPath(line).parent.name
        if not folder:
            raise ManifestError(f"{where}: {line!r} is no CLASS/NAME; fetch the list again.")
        yield where, line, NORMAL if folder == _NORMAL_TRAIN else folder, ()
