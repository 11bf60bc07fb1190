"""One-class fitting on UCSD Ped2: fitted on its normal training clips alone, measured on all twelve test clips.

    python -m benchmarks.one_class DATA [--work bench-out] [--method gaussian|memory-bank] [--layer N]

DATA holds ``ucsd_ped2/`` with its ``labels.csv``, as for ``benchmarks.real_footage``. What is read of each clip is kept
under ``--work``, so that a run that was stopped goes on from there. Nothing is chosen on the test clips: ``--layer`` is
for looking at the other layers afterwards. Prints a Markdown row and writes the numbers to a JSON file there.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from dataclasses import replace
from pathlib import Path

from benchmarks.real_footage import read_videos
from hiprobe.backbones import load_backbone
from hiprobe.datasets import Manifest
from hiprobe.features import FeatureStore, Progress, Run
from hiprobe.files import write_text
from hiprobe.pipeline import evaluate_manifest, fit_normal
from hiprobe.probing import METHODS

IOU = 0.3


def main() -> None:
    """Fit, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for what is read and the numbers")
    parser.add_argument("--method", choices=METHODS, default="gaussian")
    parser.add_argument("--layer", type=int, help="instead of the layer that fitting chooses")
    options = parser.parse_args()
    splits = read_videos(options.data / "ucsd_ped2")
    # The data file has one group for all; a clip is a recording of its own.
    normal, tests = (
        Manifest(Path("ucsd_ped2"), tuple(replace(video, group=video.path.stem) for video in splits[split]))
        for split in ("train", "test")
    )
    backbone = load_backbone(report=print)

    def report(progress: Progress) -> None:
        if progress.segment == progress.segments:
            print(f"  {progress.video.path.stem} ({progress.index + 1}/{progress.videos})", flush=True)

    run, reading = Run(FeatureStore(options.work / "one-class"), report), backbone.info.token_reading()
    if options.layer:
        reading = replace(reading, layers=(options.layer,))
    probe = fit_normal(normal, backbone, method=options.method, reading=reading, run=run).probe
    name = f"one_class_{options.method}" + (f"_{options.layer}" if options.layer else "")
    probe.save(options.work / f"{name}.probe")
    found = evaluate_manifest(tests, probe, backbone, ious=(IOU,), run=run)
    stats, (events,) = probe.calibration, found.events
    compared = ", ".join(f"{at}: {auc:.3f}" for at, auc in zip(stats.layers, stats.layer_auc, strict=True))
    print("\n| method | layer | AUC of pseudo-anomalies | pooled AUC | pooled AP | events found, of them true |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(
        f"| {options.method} | {probe.layer} | {compared or 'not asked'} | {found.pooled_auc:.3f} "
        f"| {found.pooled_ap:.3f} | {events.n_predicted}, precision {events.precision}, recall {events.recall} |"
    )
    numbers = {
        "layer": probe.layer,
        "threshold": probe.calibrated_threshold,
        "calibration": dataclasses.asdict(stats),
        "pooled_auc": found.pooled_auc,
        "pooled_ap": found.pooled_ap,
        "within_video_auc": found.within_video.mean,
        "false_alarms_per_hour": found.false_alarms_per_hour,
        "events": dataclasses.asdict(events),
    }
    write_text(options.work / f"{name}.json", json.dumps(numbers, indent=2) + "\n")


if __name__ == "__main__":
    main()
