"""Surveillance Camera Fight: Akti, Tataroglu and Ekenel, IPTA 2019.

Expected: ``fight/`` and ``noFight/``, 150 clips of two seconds each, and ``videos.txt``, as in the repository. The
folder is all that is known of a clip: there is no official split and no frame is labelled. ``videos.txt`` says which
recordings clips were cut from, which are the groups; without it each clip is its own. A copy with a ``labels.csv`` of
its own is read by that; see :func:`hiprobe.datasets.adapters.files.read_copy`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from hiprobe.datasets.adapters.base import ALL, Dataset, FrameLabels
from hiprobe.datasets.adapters.files import COPY_LABELS, read_copy, read_lines
from hiprobe.datasets.folder import VIDEO_SUFFIXES
from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

SOURCES = "videos.txt"

_LABELS = {"fight": "fight", "noFight": NORMAL}
_CLIP = re.compile(r"(\w+):")
_CLIPS = re.compile(r"([a-z]+)([0-9]+) - \1([0-9]+)\s*:\s*(.+)")
"""Clips of another dataset, such as ``nofi062 - nofi076 : CamNet Dataset``."""


class SurvFight(Dataset):
    """Two-second CCTV clips, half of them with a fight."""

    name = "surv-fight"
    title = "Surveillance Camera Fight"
    what = "CCTV clips of 2 s, a fight or none"
    url = "https://github.com/seymanurakti/fight-detection-surv-dataset"
    terms = "MIT"
    counts: ClassVar = {ALL: 300}

    def expected(self, root: Path, split: str) -> int | None:
        """Return how many clips there should be."""
        return None if (root / COPY_LABELS).exists() else self.counts[split]

    def read(self, root: Path, split: str) -> Iterator[FrameLabels]:
        """Read all clips; see :meth:`Dataset.read`."""
        if (root / COPY_LABELS).exists():
            yield from (labels for _, labels in read_copy(root))
            return
        sources = read_sources(root / SOURCES) if (root / SOURCES).exists() else {}
        for name, label in _LABELS.items():
            folder = root / name
            clips = sorted(folder.iterdir()) if folder.is_dir() else []
            found = [path for path in clips if path.suffix.lower() in VIDEO_SUFFIXES and path.name[0] != "."]
            if not found:
                raise ManifestError(f"{folder}: holds no clip; put fight/ and noFight/ into {root}.")
            for path in found:
                yield FrameLabels(path, label, (), sources.get(path.stem, path.stem), str(folder))


def read_sources(path: Path) -> dict[str, str]:
    """Return the recording that each clip was cut from.

    A clip that is named under two recordings, as two are, makes one of both: better a group too large than one that is
    split.

    Raises
    ------
    ManifestError
        If a line is neither a recording nor a clip.
    """
    found: dict[str, str] = {}
    same: dict[str, str] = {}
    source = ""
    for where, line in read_lines(path):
        if line.startswith("http"):
            source = line
            continue
        if several := _CLIPS.fullmatch(line):
            prefix, first, last, source = several.groups()
            names = [f"{prefix}{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
        elif (one := _CLIP.match(line)) and source:
            names = [one[1]]
        else:
            raise ManifestError(f"{where}: {line!r} is neither a recording nor a clip; fetch the file again.")
        for name in names:
            first_source = _follow(same, found.setdefault(name, source))
            if _follow(same, source) != first_source:
                same[_follow(same, source)] = first_source
    return {name: _follow(same, group) for name, group in found.items()}


def _follow(same: dict[str, str], source: str) -> str:
    while source in same:
        source = same[source]
    return source
