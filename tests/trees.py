"""Tiny made-up copies of public datasets, and what tests read from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from hiprobe.datasets import Interval, Manifest, find_dataset

N_FRAMES = 10
"""Frames of the clip that stands for every video, at 5 a second, and of every folder of frames."""

UCF_TEST = "Temporal_Anomaly_Annotation_for_Testing_Videos.txt"
COPY_HEAD = "path,label,category,n_frames,fps,width,height,segments,split,group\n"


def frames(folder: Path, count: int = N_FRAMES) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("L", (8, 8), index).save(folder / f"{index + 1:03d}.tif")
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rows(manifest: Manifest) -> dict[str, tuple[str, list[tuple[float, float]]]]:
    return {
        video.path.name: (video.label, [(round(part.start, 6), round(part.end, 6)) for part in video.intervals])
        for video in manifest.videos
    }


def edges(intervals: Sequence[Interval]) -> list[float]:
    return [edge for part in intervals for edge in (part.start, part.end)]


def few(monkeypatch: pytest.MonkeyPatch, name: str, **counts: int) -> None:
    """Let a dataset have fewer videos than the real one."""
    monkeypatch.setattr(type(find_dataset(name)), "counts", counts)


def cells(*content: object) -> np.ndarray:
    array = np.empty((1, len(content)), dtype=object)
    for index, cell in enumerate(content):
        array[0, index] = cell
    return array


def avenue_mask(path: Path, abnormal: list[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    masks = [np.full((4, 6), index in abnormal, np.uint8) for index in range(N_FRAMES)]
    savemat(path, {"volLabel": cells(*masks)})
    return path


def shanghai(root: Path) -> Path:
    frames(root / "testing/frames/01_0014")
    frames(root / "testing/frames/05_0021")
    (root / "testing/test_frame_mask").mkdir()
    np.save(root / "testing/test_frame_mask/01_0014.npy", np.array([0] * 6 + [1] * 3 + [0]))
    np.save(root / "testing/test_frame_mask/05_0021.npy", np.zeros(N_FRAMES))
    return root
