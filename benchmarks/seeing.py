"""What training the projector brought: generated scenes, zero-shot text, layer curve, cost.

    python -m benchmarks.seeing DATA [--work bench-out] [--only scenes|text|layers|cost]

Needs the ``scenes`` extra. DATA holds ``surv_fight/`` as in :mod:`benchmarks.real_footage`, which measures probing on
real footage. Prints Markdown tables and writes the numbers to ``--work``.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generated_scenes import CALIBRATION_SEED, TEST_SEED, draw, measure_probing, measure_text
from benchmarks.layer_curve import measure_layer_curve
from benchmarks.real_footage import read_videos
from benchmarks.zero_shot_text import measure_zero_shot
from hiprobe.backbones import Backbone, Batch, load_backbone
from hiprobe.files import write_text

PER_CLASS, ROUNDS = 300, 15


def measure_scenes(backbone: Any, per_class: int, work: Path) -> dict[str, Any]:
    """Text and probing on generated scenes from unseen seeds; a third as many clips more to fit on."""
    work.mkdir(parents=True, exist_ok=True)
    test = draw(backbone, TEST_SEED, per_class, per_class, work)
    text = measure_text(backbone, test)
    calibration = draw(backbone, CALIBRATION_SEED, per_class // 3, per_class // 3, work)
    return {"text": text, "probing": measure_probing(backbone, calibration, test)}


def measure_cost(backbone: Backbone) -> dict[str, float]:
    """Seconds per segment of 8 frames, all layers and up to layer 10, and the peak memory of the process."""
    random = np.random.default_rng(0)
    numbers = {}
    every = backbone.info.reading(pooling="last")
    for name, reading in (("all layers", every), ("up to layer 10", replace(every, layers=(10,)))):
        taken = []
        for _ in range(ROUNDS + 1):
            # New pictures each time: frames that are known already are not encoded again.
            frames = random.integers(0, 256, (1, 8, *backbone.info.frame_size, 3), dtype=np.uint8)
            began = time.perf_counter()
            backbone.read(Batch(frames), reading)
            taken.append(time.perf_counter() - began)
        taken = taken[1:]  # the first warms up
        numbers[f"seconds per segment, {name}"] = float(np.median(taken))
    numbers["peak memory, GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print("\n| cost | |\n| --- | --- |\n" + "\n".join(f"| {name} | {value:.2f} |" for name, value in numbers.items()))
    return numbers


def main() -> None:
    """Run the measurements that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with surv_fight/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states and numbers")
    parser.add_argument("--only", choices=["scenes", "text", "layers", "cost"], help="one of them")
    parser.add_argument("--per-class", type=int, default=PER_CLASS, help="abnormal clips to draw, and normal ones")
    options = parser.parse_args()
    alone = load_backbone(report=print).loaded
    measures = {
        "cost": lambda: measure_cost(alone),
        "scenes": lambda: measure_scenes(alone, options.per_class, options.work),
        "text": lambda: measure_zero_shot(read_videos(options.data / "surv_fight"), alone),
        "layers": lambda: measure_layer_curve(read_videos(options.data / "surv_fight"), alone, options.work),
    }
    for name, measure in measures.items():
        if options.only in (None, name):
            write_text(options.work / f"seeing-{name}.json", json.dumps(measure(), indent=2) + "\n")


if __name__ == "__main__":
    main()
