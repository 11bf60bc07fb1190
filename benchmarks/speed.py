"""What detection costs against the naive way, and what fitting costs on features that are there.

    python -m benchmarks.speed VIDEO [--work bench-out] [--only detection|fit|scaling|long]

Ratios are of runs in turn in one process: absolute times on shared machines are noisy.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.speed_detection import measure_detection, timed
from benchmarks.speed_scaling import measure_long, measure_scaling
from hiprobe.files import write_text
from hiprobe.probing import fit_scorer, probe_layers


def measure_fit(segments: int = 10_000, layers: int = 30, width: int = 576) -> dict[str, float]:
    """Print and return the seconds of DLSP and of the scorer on random states of so many segments, 50 a group."""
    random = np.random.default_rng(0)
    states = random.normal(size=(segments, layers, width)).astype(np.float32)
    labels = random.random(segments) < 0.3
    states[labels] += 0.05
    groups = np.array([f"group {i // 50}" for i in range(segments)])
    dlsp, _ = timed(probe_layers, states, labels, groups, range(1, layers + 1))
    scorer, _ = timed(fit_scorer, states[:, 0], labels, groups)
    print(f"\nfit on {segments} x {layers} x {width}: DLSP {dlsp:.1f} s, scorer {scorer:.1f} s")
    return {"dlsp": dlsp, "scorer": scorer}


def main() -> None:
    """Measure, print Markdown, and write the numbers to ``--work``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, help="any video of some seconds")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for the numbers")
    parser.add_argument("--only", choices=["detection", "fit", "scaling", "long"], help="one of them")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    measures = {
        "detection": lambda: measure_detection(options.video),
        "fit": measure_fit,
        "scaling": lambda: measure_scaling(options.video, options.work),
        "long": lambda: measure_long(options.video, options.work),
    }
    for name, measure in measures.items():
        if options.only in (None, name):
            write_text(options.work / f"speed-{name}.json", json.dumps(measure(), indent=2) + "\n")


if __name__ == "__main__":
    main()
