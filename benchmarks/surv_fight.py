"""Surveillance Camera Fight: 5-fold cross-validation by group, everything chosen inside the fitting folds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import hidden_states, vision_features
from hiprobe.backbones import Backbone, Pooling
from hiprobe.datasets import LabelledVideo
from hiprobe.probing import fit_scorer, group_folds, layer_auc, out_of_fold_scores, saliency

SEEDS = (0, 1, 2)
POOLINGS_MEASURED: tuple[Pooling, ...] = ("motion", "last", "visual")
LAYER_C = 1e-3

Choose = Callable[[NDArray[np.intp]], NDArray[np.float32]]


def measure_surv_fight(splits: dict[str, list[LabelledVideo]], backbone: Backbone, work: Path) -> dict[str, Any]:
    """Print the tables and return the numbers. The score of a clip is the mean over its segments."""
    videos = [video for split in splits.values() for video in split]
    numbers: dict[str, Any] = {"rows": [], "layers": {}}
    clips = labels = groups = np.array([])
    per_layer = {}
    for pooling, features in hidden_states(videos, backbone, work, POOLINGS_MEASURED).items():
        counts = [len(item.states) for item in features]
        clips = np.repeat(np.arange(len(videos)), counts)
        labels = np.repeat([video.is_abnormal for video in videos], counts)
        groups = np.repeat([video.group for video in videos], counts)
        states = np.concatenate([item.states for item in features])
        numbers["rows"] += _pooling_rows(states, labels, groups, clips, pooling)
        per_layer[pooling] = [
            float(np.mean([_clip_auc(out_of_fold_scores(states[:, i], labels, groups, LAYER_C, seed=s), labels, clips)
                           for s in SEEDS]))
            for i in range(states.shape[1])
        ]  # fmt: skip
    vision = vision_features(videos, backbone, work)
    numbers["rows"].append(
        {"read": "vision tower alone, mean + motion", **_nested(lambda _: vision, labels, groups, clips)}
    )
    numbers["layers"] = per_layer
    print(f"\n{len(videos)} clips, {len(labels)} segments, {len(set(groups))} groups\n")
    print("| read at | AUC of all clips, mean of 3 splits | each split | AUC within a fold, mean and sd of 15 | l* |")
    print("| --- | --- | --- | --- | --- |")
    for row in numbers["rows"]:
        each = " / ".join(f"{auc:.3f}" for auc in row["aucs"])
        folds = f"{np.mean(row['folds']):.3f} ± {np.std(row['folds']):.3f}"
        print(f"| {row['read']} | {np.mean(row['aucs']):.3f} | {each} | {folds} | {row.get('chosen', '')} |")
    print(f"\nClip AUC at each layer (C = {LAYER_C:g}, mean of 3 splits)\n")
    print("| layer | " + " | ".join(per_layer) + " |\n| --- |" + " --- |" * len(per_layer))
    for index in range(len(per_layer["last"])):
        print(f"| {index + 1} | " + " | ".join(f"{curve[index]:.3f}" for curve in per_layer.values()) + " |")
    return numbers


def _pooling_rows(
    states: NDArray[np.float32], labels: NDArray, groups: NDArray, clips: NDArray, pooling: str
) -> list[dict[str, Any]]:
    chosen: list[int] = []

    def at_best(fitting: NDArray[np.intp]) -> NDArray[np.float32]:
        best = saliency(states[fitting], labels[fitting]).best
        chosen.append(best + 1)
        return states[:, best]

    def at_best_auc(fitting: NDArray[np.intp]) -> NDArray[np.float32]:
        best = int(np.argmax(layer_auc(states[fitting], labels[fitting], groups[fitting])))
        chosen.append(best + 1)
        return states[:, best]

    best = _nested(at_best, labels, groups, clips)
    by_saliency = _counted(chosen)
    chosen.clear()
    best_auc = _nested(at_best_auc, labels, groups, clips)
    last = _nested(lambda _: states[:, -1], labels, groups, clips)
    return [
        {"read": f"l* by DLSP, {pooling}", **best, "chosen": by_saliency},
        {"read": f"layer by AUC within the fitting folds, {pooling}", **best_auc, "chosen": _counted(chosen)},
        {"read": f"last layer, {pooling}", **last},
    ]


def _counted(chosen: list[int]) -> str:
    return ", ".join(f"{layer} x{chosen.count(layer)}" for layer in sorted(set(chosen)))


def _nested(choose: Choose, labels: NDArray, groups: NDArray, clips: NDArray) -> dict[str, Any]:
    """Cross-validate; ``choose`` sees the indices of the fitting segments and returns (n, D) features of all.

    ``aucs``: of all clips together, one per split. ``folds``: of the clips of one fold, for every split and fold.
    """
    aucs, folds = [], []
    for seed in SEEDS:
        scores = np.empty(len(labels))
        for fitting, held_out in group_folds(labels, groups, seed=seed):
            features = choose(fitting)
            fitted = fit_scorer(features[fitting], labels[fitting], groups[fitting], seed=seed)
            scores[held_out] = fitted.scorer.scores(features[held_out])
            folds.append(_clip_auc(scores[held_out], labels[held_out], clips[held_out]))
        aucs.append(_clip_auc(scores, labels, clips))
    return {"aucs": aucs, "folds": folds}


def _clip_auc(scores: NDArray, labels: NDArray, clips: NDArray) -> float:
    _, clip = np.unique(clips, return_inverse=True)
    return float(roc_auc_score(np.bincount(clip, labels) > 0, np.bincount(clip, scores) / np.bincount(clip)))
