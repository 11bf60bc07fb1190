"""What preparing a segment takes at full size: all pixels by the processor, as before, or new ones by a table.

    python -m benchmarks.preparing [CHECKPOINT ...]

No weights are needed. Half of a segment's frames are known from the one before, as in detection. Before: the family's
own preparing and a key of each step's pixel values. After: what segments have in common, which is kept, a key of each
step's uint8 frames, and the pixels of new steps, here on the CPU.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from hiprobe.backbones import LoadOptions, Prompt
from hiprobe.backbones.families import find_family
from hiprobe.backbones.loading import load_config
from hiprobe.backbones.preparing import Preparer, Raw, Steps
from tests.families.configs import FULL
from tests.families.toys import write_full_files

PROMPT, FRAMES, ROUNDS = Prompt("What happens in this video?"), 8, 7
CHECKPOINTS = ("OpenGVLab/InternVL3-8B-hf", "Qwen/Qwen2.5-VL-7B-Instruct")


def seconds(run: Callable[[], object]) -> float:
    """Return what a call takes."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


@torch.inference_mode()
def measure(checkpoint: str, folder: Path) -> dict[str, float]:
    """Return the median seconds a segment of each way, taken in turn, and ``ratio``, the median of their ratios."""
    write_full_files(checkpoint, folder)
    config = load_config(folder, LoadOptions())
    family = find_family(config.model_type)(folder, config)
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, *family.size(), 3), dtype=np.uint8)
    preparer, place = Preparer(family), (torch.device("cpu"), torch.float32)
    if not isinstance(preparer(frames, 0.25, PROMPT), Raw):
        raise SystemExit(f"{checkpoint}: {family.name} prepares every segment by its processor.")

    def after(new: bool) -> Steps:
        steps = Steps(family, [preparer(frames, 0.25, PROMPT)])
        if new:
            steps.units(range(len(steps.keys) // 2), *place)
        return steps

    ways: dict[str, Callable[[], Steps]] = {
        "before": lambda: Steps(family, [family.prepare(frames, 0.25, PROMPT)]),
        "after": lambda: after(new=True),
        "after, pixels elsewhere": lambda: after(new=False),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(seconds(way))
    ratios = np.array(times["before"]) / np.array(times["after"])
    return {name: float(np.median(taken)) for name, taken in times.items()} | {"ratio": float(np.median(ratios))}


def main() -> None:
    """Print a line for each checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", default=CHECKPOINTS, metavar="CHECKPOINT", help=", ".join(FULL))
    for checkpoint in parser.parse_args().checkpoints:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(checkpoint, Path(folder))
        print(f"{checkpoint}: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))


if __name__ == "__main__":
    main()
