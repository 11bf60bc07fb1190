"""Draws places: a layout, a camera that looks well at it, and its light."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes import furniture, layouts, rooms
from hiprobe_training.scenes.layouts import Plan
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.raster import LampLight
from hiprobe_training.scenes.stage import Light, Part, Place, Prop
from hiprobe_training.scenes.world import Camera

KINDS = ("street", "plaza", "car park", "walkway", "corridor", "shop", "hall", "road")
WEIGHTS = (0.15, 0.13, 0.11, 0.1, 0.11, 0.16, 0.15, 0.09)
INDOORS = ("corridor", "shop", "hall")
WORDS = {
    "street": ("in a street", "on a road", "at the roadside"),
    "plaza": ("in a square", "in a yard", "outside a building"),
    "car park": ("in a car park", "in a parking lot", "between parked cars"),
    "walkway": ("on a footpath", "on a walkway", "in a park"),
    "corridor": ("in a corridor", "in a hallway", "in a passage"),
    "shop": ("in a shop", "inside a store", "in a convenience store"),
    "hall": ("in a hall", "in a room", "inside a public building"),
    "road": ("on a road, seen from a car", "on a road, seen from a dashcam", "in traffic"),
}
LAYOUTS: dict[str, Callable[[Plan], None]] = {
    "street": layouts.street,
    "plaza": layouts.plaza,
    "car park": layouts.car_park,
    "walkway": layouts.walkway,
    "corridor": rooms.corridor,
    "shop": rooms.shop,
    "hall": rooms.hall,
    "road": lambda plan: layouts.street(plan, for_dashcam=True),
}
TRIES = 24


class DrawError(RuntimeError):
    """No usable place came out of many tries."""


def draw_place(rng: Generator, kind: str | None = None) -> tuple[Place, Light]:
    """A place of a `kind` (None: any) with its light.

    Every place returned has spots in view and room for a circle of 2.5 m across (1.8 m in a corridor).
    """
    sort = kind or str(rng.choice(KINDS, p=WEIGHTS))
    for _ in range(6):
        mood = _draw_mood(rng, sort)
        night = mood in ("night", "infrared")
        plan = Plan(rng, (-10, 10, -10, 10), (-10, 10, -10, 10), night=night and sort not in INDOORS)
        LAYOUTS[sort](plan)
        if sort != "corridor" or rng.random() < 0.3:
            _litter(rng, plan)
        props = (Prop(tuple(plan.parts)),)
        blocks = np.array(plan.blocks, dtype=np.float64).reshape(-1, 4)
        for _ in range(TRIES):
            camera = _dashcam(rng, plan) if sort == "road" else _draw_camera(rng, plan)
            if camera is None:
                continue
            place = Place(
                sort, WORDS[sort], props, _moving(rng, camera, plan, sort), blocks, plan.area, tuple(plan.lanes),
                sort in INDOORS, night,
            )  # fmt: skip
            if _usable(rng, place, plan):
                if sort != "road":
                    place = replace(place, props=(Prop(_near_view(camera, plan)),))
                return place, _draw_light(rng, mood, plan, camera)
    raise DrawError(f"no place of kind {sort!r} with a view was found")


def _litter(rng: Generator, plan: Plan) -> None:
    """Small things and stains on the ground, which nobody minds."""
    x0, x1, y0, y1 = plan.area
    for _ in range(int(rng.integers(0, 26))):
        x, y = float(rng.uniform(max(x0, -12), min(x1, 12))), float(rng.uniform(y0, y1))
        if rng.random() < 0.75:
            plan.put(furniture.litter(rng), (x, y), float(rng.uniform(0, 6)), blocks=False)
        else:
            w, d = rng.uniform(0.2, 1.2, 2)
            plan.strip(x, x + float(w), y, y + float(d), furniture.tone(rng, 0.2, 0.45), 0.025)


def _near_view(camera: Camera, plan: Plan) -> tuple[Part, ...]:
    """The parts that a still camera can see, or whose shadows may fall into its view."""
    low = np.array([part.mesh.vertices.min(0) for part in plan.parts])
    high = np.array([part.mesh.vertices.max(0) for part in plan.parts])
    radius = np.linalg.norm(high - low, axis=1) / 2 + np.where(high[:, 2] > 1.0, 1.2 * np.minimum(high[:, 2], 5.0), 0.6)
    right, up, back = camera.axes()
    tall = np.tan(np.radians(camera.fov) / 2)
    wide = tall * camera.width / camera.height
    to = (low + high) / 2 - camera.eye
    seen = to @ -back > -radius
    for axis, slope in ((right, wide), (up, tall)):
        for sign in (-1, 1):
            edge = (sign * axis + slope * back) / np.hypot(1, slope)  # outward normal of one side of the view
            seen &= to @ edge < radius
    return tuple(part for part, kept in zip(plan.parts, seen, strict=True) if kept)


def _lens(rng: Generator) -> tuple[float, int, int]:
    width, height = (320, 240) if rng.random() < 0.5 else (426, 240)
    return float(rng.uniform(35, 100) if rng.random() < 0.5 else rng.uniform(40, 70)), width, height


def _draw_camera(rng: Generator, plan: Plan) -> Camera | None:
    """A camera that sees people at a useful size; None if it would hang outside the room for it."""
    fov, width, height = _lens(rng)
    inside = np.isfinite(plan.ceiling)
    half = np.tan(np.radians(fov) / 2)
    x0, x1, y0, y1 = plan.area
    near = 0.3 if inside else 0.5
    if inside:
        focus = np.array([rng.uniform(x0, x1) * 0.6, rng.uniform(y0, y1) * 0.6, rng.uniform(0.2, 1.1)])
        high = plan.ceiling - float(rng.uniform(0.12, 0.35))
        if plan.looks is not None:
            long = x1 - x0
            away = -np.cos(plan.looks)
            eye = np.array([away * (long / 2 - rng.uniform(0.2, 0.25 * long)), rng.uniform(y0, y1) * 0.75, high])
            focus = np.array([eye[0] - away * rng.uniform(1.5, 6.0), rng.uniform(-0.4, 0.4), rng.uniform(0.2, 1.2)])
        else:
            rx0, rx1, ry0, ry1 = plan.room
            eye = np.array([rng.choice([rx0, rx1]) * 0.93, rng.choice([ry0, ry1]) * 0.93, high])
            axis = int(rng.integers(2))
            if rng.random() < 0.5:  # from a wall or from the middle, not a corner
                eye[axis] *= rng.uniform(-1, 1)
            if rng.random() < 0.15:
                eye[:2] = focus[:2] + rng.normal(0, 0.8, 2)
            fov = max(fov, 52.0)
        return Camera(eye, focus, fov, width, height, 0.12, 60.0)
    tall = float(np.exp(rng.uniform(np.log(0.16), np.log(0.62))))
    distance = 1.7 / (2 * half * tall)
    pitch = np.radians(rng.uniform(14, 45) if rng.random() < 0.75 else rng.uniform(45, 80))
    up = float(np.clip(0.9 + distance * np.sin(pitch), 2.2, 8.5))
    level = np.sqrt(max(distance**2 - (up - 0.9) ** 2, 0.3))
    reach = 5.0 if x1 - x0 > 15 else 3.0
    focus = np.array([
        np.clip(rng.normal(0, reach), x0 + 1, x1 - 1), np.clip(rng.normal(0, 0.4 * (y1 - y0) / 2), y0 + 1, y1 - 1), 0.8
    ])  # fmt: skip
    angle = rng.uniform(0, 2 * np.pi)
    eye = np.array([focus[0] + level * np.cos(angle), focus[1] + level * np.sin(angle), up])
    if not (plan.room[0] <= eye[0] <= plan.room[1] and plan.room[2] <= eye[1] <= plan.room[3]):
        return None
    return Camera(eye, focus + np.array([0.0, 0.0, rng.uniform(-0.6, 0.9)]), fov, width, height, near * 0.4, 90.0)


def _dashcam(rng: Generator, plan: Plan) -> Camera:
    fov, width, height = _lens(rng)
    lane = plan.lanes[0]
    eye = np.array([rng.uniform(-6, 0), lane.point[1], rng.uniform(1.2, 1.5)])
    target = eye + np.array([10.0, rng.uniform(-0.8, 0.8), rng.uniform(-1.6, -0.2)])
    return Camera(eye, target, float(np.clip(fov, 38, 75)), width, height, 0.3, 90.0)


def _moving(rng: Generator, camera: Camera, plan: Plan, kind: str) -> Callable[[float], Camera]:
    speed = float(rng.uniform(4, 14)) if kind == "road" else 0.0
    shake = float(rng.choice([0.0, 0.0, 0.0, 0.004, 0.012])) if kind != "road" else 0.008
    phases, rates = rng.uniform(0, 6.28, 3), rng.uniform(3, 17, 3)

    def at(time: float) -> Camera:
        if not speed and not shake:
            return camera
        step = np.array([speed * time, 0.0, 0.0])
        far = float(np.linalg.norm(camera.target - camera.eye))
        wobble = shake * far * np.sin(rates * time + phases)
        return Camera(
            camera.eye + step, camera.target + step + wobble, camera.fov, camera.width, camera.height, camera.near,
            camera.far,
        )  # fmt: skip

    return at


def _hidden(plan: Plan, eye: Array, points: Array) -> Array:
    """Whether the straight lines from the eye to points (n, 3) hit one of the plan's blocks, (n,)."""
    if not plan.blocks:
        return np.zeros(len(points), dtype=bool)
    boxes = np.array(plan.blocks)
    low = np.column_stack([boxes[:, :2] - boxes[:, 2:], np.zeros(len(boxes))])
    high = np.column_stack([boxes[:, :2] + boxes[:, 2:], plan.tall])
    ray = points - eye
    ray = np.where(np.abs(ray) < 1e-9, 1e-9, ray)
    a, b = (low - eye) / ray[:, None], (high - eye) / ray[:, None]
    enter, leave = np.minimum(a, b).max(-1), np.maximum(a, b).min(-1)
    return ((enter < leave) & (leave > 0) & (enter < 1)).any(1)


def _usable(rng: Generator, place: Place, plan: Plan) -> bool:
    """Whether spots in view are to be had, mostly not hidden, and one has room about it."""
    eye = place.camera(0.0).eye
    boxes = np.array(plan.blocks, dtype=np.float64).reshape(-1, 4)
    inside = (np.abs(eye[:2] - boxes[:, :2]) - boxes[:, 2:] < 0.1).all(-1) & (eye[2] < np.array(plan.tall) + 0.15)
    if bool(inside.any()):
        return False
    spots = _spots(rng, place, 400)
    if len(spots) < 14:  # so that 200 draws of `Place.spot` hardly ever find none
        return False
    chests = np.column_stack([spots, np.full(len(spots), 1.0)])
    seen = np.logical_not(_hidden(plan, eye, chests))
    if seen.mean() < 0.7:
        return False
    # The middle of the view must not be a thing right before the lens.
    centre = place.camera(0.0)
    ahead = -centre.axes()[2]
    if bool(_hidden(plan, eye, (eye + 1.2 * ahead)[None]).any()):
        return False
    radius = 0.9 if place.kind == "corridor" else 1.25
    ring = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = radius * np.stack([np.cos(ring), np.sin(ring)], 1)
    room = (
        place.free(np.vstack([spot, spot + circle]), 0.0) and place.free(spot[None], radius) for spot in spots[seen]
    )
    return any(room) and place.spot(rng) is not None


def _spots(rng: Generator, place: Place, count: int) -> Array:
    """Those of `count` random points that `Place.spot` might return, (n, 2); all at once, as it is asked often."""
    x0, x1, y0, y1 = place.area
    camera = place.camera(0.0)
    at = rng.uniform([x0, y0], [x1, y1], (count, 2))
    feet, heads = (camera.project(np.column_stack([at, np.full(count, z)])) for z in (0.0, 1.7))
    size = np.array([camera.width, camera.height])
    fine = (feet[:, 2] > camera.near) & (heads[:, 2] > camera.near)
    for ends in (feet, heads):
        fine &= ((ends[:, :2] > 0.12 * size) & (ends[:, :2] < 0.88 * size)).all(1)
    height = np.linalg.norm((feet - heads)[:, :2], axis=1) / camera.height
    across = 0.5 * 1.7 * camera.height / 2 / np.tan(np.radians(camera.fov) / 2) / np.maximum(feet[:, 2], 1e-3)
    tall = np.maximum(height, across / camera.height)
    at = at[fine & (tall > 0.14) & (tall < 0.8)]
    return np.array([spot for spot in at if place.free(spot[None])]).reshape(-1, 2)


def _draw_mood(rng: Generator, kind: str) -> str:
    if kind in INDOORS:
        return str(rng.choice(["indoor", "dim", "infrared"], p=[0.68, 0.14, 0.18]))
    if kind == "road":
        return str(rng.choice(["sunny", "overcast", "dusk", "night"], p=[0.35, 0.35, 0.12, 0.18]))
    return str(rng.choice(["sunny", "overcast", "dusk", "night", "infrared"], p=[0.33, 0.25, 0.1, 0.2, 0.12]))


def _draw_light(rng: Generator, mood: str, plan: Plan, camera: Camera) -> Light:
    """The light of a mood; lamps nearest to what the camera looks at count."""
    low = mood in ("indoor", "dim", "infrared", "night")
    tilt = np.radians(rng.uniform(0, 25) if low else rng.uniform(25, 65))
    turn = rng.uniform(0, 2 * np.pi)
    to = np.array([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)])
    warm = np.array([1.0, rng.uniform(0.88, 1.0), rng.uniform(0.7, 1.0)])
    cool = np.array([rng.uniform(0.8, 0.98), rng.uniform(0.9, 1.0), 1.0])
    tint = warm if rng.random() < 0.5 else cool
    lamps = np.array(plan.lamps, dtype=np.float64).reshape(-1, 3)
    lamps = lamps[np.argsort(np.linalg.norm(lamps - camera.target, axis=1), kind="stable")[:6]]

    def three(colour: Array) -> tuple[float, float, float]:
        return float(colour[0]), float(colour[1]), float(colour[2])

    def shining(colour: Array, reach: float) -> Array:
        return np.hstack([lamps, np.tile(colour, (len(lamps), 1)), np.full((len(lamps), 1), reach)])

    pale = np.array([0.8, 0.83, 0.87])
    if mood == "sunny":
        sun, sky = warm * rng.uniform(0.75, 1.1), np.array([0.24, 0.28, 0.34]) * rng.uniform(0.6, 1.2)
        return LampLight(to, three(sun), three(sky), float(rng.uniform(0, 0.006)), three(pale))
    if mood == "overcast":
        sun, sky = cool * rng.uniform(0.1, 0.3), np.array([0.56, 0.58, 0.6]) * rng.uniform(0.7, 1.1)
        return LampLight(to, three(sun), three(sky), float(rng.uniform(0, 0.02)), three(pale * 0.95))
    if mood == "dusk":
        sun, sky = warm * [0.35, 0.24, 0.16], np.array([0.16, 0.17, 0.24]) * rng.uniform(0.6, 1.2)
        lit = shining(warm * rng.uniform(0.1, 0.5), 5.0)
        return LampLight(to, three(sun), three(sky), 0.006, (0.5, 0.44, 0.45), 0.0, lit)
    if mood == "night":
        lamp = warm * [1.0, 0.85, 0.6] if rng.random() < 0.6 else cool
        weak = lamp * rng.uniform(0.05, 0.2)
        lit = shining(lamp * rng.uniform(0.5, 1.3), float(rng.uniform(3.5, 7)))
        head = float(rng.uniform(0.15, 0.8)) if plan.looks is None and camera.eye[2] < 1.6 else 0.0
        return LampLight(to, three(weak), three(lamp * rng.uniform(0.02, 0.09)), 0.002, (0.06, 0.065, 0.09), head, lit)
    if mood == "infrared":
        grey = np.ones(3)
        head = float(rng.uniform(0.9, 2.2))
        return LampLight(to, three(grey * 0.03), three(grey * rng.uniform(0.02, 0.1)), 0.0, (0.03, 0.03, 0.03), head)
    strong = 1.0 if mood == "indoor" else 0.35
    sun, sky = tint * rng.uniform(0.08, 0.35) * strong, tint * rng.uniform(0.22, 0.45) * strong
    lit = shining(tint * rng.uniform(0.15, 0.45) * strong, float(rng.uniform(2.0, 3.5)))
    return LampLight(to, three(sun), three(sky), 0.0, three(tint * 0.5), 0.0, lit)
