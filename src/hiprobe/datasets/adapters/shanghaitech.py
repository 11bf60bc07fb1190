"""ShanghaiTech Campus: Luo, Liu and Gao, ICCV 2017, in the layout of Liu et al., CVPR 2018.

Expected: ``training/videos/01_001.avi`` ..., ``testing/frames/01_0014/`` ..., folders of frames at 24 a second, and
``testing/test_frame_mask/01_0014.npy`` ..., in the folder or in its ``shanghaitech``. Frames extracted to
``training/frames/01_001/`` are read in place of missing training videos. The number before ``_`` is the camera.

A mask has 1 for each abnormal frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np

from hiprobe.datasets.adapters.base import Dataset, FrameLabels
from hiprobe.datasets.adapters.files import runs
from hiprobe.datasets.folder import VIDEO_SUFFIXES
from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

ABNORMAL = "abnormal"
"""The kind of every event: the masks do not tell chasing, brawling or bicycles apart."""


class ShanghaiTech(Dataset):
    """Thirteen cameras on a campus; events are bicycles, chasing, brawling and more."""

    name = "shanghaitech"
    title = "ShanghaiTech Campus"
    what = "13 cameras on a campus; bicycles, chasing, brawling"
    url = "https://svip-lab.github.io/dataset/campus_dataset.html"
    terms = "see the page"
    counts: ClassVar = {"train": 330, "test": 107}
    fps = 24.0

    def read(self, root: Path, split: str) -> Iterator[FrameLabels]:
        """Read one split; see :meth:`Dataset.read`."""
        home = root / "shanghaitech" if (root / "shanghaitech").is_dir() else root
        return _train(home) if split == "train" else _test(home)


def read_mask(path: Path) -> np.ndarray:
    """Return which frames a mask file marks: bool (n_frames,). Raises ManifestError."""
    try:
        mask = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ManifestError(f"{path}: cannot be read as a NumPy array ({error}); fetch it again.") from error
    if not isinstance(mask, np.ndarray) or mask.ndim != 1:
        raise ManifestError(f"{path}: is no vector with a value for each frame; fetch it again.")
    return mask != 0


def _train(home: Path) -> Iterator[FrameLabels]:
    videos = home / "training/videos"
    frames = home / "training/frames"
    found = [path for path in _entries(videos) if path.suffix.lower() in VIDEO_SUFFIXES]
    found = found or [path for path in _entries(frames) if path.is_dir()]
    if not found:
        raise ManifestError(f"{videos}: holds no training video; unpack them there, as docs/datasets.md says.")
    for path in found:
        yield FrameLabels(path, NORMAL, (), _camera(path), str(path.parent))


def _test(home: Path) -> Iterator[FrameLabels]:
    folder = home / "testing/test_frame_mask"
    masks = [path for path in _entries(folder) if path.suffix == ".npy"]
    if not masks:
        raise ManifestError(f"{folder}: holds no mask; unpack the masks there, as docs/datasets.md says.")
    names = {path.stem for path in masks}
    for path in _entries(home / "testing/frames"):
        if path.is_dir() and path.name not in names:
            raise ManifestError(f"{path}: has no mask in {folder}; fetch the masks again.")
    for source in masks:
        mask = read_mask(source)
        ranges = runs(mask)
        path = home / "testing/frames" / source.stem
        label = ABNORMAL if ranges else NORMAL
        yield FrameLabels(path, label, ranges, _camera(path), str(source), n_frames=len(mask))


def _entries(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _camera(path: Path) -> str:
    return f"camera {path.stem.partition('_')[0]}"
