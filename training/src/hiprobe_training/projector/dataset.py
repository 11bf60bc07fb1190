"""Clips as the projector is trained on them: what the vision tower saw, reduced, and what is true of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from sklearn.decomposition import PCA

from hiprobe.backbones.embedded.motion_internvl import MotionInternVLForConditionalGeneration, StreamProjector
from hiprobe_training.scenes.facts import Facts, PersonFact

BLOCKS = (4, 10)
"""Blocks of the vision tower whose patch features are kept."""
BASIS_CLIPS = 512  # that the directions are measured on


@dataclass(frozen=True)
class ClipRecord:
    """What is known about a clip.

    Attributes
    ----------
    seed : int
        Of :func:`hiprobe_training.scenes.seen.draw_seen`.
    facts : Facts
        What is true of it.
    spots : tuple of (column, row)
        Where in the recorded picture each person of the facts is, as fractions of its size.
    """

    seed: int
    facts: Facts
    spots: tuple[tuple[float, float], ...]

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> ClipRecord:
        """The reverse of :meth:`to_json`."""
        found: dict[str, Any] = json.loads(line)
        facts = found["facts"]
        people = tuple(PersonFact(**{**person, "at": tuple(person["at"])}) for person in facts.pop("people"))
        words, vehicles = tuple(facts.pop("words")), tuple(facts.pop("vehicles"))
        return cls(
            found["seed"],
            Facts(**facts, people=people, words=words, vehicles=vehicles),
            tuple((column, row) for column, row in found["spots"]),
        )


def shard_paths(folder: Path, index: int) -> tuple[Path, Path]:
    """The tensors and the records of a shard; it is complete when its records are there."""
    return folder / f"shard-{index:05d}.safetensors", folder / f"shard-{index:05d}.jsonl"


def shards(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The complete shards of a folder, in order."""
    for records in sorted(folder.glob("shard-*.jsonl")):
        yield records.with_suffix(".safetensors"), records


@dataclass(frozen=True, eq=False)
class Clips:
    """n clips.

    Attributes
    ----------
    records : tuple of ClipRecord
    reduced : Tensor of shape (n, K, rows, columns, reduced)
        What the observer reads, float16.
    streams : list of Tensor of shape (n, cells, features)
        What the linear maps read, float16.
    events : Tensor of shape (n, 2, rows, columns)
        Which share of each patch the event changes, at two moments.
    """

    records: tuple[ClipRecord, ...]
    reduced: torch.Tensor
    streams: list[torch.Tensor]
    events: torch.Tensor


def measure_basis(folder: Path, projector: StreamProjector) -> None:
    """Set what the observer does not learn from the first clips: averages and directions of the features.

    Raises
    ------
    FileNotFoundError
        If the folder has no shards.
    """
    features: dict[int, list[torch.Tensor]] = {block: [] for block in BLOCKS}
    for count, (path, _) in enumerate(shards(folder)):
        loaded = load_file(path)
        if count * len(loaded["event"]) >= BASIS_CLIPS:
            break
        for block, values in features_of(loaded).items():
            features[block].append(values[:, ::2].flatten(0, 3)[::3])
    if not features[BLOCKS[0]]:
        raise FileNotFoundError(f"{folder}: no shards; make some with python -m hiprobe_training.projector.features")
    observer = projector.observer
    for block, average, directions in zip(observer.blocks, observer.averages, observer.directions, strict=True):
        found = PCA(len(directions), random_state=0).fit(torch.cat(features[block]).numpy())
        average.data.copy_(torch.from_numpy(found.mean_))
        directions.data.copy_(torch.from_numpy(found.components_))
        share = found.explained_variance_ratio_.sum()
        print(f"block {block}: {len(directions)} directions hold {share:.0%} of the variance")


def set_basis(folder: Path, projector: StreamProjector) -> None:
    """Set what :func:`measure_basis` measures, from ``basis.safetensors`` in the folder, or measure and keep it."""
    path = folder / "basis.safetensors"
    measured = {
        name: value
        for name, value in projector.named_parameters()
        if name.startswith(("observer.averages", "observer.directions"))
    }
    if path.exists():
        for name, value in load_file(path).items():
            measured[name].data.copy_(value)
        return
    for stale in folder.glob("reduced-*.safetensors"):  # reduced by another basis
        stale.unlink()
    measure_basis(folder, projector)
    save_file({name: value.detach().contiguous() for name, value in measured.items()}, path)


def reduce_shards(folder: Path, model: MotionInternVLForConditionalGeneration, projector: StreamProjector) -> None:
    """Write beside each shard that has none yet what the projector reads of it, a fraction of its size."""
    for path, _ in shards(folder):
        target = path.with_name(path.name.replace("shard", "reduced"))
        if target.exists():
            continue
        loaded = load_file(path)
        features = features_of(loaded)
        tensors = {f"stream.{i}": s.half() for i, s in enumerate(model.model.streams(features))}
        tensors |= {"reduced": projector.observer.reduce(features).half(), "event": loaded["event"]}
        save_file({k: v.contiguous() for k, v in tensors.items()}, target.with_suffix(".tmp"))
        target.with_suffix(".tmp").replace(target)


def features_of(loaded: dict[str, torch.Tensor]) -> dict[int, torch.Tensor]:
    """The patch features (n, K, rows, columns, C) of a shard, by block."""
    side = round(loaded[f"block.{BLOCKS[0]}"].shape[2] ** 0.5)
    return {block: loaded[f"block.{block}"].float().unflatten(2, (side, side)) for block in BLOCKS}


def load_clips(folder: Path, limit: int | None = None) -> Clips:
    """Read the reduced shards of a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    records: list[ClipRecord] = []
    parts: list[dict[str, torch.Tensor]] = []
    for path, lines in shards(folder):
        reduced = path.with_name(path.name.replace("shard", "reduced"))
        if not reduced.exists() or (limit is not None and len(records) >= limit):
            break
        records += [ClipRecord.from_json(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        parts.append(load_file(reduced))
    if not records:
        raise FileNotFoundError(
            f"{folder}: no reduced shards; run python -m hiprobe_training.projector.observe --scenes {folder}"
        )
    whole = {}
    for name in list(parts[0]):  # one after the other, so that the whole is never held twice
        whole[name] = torch.cat([part.pop(name) for part in parts])
    streams = [whole[name] for name in sorted(whole) if name.startswith("stream.")]
    return Clips(tuple(records), whole["reduced"], streams, whole["event"])
