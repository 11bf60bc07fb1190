"""What ``benchmarks/same_numbers.py`` runs in each checkout, on which videos, and what a checkout may have renamed."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

OPTIONS: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("--heat",), ("--map",)),
    (("--kind", "neighbours"), ("--method", "memory-bank"), ("--kind", "memory-bank")),
)
"""Words of commands that were renamed. Of each row the first is used whose words the command's help names."""

KEYS: dict[str, str] = {}
"""Keys of JSON and names of tensors that were renamed, old to new."""

VALUES: dict[str, str] = {"neighbours": "memory-bank"}
"""Texts in JSON that were renamed, old to new; the old ones are right, too."""

IGNORED = {
    "created", "dlsp_notes", "hiprobe_version", "notes", "probe_created", "schema", "site", "timings", "version",
    "warnings",
}  # fmt: skip
"""Keys of JSON that are not compared: when, by which release, how fast, and prose. Old results of one-class probes did
not name their site."""

TENSORS_ALLOWED = {"dlsp.silhouette": 1e-6}
"""Tensors of a probe that may differ, and by how much."""

SETS = ("samples", "fight", "ped2")

# A fixed budget makes batches of one size on every run, whatever memory is free: sums depend on it in the last bits.
_COMMON = ("--quiet", "--batch-memory", "4", "--features", "{out}/features")
# Fewer and shorter looks at the longer clips, which also tries a sampling that is not the default.
_SPARSE = ("--segment", "3", "--stride", "3", "--frames", "4")

_COLUMNS = ["path", "label", "start", "end", "group"]

Row = dict[str, str]


@dataclass(frozen=True)
class Step:
    """One command.

    Attributes
    ----------
    name : str
        Its results carry it.
    words : tuple of str
        Of the command. ``{out}`` stands for the folder of results, ``{probes}`` for that of probes.
    """

    name: str
    words: tuple[str, ...]

    @property
    def is_ordinary_fit(self) -> bool:
        """Whether it fits a probe to hidden states."""
        return self.words[0] == "fit" and "--normal-only" not in self.words

    def brief(self) -> Step:
        """Return the same without explanations and videos."""
        if self.words[0] != "detect":
            return self
        cut = self.words.index("--heat") if "--heat" in self.words else len(self.words)
        return replace(self, words=(*self.words[:cut], "--no-explain"))


def write_plan(samples: Path, data: Path, folder: Path, chosen: Iterable[str]) -> dict[str, list[Step]]:
    """Write the labels that the chosen sets need, and return their steps.

    Parameters
    ----------
    samples : Path
        Folder of the bundled clips.
    data : Path
        Folder with ``surv_fight`` and ``ucsd_ped2``.
    folder : Path
        For the labels.
    chosen : iterable of str
        Of :data:`SETS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    plan = {}
    for name in chosen:
        if name == "samples":
            plan[name] = _samples(samples, folder)
        elif name == "fight":
            plan[name] = _fight(data / "surv_fight", folder)
        else:
            plan[name] = _ped2(data / "ucsd_ped2", folder)
    return plan


def _samples(samples: Path, folder: Path) -> list[Step]:
    labels, street = samples / "labels.csv", [samples / "street.mp4"]
    with labels.open(newline="") as file:
        rows = [row | {"path": str(samples / row["path"])} for row in csv.DictReader(file)]
    normal = _write(folder / "samples-normal.csv", [row for row in rows if row["label"] == "normal"])
    return [
        _fit("default", labels),
        _fit("visual", labels, "--pooling", "visual", "--stride", "2", "--frames", "4"),
        _fit("kept-layer", labels, "--keep-layer", "{probes}/default.probe", "--seed", "1"),
        _fit("normal-only", normal, "--normal-only"),
        _detect("detect-starter", None, street),
        _detect("detect-starter-adaptive", None, street, "--threshold", "adaptive"),
        _detect("detect-default", "default", street),
        _detect("detect-visual", "visual", street, "--heat", "--overlay", "{out}/overlay"),
        _detect("detect-normal-only", "normal-only", street),
        _eval("eval-default", samples / "street.csv", "default"),
        _eval("eval-visual", samples / "street.csv", "visual"),
    ]


def _fight(root: Path, folder: Path) -> list[Step]:
    clips = _read(root)
    fights = _spread([clip for clip in clips if clip["label"] == "1"])
    others = _spread([clip for clip in clips if clip["label"] == "0"])
    fitted = _write(folder / "fight.csv", _labelled([*fights[:10], *others[:10]]))
    held_out = [*fights[10:12], *others[10:12]]
    measured = _write(folder / "fight-eval.csv", _labelled(held_out))
    return [
        _fit("default", fitted),
        _detect("detect-default", "default", [Path(clip["path"]) for clip in held_out]),
        _eval("eval-default", measured, "default"),
    ]


def _ped2(root: Path, folder: Path) -> list[Step]:
    # All clips are of one camera; each counts as a group, so that folds can be made.
    clips = [clip | {"group": Path(clip["path"]).stem} for clip in _read(root)]
    abnormal = [clip for clip in clips if clip["label"] == "1"]
    normal = [clip for clip in clips if clip["label"] == "0"]
    fitted = _write(folder / "ped2.csv", _labelled([*abnormal[:10], *normal[:10]]))
    only_normal = _write(folder / "ped2-normal.csv", _labelled(normal[:10]))
    held_out = [*abnormal[10:12], *normal[10:12]]
    measured = _write(folder / "ped2-eval.csv", _labelled(held_out))
    videos = [Path(clip["path"]) for clip in held_out]
    return [
        _fit("default", fitted, *_SPARSE),
        _detect("detect-default", "default", videos, "--no-explain"),
        _eval("eval-default", measured, "default"),
        _fit("normal-only", only_normal, *_SPARSE, "--normal-only"),
        _detect("detect-normal-only", "normal-only", videos, "--no-explain"),
        _fit("memory-bank", only_normal, *_SPARSE, "--normal-only", "--kind", "neighbours"),
        _detect("detect-memory-bank", "memory-bank", videos, "--no-explain"),
    ]


def _fit(name: str, labels: Path, *more: str) -> Step:
    return Step(name, ("fit", str(labels), "--out", f"{{out}}/{name}.probe", *_COMMON, *more))


def _detect(name: str, probe: str | None, videos: Sequence[Path], *more: str) -> Step:
    of_probe = ("--probe", f"{{probes}}/{probe}.probe") if probe else ()
    return Step(name, ("detect", *map(str, videos), *of_probe, "--out", f"{{out}}/{name}", *_COMMON, *more))


def _eval(name: str, labels: Path, probe: str) -> Step:
    return Step(name, ("eval", str(labels), "--probe", f"{{probes}}/{probe}.probe", "--json", *_COMMON))


def _read(root: Path) -> list[Row]:
    """Return the rows of a copy's labels, with whole paths."""
    with (root / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [row | {"path": str(root / row["path"])} for row in csv.DictReader(file)]


def _spread(clips: list[Row]) -> list[Row]:
    """Return clips so that the first ones are of many groups."""
    groups: dict[str, list[Row]] = {}
    for clip in clips:
        groups.setdefault(clip["group"], []).append(clip)
    rounds = itertools.zip_longest(*groups.values())
    return [clip for of_round in rounds for clip in of_round if clip]


def _labelled(clips: Iterable[Row]) -> Iterator[Row]:
    """Give the rows of a manifest: one for an interval, in seconds, and one for a normal clip."""
    for clip in clips:
        row = {"path": clip["path"], "label": clip["category"], "start": "", "end": "", "group": clip["group"]}
        frames = [int(number) for number in clip["segments"].replace(";", "-").split("-") if number]
        borders = [f"{number / float(clip['fps']):.4f}" for number in frames]
        spans = zip(borders[::2], borders[1::2], strict=True)
        yield from [row | {"start": start, "end": end} for start, end in spans] or [row]


def _write(path: Path, rows: Iterable[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, _COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path
