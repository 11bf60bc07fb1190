"""Do intermediate layers beat the last one? Surveillance Camera Fight, projector untrained and trained, bootstrap.

The paper's claim, tested where nothing is chosen on what is measured: per fold, l* comes from the fitting clips alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import hidden_states, states_with_slots
from hiprobe.backbones import Pooling
from hiprobe.backbones.embedded.recipe import TRAINED
from hiprobe.datasets import LabelledVideo
from hiprobe.probing import fit_scorer, group_folds, layer_auc, saliency

DRAWS, SEED = 2000, 0


def measure_layer_curve(splits: dict[str, list[LabelledVideo]], backbone: Any, work: Path) -> dict[str, Any]:
    """Print, for each projector there is and two poolings, AUC at l*, at the last layer, and a 95% interval between.

    ``backbone`` is an :class:`~hiprobe.backbones.embedded.backbone.EmbeddedBackbone`. Untrained are its streams alone,
    as probes read them; trained, the streams with the observer's slots.
    """
    videos = [video for split in splits.values() for video in split]
    numbers: dict[str, Any] = {}
    print("\n| projector | pooling | l* chosen by | AUC at l* | AUC at the last layer | difference, 95% by bootstrap |")
    print("| --- | --- | --- | --- | --- | --- |")
    poolings: tuple[Pooling, ...] = ("last", "visual")
    readers = {"untrained": hidden_states} | ({"trained": states_with_slots} if TRAINED else {})
    for title, read in readers.items():
        for pooling, features in read(videos, backbone, work, poolings).items():
            counts = [len(item.states) for item in features]
            clips = np.repeat(np.arange(len(videos)), counts)
            labels = np.repeat([video.is_abnormal for video in videos], counts)
            groups = np.repeat([video.group for video in videos], counts)
            states = np.concatenate([item.states for item in features])
            truth = np.array([video.is_abnormal for video in videos])
            sources = np.array([video.group for video in videos])
            last = _clip_scores(states, labels, groups, clips, lambda _, n=states.shape[1]: n - 1)
            rules: dict[str, Callable[[NDArray[np.intp]], int]] = {
                "DLSP": lambda f, s=states, y=labels: saliency(s[f], y[f]).best,
                "AUC in the fitting folds": lambda f, s=states, y=labels, g=groups: int(
                    np.argmax(layer_auc(s[f], y[f], g[f]))
                ),
            }
            for name, choose in rules.items():
                chosen = _clip_scores(states, labels, groups, clips, choose)
                low, high = _interval(truth, chosen, last, sources)
                a, b = roc_auc_score(truth, chosen), roc_auc_score(truth, last)
                numbers[f"{title} {pooling} {name}"] = {"chosen": a, "last": b, "low": low, "high": high}
                print(
                    f"| {title} | {pooling} | {name} | {a:.3f} | {b:.3f} | {a - b:+.3f} ({low:+.3f} to {high:+.3f}) |"
                )
    return numbers


def _clip_scores(
    states: NDArray[np.float32], labels: NDArray, groups: NDArray, clips: NDArray, choose: Callable[[NDArray], int]
) -> NDArray[np.float64]:
    """Out-of-fold scores per clip; the layer is chosen from the fitting segments of each fold."""
    scores = np.empty(len(labels))
    for fitting, held_out in group_folds(labels, groups, seed=SEED):
        features = states[:, choose(fitting)]
        fitted = fit_scorer(features[fitting], labels[fitting], groups[fitting], seed=SEED)
        scores[held_out] = fitted.scorer.scores(features[held_out])
    return np.bincount(clips, scores) / np.bincount(clips)


def _interval(truth: NDArray, a: NDArray, b: NDArray, sources: NDArray) -> tuple[float, float]:
    """95% interval of AUC(a) - AUC(b) when whole sources are drawn with replacement."""
    random, names = np.random.default_rng(SEED), np.unique(sources)
    members = {name: np.flatnonzero(sources == name) for name in names}
    found = []
    while len(found) < DRAWS:
        drawn = np.concatenate([members[name] for name in random.choice(names, len(names))])
        if 0 < truth[drawn].sum() < len(drawn):
            found.append(roc_auc_score(truth[drawn], a[drawn]) - roc_auc_score(truth[drawn], b[drawn]))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)
