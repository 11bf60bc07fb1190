"""Draw the timeline of a detection: ``python -m scripts.timeline demo-out/street.json docs/timeline.png [truth.csv]``.

Raw and smoothed scores, the threshold and the events; the true intervals of a manifest below, where one is given.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt

from hiprobe.datasets import load_manifest


def draw(result: Path, picture: Path, truth: Path | None) -> None:
    """Draw the detection in the JSON file ``result`` as the picture file ``picture``."""
    body = json.loads(result.read_text(encoding="utf-8"))
    segments = body["segments"]
    centres = [(segment["start"] + segment["end"]) / 2 for segment in segments]
    figure, axes = plt.subplots(figsize=(9, 2.6), layout="constrained")
    axes.plot(centres, [segment["score"] for segment in segments], ".", color="0.6", label="score of a segment")
    axes.plot(centres, [segment["smoothed"] for segment in segments], color="tab:blue", label="smoothed")
    axes.axhline(body["threshold"], color="0.3", linestyle="--", linewidth=1, label="threshold")
    for index, item in enumerate(body["events"]):
        event = item["event"]
        label = "event" if index == 0 else None
        axes.axvspan(event["start"], event["end"], color="tab:red", alpha=0.15, label=label)
    if truth:
        for interval in load_manifest(truth).videos[0].intervals:
            axes.plot([interval.start, interval.end], [-0.06, -0.06], color="tab:green", linewidth=5)
            axes.annotate(interval.label, (interval.start, -0.04), fontsize=8, va="bottom")
        axes.plot([], [], color="tab:green", linewidth=5, label="ground truth")
    axes.set(xlim=(0, body["video"]["duration"]), ylim=(-0.1, 1.02), xlabel="seconds", ylabel="score")
    axes.legend(fontsize=8, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
