"""Clips are drawn again until their event can be seen."""

from __future__ import annotations

import numpy as np
import pytest

from tools.scenes import seen
from tools.scenes.raster import Renderer
from tools.scenes.seen import LEAST, draw_seen, seen_share
from tools.scenes.sensor import expose

pytest.importorskip("pybullet_data", reason="the motion capture comes with pybullet")


def test_the_same_seed_gives_the_same_pictures(renderer: Renderer) -> None:
    first, second = (draw_seen(3, renderer) for _ in range(2))
    assert first.event == second.event and first.facts == second.facts
    a, b = (expose(renderer.frames(c.stage, [0.5], 64), c.stage.sensor) for c in (first, second))
    assert np.array_equal(a, b)


def test_a_fight_changes_enough_of_the_picture_to_be_seen(renderer: Renderer) -> None:
    clips = [draw_seen(seed, renderer, "fight") for seed in range(4)]
    assert all(clip.event == "fight" for clip in clips)
    assert np.mean([seen_share(clip, renderer) >= LEAST for clip in clips]) >= 0.75


def test_an_event_that_is_never_seen_gives_the_draw_that_shows_most(
    renderer: Renderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = iter([0.1, 0.4, 0.2])
    monkeypatch.setattr(seen, "TRIES", 3)
    monkeypatch.setattr(seen, "seen_share", lambda clip, renderer: next(shares) * LEAST)
    drawn = draw_seen(5, renderer, "fight")
    assert drawn.stage.sensor == seen.draw_clip(5 * 3 + 1, "fight").stage.sensor


def test_a_normal_clip_is_taken_as_it_comes(renderer: Renderer) -> None:
    assert draw_seen(5, renderer, None).event is None
