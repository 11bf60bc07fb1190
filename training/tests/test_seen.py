"""Clips are drawn again until their event can be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hiprobe_training.scenes import seen
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.seen import LEAST, SMALL, draw_seen, event_map, seen_share
from hiprobe_training.scenes.sensor import expose, recorded_at, recorded_map
from hiprobe_training.scenes.stage import Sensor

pytest.importorskip("pybullet_data", reason="the motion capture comes with pybullet")


def test_the_same_seed_gives_the_same_pictures(renderer: Renderer) -> None:
    first, second = (draw_seen(3, renderer)[0] for _ in range(2))
    assert first.event == second.event and first.facts == second.facts
    a, b = (expose(renderer.frames(c.stage, [0.5], 64), c.stage.sensor) for c in (first, second))
    assert np.array_equal(a, b)


def test_a_fight_changes_enough_of_the_picture_to_be_seen(renderer: Renderer) -> None:
    drawn = [draw_seen(seed, renderer, "fight") for seed in range(4)]
    assert all(clip.event == "fight" for clip, _ in drawn)
    assert np.mean([seen_share(marked) >= LEAST for _, marked in drawn]) >= 0.75


def test_an_event_that_is_never_seen_gives_the_draw_that_shows_most(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = iter([0.1, 0.4, 0.2])
    monkeypatch.setattr(seen, "TRIES", 3)
    monkeypatch.setattr(seen, "seen_share", lambda marked: next(shares) * LEAST)
    drawn, _ = draw_seen(5, renderer, "fight")
    assert drawn.stage.sensor == seen.draw_clip(5 * 3 + 1, "fight").stage.sensor


def test_a_normal_clip_is_taken_as_it_comes(renderer: Renderer) -> None:
    clip, marked = draw_seen(5, renderer, None)
    assert clip.event is None and not marked.any()


def test_the_map_of_an_event_lies_where_the_recorded_picture_shows_it(renderer: Renderer) -> None:
    clip, marked = draw_seen(1, renderer, "car")
    for bend_seed in range(3):  # lenses that bend, and one that does not
        sensor = replace(clip.stage.sensor, seed=bend_seed, bars=(0.1, 0.0), noise=0.0, overlay=False)
        clip = replace(clip, stage=replace(clip.stage, sensor=sensor), quiet=replace(clip.quiet, sensor=sensor))
        shown = event_map(marked, clip, 12)
        assert shown.shape == (2, 12, 12) and shown[:, 0].max() == 0  # the black bar
        painted = np.repeat(marked[:, :, :, None] * np.uint8(255), 3, axis=3)
        recorded = expose(painted, replace(sensor, contrast=1.0, vignette=0.0, blur=0.0, pixels=SMALL, quality=95))
        lit = (recorded[..., 1] > 80).reshape(2, 12, 8, 12, 8).mean(axis=(2, 4))
        assert np.corrcoef(lit.ravel(), shown.ravel())[0, 1] > 0.95


def test_a_point_is_recorded_where_the_bent_picture_shows_it() -> None:
    for seed in range(6):
        sensor = Sensor(seed=seed, bars=(0.0, 0.1))
        marked = np.zeros((96, 96), dtype=bool)
        marked[28:33, 58:63] = True  # around row 30, column 60
        rows, columns = np.nonzero(recorded_map(marked, sensor))
        column, row = recorded_at((60.5 / 96, 30.5 / 96), sensor)
        assert abs(row * 96 - rows.mean() - 0.5) < 1.5 and abs(column * 96 - columns.mean() - 0.5) < 1.5
