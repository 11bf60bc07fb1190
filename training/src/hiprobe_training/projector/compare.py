"""Compare what to read of the vision tower: how well a linear classifier tells abnormal generated clips from normal.

    python -m hiprobe_training.projector.compare --scenes runs/scenes

Cross-validated on the shards of :mod:`hiprobe_training.projector.features`; no real footage is looked at. Cost is what
the vision tower and the language model take for a segment, measured here.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.metrics import roc_auc_score

from hiprobe.probing import fit_scorer, group_folds
from hiprobe_training.projector.dataset import BLOCKS, ClipRecord, features_of, shards
from hiprobe_training.projector.features import FRAMES
from hiprobe_training.projector.model import load_frozen

GRIDS = (2, 4, 6)
PARTS: dict[str, tuple[str, ...]] = {
    "appearance": ("appearance",),
    "motion": ("motion",),
    "both": ("appearance", "motion"),
}


def read(folder: Path, limit: int) -> tuple[dict[tuple[str, int, int], NDArray[np.float32]], NDArray[np.bool_]]:
    """Mean and maximum over the cells of each stream, block and grid, (n, 2 * width); and which clips are abnormal."""
    found: dict[tuple[str, int, int], list[torch.Tensor]] = {}
    abnormal: list[bool] = []
    for path, lines in shards(folder):
        if len(abnormal) >= limit:
            break
        records = [ClipRecord.from_json(line) for line in lines.read_text(encoding="utf-8").splitlines()]
        abnormal += [record.facts.event is not None for record in records]
        for block, patches in features_of(load_file(path)).items():
            for grid in GRIDS:
                for name, cells in (
                    ("appearance", torch.nn.functional.adaptive_avg_pool2d(_maps(patches.mean(1)), grid)),
                    ("motion", torch.nn.functional.adaptive_max_pool2d(_maps(patches.diff(dim=1).abs().mean(1)), grid)),
                ):
                    flat = cells.flatten(2)
                    found.setdefault((name, block, grid), []).append(torch.cat([flat.mean(-1), flat.amax(-1)], dim=-1))
    return {key: torch.cat(parts).numpy() for key, parts in found.items()}, np.array(abnormal)


def _maps(patches: torch.Tensor) -> torch.Tensor:
    return patches.movedim(-1, 1)


def cross_validated(features: NDArray[np.float32], abnormal: NDArray[np.bool_]) -> float:
    """AUC of held-out scores, 5 folds."""
    groups = np.array([f"clip {i}" for i in range(len(abnormal))])
    scores = np.empty(len(abnormal))
    for fitting, held_out in group_folds(abnormal, groups, seed=0):
        scorer = fit_scorer(features[fitting], abnormal[fitting], groups[fitting]).scorer
        scores[held_out] = scorer.scores(features[held_out])
    return float(roc_auc_score(abnormal, scores))


@torch.inference_mode()
def seconds(model: Any, block: int, tokens: int) -> tuple[float, float]:
    """Seconds for the vision tower up to a block, and for the language model with so many visual tokens; medians."""
    tower = model.model.vision_tower
    pixels = torch.randn(FRAMES, 3, *model.config.vision_config.image_size)
    embedded = torch.randn(1, tokens + 20, model.config.text_config.hidden_size)
    whole = tower.encoder.layer
    tower.encoder.layer = whole[:block]
    taken: list[list[float]] = [[], []]
    for _ in range(7):
        began = time.perf_counter()
        tower(pixel_values=pixels)
        middle = time.perf_counter()
        model.model.language_model(inputs_embeds=embedded, use_cache=False)
        taken[0].append(middle - began)
        taken[1].append(time.perf_counter() - middle)
    tower.encoder.layer = whole
    return float(np.median(taken[0])), float(np.median(taken[1]))


def main() -> None:
    """Print one line per choice."""
    parser = argparse.ArgumentParser(prog="python -m hiprobe_training.projector.compare", description=__doc__)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of hiprobe_training.projector.features")
    parser.add_argument("--clips", type=int, default=2048)
    options = parser.parse_args()
    features, abnormal = read(options.scenes, options.clips)
    model, _ = load_frozen()
    print("| streams | blocks | grid | visual tokens | AUC | vision s | language model s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    blocks = [(b,) for b in BLOCKS] + [BLOCKS]
    for (name, parts), chosen, grid in itertools.product(PARTS.items(), blocks, GRIDS):
        joined = np.concatenate([features[part, block, grid] for part in parts for block in chosen], axis=1)
        tokens = len(parts) * len(chosen) * grid**2
        vision, language = seconds(model, max(chosen), tokens)
        auc = cross_validated(joined, abnormal)
        where = ", ".join(map(str, chosen))
        print(
            f"| {name} | {where} | {grid}x{grid} | {tokens} | {auc:.3f} | {vision:.2f} | {language:.2f} |", flush=True
        )


if __name__ == "__main__":
    main()
