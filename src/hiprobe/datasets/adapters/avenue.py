"""CUHK Avenue: Lu, Shi and Jia, ICCV 2013.

Expected: ``training_videos/01.avi`` ... ``16.avi`` and ``testing_videos/01.avi`` ... ``21.avi``, in the folder or in
its ``Avenue Dataset``, and ``ground_truth_demo/testing_label_mask/1_label.mat`` ... (``01_label.mat`` will do), in it
or one folder below. Frames extracted to ``training/frames/01`` ... and ``testing/frames/01`` ... are read in place of
missing videos, at 25 frames a second.

A label file holds ``volLabel``, a mask for each frame; a frame is abnormal if any of its pixels is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from hiprobe.datasets.adapters.base import Dataset, FrameLabels
from hiprobe.datasets.adapters.files import find_file, read_cells, runs
from hiprobe.datasets.labels import NORMAL

ABNORMAL = "abnormal"
"""The kind of every event: running, throwing and loitering are not told apart in the masks."""

MASKS = "testing_label_mask"


class Avenue(Dataset):
    """One camera at a campus avenue; events are running, throwing and loitering."""

    name = "avenue"
    title = "CUHK Avenue"
    what = "a campus avenue; running, throwing, loitering"
    url = "http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/dataset.html"
    terms = "see the page"
    counts: ClassVar = {"train": 16, "test": 21}
    fps = 25.0

    def read(self, root: Path, split: str) -> Iterator[FrameLabels]:
        """Read one split; see :meth:`Dataset.read`."""
        home = root / "Avenue Dataset" if (root / "Avenue Dataset").is_dir() else root
        masks = find_file(root, MASKS) if split == "test" else None
        for number in range(1, self.counts[split] + 1):
            path = home / f"{split}ing_videos" / f"{number:02d}.avi"
            frames = home / f"{split}ing" / "frames" / f"{number:02d}"
            if frames.is_dir() and not path.exists():
                path = frames
            if masks is None:
                yield FrameLabels(path, NORMAL, (), group=f"train {path.stem}", where=str(path.parent))
                continue
            source = find_file(masks, f"{number}_label.mat", f"{number:02d}_label.mat")
            mask = read_mask(source)
            ranges = runs(mask)
            label = ABNORMAL if ranges else NORMAL
            yield FrameLabels(path, label, ranges, f"test {path.stem}", str(source), n_frames=len(mask))


def read_mask(path: Path) -> np.ndarray:
    """Return which frames a label file marks: bool (n_frames,). Raises ManifestError."""
    return np.array([frame.any() for frame in read_cells(path, "volLabel")], dtype=bool)
