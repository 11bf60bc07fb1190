"""Choose a reading by sources that take no part in the choice, on Surveillance Camera Fight.

    python -m benchmarks.unseen_sources DATA [--work bench-out] [--repeats 4]

DATA as for ``benchmarks.real_footage``. Sources, not clips, are dealt into five folds, a few times. In each fold every
candidate (view, pooling, layer) is fitted on the other four and scores the held-out clips. The candidate that is
*chosen inside* is the best on each of those four, fitted on the other three. That *chosen outside* is the best on the
held-out clips themselves, as a table of all candidates invites. The difference is the optimism of such tables.

A fold's AUC weighs clips so that a source with many counts less: by one over the square root of its clips of a class.
Prints Markdown and writes the numbers to ``unseen_sources.json`` under ``--work``.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import REMEDY, kept_run
from benchmarks.real_footage import read_videos
from hiprobe.backbones import Backbone, Pooling, View, load_backbone
from hiprobe.datasets import LabelledVideo
from hiprobe.features import extract_together, raise_failures
from hiprobe.files import write_text
from hiprobe.probing.scorer import fit_at

FOLDS = 5
LEAST = 5
"""Clips of each class that a fold must hold."""

VIEWS: tuple[View, ...] = ("whole", "crop", "both")
POOLINGS: tuple[Pooling, ...] = ("last", "visual", "observed")
LAYERS = (1, 10, 15, 20, 25)
MIDDLE = (10, 15, 20, 25)
STRENGTH = 1e-2
"""C of every probe: a choice less."""

Scores = NDArray[np.float64]
Base = dict[tuple[View, Pooling, int], Scores]


@dataclass(frozen=True)
class Candidate:
    """A reading: the mean of the standardised scores of probes at the layers, of each of the parts."""

    parts: tuple[View, ...]
    pooling: Pooling
    layers: tuple[int, ...]

    @property
    def family(self) -> str:
        """What it is beside the layer."""
        return f"{' + '.join(self.parts)}, `{self.pooling}`"


@dataclass(frozen=True, eq=False)
class Clips:
    """All clips: what is read of their segments, by view and pooling, and whose they are.

    Attributes
    ----------
    states : dict
        (n, layers, D) for each view that is read and each pooling; ``both`` is made of the two others.
    clip : ndarray of int, shape (n,)
        Of each segment.
    abnormal, source, weight : ndarray of shape (clips,)
    """

    states: dict[tuple[View, Pooling], NDArray[np.float32]]
    clip: NDArray[np.int64]
    abnormal: NDArray[np.bool_]
    source: NDArray[np.int64]
    weight: Scores

    def at(self, part: View, pooling: Pooling, layer: int) -> Scores:
        """Return the states (n, D) of a view at a layer; of both, (n, 2 D)."""
        shown: tuple[View, ...] = ("whole", "crop") if part == "both" else (part,)
        place = LAYERS.index(layer)
        return np.concatenate([self.states[view, pooling][:, place] for view in shown], axis=1).astype(np.float64)

    def auc(self, scores: Scores, held_out: NDArray[np.bool_]) -> float:
        """Return the AUC of clip scores within a fold."""
        weight = self.weight[held_out]
        return float(roc_auc_score(self.abnormal[held_out], scores[held_out], sample_weight=weight))


def candidates() -> list[Candidate]:
    """Return all that are compared."""
    parts: list[tuple[View, ...]] = [*((view,) for view in VIEWS), ("whole", "crop")]
    layers = [*((layer,) for layer in LAYERS), MIDDLE]
    return [Candidate(*item) for item in product(parts, POOLINGS, layers)]


def read_clips(videos: Sequence[LabelledVideo], backbone: Backbone, work: Path) -> Clips:
    """Read every clip whole and closer, in one pass, kept under ``work``."""
    kinds: list[tuple[View, Pooling]] = list(product(("whole", "crop"), POOLINGS))
    readings = [replace(backbone.info.reading(pooling=pooling), view=view) for view, pooling in kinds]
    found, failures = extract_together([video.video for video in videos], backbone, readings, kept_run(work))
    raise_failures(failures, REMEDY)
    columns = [layer - 1 for layer in LAYERS]
    states = {
        kind: np.concatenate([items[index].states[:, columns] for items in found]) for index, kind in enumerate(kinds)
    }
    counts = [len(items[0].states) for items in found]
    abnormal = np.array([video.is_abnormal for video in videos])
    source = np.unique([video.group for video in videos], return_inverse=True)[1]
    alike = Counter(zip(source.tolist(), abnormal.tolist(), strict=True))
    weight = np.array([alike[pair] ** -0.5 for pair in zip(source.tolist(), abnormal.tolist(), strict=True)])
    return Clips(states, np.repeat(np.arange(len(videos)), counts), abnormal, source, weight)


def deal(clips: Clips, seed: int) -> NDArray[np.int64]:
    """Deal whole sources into folds that all hold clips enough of both classes: the fold of each clip."""
    random, sources = np.random.default_rng(seed), clips.source.max() + 1
    while True:
        fold = (random.permutation(sources) % FOLDS)[clips.source]
        counts = [np.bincount(fold[clips.abnormal == label], minlength=FOLDS).min() for label in (False, True)]
        if min(counts) >= LEAST:
            return fold


def base_scores(clips: Clips, fitting: NDArray[np.bool_]) -> Base:
    """Return the clip scores of every single reading, fitted on some clips and standardised by them."""
    rows, counts = fitting[clips.clip], np.bincount(clips.clip)
    found = {}
    for view, pooling, layer in product(VIEWS, POOLINGS, LAYERS):
        states = clips.at(view, pooling, layer)
        logits = fit_at(states[rows], clips.abnormal[clips.clip[rows]], STRENGTH).logits(states)
        scores = np.bincount(clips.clip, logits) / counts
        found[view, pooling, layer] = (scores - scores[fitting].mean()) / scores[fitting].std()
    return found


def candidate_scores(tried: Sequence[Candidate], base: Base) -> list[Scores]:
    """Return the clip scores of each candidate."""
    return [
        np.mean([base[part, one.pooling, layer] for part in one.parts for layer in one.layers], axis=0) for one in tried
    ]


@dataclass(frozen=True, eq=False)
class Outcome:
    """AUC of each candidate in each fold: held out, and the mean over the folds that were left to choose by."""

    outer: NDArray[np.float64]  # (folds, candidates)
    inner: NDArray[np.float64]


def measure(clips: Clips, tried: Sequence[Candidate], repeats: int) -> Outcome:
    """Fit every candidate without each fold, and without each pair of folds."""
    outer, inner = [], []
    for seed in range(repeats):
        fold = deal(clips, seed)
        of_pair = np.full((FOLDS, FOLDS, len(tried)), np.nan)
        for i in range(FOLDS):
            scores = candidate_scores(tried, base_scores(clips, fold != i))
            of_pair[i, i] = [clips.auc(one, fold == i) for one in scores]
            for j in range(i):
                scores = candidate_scores(tried, base_scores(clips, (fold != i) & (fold != j)))
                of_pair[i, j] = [clips.auc(one, fold == j) for one in scores]
                of_pair[j, i] = [clips.auc(one, fold == i) for one in scores]
            print(f"  split {seed}, fold {i}", flush=True)
        for i in range(FOLDS):
            outer.append(of_pair[i, i])
            inner.append(np.mean([of_pair[i, j] for j in range(FOLDS) if j != i], axis=0))
    return Outcome(np.array(outer), np.array(inner))


def nested(outcome: Outcome, among: NDArray[np.int64], repeats: int) -> tuple[float, float, float, list[int]]:
    """Return AUC chosen inside, its standard error over repeats, AUC chosen outside, and what was chosen inside."""
    picked = among[outcome.inner[:, among].argmax(axis=1)]
    inside = outcome.outer[np.arange(len(picked)), picked]
    outside = outcome.outer[:, among].mean(axis=0).max()
    error = inside.reshape(repeats, -1).mean(axis=1).std() / max(repeats - 1, 1) ** 0.5
    return float(inside.mean()), float(error), float(outside), picked.tolist()


def main() -> None:
    """Measure, print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with surv_fight/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states and numbers")
    parser.add_argument("--repeats", type=int, default=4, help="how often sources are dealt anew")
    options = parser.parse_args()
    videos = [video for split in read_videos(options.data / "surv_fight").values() for video in split]
    clips, tried = read_clips(videos, load_backbone(report=print), options.work), candidates()
    outcome = measure(clips, tried, options.repeats)
    rows = ["| chosen among | inside | error | outside | optimism | most often inside |", "| --- " * 6 + "|"]
    numbers = {}
    families = list(dict.fromkeys(one.family for one in tried))
    for name in (*families, "everything"):
        among = np.array([i for i, one in enumerate(tried) if name in (one.family, "everything")])
        inside, error, outside, picked = nested(outcome, among, options.repeats)
        often = tried[Counter(picked).most_common(1)[0][0]]
        shown = f"{often.family}, " if name == "everything" else ""
        shown += f"layer {often.layers[0]}" if len(often.layers) == 1 else "layers 10 to 25 averaged"
        rows.append(f"| {name} | {inside:.3f} | {error:.3f} | {outside:.3f} | {outside - inside:+.3f} | {shown} |")
        numbers[name] = {"inside": inside, "error": error, "outside": outside}
    print("\n".join(rows), "\n")
    heads = [str(layer) for layer in LAYERS] + ["10 to 25 averaged"]
    print("| layer, never chosen: | " + " | ".join(heads) + " |\n" + "| --- " * (len(heads) + 1) + "|")
    means = dict(zip(tried, outcome.outer.mean(axis=0).tolist(), strict=True))
    for one in tried:
        if one.layers != LAYERS[:1]:
            continue
        cells = [means[replace(one, layers=layers)] for layers in [*((layer,) for layer in LAYERS), MIDDLE]]
        print(f"| {one.family} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    numbers["fixed"] = {f"{one.family}, {one.layers}": value for one, value in means.items()}
    write_text(options.work / "unseen_sources.json", json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
