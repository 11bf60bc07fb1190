"""Ways to choose the layer, compared where nothing is chosen on what is measured.

    python -m benchmarks.layer_choice DATA [--work bench-out] [--only surv_fight|ucsd_ped2|samples] [--splits 3]
    python -m benchmarks.layer_choice DATA --chance

DATA is that of ``benchmarks.real_footage``; the bundled samples need none. In each of five folds by group, and for each
of three splits, every rule sees the fitting segments alone. Its layer is fitted as ``fit`` fits it, and the held-out
segments are scored. Prints, for each data set: AUC by rule, layers chosen, rank correlation of each curve with the
cross-validated AUC of all segments, and what is chosen under labels by chance.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve1d
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import hidden_states
from benchmarks.real_footage import read_videos
from hiprobe.backbones import CHOICES, Backbone, Pooling, load_backbone
from hiprobe.datasets import load_manifest, partly_covered, segment_labels
from hiprobe.files import write_text
from hiprobe.probing import SaliencySettings, fit_scorer, group_folds, layer_auc, probe_layers, saliency
from hiprobe.probing.choice import WITHIN
from hiprobe.probing.formulas import Estimator, combine
from hiprobe.samples import SAMPLE_LABELS

DRAWS = 20
"""Labellings by chance."""

BOOTSTRAPS = 1000
ESTIMATORS: tuple[Estimator, ...] = ("per-feature", "held-out-lda", "multivariate")
BEFORE = "dlsp, per-feature, with H"
"""What ``fit`` did before there was a choice."""

Curves = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Data:
    """Segments of one data set; ``clips`` (n,) tells of which video each is. AUC is of ``unit``."""

    states: NDArray[np.float32]
    labels: NDArray[np.bool_]
    groups: NDArray[Any]
    clips: NDArray[np.intp]
    unit: str

    def auc(self, scores: NDArray[np.float64], rows: NDArray[np.intp] | slice = slice(None)) -> float:
        """AUC of segments, or of clips, whose score is the mean of their segments'."""
        labels, scores = self.labels[rows], scores[rows]
        if self.unit == "clip":
            _, clip = np.unique(self.clips[rows], return_inverse=True)
            labels, scores = np.bincount(clip, labels) > 0, np.bincount(clip, scores) / np.bincount(clip)
        return float(roc_auc_score(labels, scores))


def read(name: str, root: Path, backbone: Backbone, work: Path, pooling: Pooling) -> Data:
    """Read a data set's hidden states without the segments that an event covers in part."""
    if name == "samples":
        videos = list(load_manifest(SAMPLE_LABELS).videos)
    else:
        videos = [video for split in read_videos(root / name).values() for video in split]
    if name == "ucsd_ped2":  # the file has one group for all; a clip is a recording of its own
        videos = [replace(video, group=video.path.stem) for video in videos]
    features = hidden_states(videos, backbone, work, (pooling,))[pooling]
    counts = [len(item.states) for item in features]
    known = ~np.concatenate([partly_covered(v, f.starts, f.ends) for v, f in zip(videos, features, strict=True)])
    labels = np.concatenate([segment_labels(v, f.starts, f.ends) for v, f in zip(videos, features, strict=True)])
    return Data(
        np.concatenate([item.states for item in features])[known],
        labels[known],
        np.repeat([video.group for video in videos], counts)[known],
        np.repeat(np.arange(len(videos)), counts)[known],
        "clip" if name == "surv_fight" else "segment",
    )


def curves(data: Data, rows: NDArray[np.intp]) -> Curves:
    """Return what each rule takes the highest of, (layers,), from some segments."""
    states, labels, groups = data.states[rows], data.labels[rows], data.groups[rows]
    auc = layer_auc(states, labels, groups)
    smoothed = convolve1d(auc, (0.25, 0.5, 0.25), mode="nearest")
    order = np.arange(len(auc)) / 1000  # of the layers that are as good as the highest, the first
    found = {
        "auc": auc,
        "auc, smoothed 1-2-1": smoothed,
        "auc, smoothed, the first within 0.01": np.where(smoothed >= smoothed.max() - WITHIN, 1 - order, smoothed),
    }
    for estimator in ESTIMATORS:
        settings = SaliencySettings(estimator=estimator)
        of = saliency(states, labels, settings, groups=groups)
        if estimator == "per-feature":
            found[BEFORE] = of.combined
        found[f"dlsp, {estimator}"] = combine(of.d_kl, of.ldr, of.entropy, replace(settings, weights=(0.5, 0.5, 0.0)))[
            0
        ]
    last = np.zeros(states.shape[1])
    last[-1] = 1
    return found | {"last layer": last}


def compare(data: Data, note: Path, splits: int) -> dict[str, Any]:
    """Score each fold at the layer that each rule picks from the others. Progress is kept in the file ``note``."""
    scores: dict[str, NDArray[np.float64]] = {}
    done: dict[str, list[float]] = {}
    chosen: dict[str, list[int]] = {}
    for seed in range(splits):
        for fitting, held_out in group_folds(data.labels, data.groups, seed=seed):
            fitted: dict[int, NDArray[np.float64]] = {}
            for rule, curve in curves(data, fitting).items():
                layer = int(np.argmax(np.round(curve, 5)))
                if layer not in fitted:
                    states = data.states[:, layer]
                    scorer = fit_scorer(states[fitting], data.labels[fitting], data.groups[fitting], seed=seed).scorer
                    fitted[layer] = scorer.scores(states[held_out])
                scores.setdefault(rule, np.full((splits, len(data.labels)), np.nan))[seed, held_out] = fitted[layer]
                chosen.setdefault(rule, []).append(layer + 1)
        done = {rule: [data.auc(of_seed) for of_seed in of_rule[: seed + 1]] for rule, of_rule in scores.items()}
        write_text(note, json.dumps({"auc": done, "chosen": chosen}, indent=1) + "\n")
    return {"auc": done, "chosen": chosen, "against": intervals(data, scores)}


def intervals(data: Data, scores: dict[str, NDArray[np.float64]]) -> dict[str, tuple[float, float]]:
    """Return 95% of the differences from what ``fit`` did before, when whole groups are drawn with replacement."""
    random, names = np.random.default_rng(0), np.unique(data.groups)
    members = [np.flatnonzero(data.groups == name) for name in names]
    differences: dict[str, list[float]] = {rule: [] for rule in scores}
    while len(differences[BEFORE]) < BOOTSTRAPS:
        drawn = [members[index] for index in random.integers(len(names), size=len(names))]
        rows = np.concatenate(drawn)
        if not 0 < data.labels[rows].sum() < len(rows):
            continue
        copies = np.repeat(np.arange(len(drawn)), [len(part) for part in drawn])
        again = replace(data, labels=data.labels[rows], clips=data.clips[rows] + copies * len(data.labels))
        aucs = {rule: np.mean([again.auc(one[rows]) for one in of_rule]) for rule, of_rule in scores.items()}
        for rule, auc in aucs.items():
            differences[rule].append(float(auc - aucs[BEFORE]))
    return {rule: tuple(np.quantile(values, [0.025, 0.975]).tolist()) for rule, values in differences.items()}


def by_chance(data: Data, estimator: Estimator, by: Any) -> dict[str, Any]:
    """Return what is chosen under labels by chance."""
    settings = SaliencySettings(estimator=estimator, layer_by=by, permutations=DRAWS)
    layers = range(1, data.states.shape[1] + 1)
    found = probe_layers(data.states, data.labels, data.groups, layers, settings)
    assert found.permuted is not None
    first, last = found.permuted.chosen[[0, -1]].tolist()
    best = found.permuted.best
    return {
        "layer": found.layer,
        "folds": list(found.fold_layers),
        "stability": float(found.stability[found.layer - 1]),
        "first": first,
        "last": last,
        "most": float(found.permuted.chosen.max()),
        "best": [float(best.mean()), float(np.quantile(best, 0.95))],
        "auc": float(found.permuted.auc[found.layer - 1]),
    }


def tell(name: str, numbers: dict[str, Any], data: Data) -> None:
    """Print the tables of a data set."""
    print(f"\n### {name}: {len(data.labels)} segments, {len(set(data.groups.tolist()))} groups; {data.unit} AUC\n")
    print("| layer chosen by | AUC, mean of splits | each split | less DLSP as before, 95% | rank corr. | layers |")
    print("| --- | --- | --- | --- | --- | --- |")
    for rule, aucs in numbers["auc"].items():
        counted = ", ".join(f"{layer} x{n}" for layer, n in sorted(Counter(numbers["chosen"][rule]).items()))
        low, high = numbers["against"][rule]
        each = " / ".join(f"{auc:.3f}" for auc in aucs)
        difference = np.mean(aucs) - np.mean(numbers["auc"][BEFORE])
        print(
            f"| {rule} | {np.mean(aucs):.3f} | {each} | {difference:+.3f} ({low:+.3f} to {high:+.3f}) | "
            f"{numbers['rank'].get(rule, float('nan')):+.2f} | {counted} |"
        )


def tell_chance(name: str, chance: dict[str, Any], data: Data) -> None:
    """Print what labels by chance choose."""
    print(f"\n### {name}: {len(data.labels)} segments, {len(set(data.groups.tolist()))} groups")
    print(
        f"\n{DRAWS} labellings by chance (1 layer of {data.states.shape[1]} by luck: {1 / data.states.shape[1]:.1%})\n"
    )
    print(
        "| layer chosen by | layer | without each fold | of bootstraps | its AUC | AUC by chance, mean (95%) | ", end=""
    )
    print("layer 1 by chance | most frequent by chance |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
    for rule, found in chance.items():
        print(
            f"| {rule} | {found['layer']} | {', '.join(map(str, found['folds']))} | {found['stability']:.0%} | "
            f"{found['auc']:.3f} | {found['best'][0]:.3f} ({found['best'][1]:.3f}) | {found['first']:.0%} | "
            f"{found['most']:.0%} |"
        )


def main() -> None:
    """Run the comparison on each data set that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with surv_fight/ and ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states and numbers")
    parser.add_argument("--only", choices=["surv_fight", "ucsd_ped2", "samples"], help="one of the three")
    parser.add_argument("--splits", type=int, default=3, help="cross-validations, each with other folds")
    parser.add_argument("--pooling", default="last", choices=CHOICES, help="what is read at each layer")
    parser.add_argument("--chance", action="store_true", help="only what labels by chance choose, which takes seconds")
    options = parser.parse_args()
    backbone = load_backbone(report=print)
    for name in ("surv_fight", "ucsd_ped2", "samples"):
        if options.only not in (None, name):
            continue
        data = read(name, options.data, backbone, options.work, options.pooling)
        note = options.work / f"layer_choice-{name}-{options.pooling}.json"
        chance = {"auc": by_chance(data, "per-feature", "auc")} | {
            f"dlsp, {estimator}": by_chance(data, estimator, "dlsp") for estimator in ESTIMATORS
        }
        tell_chance(name, chance, data)
        if options.chance:
            continue
        numbers = compare(data, note, options.splits)
        whole = curves(data, np.arange(len(data.labels)))
        numbers["rank"] = {rule: float(np.asarray(spearmanr(curve, whole["auc"]))[0]) for rule, curve in whole.items()}
        numbers["chance"] = chance
        write_text(note, json.dumps(numbers, indent=1) + "\n")
        tell(name, numbers, data)


if __name__ == "__main__":
    main()
