"""Whether a copy of a dataset is whole, before anyone spends a night on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hiprobe.datasets.adapters import ALL, Dataset, FrameLabels, misfit
from hiprobe.errors import VideoError


@dataclass(frozen=True)
class Finding:
    """What the check of one video found, or of one split.

    Attributes
    ----------
    path : Path
        The video; the folder of the copy for a finding about a split.
    problem : str or None
        A sentence with cause and remedy; None if all is well.
    is_video : bool
        Whether it is about one video.
    """

    path: Path
    problem: str | None
    is_video: bool = True


def check_dataset(dataset: Dataset, root: str | Path, split: str = ALL, decode: bool = False) -> Iterator[Finding]:
    """Yield a finding for each video of a copy as it is checked, and one for each split of a wrong size.

    A video must be there, open, and be as long as its labels say. Opening reads all of a file, so that a terabyte takes
    its time.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    root : path
        The folder of the copy.
    split : str
        The part to check.
    decode : bool
        Whether to decode every frame too, which finds damage within a video and takes far longer.

    Raises
    ------
    ManifestError
        If the labels cannot be read.
    UsageError
        If the dataset has no such split.
    """
    root = Path(root)
    for part in dataset.parts(split):
        labels = dataset.labels(root, part)
        for item in labels:
            yield Finding(item.path, _problem(dataset, item, decode))
        expected = dataset.expected(root, part)
        if expected is not None and len(labels) != expected:
            text = f"holds {len(labels)} videos of the split {part}, which has {expected}; complete the copy."
            yield Finding(root, text, is_video=False)


def _problem(dataset: Dataset, labels: FrameLabels, decode: bool) -> str | None:
    if not labels.path.exists():
        return f"is missing; {labels.where} lists it."
    try:
        video = dataset.open(labels.path)
        if decode:
            for _ in video.pictures():
                pass
    except VideoError as error:
        return str(error).removeprefix(f"{labels.path}: ")
    problem = misfit(labels, video.info.n_frames, dataset.overrun)
    return f"{problem} The labels are {labels.where}." if problem else None
