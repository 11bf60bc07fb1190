"""Comparing what two checkouts of HiProbe wrote: feature files, probes, JSON and videos, to the bit."""

from __future__ import annotations

import json
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from safetensors import safe_open

from benchmarks.same_plan import IGNORED, KEYS, TENSORS_ALLOWED, VALUES

Name = tuple[str, str]
"""Of a row of the table: the set of videos, and what is compared."""

_TENSORS = ("starts", "ends", "states")
_TOLD = 12


@dataclass
class Row:
    """A line of the table: things of one sort, and what differs among them."""

    count: int = 0
    equal: int = 0
    largest: float = 0.0
    wrong: list[str] = field(default_factory=list)


class Table:
    """What was compared, and how it came out."""

    def __init__(self) -> None:
        self._rows: dict[Name, Row] = {}

    @property
    def is_same(self) -> bool:
        """Whether nothing differs but what is allowed to, and something was compared."""
        return bool(self._rows) and not any(row.wrong for row in self._rows.values())

    def same(self, name: Name, old: Any, new: Any, where: str, allowed: float = 0.0) -> None:
        """Count two values: arrays, numbers, or anything that ``==`` compares."""
        row = self._rows.setdefault(name, Row())
        row.count += 1
        if _bits(old) == _bits(new):
            row.equal += 1
            return
        difference = _difference(old, new)
        row.largest = max(row.largest, difference)
        if not allowed or difference > allowed:
            told = f"{difference:.3g}" if np.isfinite(difference) else f"{_short(old)} became {_short(new)}"
            row.wrong.append(f"{where}: {told}")

    def wrong(self, name: Name, what: str) -> None:
        """Count something that has nothing to be compared with."""
        row = self._rows.setdefault(name, Row())
        row.count += 1
        row.largest = np.inf
        row.wrong.append(what)

    def markdown(self) -> str:
        """Return the table, and below it some of what differs."""
        lines = ["| set | compared | how many | equal to the bit | largest difference |", "| --- |" + " --- |" * 4]
        told = []
        for (name, what), row in self._rows.items():
            lines.append(f"| {name} | {what} | {row.count} | {row.equal} | {row.largest:.3g} |")
            if row.wrong:
                told += [f"\n{name}, {what}: {len(row.wrong)} differ\n", *(f"- {item}" for item in row.wrong[:_TOLD])]
        return "\n".join([*lines, *told])


@dataclass(frozen=True, eq=False)
class States:
    """A feature file: its path, the name of its video, and its arrays by name."""

    path: Path
    video: str
    arrays: dict[str, np.ndarray]


def read_states(folder: Path, width: int) -> list[States]:
    """Return the feature files of a folder that hold hidden states, which are of that width."""
    found = []
    for path in sorted(folder.rglob("*.safetensors")):
        text, arrays = _read_tensors(path)
        if arrays["states"].shape[-1] == width:
            video = re.search(r'"path": *"(?:[^"]*/)?([^"/]+)"', text)
            found.append(States(path, video[1] if video else path.stem, {name: arrays[name] for name in _TENSORS}))
    return found


def hidden_width(folder: Path) -> int:
    """Return how wide hidden states are, by the weights of the probes in a folder."""
    for path in sorted(folder.glob("*.probe")):
        _, arrays = _read_tensors(path)
        if "scorer.weights" in arrays:
            return arrays["scorer.weights"].size
    raise SystemExit(f"{folder}: holds no probe of hidden states")


def compare_states(table: Table, name: str, old: list[States], new: list[States]) -> None:
    """Compare feature files of the same video and shape; each is paired with that which is nearest."""
    alike = [(i, j) for i, item in enumerate(old) for j, other in enumerate(new) if _is_alike(item, other)]
    pairs: dict[int, int] = {}
    for _, i, j in sorted((_distance(old[i], new[j]), i, j) for i, j in alike):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    for i, j in sorted(pairs.items()):
        for array in _TENSORS:
            pair = old[i].arrays[array], new[j].arrays[array]
            table.same((name, f"features: {array}"), *pair, f"{old[i].path.name} {array}")
    for i in sorted(set(range(len(old))) - pairs.keys()):
        table.wrong((name, "features: files"), f"{old[i].path.name}: the new checkout has none like it")
    for j in sorted(set(range(len(new))) - set(pairs.values())):
        table.wrong((name, "features: files"), f"{new[j].path.name}: the old checkout has none like it")


def _is_alike(old: States, new: States) -> bool:
    return old.video == new.video and all(old.arrays[name].shape == new.arrays[name].shape for name in _TENSORS)


def _distance(old: States, new: States) -> float:
    return max(_difference(old.arrays[name], new.arrays[name]) for name in _TENSORS)


def compare_probes(table: Table, name: str, old: Path, new: Path, where: str) -> None:
    """Compare two probe files: tensors by name, and the numbers and texts of the header."""
    (old_text, old_arrays), (new_text, new_arrays) = _read_tensors(old), _read_tensors(new)
    old_arrays = {KEYS.get(key, key): array for key, array in old_arrays.items()}
    for key, array in old_arrays.items():
        row = (name, f"probes: {key}" if key in TENSORS_ALLOWED else "probes: tensors")
        table.same(row, array, new_arrays.get(key), f"{where} {key}", TENSORS_ALLOWED.get(key, 0.0))
    for key in new_arrays.keys() - old_arrays.keys():
        table.wrong((name, "probes: tensors"), f"{where} {key}: the old checkout has none")
    compare_json(table, lambda _: (name, "probes: header"), json.loads(old_text), json.loads(new_text), where)


def compare_json(table: Table, row: Callable[[str], Name], old: Any, new: Any, where: str) -> None:
    """Compare every number and text of two JSON values.

    What lies under the same keys is compared. What is left is matched by value, as keys may have been renamed.

    Parameters
    ----------
    table : Table
        Counts what is compared.
    row : callable
        Says in which row a path counts.
    old, new : JSON values
        To be compared.
    where : str
        What these are.
    """
    olds, news = dict(_leaves(old)), dict(_leaves(new))
    for path in [path for path in olds if path in news]:
        value, other = olds.pop(path), news.pop(path)
        table.same(row(path), _current(value, other), other, f"{where} {path}")
    free = Counter(_bits(value) for value in news.values())
    for path, value in olds.items():
        found = next((bits for bits in (_bits(value), _bits(VALUES.get(str(value)))) if free[bits] > 0), None)
        if found is None:
            table.wrong(row(path), f"{where} {path}: {_short(value)} is gone")
        else:
            free[found] -= 1
            table.same(row(path), value, value, path)
    for path, value in news.items():
        if free[_bits(value)] > 0:
            free[_bits(value)] -= 1
            table.wrong(row(path), f"{where} {path}: {_short(value)} is new")


def compare_frames(table: Table, name: str, old: Path, new: Path, where: str) -> None:
    """Compare the pictures of all videos of two folders."""
    for path in sorted(old.glob("*.mp4")):
        if not (new / path.name).exists():
            table.wrong((name, "overlay: frames"), f"{where} {path.name}: the new checkout has none")
            continue
        pair = [np.stack(list(_frames(folder / path.name))) for folder in (old, new)]
        table.same((name, "overlay: videos"), pair[0], pair[1], f"{where} {path.name}")


def _frames(path: Path) -> Iterator[np.ndarray]:
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            yield frame.to_ndarray(format="rgb24")


def _read_tensors(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    with safe_open(path, framework="numpy") as file:
        text = (file.metadata() or {}).get("hiprobe", "")
        return text, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Give every number, text, truth and null, and how long each list is, with where it stands."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in IGNORED:
                yield from _leaves(item, f"{path}.{KEYS.get(key, key)}")
    elif isinstance(value, list):
        yield f"{path}.#", len(value)
        for at, item in enumerate(value):
            yield from _leaves(item, f"{path}.{at}")
    else:
        yield path, value


def _current(old: Any, new: Any) -> Any:
    """Return the old value, by its new name if the new checkout uses that."""
    return new if isinstance(old, str) and VALUES.get(old) == new else old


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bits(value: Any) -> Any:
    """Return what is equal exactly if two values are: their bits, where they are numbers."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return struct.pack("d", value) if _is_number(value) else (type(value).__name__, value)


def _difference(old: Any, new: Any) -> float:
    """Return the largest absolute difference; infinite between what is no number or of another shape."""
    both = (old, new)
    if not all(isinstance(value, np.ndarray) or _is_number(value) for value in both):
        return np.inf
    first, second = (np.asarray(value, np.float64) for value in both)
    if first.shape != second.shape or (np.isnan(first) != np.isnan(second)).any():
        return np.inf
    differences = np.abs(first - second)[~np.isnan(first)]
    return float(differences.max(initial=0.0))


def _short(value: Any) -> str:
    text = f"array {value.shape}" if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
