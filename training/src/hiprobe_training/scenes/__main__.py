"""Make the bundled sample clips: ``python -m hiprobe_training.scenes --out src/hiprobe/samples [--seed N]``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from hiprobe_training.scenes.bundle import CLIPS, DEMO, make_clip, write_labels, write_readme


def main() -> None:
    """Render all clips, or those named by ``--only``, and write the label files once all are there."""
    parser = argparse.ArgumentParser(prog="python -m hiprobe_training.scenes", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the clips and label files")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random (default 0, the bundled clips)")
    parser.add_argument("--only", nargs="*", default=None, metavar="NAME", help="render only these clips, no labels")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    rows, demo_rows = [], []
    for plan in (*CLIPS, DEMO):
        if options.only is not None and plan.name not in options.only:
            continue
        began = time.perf_counter()
        made = make_clip(plan, options.out, options.seed)
        (demo_rows if plan is DEMO else rows).extend(made)
        size = (options.out / f"{plan.name}.mp4").stat().st_size
        events = ", ".join(f"{row[1]} {row[2]}-{row[3]}" for row in made)
        print(f"{plan.name:14} {size / 1e3:7.0f} kB {time.perf_counter() - began:6.1f} s  {events}", flush=True)
    if options.only is None:
        write_labels(options.out / "labels.csv", rows)
        write_labels(options.out / "street.csv", demo_rows)
        write_readme(options.out, rows, demo_rows, options.seed)


if __name__ == "__main__":
    main()
