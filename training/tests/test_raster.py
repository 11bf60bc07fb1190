"""The renderer, the places and the sensor of the scene generator."""

from __future__ import annotations

import numpy as np
import pytest

from hiprobe_training.scenes.furniture import block
from hiprobe_training.scenes.meshes import quad
from hiprobe_training.scenes.places import KINDS, draw_place
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.sensor import draw_sensor, expose
from hiprobe_training.scenes.stage import Frames, Light, Part, Place, Prop, Puffs, Sensor, Stage
from hiprobe_training.scenes.world import Camera

RED, GREEN, GREY = (0.9, 0.1, 0.1), (0.1, 0.9, 0.1), (0.6, 0.6, 0.6)
SIZE = 64


def stage(*parts: Part, puffs: tuple[Puffs, ...] = ()) -> Stage:
    """A grey floor under a high sun, seen from (0, -8, 3) towards the origin."""
    floor = Part(quad((-20, -20, 0), (20, -20, 0), (20, 20, 0), (-20, 20, 0)), GREY)
    camera = Camera(np.array([0.0, -8.0, 3.0]), np.array([0.0, 0.0, 0.5]), 45.0, 64, 64)
    still = Prop((floor, *parts))
    place = Place("plaza", ("in a square",), (still,), lambda time: camera, np.zeros((0, 4)), (-9, 9, -9, 9))
    light = Light(np.array([0.9, 0.0, 1.0]), (0.8, 0.8, 0.8), (0.2, 0.2, 0.2))
    return Stage(place, light, Sensor(0), 1.0, [], list(puffs))


def look(renderer: Renderer, *parts: Part, puffs: tuple[Puffs, ...] = ()) -> Frames:
    return renderer.frames(stage(*parts, puffs=puffs), [0.0], SIZE)[0]


def at(point: tuple[float, float, float]) -> tuple[int, int]:
    """Row and column of a world point."""
    camera = stage().place.camera(0.0)
    column, row, _ = camera.project(np.array(point))
    return int(row), int(column)


def test_the_same_seed_gives_the_same_frames(renderer: Renderer) -> None:
    def draw() -> Frames:
        rng = np.random.default_rng(5)
        place, light = draw_place(rng, "shop")
        sensor = draw_sensor(rng, place, light)
        return expose(renderer.frames(Stage(place, light, sensor, 1.0), [0.0, 0.5], SIZE), sensor)

    first = draw()
    look(renderer, Part(block((1, 1, 1)), RED))  # what was drawn in between leaves no trace
    np.testing.assert_array_equal(first, draw())


def test_the_nearer_thing_hides_the_farther_one(renderer: Renderer) -> None:
    near, far = Part(block((2, 0.2, 2), (0, -2, 0)), RED), Part(block((2, 0.2, 2), (0, 2, 0)), GREEN)
    for parts in ((near, far), (far, near)):
        red, green, _ = look(renderer, *parts)[at((0, -2.1, 1))].astype(int)
        assert red > green + 60


def test_a_moving_thing_is_where_its_pose_says(renderer: Renderer) -> None:
    scene = stage()
    turned = np.array([[0.0, 0.0, 0.0, 1.0]])
    part = Part(block((0.8, 0.8, 0.8)), RED)
    scene.props.append(Prop((part,), lambda time: (np.array([[2.0 * time - 1.0, 0.0, 0.0]]), turned)))
    frames = renderer.frames(scene, [0.0, 1.0], SIZE).astype(int)
    redness = frames[..., 0] - frames[..., 1]
    left, right = at((-1, -0.4, 0.4)), at((1, -0.4, 0.4))
    assert redness[0][left] > 60 > 20 > abs(redness[0][right])
    assert redness[1][right] > 60 > 20 > abs(redness[1][left])


def puff(y: float) -> Puffs:
    white = np.array([[1.0, 1.0, 1.0, 1.0]])
    return Puffs(lambda time: (np.array([[0.0, y, 1.0]]), np.array([0.6]), white), glow=True)


def test_a_puff_shows_before_a_wall_and_not_behind_it(renderer: Renderer) -> None:
    wall = Part(block((4, 0.2, 3)), RED)
    plain = look(renderer, wall)
    before, behind = (look(renderer, wall, puffs=(puff(y),)) for y in (-2.0, 2.0))
    assert np.abs(before.astype(int) - plain)[at((0, -2, 1))].max() > 60
    np.testing.assert_array_equal(behind, plain)


def test_a_shadow_darkens_the_ground(renderer: Renderer) -> None:
    shaded = at((-1.1, 0.0, 0.0))  # the light comes from +x
    open_ground = look(renderer)[shaded].astype(int).mean()
    assert look(renderer, Part(block((0.4, 2, 2)), GREY))[shaded].astype(int).mean() < open_ground - 40


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_place_has_room_for_people_in_view(kind: str) -> None:
    for seed in range(3):
        rng = np.random.default_rng(seed)
        place, _ = draw_place(rng, kind)
        assert place.kind == kind
        spots = [place.spot(rng) for _ in range(5)]
        found = [spot for spot in spots if spot is not None]
        assert len(found) >= 4
        ends = np.array([[*spot, height] for spot in found for height in (0.0, 1.7)])
        assert place.camera(0.0).sees(ends).all()


@pytest.mark.parametrize("seed", range(6))
def test_exposing_is_repeatable_and_keeps_the_shape(seed: int) -> None:
    rng = np.random.default_rng(seed)
    place, light = draw_place(rng, "corridor")
    sensor = draw_sensor(rng, place, light)
    frames = rng.integers(0, 255, (3, 96, 96, 3)).astype(np.uint8)
    seen = expose(frames, sensor)
    assert seen.shape == frames.shape and seen.dtype == np.uint8
    np.testing.assert_array_equal(seen, expose(frames, sensor))


def test_a_grey_sensor_takes_the_colour_and_bars_are_black() -> None:
    frames = np.full((2, 96, 96, 3), (200, 60, 60), np.uint8)
    seen = expose(frames, Sensor(3, grey=True, noise=0.0, bars=(0.1, 0.0), quality=95)).astype(int)
    assert np.ptp(seen, axis=-1).max() <= 2
    assert seen[:, :9].max() == 0 and seen[:, 40:50].mean() > 60
