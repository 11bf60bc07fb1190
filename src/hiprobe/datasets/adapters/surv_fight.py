"""Surveillance Camera Fight: Akti, Tataroglu and Ekenel, IPTA 2019.

Expected: ``fight/`` and ``noFight/``, 150 clips of two seconds each, as the repository has them. The folder is all that
is known of a clip: there is no official split and no frame is labelled. A copy with a ``labels.csv`` of its own is read
by that, which may name the source of each clip; see :func:`hiprobe.datasets.adapters.files.read_copy`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hiprobe.datasets.adapters.base import ALL, Dataset, FrameLabels
from hiprobe.datasets.adapters.files import COPY_LABELS, read_copy
from hiprobe.datasets.folder import VIDEO_SUFFIXES
from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

_LABELS = {"fight": "fight", "noFight": NORMAL}


class SurvFight(Dataset):
    """Two-second CCTV clips, half of them with a fight."""

    name = "surv-fight"
    title = "Surveillance Camera Fight"
    what = "CCTV clips of 2 s, a fight or none"
    url = "https://github.com/seymanurakti/fight-detection-surv-dataset"
    terms = "MIT"
    counts = {ALL: 300}  # noqa: RUF012

    def expected(self, root: Path, split: str) -> int | None:
        """Return how many clips there should be."""
        return None if (root / COPY_LABELS).exists() else self.counts[split]

    def read(self, root: Path, split: str) -> Iterator[FrameLabels]:
        """Read all clips; see :meth:`Dataset.read`."""
        if (root / COPY_LABELS).exists():
            yield from (labels for _, labels in read_copy(root))
            return
        for name, label in _LABELS.items():
            folder = root / name
            clips = sorted(folder.iterdir()) if folder.is_dir() else []
            found = [path for path in clips if path.suffix.lower() in VIDEO_SUFFIXES and path.name[0] != "."]
            if not found:
                raise ManifestError(f"{folder}: holds no clip; put fight/ and noFight/ into {root}.")
            for path in found:
                yield FrameLabels(path, label, (), group=path.stem, where=str(folder))
