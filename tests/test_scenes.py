"""The bundled sample clips and their labels, and the generator that makes them."""

from __future__ import annotations

import csv
import sys
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
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


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ``tools.scenes`` importable; skip where pybullet is not installed."""
    pytest.importorskip("pybullet")
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])


@pytest.mark.usefixtures("scenes")
def test_bundled_labels_are_what_the_scripts_say() -> None:
    from tools.scenes.bundle import CLIPS, label_rows, script_of

    rows = [tuple(row.values()) for row in read("labels.csv")]
    assert [row for plan in CLIPS for row in label_rows(plan, script_of(plan, 0).events)] == rows


@pytest.mark.usefixtures("scenes")
def test_same_seed_renders_the_same_bytes(tmp_path: Path) -> None:
    from tools.scenes.bundle import CLIPS, script_of
    from tools.scenes.render import encode, frames

    plan = next(plan for plan in CLIPS if plan.name.endswith("_fight"))
    made = []
    for name in ("a.mp4", "b.mp4"):
        script = script_of(plan, 0, width=128, height=96)
        script.duration = 0.25
        pictures = list(frames(script, 5))
        assert len(pictures) == 3 and pictures[0].shape == (48, 64, 3)
        encode(tmp_path / name, pictures)
        made.append((np.stack(pictures), (tmp_path / name).read_bytes()))
    np.testing.assert_array_equal(made[0][0], made[1][0])
    assert made[0][1] == made[1][1]


@pytest.mark.usefixtures("scenes")
@pytest.mark.parametrize("name", ["day2_fall", "day1_fight"])
def test_people_stand_on_the_ground(name: str) -> None:
    from tools.scenes.bundle import CLIPS, script_of
    from tools.scenes.motions import ROWS, rotate
    from tools.scenes.people import CONTACTS, place_person

    script = script_of(next(plan for plan in CLIPS if plan.name == name), 0)
    for person in script.people:
        for t in (0.0, 1.6, 2.9, 5.0):
            scale = person.look.scale
            positions, rotations = place_person(person.actor.state(t), scale)
            lowest = min(
                positions[ROWS[link], 2] + rotate(rotations[ROWS[link]], np.array(point) * scale)[2] - radius * scale
                for link, point, radius in CONTACTS
            )
            assert abs(lowest) < 0.01


@pytest.mark.usefixtures("scenes")
def test_encoding_the_same_pictures_gives_the_same_bytes(tmp_path: Path) -> None:
    from tools.scenes.render import encode

    rng = np.random.default_rng(0)
    still = rng.integers(60, 200, (240, 320, 3))
    pictures = [(0.4 * np.roll(still, i, 1) + rng.normal(90, 3, still.shape)).astype(np.uint8) for i in range(40)]
    made = []
    for name in ("a.mp4", "b.mp4"):
        assert encode(tmp_path / name, pictures) == 40
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
