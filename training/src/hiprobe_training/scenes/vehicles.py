"""Things on wheels, things left behind, smoke and flames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import State, bend
from hiprobe_training.scenes.bodies import bag_mesh
from hiprobe_training.scenes.meshes import Array, Mesh, box, car, join, limb, prism, stand_up, wheel
from hiprobe_training.scenes.motions import identity_pose, turn
from hiprobe_training.scenes.stage import Colour, Part, Prop, Puffs

PAINTS: dict[str, Colour] = {
    "white": (0.88, 0.88, 0.86), "black": (0.06, 0.06, 0.07), "silver": (0.62, 0.63, 0.66), "grey": (0.33, 0.34, 0.36),
    "red": (0.6, 0.07, 0.07), "blue": (0.1, 0.2, 0.5), "green": (0.12, 0.32, 0.2), "yellow": (0.9, 0.72, 0.1),
}  # fmt: skip
MATERIALS: dict[str, Colour] = {
    "glass": (0.09, 0.11, 0.14), "tyre": (0.05, 0.05, 0.05), "hub": (0.55, 0.56, 0.58), "lamp": (0.95, 0.95, 0.85),
    "tail": (0.65, 0.05, 0.05), "trim": (0.12, 0.12, 0.13),
}  # fmt: skip


@dataclass(frozen=True)
class Route:
    """A straight drive that passes (x, y) at `moment` s, at `speed` m/s along `yaw`."""

    x: float
    y: float
    yaw: float
    speed: float
    moment: float

    def at(self, t: float) -> Array:
        """Where the middle is at `t` s: (2,) in m."""
        way = np.array([np.cos(self.yaw), np.sin(self.yaw)])
        return np.array([self.x, self.y]) + way * self.speed * (t - self.moment)


def moved(parts: tuple[Part, ...], route: Route, height: float = 0.0) -> Prop:
    """Parts made about the origin, driving along x, on a route."""
    rotations = np.tile(turn("z", route.yaw), (len(parts), 1))

    def pose(time: float) -> tuple[Array, Array]:
        at = np.array([*route.at(time), height])
        return np.tile(at, (len(parts), 1)), rotations

    return Prop(parts, pose)


@cache
def _car(length: float, width: float, height: float) -> dict[str, Mesh]:
    return car(length, width, height)


def car_parts(rng: Generator) -> tuple[tuple[Part, ...], str, float]:
    """A car or van: parts, its word and its length in m."""
    colour = str(rng.choice(list(PAINTS)))
    shapes = ((3.7, 1.65, 1.45), (4.3, 1.76, 1.45), (4.6, 1.8, 1.4), (4.7, 1.9, 1.75), (5.2, 1.95, 2.1))
    k = int(rng.integers(len(shapes)))
    meshes = _car(*shapes[k])
    tone = np.clip(np.array(PAINTS[colour]) * rng.uniform(0.85, 1.1), 0, 1)
    paint: Colour = (float(tone[0]), float(tone[1]), float(tone[2]))
    parts = tuple(Part(mesh, paint if name == "paint" else MATERIALS[name]) for name, mesh in meshes.items())
    return parts, f"{colour} {'van' if k == 4 else 'car'}", shapes[k][0]


@cache
def _bus(length: float) -> dict[str, Mesh]:
    a = length / 2
    return {
        "paint": join([prism((0.35, -a, a, -1.25, 1.25), (1.5, -a, a, -1.25, 1.25)),
                       prism((2.45, -a, a, -1.25, 1.25), (3.0, -a, a, -1.2, 1.2))]),
        "glass": prism((1.5, -a + 0.05, a - 0.02, -1.22, 1.22), (2.45, -a + 0.05, a - 0.05, -1.22, 1.22)),
        "tyre": join([wheel(sx * a * 0.62, sy * 1.12, 0.48, 0.48, 0.28) for sx in (-1, 1) for sy in (-1, 1)]),
        "lamp": join([box((0.06, 0.3, 0.2), (a, s * 0.9, 0.6)) for s in (-1, 1)]),
        "tail": join([box((0.06, 0.25, 0.3), (-a, s * 1.0, 0.8)) for s in (-1, 1)]),
    }  # fmt: skip


def bus_parts(rng: Generator) -> tuple[tuple[Part, ...], str, float]:
    """A bus or lorry: parts, its word and its length in m."""
    colour = str(rng.choice(list(PAINTS)))
    length = float(rng.choice([8.0, 10.0]))
    parts = tuple(Part(m, PAINTS[colour] if n == "paint" else MATERIALS[n]) for n, m in _bus(length).items())
    return parts, f"{colour} bus", length


def _ring(x: float, radius: float) -> Mesh:
    """A thin tyre of `radius` about a level axis along y, at (x, 0, radius): short bars round a circle."""
    pieces = []
    for k in range(16):
        a = 2 * np.pi * (k + 0.5) / 16
        bar = box((0.05, 0.045, 2 * radius * np.tan(np.pi / 16) + 0.02))
        c, s = np.cos(a), np.sin(a)
        v = (bar.vertices - [0, 0, radius * np.tan(np.pi / 16)]) * [1, 1, 1]
        turned = np.stack([v[:, 0] * c - v[:, 2] * s, v[:, 1], v[:, 0] * s + v[:, 2] * c], 1)
        n = bar.normals
        normals = np.stack([n[:, 0] * c - n[:, 2] * s, n[:, 1], n[:, 0] * s + n[:, 2] * c], 1)
        pieces.append(Mesh(turned + np.array([x + radius * c, 0.0, radius + radius * s]), normals, bar.uvs, bar.faces))
    return join(pieces)


def _tube(a: tuple[float, float, float], b: tuple[float, float, float], radius: float = 0.022) -> Mesh:
    """A straight tube between two points."""
    start, end = np.array(a), np.array(b)
    way = end - start
    length = float(np.linalg.norm(way))
    up = way / length
    side = np.cross([0.0, 1.0, 0.0] if abs(up[1]) < 0.9 else [1.0, 0.0, 0.0], up)
    side /= np.linalg.norm(side)
    axes = np.stack([side, up, np.cross(side, up)])  # rows: where the limb's x, y and z go
    raw = limb(length, 0.0, radius, radius)
    return Mesh(raw.vertices @ axes + start, raw.normals @ axes, raw.uvs, raw.faces)


@cache
def _bicycle() -> dict[str, Mesh]:
    rear, front, crank, seat, neck = (
        (-0.5, 0.0, 0.34),
        (0.55, 0.0, 0.34),
        (-0.05, 0.0, 0.3),
        (-0.22, 0.0, 0.85),
        (0.4, 0.0, 0.85),
    )
    return {
        "frame": join([_tube(*ends) for ends in (
            (crank, seat), (crank, neck), (seat, neck), (rear, crank), (rear, seat), (front, neck))]),
        "tyre": join([_ring(-0.5, 0.33), _ring(0.55, 0.33)]),
        "grips": join([_tube((0.38, -0.26, 1.0), (0.38, 0.26, 1.0)), _tube((0.4, 0, 0.85), (0.38, 0, 1.0)),
                       box((0.25, 0.14, 0.06), (-0.24, 0.0, 0.88))]),
    }  # fmt: skip


def bicycle_parts(rng: Generator) -> tuple[Part, ...]:
    """A bicycle that drives along x."""
    meshes = _bicycle()
    frame = PAINTS[str(rng.choice(list(PAINTS)))]
    return (
        Part(meshes["frame"], frame),
        Part(meshes["tyre"], (0.05, 0.05, 0.05)),
        Part(meshes["grips"], (0.1, 0.1, 0.1)),
    )


@dataclass(frozen=True)
class Rider:
    """On a bicycle, pedalling."""

    route: Route
    scale: float
    phase: float = 0.0

    def state(self, u: float) -> State:
        """The person at `u` s."""
        x, y = self.route.at(u) - 0.2 * np.array([np.cos(self.route.yaw), np.sin(self.route.yaw)])
        a = self.route.speed * u * 1.9 + 6 * self.phase
        left, right = float(np.sin(a)), float(np.sin(a + np.pi))
        low_l, low_r = float(np.cos(a)), float(np.cos(a + np.pi))
        pose = bend(identity_pose(), root=("z", -0.35), chest=("z", -0.15), neck=("z", 0.35))
        pose = bend(pose, left_hip=("z", 1.25 + 0.35 * left), right_hip=("z", 1.25 + 0.35 * right))
        pose = bend(pose, left_knee=("z", -1.25 - 0.45 * low_l), right_knee=("z", -1.25 - 0.45 * low_r))
        pose = bend(pose, left_shoulder=("z", 1.25), right_shoulder=("z", 1.25), left_elbow=("z", 0.3))
        pose = bend(pose, right_elbow=("z", 0.3), left_hip=("x", 0.05), right_hip=("x", -0.05))
        return State(float(x), float(y), self.route.yaw, 1.0 / self.scale, pose, 0.0)


@dataclass(frozen=True)
class Driver:
    """Sitting in a golf cart."""

    route: Route
    scale: float
    side: float = 0.25

    def state(self, u: float) -> State:
        """The person at `u` s."""
        c, s = np.cos(self.route.yaw), np.sin(self.route.yaw)
        x, y = self.route.at(u) + np.array([-0.25 * c - self.side * s, -0.25 * s + self.side * c])
        pose = bend(identity_pose(), left_hip=("z", 1.45), right_hip=("z", 1.45), left_knee=("z", -1.2))
        pose = bend(pose, right_knee=("z", -1.2), left_shoulder=("z", 1.0), right_shoulder=("z", 1.0))
        pose = bend(pose, left_elbow=("z", 0.4), right_elbow=("z", 0.4))
        return State(float(x), float(y), self.route.yaw, 0.9 / self.scale, pose, 0.0)


@cache
def _golf_cart() -> dict[str, Mesh]:
    posts = [_tube((x, y, 0.6), (x * 0.85, y * 0.9, 1.85)) for x in (-0.8, 0.75) for y in (-0.55, 0.55)]
    return {
        "paint": join([prism((0.25, 0.35, 1.2, -0.6, 0.6), (0.85, 0.45, 0.95, -0.55, 0.55)),
                       prism((0.25, -1.15, -0.35, -0.6, 0.6), (0.75, -1.1, -0.4, -0.58, 0.58)),
                       box((1.2, 1.2, 0.12), (0.1, 0.0, 0.22)), box((1.9, 1.25, 0.08), (-0.05, 0.0, 1.85))]),
        "dark": join([*posts, box((0.5, 1.1, 0.1), (-0.55, 0.0, 0.75)), box((0.1, 1.1, 0.5), (-0.85, 0.0, 0.8))]),
        "tyre": join([wheel(sx * 0.8, sy * 0.55, 0.24, 0.24, 0.18) for sx in (-1, 1) for sy in (-1, 1)]),
    }  # fmt: skip


def golf_cart_parts(rng: Generator) -> tuple[Part, ...]:
    """A golf cart that drives along x."""
    colour = PAINTS[str(rng.choice(["white", "green", "blue", "red", "yellow"]))]
    meshes = _golf_cart()
    return (
        Part(meshes["paint"], colour),
        Part(meshes["dark"], (0.13, 0.13, 0.13)),
        Part(meshes["tyre"], (0.05, 0.05, 0.05)),
    )


@cache
def _trolley(kind: str) -> dict[str, Mesh]:
    spots = [(sx * 0.32, sy * 0.22) for sx in (-1, 1) for sy in (-1, 1)]
    wheels = join([wheel(x, y, 0.07, 0.07, 0.05) for x, y in spots])
    handle = [
        _tube((-0.48, -0.25, 1.0), (-0.48, 0.25, 1.0)),
        *(_tube((-0.4, y, 0.15), (-0.48, y, 1.0)) for y in (-0.25, 0.25)),
    ]
    if kind == "shopping":
        ribs = [_tube((x, y, z), (x2, y2, z)) for z in (0.5, 0.68, 0.88)
                for x, y, x2, y2 in ((-0.42, -0.26, 0.42, -0.22), (-0.42, 0.26, 0.42, 0.22),
                                     (0.42, -0.22, 0.42, 0.22))]  # fmt: skip
        posts = [
            _tube((x, y, 0.12), (x, y, 0.88)) for x, y in ((-0.4, -0.25), (-0.4, 0.25), (0.42, -0.22), (0.42, 0.22))
        ]
        return {"metal": join([*handle, *ribs, *posts, box((0.8, 0.46, 0.03), (0.0, 0.0, 0.48))]), "tyre": wheels,
                "load": box((0.6, 0.34, 0.25), (0.05, 0.0, 0.51))}  # fmt: skip
    tall = {"boxes": 0.75, "flat": 0.25, "bin": 0.85}[kind]
    return {"metal": join([*handle, box((0.95, 0.56, 0.06), (0.0, 0.0, 0.14))]), "tyre": wheels,
            "load": box((0.85, 0.52, tall), (0.03, 0.0, 0.2))}  # fmt: skip


def trolley_parts(rng: Generator) -> tuple[Part, ...]:
    """A trolley that is pushed along x; its handle is 0.48 m behind the middle."""
    meshes = _trolley(str(rng.choice(["shopping", "boxes", "flat", "bin"])))
    tone = float(rng.uniform(0.25, 0.75))
    load = ((0.62, 0.46, 0.3), (0.2, 0.35, 0.22), (0.75, 0.75, 0.72), (0.2, 0.28, 0.5))[int(rng.integers(4))]
    return (
        Part(meshes["metal"], (tone, tone, tone)),
        Part(meshes["tyre"], (0.05, 0.05, 0.05)),
        Part(meshes["load"], load),
    )


def left_parts(kind: str, colour: Colour) -> tuple[Part, ...]:
    """A thing that stands on the ground about the origin: ``suitcase``, ``backpack``, ``box``, ``handbag`` ..."""
    raw = bag_mesh(kind)
    lifted = Mesh(raw.vertices - [0, raw.vertices[:, 1].min(), 0], raw.normals, raw.uvs, raw.faces)
    parts = [Part(stand_up(lifted, (0.0, 0.0, 0.0)), colour)]
    if kind != "box":
        top = float(lifted.vertices[:, 1].max())
        arch = [_tube((-0.08, 0, top - 0.02), (-0.08, 0, top + 0.12)),
                _tube((0.08, 0, top - 0.02), (0.08, 0, top + 0.12)),
                _tube((-0.08, 0, top + 0.12), (0.08, 0, top + 0.12))]  # fmt: skip
        parts.append(Part(join(arch), (0.08, 0.08, 0.08)))
    return tuple(parts)


@dataclass(frozen=True)
class Plume:
    """Smoke or flames that rise from (x, y) and are renewed for ever; sizes in m."""

    x: float
    y: float
    count: int
    wide: float
    tall: float
    puff: float
    speed: float
    wind: tuple[float, float]
    colour: Colour
    opacity: float
    glow: bool
    seed: int
    ground: float = 0.05

    def at(self, time: float) -> tuple[Array, Array, Array]:
        """Centres (n, 3), radii (n,) and colours (n, 4) at `time` s."""
        rng = np.random.default_rng(self.seed)
        born, side, tone = (
            rng.uniform(0, 1, self.count),
            rng.normal(0, 1, (self.count, 2)),
            rng.uniform(0.8, 1.2, self.count),
        )
        pace, phase = rng.uniform(0.8, 1.25, self.count), rng.uniform(0, 6.3, self.count)
        age = (born + self.speed * pace * time / self.tall) % 1.0
        spread = 0.35 * self.wide * side * ((1 - 0.7 * age) if self.glow else (1 + 1.3 * age))[:, None]
        curl = 0.12 * self.wide * np.stack([np.sin(3 * time + phase + 4 * age), np.cos(2.6 * time + phase)], 1)
        flat = np.array([self.x, self.y]) + spread + curl + np.array(self.wind) * (age * self.tall)[:, None]
        centres = np.column_stack([flat, self.ground + self.tall * age])
        flicker = 1 + (0.25 * np.sin(17 * time + 3 * phase) if self.glow else 0.0)
        radii = self.puff * flicker * ((1.1 - 0.8 * age) if self.glow else (0.5 + 1.3 * age))
        fade = np.minimum(age / 0.1, 1.0) * (1 - age) ** (0.6 if self.glow else 0.9)
        colours = np.empty((self.count, 4))
        if self.glow:  # yellow at the foot, red at the tips
            colours[:, :3] = (
                np.array([1.0, 0.85, 0.35]) * (1 - age)[:, None] + np.array([0.9, 0.2, 0.03]) * age[:, None]
            )
        else:
            colours[:, :3] = np.array(self.colour) * tone[:, None]
        colours[:, 3] = self.opacity * fade
        return centres, radii, np.clip(colours, 0.0, 1.0)

    @property
    def puffs(self) -> Puffs:
        """What the renderer takes."""
        return Puffs(self.at, self.glow)


def draw_smoke(rng: Generator, x: float, y: float, size: float, dark: bool | None = None) -> Plume:
    """Smoke about `size` m tall."""
    tone = float(rng.uniform(0.08, 0.25) if (rng.random() < 0.5 if dark is None else dark) else rng.uniform(0.5, 0.9))
    return Plume(
        x, y, int(rng.integers(40, 80)), size * float(rng.uniform(0.2, 0.45)), size,
        size * float(rng.uniform(0.12, 0.22)),
        float(rng.uniform(0.6, 1.8)), (float(rng.normal(0, 0.25)), float(rng.normal(0, 0.25))),
        (tone, tone, tone * float(rng.uniform(0.95, 1.08))), float(rng.uniform(0.5, 0.95)), False,
        int(rng.integers(2**31)),
    )  # fmt: skip


def draw_fire(rng: Generator, x: float, y: float, size: float) -> Plume:
    """Flames about `size` m tall."""
    return Plume(
        x, y, int(rng.integers(25, 50)), size * float(rng.uniform(0.4, 0.9)), size,
        size * float(rng.uniform(0.14, 0.22)),
        float(rng.uniform(1.4, 2.6)), (float(rng.normal(0, 0.12)), float(rng.normal(0, 0.12))),
        (1.0, 0.6, 0.2), float(rng.uniform(0.5, 0.85)), True, int(rng.integers(2**31)),
    )  # fmt: skip


def start_at(plume: Plume, moment: float) -> Callable[[float], tuple[Array, Array, Array]]:
    """The plume, growing from nothing at `moment` s within a second."""

    def at(time: float) -> tuple[Array, Array, Array]:
        grown = float(np.clip(time - moment, 0.0, 1.0))
        centres, radii, colours = replace(plume, tall=plume.tall * max(grown, 0.05)).at(time)
        colours[:, 3] *= grown
        return centres, radii * max(grown, 0.05), colours

    return at
