"""The generator of the bundled sample clips."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from hiprobe.samples import SAMPLE_LABELS

pytest.importorskip("pybullet")
from hiprobe_training.scenes.bundle import CLIPS, label_rows, script_of
from hiprobe_training.scenes.motions import ROWS, rotate
from hiprobe_training.scenes.people import CONTACTS, place_person
from hiprobe_training.scenes.render import encode, frames


def test_bundled_labels_are_what_the_scripts_say() -> None:
    with SAMPLE_LABELS.open(newline="", encoding="utf-8") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    assert [row for plan in CLIPS for row in label_rows(plan, script_of(plan, 0).events)] == rows


def test_same_seed_renders_the_same_bytes(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("name", ["day2_fall", "day1_fight"])
def test_people_stand_on_the_ground(name: str) -> None:
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


def test_encoding_the_same_pictures_gives_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    still = rng.integers(60, 200, (240, 320, 3))
    pictures = [(0.4 * np.roll(still, i, 1) + rng.normal(90, 3, still.shape)).astype(np.uint8) for i in range(40)]
    made = []
    for name in ("a.mp4", "b.mp4"):
        assert encode(tmp_path / name, pictures) == 40
        made.append((tmp_path / name).read_bytes())
    assert made[0] == made[1]
