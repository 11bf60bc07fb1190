"""Measure the embedded backbone on real footage: Surveillance Camera Fight and UCSD Ped2.

    python -m benchmarks.real_footage DATA [--work bench-out] [--only surv_fight|ucsd_ped2]

DATA holds ``surv_fight/`` and ``ucsd_ped2/``, each with a ``labels.csv`` whose ``segments`` are 0-based half-open frame
ranges. Hidden states are kept under ``--work``, so that a second run does not need the backbone. Prints Markdown tables
and writes the numbers to a JSON file per dataset there.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

from benchmarks.surv_fight import measure_surv_fight
from benchmarks.ucsd_ped2 import measure_ucsd_ped2
from hiprobe.backbones import load_backbone
from hiprobe.datasets import Interval, LabelledVideo
from hiprobe.files import write_text
from hiprobe.video import VideoRef


def read_videos(folder: Path) -> dict[str, list[LabelledVideo]]:
    """Read ``labels.csv`` and return the videos of each split, frame ranges turned into seconds."""
    splits: dict[str, list[LabelledVideo]] = {}
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            fps, kind = float(row["fps"]), row["category"]
            spans = [span.split("-") for span in row["segments"].split(";") if span]
            abnormal = row["label"] == "1"
            intervals = tuple(Interval(int(a) / fps, int(b) / fps, kind) for a, b in spans) if abnormal else ()
            label = kind if abnormal else "normal"
            video = LabelledVideo(VideoRef(folder / row["path"]), label, intervals, row["group"])
            splits.setdefault(row["split"], []).append(video)
    return splits


def main() -> None:
    """Run the measurements that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with surv_fight/ and ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states and numbers")
    parser.add_argument("--only", choices=["surv_fight", "ucsd_ped2"], help="one of the two")
    options = parser.parse_args()
    measures = {"surv_fight": measure_surv_fight, "ucsd_ped2": measure_ucsd_ped2}
    backbone = load_backbone(report=print)
    for name, measure in measures.items():
        if options.only in (None, name):
            numbers = measure(read_videos(options.data / name), backbone, options.work)
            write_text(options.work / f"{name}.json", json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
