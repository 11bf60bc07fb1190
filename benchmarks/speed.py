"""What detection costs against the naive way, and what fitting costs on features that are there.

    python -m benchmarks.speed VIDEO [--work bench-out] [--only detection|fit|decoding|scaling|long]

Ratios are of runs in turn in one process: absolute times on shared machines are noisy.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.speed_detection import measure_detection
from benchmarks.speed_fit import measure_fit
from benchmarks.speed_scaling import measure_decoding, measure_long, measure_scaling
from hiprobe.files import write_text


def main() -> None:
    """Measure, print Markdown, and write the numbers to ``--work``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, help="any video of some seconds")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for the numbers")
    parser.add_argument("--only", choices=["detection", "fit", "decoding", "scaling", "long"], help="one of them")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    measures = {
        "detection": lambda: measure_detection(options.video),
        "fit": measure_fit,
        "decoding": lambda: measure_decoding(options.video, options.work),
        "scaling": lambda: measure_scaling(options.video, options.work),
        "long": lambda: measure_long(options.video, options.work),
    }
    for name, measure in measures.items():
        if options.only in (None, name):
            write_text(options.work / f"speed-{name}.json", json.dumps(measure(), indent=2) + "\n")


if __name__ == "__main__":
    main()
