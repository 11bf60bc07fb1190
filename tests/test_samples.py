"""The bundled sample clips and their labels."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import av
import pytest

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "src" / "hiprobe" / "samples"
EVENTS = {"fight", "fall", "car", "run"}


def read(name: str) -> list[dict[str, str]]:
    with (SAMPLES / name).open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        assert reader.fieldnames == ["path", "label", "start", "end", "group"]
        return list(reader)


def probe(path: Path) -> tuple[float, int, int, str]:
    """Duration in s, width, height and codec, from decoding every frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        last, count = 0.0, 0
        for frame in container.decode(stream):
            assert frame.time is not None
            last, count = frame.time, count + 1
        assert stream.average_rate is not None
        assert count > 0
        return last + 1 / float(stream.average_rate), stream.width, stream.height, stream.codec_context.name


@pytest.mark.parametrize("name", ["labels.csv", "street.csv"])
def test_every_labelled_interval_lies_inside_its_clip(name: str) -> None:
    rows = read(name)
    durations = {path: probe(SAMPLES / path) for path in {row["path"] for row in rows}}
    assert all(size[1:] == (320, 240, "h264") for size in durations.values())
    for row in rows:
        if row["label"] == "normal":
            assert (row["start"], row["end"]) == ("", "")
            continue
        assert row["label"] in EVENTS
        assert 0 <= float(row["start"]) < float(row["end"]) <= durations[row["path"]][0] + 1e-6


def test_calibration_clips_are_balanced_over_groups() -> None:
    rows = read("labels.csv")
    groups = {row["group"] for row in rows}
    assert len(groups) >= 8
    for group in groups:
        labels = {row["label"] for row in rows if row["group"] == group}
        assert "normal" in labels and labels & EVENTS
    found = [row["label"] for row in rows]
    assert all(found.count(kind) >= 2 for kind in EVENTS)
    for row in rows:
        if row["label"] != "normal":
            assert 1.5 <= float(row["end"]) - float(row["start"]) <= 4.5


def test_demo_video_is_apart_from_the_calibration_clips() -> None:
    calibration, demo = read("labels.csv"), read("street.csv")
    assert {row["path"] for row in demo} == {"street.mp4"}
    assert "street.mp4" not in {row["path"] for row in calibration}
    assert not {row["group"] for row in demo} & {row["group"] for row in calibration}
    times = sorted((float(row["start"]), float(row["end"])) for row in demo)
    assert len(times) >= 3
    assert all(after[0] - before[1] >= 3 for before, after in pairwise(times))


def test_samples_are_small_and_all_labelled() -> None:
    clips = {path.name for path in SAMPLES.glob("*.mp4")}
    assert clips == {row["path"] for row in read("labels.csv") + read("street.csv")}
    assert sum((SAMPLES / clip).stat().st_size for clip in clips) <= 6_000_000
    assert (SAMPLES / "README.md").is_file()
