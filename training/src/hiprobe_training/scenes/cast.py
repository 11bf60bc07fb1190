"""People who do nothing unusual: walkers, talkers, huggers, dancers, cleaners, those who sit, queue or carry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import Act, Walk, smooth_path
from hiprobe_training.scenes.bodies import Body, draw_body, held
from hiprobe_training.scenes.meshes import Array, box, join
from hiprobe_training.scenes.moves import Arms, Hop, Loop, Posed
from hiprobe_training.scenes.scene import Figure, Scene
from hiprobe_training.scenes.stage import Colour, Part
from hiprobe_training.scenes.vehicles import Route, moved, trolley_parts

WOODS: tuple[Colour, ...] = (
    (0.4, 0.28, 0.16),
    (0.2, 0.2, 0.22),
    (0.6, 0.6, 0.58),
    (0.15, 0.25, 0.4),
    (0.5, 0.15, 0.12),
)


def unit(angle: float) -> Array:
    """The direction (2,) at `angle` radians."""
    return np.array([np.cos(angle), np.sin(angle)])


def through(at: Array, angle: float, speed: float, moment: float, duration: float, turned: float = 0.0) -> Array:
    """A path that passes `at` at `moment` s of a clip, with a bend of `turned` radians there."""
    start = at - unit(angle) * speed * moment
    end = at + unit(angle + turned) * speed * (duration - moment + 0.3)
    return smooth_path([(start[0], start[1]), (at[0], at[1]), (end[0], end[1])])


def walker(rng: Generator, body: Body, at: Array, angle: float, duration: float, speed: float | None = None) -> Figure:
    """Someone who walks past `at` halfway through the clip, perhaps with a phone or a box."""
    pace = float(rng.uniform(0.7, 1.7)) * (0.8 if body.child else 1.0) if speed is None else speed
    path = through(at, angle, pace, duration / 2, duration, float(rng.normal(0, 0.5)) if rng.random() < 0.3 else 0.0)
    act: Act = Walk(path, pace, body.scale, "walk", float(rng.random()))
    kind = str(rng.choice(["", "phone", "call", "carry"], p=[0.78, 0.08, 0.07, 0.07]))
    extras: tuple[tuple[int, Part], ...] = ()
    if kind:
        act = Arms(act, kind, float(rng.random()))
    if kind == "carry":
        extras = (held("box", WOODS[int(rng.integers(len(WOODS)))] if rng.random() < 0.4 else (0.62, 0.46, 0.3)),)
    elif kind:
        extras = (held("phone", (0.05, 0.05, 0.06)),)
    words = {"": "walk", "phone": "walk phone", "call": "walk phone", "carry": "walk box"}
    return Figure(body, act, words[kind], True, extras)


def walk_alone(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """One walker."""
    return [walker(rng, draw_body(rng), at, float(rng.uniform(0, 2 * np.pi)), scene.duration)]


def walk_group(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """Two to five who walk together, side by side or in a loose bunch."""
    angle, pace = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.8, 1.4))
    side, group = unit(angle + np.pi / 2), []
    for k in range(int(rng.choice([2, 3, 4, 5], p=[0.55, 0.25, 0.12, 0.08]))):
        off = side * (k % 2 + 0.15 * k) * rng.uniform(0.5, 0.7) + unit(angle) * (k // 2) * -0.8 + rng.normal(0, 0.08, 2)
        group.append(walker(rng, draw_body(rng), at + off, angle, scene.duration, pace))
    return group


def cross_closely(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """Two whose paths cross so closely that they hide one another for a moment."""
    angle = scene.across(rng)
    side = unit(angle + np.pi / 2) * rng.uniform(0.35, 0.6)
    pace = rng.uniform(0.9, 1.7, 2)
    first = walker(rng, draw_body(rng), at, angle, scene.duration, float(pace[0]))
    back = angle + np.pi + float(rng.normal(0, 0.4))
    return [first, walker(rng, draw_body(rng), at + side, back, scene.duration, float(pace[1]))]


def posed(
    rng: Generator, at: Array, yaw: float, duration: float, kind: str, action: str, body: Body | None = None
) -> Figure:
    """Someone on the spot in a pose of :data:`hiprobe_training.scenes.moves.POSES`."""
    extras: tuple[tuple[int, Part], ...] = ()
    if kind in ("phone", "call", "film"):
        extras = (held("phone", (0.05, 0.05, 0.06)),)
    elif kind == "mop":
        extras = (held("stick", (0.6, 0.5, 0.3)),)
    elif kind == "carry":
        extras = (held("box", (0.62, 0.46, 0.3)),)
    act = Posed(float(at[0]), float(at[1]), yaw, duration, kind, float(rng.random()), float(rng.uniform(0.7, 1.3)))
    body = draw_body(rng) if body is None else body
    if kind in ("sit", "crouch", "tie", "pickup", "kneel", "mop"):  # stiff skirts would stand off
        body = replace(body, skirt=False, bag="", look=replace(body.look, coat=False))
    return Figure(body if kind in ("idle", "phone", "call") else replace(body, bag=""), act, action, False, extras)


SOLO = {
    "idle": "stand", "phone": "phone", "call": "phone", "wave": "wave", "pickup": "pick up", "tie": "crouch",
    "crouch": "crouch", "reach": "reach", "mop": "clean", "point": "point", "stretch": "stretch", "carry": "stand box",
    "throw": "throw", "watch": "stand", "film": "film",
}  # fmt: skip


def solo(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """One person busy on the spot."""
    kind = str(rng.choice(list(SOLO)))
    return [posed(rng, at, float(rng.uniform(0, 2 * np.pi)), scene.duration, kind, SOLO[kind])]


def _facing(scene: Scene, rng: Generator, at: Array, half: float, kinds: tuple[str, str], action: str) -> list[Figure]:
    """Two face to face, each `half` m from `at`."""
    angle, pair = scene.across(rng), []
    for side, kind in zip((1, -1), kinds, strict=True):
        yaw = angle + (np.pi if side > 0 else 0.0) + float(rng.normal(0, 0.12))
        pair.append(posed(rng, at + side * half * unit(angle), yaw, scene.duration, kind, action))
    return pair


def talkers(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """Two to four who stand and talk, some with lively hands."""
    kinds = ("gesture", "idle", "gesture", "watch", "point")
    if rng.random() < 0.7:
        pick = (str(rng.choice(kinds)), str(rng.choice(kinds)))
        return _facing(scene, rng, at, float(rng.uniform(0.3, 0.65)), pick, "talk")
    count, first, group = int(rng.integers(3, 6)), float(rng.uniform(0, 6)), []
    for k in range(count):
        angle = first + 2 * np.pi * k / count + float(rng.normal(0, 0.15))
        spot = at + rng.uniform(0.6, 0.9) * unit(angle)
        group.append(posed(rng, spot, angle + np.pi, scene.duration, str(rng.choice(kinds)), "talk"))
    return group


def huggers(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """Two in each other's arms."""
    return _facing(scene, rng, at, float(rng.uniform(0.15, 0.2)), ("hug", "hug"), "hug")


def hand_shakers(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """Two who shake hands."""
    return _facing(scene, rng, at, float(rng.uniform(0.36, 0.45)), ("handshake", "handshake"), "shake hands")


def hand_over(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """One hands a box to another."""
    return _facing(scene, rng, at, float(rng.uniform(0.4, 0.5)), ("carry", "reach"), "hand over")


def dancers(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """One to three who dance."""
    angle, group = scene.across(rng), []
    for k in range(int(rng.integers(1, 4))):
        spot = at + unit(angle) * (0.9 * k)
        motion = str(rng.choice(["dance_a", "dance_b"]))
        yaw = float(rng.uniform(0, 2 * np.pi))
        act = Loop(
            motion,
            float(spot[0]),
            float(spot[1]),
            yaw,
            scene.duration,
            float(rng.uniform(0.8, 1.3)),
            float(rng.random()),
            0.3,
        )
        group.append(Figure(draw_body(rng), act, "dance"))
    return group


def hoppers(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """A child, or two, jumping up and down."""
    group = []
    for k in range(int(rng.integers(1, 3))):
        body = draw_body(rng)
        spot = at + k * 0.9 * unit(scene.across(rng))
        yaw = float(rng.uniform(0, 2 * np.pi))
        act = Hop(
            float(spot[0]),
            float(spot[1]),
            yaw,
            scene.duration,
            float(rng.uniform(1.1, 1.8)),
            float(rng.random()),
            float(rng.uniform(0.1, 0.35)),
        )
        group.append(Figure(body, act, "jump"))
    return group


def queue(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """Three to six in line, all facing one way."""
    angle, group = scene.across(rng), []
    count, apart = int(rng.integers(3, 7)), float(rng.uniform(0.65, 0.9))
    for k in range(count):
        kind = str(rng.choice(["idle", "phone", "watch", "call"], p=[0.6, 0.2, 0.1, 0.1]))
        spot = at + unit(angle) * apart * (k - count / 2) + rng.normal(0, 0.05, 2)
        group.append(posed(rng, spot, angle, scene.duration, kind, "queue"))
    return group


def sitters(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """One to three on chairs or a bench, which are put into the scene by `furnish`."""
    angle = float(rng.uniform(0, 2 * np.pi))
    side = unit(angle + np.pi / 2)
    return [
        posed(rng, at + side * 0.65 * k, angle, scene.duration, "sit", "sit") for k in range(int(rng.integers(1, 4)))
    ]


def furnish(scene: Scene, rng: Generator, figures: list[Figure]) -> None:
    """Chairs under those of `figures` who sit, trolleys before those who push one."""
    wood = WOODS[int(rng.integers(len(WOODS)))]
    for figure in figures:
        script = figure.script
        if figure.action == "sit" and isinstance(script, Posed):
            s = figure.body.scale
            at = Route(script.x, script.y, script.yaw, 0.0, 0.0)
            mesh = join([box((0.44, 0.5, 0.34 * s), (-0.04, 0.0, 0.0)), box((0.08, 0.5, 0.85 * s), (-0.28, 0.0, 0.0))])
            scene.props.append(moved((Part(mesh, wood),), at))


def trolley_pusher(scene: Scene, rng: Generator, at: Array, angle: float, speed: float) -> Figure:
    """Someone who walks behind a trolley; the trolley is put into the scene."""
    body = draw_body(rng, adult=True)
    path = through(at, angle, speed, scene.duration / 2, scene.duration)
    figure = Figure(body, Arms(Walk(path, speed, body.scale, "walk", float(rng.random())), "push"), "push cart", True)
    route = Route(float(at[0]), float(at[1]), angle, speed, scene.duration / 2)
    ahead = unit(angle) * (0.48 + 0.42 * body.scale)
    route = Route(route.x + float(ahead[0]), route.y + float(ahead[1]), angle, speed, route.moment)
    scene.props.append(moved(trolley_parts(rng), route))
    return figure


Builder = Callable[[Scene, Generator, Array], list[Figure]]
NORMAL: tuple[tuple[Builder, float], ...] = (
    (walk_alone, 0.28), (walk_group, 0.12), (cross_closely, 0.08), (solo, 0.13), (talkers, 0.12), (huggers, 0.06),
    (hand_shakers, 0.04), (hand_over, 0.03), (dancers, 0.05), (hoppers, 0.03), (queue, 0.02), (sitters, 0.04),
)  # fmt: skip


def draw_normal(scene: Scene, rng: Generator, at: Array) -> list[Figure]:
    """People at `at` who do something usual."""
    odds = np.array([weight for _, weight in NORMAL])
    builder = NORMAL[int(rng.choice(len(NORMAL), p=odds / odds.sum()))][0]
    return builder(scene, rng, at)
