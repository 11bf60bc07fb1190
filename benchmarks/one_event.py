"""One event in ten minutes of a generated camera, many times: without a label, and by the starter probes.

    python -m benchmarks.one_event FOLDER [--work bench-out] [--groups cam2] [--starter [NAME ...]]

FOLDER is made by ``benchmarks.generated_cameras FOLDER --scenes 3``. Of each camera, its first ordinary file of ten
minutes is read once. Then each of its scenes with an event takes the place of one scene of the file, as one stream a
time. Only its own 6 s are scored anew, by the models that are blind to that time: streams differ in nothing else but
the two segments that lie across its borders, which stay as they were. False alarms are those of the ordinary file.

Settings were compared on ``cam1``: report others. What is read of a frame is kept under ``--work``, in half precision.
Prints Markdown tables and writes the numbers to a JSON file there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.extraction import kept_run
from benchmarks.generated_cameras import SCENE, SCENES
from benchmarks.stand_out import Measured, Remembered, add_starters, measure, starters_of
from hiprobe.arrays import FloatArray
from hiprobe.backbones import load_backbone
from hiprobe.datasets import LabelledVideo, load_manifest
from hiprobe.features import Features, Run, extract
from hiprobe.files import write_text
from hiprobe.localize import find_events, smooth
from hiprobe.pipeline import StandOut
from hiprobe.probes import load_starter
from hiprobe.probing import Probe
from hiprobe.probing.footage_probe import FootageProbe

Scorer = Callable[[Features, NDArray[np.intp]], FloatArray]
"""Scores features (n segments) that stand at these n segments of the ordinary file."""


@dataclass(frozen=True)
class Camera:
    """The ordinary file of a camera, and its scenes with an event, each with its kind."""

    name: str
    ordinary: LabelledVideo
    scenes: tuple[tuple[str, LabelledVideo], ...]


def cameras(folder: Path, groups: Sequence[str] | None) -> list[Camera]:
    """Return the cameras of a folder that has scenes."""
    ordinary = load_manifest(folder / "labels.csv").videos
    scenes = load_manifest(folder / "scenes.csv").videos
    names = groups or sorted({str(video.group) for video in scenes})
    found = []
    for name in names:
        first = min((video for video in ordinary if video.group == name and not video.is_abnormal), key=_path)
        of_camera = sorted((video for video in scenes if video.group == name), key=_path)
        found.append(Camera(name, first, tuple((str(one.intervals[0].label), one) for one in of_camera)))
    return found


def place_of(index: int) -> float:
    """Return the second at which the scene of an index is put: the start of another scene."""
    return SCENE * (5 + 11 * index % (SCENES - 10))


def footage_scorer(probe: FootageProbe) -> Scorer:
    """Return what scores by the models that are blind to the segments."""
    return lambda features, at: replace(probe, fold=probe.fold[at]).score(features.at(probe.reading.layer))


def starter_scorer(probe: Probe) -> Scorer:
    """Return what scores by a probe that knows no time."""
    return lambda features, _: probe.score(features.at(probe.reading.layer))


def streams(
    camera: Camera, probe: Probe, score: Scorer, ordinary: Features, read: Callable[[LabelledVideo], Features]
) -> tuple[list[Measured], int]:
    """Measure the stream of each scene; return the false alarms of the ordinary file, too."""
    everywhere = np.arange(len(ordinary.starts))
    raw, settings, duration = score(ordinary, everywhere), probe.localize, ordinary.video.duration

    def found(scores: FloatArray) -> tuple[FloatArray, list[tuple[float, float]]]:
        curve = smooth(scores, ordinary.centres, settings.sigma)
        threshold, shortest, gap = probe.calibrated_threshold, settings.min_duration, settings.merge_gap
        events = find_events(curve, ordinary.centres, duration, threshold, shortest, gap)
        return curve, [(event.start, event.end) for event in events]

    rows = []
    for index, (kind, scene) in enumerate(camera.scenes):
        start = place_of(index)
        features = read(scene)
        at = np.searchsorted(ordinary.starts, features.starts + start - 1e-6)
        scores = raw.copy()
        scores[at] = score(features, at)
        curve, events = found(scores)
        span = (start, start + SCENE)
        rows.append(measure(f"{camera.name} {kind}", curve, ordinary.centres, events, duration, span, [span]))
    return rows, len(found(raw)[1])


def table(found: dict[str, tuple[list[Measured], int, float]]) -> str:
    """Return the Markdown tables: over all events, and the events that are highest by kind."""
    lines = ["| by | events | mean AUC | highest event is the true one | true one found | false alarms/h |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for name, (rows, alarms, hours) in found.items():
        highest, right, n = sum(row.highest for row in rows), sum(row.found for row in rows), len(rows)
        auc = np.mean([row.auc for row in rows])
        rate = f"{alarms / hours:.1f} ({alarms} in {hours:.2f} h)"
        lines.append(f"| {name} | {n} | {auc:.3f} | {highest} of {n} | {right} of {n} | {rate} |")
    kinds = sorted({row.name.split()[-1] for rows, *_ in found.values() for row in rows})
    lines += ["", "| by | " + " | ".join(kinds) + " |", "| --- |" + " --- |" * len(kinds)]
    for name, (rows, *_) in found.items():
        cells = []
        for kind in kinds:
            those = [row for row in rows if row.name.endswith(f" {kind}")]
            auc = np.mean([row.auc for row in those])
            cells.append(f"{sum(row.highest for row in those)} of {len(those)}, {auc:.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Read, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of benchmarks.generated_cameras with scenes")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for what is read, and numbers")
    parser.add_argument("--groups", nargs="+", help="cameras to measure; all that have scenes by default")
    add_starters(parser)
    options = parser.parse_args()
    backbone = load_backbone(report=print)
    remembered = Remembered(backbone, options.work / "tokens")
    run = Run(kept_run(options.work).store)
    starters = {name: load_starter(name) for name in starters_of(options)}
    results: dict[str, tuple[list[Measured], int, float]] = {}

    def add(name: str, camera: Camera, probe: Probe, score: Scorer, ordinary: Features) -> None:
        rows, alarms = streams(
            camera, probe, score, ordinary, lambda scene: extract(scene.video, remembered, probe.extraction, run)
        )
        before = results.get(name, ([], 0, 0.0))
        results[name] = (before[0] + rows, before[1] + alarms, before[2] + ordinary.video.duration / 3600)
        print(f"  {camera.name}, {name}: {alarms} false alarms", flush=True)

    for camera in cameras(options.folder, options.groups):
        ((ordinary, probe),) = StandOut(remembered, run=run).probes([camera.ordinary.video])
        add("footage itself", camera, probe, footage_scorer(probe), ordinary)
        for name, starter in starters.items():
            ordinary = extract(camera.ordinary.video, remembered, starter.extraction, run)
            add(name, camera, starter, starter_scorer(starter), ordinary)
    print("\n" + table(results))
    numbers = {name: [asdict(row) for row in rows] for name, (rows, *_) in results.items()}
    write_text(options.work / "one_event.json", json.dumps(numbers, indent=2) + "\n")


def _path(video: LabelledVideo) -> str:
    return str(video.path)


if __name__ == "__main__":
    main()
