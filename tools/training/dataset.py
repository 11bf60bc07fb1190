"""Clips as the projector is trained on them: streams, and what can be said about them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

STREAMS = ("appearance.8", "appearance.10", "motion.4", "motion.8", "motion.10")


@dataclass(frozen=True)
class ClipRecord:
    """What is known about a clip.

    Attributes
    ----------
    seed : int
        Of :func:`tools.scenes.clips.draw_clip`.
    event : str or None
        The kind of event; None if all is normal.
    people : int
        In the picture.
    answers : tuple of (question, answer)
        Several wordings.
    """

    seed: int
    event: str | None
    people: int
    answers: tuple[tuple[str, str], ...]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> ClipRecord:
        """The reverse of :meth:`to_json`."""
        found: dict[str, Any] = json.loads(line)
        return cls(found["seed"], found["event"], found["people"], tuple((q, a) for q, a in found["answers"]))


def shard_paths(folder: Path, index: int) -> tuple[Path, Path]:
    """The tensors and the records of a shard; it is complete when its records are there."""
    return folder / f"shard-{index:05d}.safetensors", folder / f"shard-{index:05d}.jsonl"


def shards(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The complete shards of a folder, in order."""
    for records in sorted(folder.glob("shard-*.jsonl")):
        yield records.with_suffix(".safetensors"), records


@dataclass(frozen=True, eq=False)
class Clips:
    """Records of n clips and the streams chosen, float16 (n, cells, features) each."""

    records: tuple[ClipRecord, ...]
    streams: tuple[torch.Tensor, ...]

    def batch(self, indices: torch.Tensor, flipped: torch.Tensor) -> list[torch.Tensor]:
        """The streams of some clips in float32; those where ``flipped`` is true are mirrored left to right."""
        found = []
        for stream in self.streams:
            cells = stream[indices].float()
            grid = round(cells.shape[1] ** 0.5)
            mirrored = cells.unflatten(1, (grid, grid)).flip(2).flatten(1, 2)
            found.append(torch.where(flipped[:, None, None], mirrored, cells))
        return found


def load_clips(folder: Path, streams: Sequence[str], limit: int | None = None) -> Clips:
    """Read the complete shards of a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    records: list[ClipRecord] = []
    tensors: dict[str, list[torch.Tensor]] = {name: [] for name in streams}
    for tensor_path, record_path in shards(folder):
        if limit is not None and len(records) >= limit:
            break
        records += [ClipRecord.from_json(line) for line in record_path.read_text(encoding="utf-8").splitlines()]
        loaded = load_file(tensor_path)
        for name in streams:
            tensors[name].append(loaded[name])
    if not records:
        raise FileNotFoundError(f"{folder}: no shards; make some with python -m tools.training.features")
    return Clips(tuple(records), tuple(torch.cat(tensors[name]) for name in streams))
