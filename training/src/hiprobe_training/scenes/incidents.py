"""The unusual things of the training clips; each puts itself into a scene at a given place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import Act, Fall, State, Walk, smooth_path
from hiprobe_training.scenes.bodies import draw_body
from hiprobe_training.scenes.brawls import BRAWLS, onlookers, peacemaker
from hiprobe_training.scenes.cast import posed, through, trolley_pusher, unit
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.moves import Crawl, Jerky, Lie, Posed, Steps
from hiprobe_training.scenes.scene import Figure, Ride, Scene
from hiprobe_training.scenes.stage import Place, Puffs
from hiprobe_training.scenes.vehicles import (
    Driver,
    Plume,
    Rider,
    Route,
    bicycle_parts,
    car_parts,
    draw_fire,
    draw_smoke,
    golf_cart_parts,
    left_parts,
    moved,
    start_at,
)  # fmt: skip


@dataclass(eq=False)
class Incident:
    """What an incident adds: people in it, people around it, its form and how much room it asks for in m."""

    figures: list[Figure]
    detail: str
    around: list[Figure]
    gap: float = 0.7


def _begin(rng: Generator, duration: float) -> float:
    return 0.0 if rng.random() < 0.65 else float(rng.uniform(0.15, 0.42)) * duration


def fight(scene: Scene, rng: Generator, at: Array) -> Incident:
    """A brawl, perhaps with onlookers or a peacemaker."""
    odds = np.array([weight for _, _, weight in BRAWLS])
    detail, build, _ = BRAWLS[int(rng.choice(len(BRAWLS), p=odds / odds.sum()))]
    figures = build(scene, rng, at, _begin(rng, scene.duration))
    if len(figures) == 2 and detail not in ("chase", "kicking a fallen person") and rng.random() < 0.12:
        figures += peacemaker(scene, rng, at)
    around = onlookers(scene, rng, at) if rng.random() < 0.4 else []
    return Incident(figures, detail, around)


def fall(scene: Scene, rng: Generator, at: Array) -> Incident:
    """Somebody collapses, or lies there without moving."""
    body, yaw, length = draw_body(rng), scene.across(rng), scene.duration
    act: Act
    if rng.random() < 0.35:
        detail = "lying"
        act = Lie(float(at[0]), float(at[1]), yaw, length, bool(rng.random() < 0.6),
                  float(rng.choice([0.0, 0.0, 0.9, -0.9])),
                  float(rng.uniform(0, 0.6)), 0.0, 0.0, int(rng.integers(2**31)))  # fmt: skip
    else:
        detail = "collapse"
        seconds = float(rng.uniform(0.45, 1.2))
        moment = float(rng.uniform(0.0, 0.4)) * length
        moment = min(moment, max(length - seconds - 0.3, 0.0))
        if rng.random() < 0.6:
            speed = float(rng.uniform(0.7, 3.6))
            start = at - unit(yaw) * speed * max(moment, 0.1)
            path = smooth_path([(float(start[0]), float(start[1])), (float(at[0]), float(at[1]))], step=0.02)
            total = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
            before: Act = Walk(
                path, total / max(moment, 0.1), body.scale, "run" if speed > 2.2 else "walk", float(rng.random())
            )
        else:
            before = Posed(
                float(at[0]),
                float(at[1]),
                yaw,
                max(moment, 0.1),
                str(rng.choice(["idle", "phone", "gesture", "reach"])),
            )
        last = before.state(before.duration)
        turned = float(rng.normal(0, 0.5))
        from_here = State(last.x, last.y, last.yaw + turned, last.height, last.pose)
        slide = float(rng.uniform(0.3, 0.9))
        act = Steps(
            (before, Fall(from_here, length - before.duration, bool(rng.random() < 0.6), seconds, slide)), body.scale
        )
    around: list[Figure] = []
    if rng.random() < 0.45:
        for k in range(int(rng.integers(1, 4))):
            angle = yaw + np.pi / 2 + np.pi * k + float(rng.normal(0, 0.4))
            near = rng.random() < 0.5 and detail == "lying"
            spot = at + unit(angle) * (0.75 if near else float(rng.uniform(1.1, 2.2)))
            around.append(
                posed(rng, spot, angle + np.pi, length, "kneel" if near else "watch", "help" if near else "watch")
            )
    return Incident([Figure(body, act, "fall", detail == "collapse")], detail, around)


def run(scene: Scene, rng: Generator, at: Array) -> Incident:
    """One or two run through."""
    figures, angle = [], scene.across(rng) if rng.random() < 0.7 else float(rng.uniform(0, 2 * np.pi))
    for k in range(int(rng.choice([1, 2], p=[0.75, 0.25]))):
        body, speed = draw_body(rng), float(rng.uniform(3.2, 5.5))
        spot = (
            at
            - k * unit(angle) * float(rng.uniform(0.9, 1.8))
            + k * unit(angle + np.pi / 2) * float(rng.uniform(-0.6, 0.6))
        )
        path = through(spot, angle, speed, scene.duration / 2, scene.duration)
        figures.append(Figure(body, Walk(path, speed, body.scale, "run", float(rng.random())), "run", True))
    return Incident(figures, "run", [], 0.5)


def scatter(scene: Scene, rng: Generator, at: Array) -> Incident:
    """Five to twelve run apart."""
    figures, count = [], int(rng.integers(5, 13))
    begin = float(rng.uniform(0, 0.25)) * scene.duration
    flee = rng.random() < 0.35  # all the same way
    way = scene.across(rng)
    for k in range(count):
        body, speed = draw_body(rng), float(rng.uniform(2.8, 5.0))
        angle = way + float(rng.normal(0, 0.25)) if flee else 2 * np.pi * k / count + float(rng.normal(0, 0.25))
        off = rng.normal(0, 1.0, 2) if flee else unit(angle) * float(rng.uniform(0.4, 1.3))
        start = at + off
        end = start + unit(angle) * speed * (scene.duration + 0.3)
        path = smooth_path([(float(start[0]), float(start[1])), (float(end[0]), float(end[1]))])
        away: Act = Walk(path, speed, body.scale, "run", float(rng.random()))
        if begin > 0.2:
            yaw = float(rng.uniform(0, 2 * np.pi))
            away = Steps(
                (Posed(float(start[0]), float(start[1]), yaw, begin, "idle", float(rng.random())), away),
                body.scale,
                0.25,
            )
        figures.append(Figure(body, Jerky(away, int(rng.integers(2**31)), float(rng.uniform(0.03, 0.2))), "flee", True))
    return Incident(figures, "one way" if flee else "apart", [])


def crawl(scene: Scene, rng: Generator, at: Array) -> Incident:
    """Somebody moves on the ground on hands and knees, or on the belly."""
    body, yaw, rate = draw_body(rng), scene.across(rng), float(rng.uniform(0.8, 2.2))
    start = at - unit(yaw) * 0.15 * rate * scene.duration
    act = Crawl(float(start[0]), float(start[1]), yaw, scene.duration, rate, float(rng.random()), body.scale)
    return Incident(
        [Figure(body, act, "crawl", True)], "crawl", onlookers(scene, rng, at, 1, 3) if rng.random() < 0.25 else []
    )


def car(scene: Scene, rng: Generator, at: Array) -> Incident:
    """A car drives where people walk."""
    parts, word, _ = car_parts(rng)
    speed = float(rng.uniform(1.5, 8.0))
    route = Route(
        float(at[0]), float(at[1]), _clear_way(scene, rng, at, 2.0, min(speed, 4.0)), speed, scene.duration / 2
    )
    scene.rides.append(Ride(moved(parts, route), route, 1.7, word, normal=False))
    return Incident([], word, [])


def _clear_way(scene: Scene, rng: Generator, at: Array, wide: float, speed: float) -> float:
    """A direction through `at` that meets the fewest blocks."""
    best, way = 1e9, 0.0
    for _ in range(8):
        angle = scene.across(rng)
        line = at + np.linspace(-speed, speed, 7)[:, None] * unit(angle)
        hits = sum(not scene.still.free(point[None], wide / 2) for point in line)
        if hits < best:
            best, way = hits, angle
    return way


def bicycle(scene: Scene, rng: Generator, at: Array) -> Incident:
    """Somebody rides among those who walk."""
    body = draw_body(rng, adult=True)
    speed = float(rng.uniform(2.0, 5.5))
    route = Route(float(at[0]), float(at[1]), _clear_way(scene, rng, at, 0.8, 3.0), speed, scene.duration / 2)
    scene.rides.append(Ride(moved(bicycle_parts(rng), route), route, 0.7, "bicycle", normal=False))
    return Incident([Figure(body, Rider(route, body.scale, float(rng.random())), "ride", True)], "bicycle", [], 0.6)


def cart(scene: Scene, rng: Generator, at: Array) -> Incident:
    """A trolley is pushed, or a golf cart drives, where people walk."""
    if rng.random() < 0.5 or scene.place.kind == "corridor":
        figure = trolley_pusher(scene, rng, at, _clear_way(scene, rng, at, 0.8, 2.0), float(rng.uniform(0.6, 1.5)))
        return Incident([figure], "trolley", [], 0.9)
    route = Route(
        float(at[0]),
        float(at[1]),
        _clear_way(scene, rng, at, 1.3, 3.0),
        float(rng.uniform(1.5, 4.5)),
        scene.duration / 2,
    )
    scene.rides.append(Ride(moved(golf_cart_parts(rng), route), route, 1.2, "golf cart", normal=False))
    figures = []
    for side in (0.25, -0.25)[: 1 + int(rng.random() < 0.3)]:
        body = draw_body(rng, adult=True)
        figures.append(Figure(body, Driver(route, body.scale, side), "drive cart", True))
    return Incident(figures, "golf cart", [], 0.5)


THINGS = ("suitcase", "backpack", "box", "handbag", "suitcase")
THING_COLOURS = (
    (0.05, 0.05, 0.06),
    (0.5, 0.08, 0.08),
    (0.1, 0.18, 0.4),
    (0.62, 0.46, 0.3),
    (0.8, 0.7, 0.1),
    (0.3, 0.32, 0.3),
)


def left_object(scene: Scene, rng: Generator, at: Array) -> Incident:
    """Somebody leaves a thing on the ground and walks away, or it stands there alone already."""
    kind, colour = str(rng.choice(THINGS)), THING_COLOURS[int(rng.integers(len(THING_COLOURS)))]
    route = Route(float(at[0]), float(at[1]), float(rng.uniform(0, 6)), 0.0, 0.0)
    scene.props.append(moved(left_parts(kind, colour), route))
    body, angle = draw_body(rng, adult=True), scene.across(rng)
    begin = float(rng.uniform(0, 0.35)) * scene.duration
    speed = float(rng.uniform(0.9, 1.8))
    start = at + unit(angle) * 0.45
    end = start + unit(angle) * speed * (scene.duration + 0.3)
    act: Act = Walk(
        smooth_path([(float(start[0]), float(start[1])), (float(end[0]), float(end[1]))]),
        speed,
        body.scale,
        "walk",
        float(rng.random()),
    )
    if begin > 0.25:
        bent = Posed(float(start[0]), float(start[1]), angle + np.pi, begin, "pickup", 0.14)
        act = Steps((bent, act), body.scale, 0.35)
    return Incident([Figure(body, act, "leave", True)], kind, [], 0.5)


def _distance(scene: Scene, at: Array) -> float:
    """From the camera to (2,), in m."""
    return float(np.linalg.norm(np.array([*at, 0.5]) - scene.view.eye))


def _burn(scene: Scene, rng: Generator, at: Array, plumes: list[Plume], detail: str) -> Incident:
    begin = 0.0 if rng.random() < 0.8 else float(rng.uniform(0.1, 0.4)) * scene.duration
    for plume in plumes:
        scene.puffs.append(Puffs(start_at(plume, begin), plume.glow) if begin else plume.puffs)
    around = onlookers(scene, rng, at, 1, 4) if rng.random() < 0.35 else []
    if rng.random() < 0.2:
        body, angle = draw_body(rng), float(rng.uniform(0, 6))
        path = through(at + unit(angle) * 2.5, angle, 3.2, scene.duration / 2, scene.duration)
        around.append(Figure(body, Walk(path, 3.2, body.scale, "run"), "back away", True))
    return Incident([], detail, around)


def smoke(scene: Scene, rng: Generator, at: Array) -> Incident:
    """Smoke rises."""
    # What is far away has to be larger to be seen at all.
    size = max(float(rng.uniform(1.6, 4.5)), 0.22 * _distance(scene, at))
    return _burn(scene, rng, at, [draw_smoke(rng, float(at[0]), float(at[1]), size)], "big" if size > 2.5 else "small")


def fire(scene: Scene, rng: Generator, at: Array) -> Incident:
    """Something burns, mostly with smoke above."""
    size, x, y = max(float(rng.uniform(0.5, 2.6)), 0.08 * _distance(scene, at)), float(at[0]), float(at[1])
    plumes = [draw_fire(rng, x + float(rng.normal(0, 0.3 * k)), y, size) for k in range(int(rng.integers(1, 3)))]
    if rng.random() < 0.6:
        plumes.append(draw_smoke(rng, x, y, 2.0 * size, dark=bool(rng.random() < 0.7)))
    return _burn(scene, rng, at, plumes, "big" if size > 1.5 else "small")


INCIDENTS: dict[str, Callable[[Scene, Generator, Array], Incident]] = {
    "fight": fight, "fall": fall, "run": run, "scatter": scatter, "crawl": crawl, "car": car, "bicycle": bicycle,
    "cart": cart, "object": left_object, "smoke": smoke, "fire": fire,
}  # fmt: skip


def suits(event: str, place: Place) -> bool:
    """Whether an event can happen in a place."""
    if event == "car":
        return not place.indoors
    if event == "scatter":
        return place.kind not in ("corridor", "shop", "road")
    if event in ("bicycle", "cart"):
        return place.kind not in ("road", "shop")
    return True
