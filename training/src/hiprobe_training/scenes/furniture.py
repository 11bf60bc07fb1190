"""Things that stand about in places, as lists of parts around the origin, facing +x, made of few triangles."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes import meshes
from hiprobe_training.scenes.meshes import Mesh
from hiprobe_training.scenes.stage import Colour, Part
from hiprobe_training.scenes.surfaces import paint, pick
from hiprobe_training.scenes.textures import Picture
from hiprobe_training.scenes.world import CAR_COLOURS

_UNIT = meshes.box((1.0, 1.0, 1.0))
Parts = list[Part]


def tone(rng: Generator, low: float = 0.1, high: float = 0.9, spread: float = 0.06) -> Colour:
    """A colour near grey."""
    r, g, b = np.clip(rng.uniform(low, high) * (1 + rng.normal(0, spread, 3)), 0.02, 0.98)
    return float(r), float(g), float(b)


def vivid(rng: Generator) -> Colour:
    """A colour as paint and plastics have."""
    r, g, b = paint(rng) / 255
    return float(r), float(g), float(b)


def block(size: tuple[float, float, float], at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """What `meshes.box` makes, but quickly: a box of `size` in m with the middle of its floor at `at`."""
    return Mesh(_UNIT.vertices * size + at, _UNIT.normals, _UNIT.uvs, _UNIT.faces)


def move(mesh: Mesh, at: tuple[float, float, float], yaw: float = 0.0, scale: float = 1.0) -> Mesh:
    """A mesh scaled, turned by `yaw` radians about z and moved to `at`."""
    c, s = np.cos(yaw), np.sin(yaw)
    turned = np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    return Mesh(mesh.vertices @ turned * scale + at, mesh.normals @ turned, mesh.uvs, mesh.faces)


def tiled(mesh: Mesh, across: float, up: float) -> Mesh:
    """A mesh whose picture repeats."""
    return Mesh(mesh.vertices, mesh.normals, mesh.uvs * [across, up], mesh.faces)


def panel(length: float, low: float, high: float) -> Mesh:
    """An upright rectangle along y, seen from +x, its picture upright."""
    h = length / 2
    return meshes.quad((0, -h, low), (0, h, low), (0, h, high), (0, -h, high))


@cache
def _post(height: float, radius: float, sides: int = 7) -> Mesh:
    return meshes.stand_up(meshes.loft([(0, 0, radius, radius), (height, 0, radius, radius)], sides), (0, 0, 0))


@cache
def _blob(levels: int = 5) -> Mesh:
    tilt = np.linspace(-1.45, 1.45, levels)
    rings = [(float(np.sin(t)), 0.0, float(np.cos(t)), float(np.cos(t))) for t in tilt]
    mesh = meshes.stand_up(meshes.loft(rings, 7), (0, 0, 0))
    uvs = 0.7 * mesh.vertices[:, [0, 2]] + mesh.vertices[:, [1, 1]]
    return Mesh(mesh.vertices, mesh.normals, uvs, mesh.faces)


def post(height: float, radius: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """An upright cylinder."""
    mesh = _post(height, radius)
    return Mesh(mesh.vertices + at, mesh.normals, mesh.uvs, mesh.faces)


def table(rng: Generator) -> Parts:
    """A table with things on it."""
    x, y, z = rng.uniform(0.6, 0.9), rng.uniform(0.6, 1.4), rng.uniform(0.68, 0.8)
    top, leg = tone(rng, 0.25, 0.95, 0.2), tone(rng, 0.1, 0.5)
    parts = [Part(block((x, y, 0.05), (0, 0, z)), top)]
    if rng.random() < 0.5:
        parts.append(Part(block((0.12, 0.12, z)), leg))
        parts.append(Part(block((0.5, 0.5, 0.04)), leg))
    else:
        parts += [
            Part(block((0.05, 0.05, z), (sx * (x / 2 - 0.05), sy * (y / 2 - 0.05), 0)), leg)
            for sx in (-1, 1) for sy in (-1, 1)
        ]  # fmt: skip
    for _ in range(rng.integers(0, 5)):
        size = tuple(float(v) for v in rng.uniform(0.05, 0.26, 3))
        spot = (rng.uniform(-x, x) * 0.35, rng.uniform(-y, y) * 0.35, z + 0.05)
        parts.append(Part(block((size[0], size[1], size[2]), spot), vivid(rng)))
    return parts


def chair(rng: Generator, colour: Colour | None = None) -> Parts:
    """A chair that faces +x."""
    seat = colour or vivid(rng)
    leg = tone(rng, 0.08, 0.5)
    back = Part(block((0.05, 0.42, 0.42), (-0.2, 0, 0.46)), seat)
    parts = [Part(block((0.42, 0.42, 0.05), (0, 0, 0.43)), seat), back]
    parts += [Part(block((0.04, 0.04, 0.43), (sx * 0.18, sy * 0.18, 0)), leg) for sx in (-1, 1) for sy in (-1, 1)]
    return parts


def sofa(rng: Generator, seats: int = 2) -> Parts:
    """A sofa or a row of bus seats, facing +x."""
    colour, wide = vivid(rng), 0.55 * seats
    back = rng.uniform(0.35, 0.75)
    parts = [Part(block((0.55, wide, 0.44)), colour), Part(block((0.14, wide, back), (-0.24, 0, 0.4)), colour)]
    if rng.random() < 0.5:
        parts += [Part(block((0.55, 0.08, 0.6), (0, s * wide / 2, 0)), tone(rng)) for s in (-1, 1)]
    return parts


def bench(rng: Generator) -> Parts:
    """A bench for outdoors, facing +x."""
    colour, leg = (0.4, 0.28, 0.18) if rng.random() < 0.5 else tone(rng), tone(rng, 0.1, 0.4)
    parts = [Part(block((0.14, 1.6, 0.05), (x, 0, 0.42)), colour) for x in (-0.16, 0.0, 0.16)]
    parts += [Part(block((0.4, 0.07, 0.42), (0, y, 0)), leg) for y in (-0.6, 0.6)]
    if rng.random() < 0.6:
        parts.append(Part(block((0.04, 1.6, 0.3), (-0.24, 0, 0.55)), colour))
    return parts


def counter(rng: Generator, length: float) -> Parts:
    """A counter along y with a till, screens and small things on it."""
    parts = [
        Part(block((0.6, length, 0.95)), tone(rng, 0.2, 0.9, 0.25), pick(rng, "wood", "poster", "goods", "mess")),
        Part(block((0.72, length + 0.05, 0.05), (0, 0, 0.95)), tone(rng, 0.15, 0.95)),
    ]
    for _ in range(int(3 + 3 * length)):
        size = rng.uniform([0.06, 0.06, 0.08], [0.3, 0.4, 0.42])
        y = rng.uniform(-length, length) * 0.46
        colour = vivid(rng) if rng.random() < 0.6 else tone(rng, 0.05, 0.9)
        parts.append(Part(block((size[0], size[1], size[2]), (rng.uniform(-0.2, 0.2), y, 1.0)), colour))
    return parts


def shelf(rng: Generator, length: float, height: float, picture: Picture | None = None) -> Parts:
    """A shop shelf along y, goods on both sides and some standing out of it."""
    goods = picture if picture is not None else pick(rng, "goods")
    d, frame = rng.uniform(0.22, 0.32), tone(rng, 0.3, 0.9)
    parts = [Part(block((2 * d - 0.04, length, height)), frame)]
    for yaw in (0.0, np.pi):
        side = tiled(panel(length - 0.04, 0.08, height - 0.02), max(round(length / 1.8), 1), 1)
        parts.append(Part(move(side, (d * np.cos(yaw), 0, 0), yaw), (1, 1, 1), goods))
    for _ in range(int(6 * length)):
        size = rng.uniform([0.06, 0.08, 0.08], [0.2, 0.4, 0.3])
        y = rng.uniform(-0.47, 0.47) * length
        if rng.random() < 0.5:
            at = (rng.uniform(-d, d) * 0.6, y, height)
        else:
            at = (rng.choice([-1, 1]) * (d - 0.02), y, height * rng.uniform(0.05, 0.85))
        parts.append(Part(block((size[0], size[1], size[2]), at), vivid(rng)))
    return parts


def fridge(rng: Generator, length: float) -> Parts:
    """A lit drinks fridge or cupboard along y, facing +x."""
    shine = rng.uniform(0.8, 1.0)
    glass = tiled(move(panel(length - 0.1, 0.15, 1.85), (0.31, 0, 0)), round(length), 1)
    front = Part(glass, (shine, shine, shine), pick(rng, "goods"))
    parts = [Part(block((0.6, length, 2.0)), tone(rng, 0.1, 0.95)), front]
    parts.append(Part(block((0.62, length, 0.2), (0.01, 0, 1.8)), vivid(rng), pick(rng, "poster")))
    edges = [block((0.05, 0.04, 1.7), (0.31, float(y), 0.15)) for y in np.arange(-length / 2, length / 2, 0.7)]
    frame = tone(rng, 0.2, 0.9)
    parts += [Part(edge, frame) for edge in edges]
    return parts


def crates(rng: Generator) -> Parts:
    """A heap of boxes, bags or crates."""
    parts, z = [], 0.0
    for _ in range(rng.integers(1, 5)):
        size = rng.uniform([0.25, 0.25, 0.15], [0.6, 0.6, 0.45])
        colour: Colour = (0.62, 0.47, 0.32) if rng.random() < 0.5 else vivid(rng)
        at = (float(rng.normal(0, 0.06)), float(rng.normal(0, 0.06)), z)
        parts.append(Part(move(block((size[0], size[1], size[2])), at, rng.uniform(-0.4, 0.4)), colour))
        z += size[2]
    if rng.random() < 0.5:
        lump = move(_blob(), (0.45, 0.1, 0.2), 0.0, 0.24)
        parts.append(Part(lump, tone(rng, 0.03, 0.8, 0.15)))
    return parts


def plant(rng: Generator) -> Parts:
    """A plant in a pot."""
    r = rng.uniform(0.25, 0.5)
    leaf = pick(rng, "leaves")
    parts = [Part(post(0.4, 0.2), tone(rng, 0.2, 0.8, 0.15))]
    for _ in range(3):
        at = (rng.normal(0, 0.12), rng.normal(0, 0.12), 0.45 + rng.uniform(0.2, 0.6))
        parts.append(Part(move(_blob(), at, rng.uniform(0, 6), r), (1.0, 1.0, 1.0), leaf))
    return parts


def tree(rng: Generator) -> Parts:
    """A tree of 4 to 8 m."""
    tall = rng.uniform(2.0, 4.0)
    leaf, tint = pick(rng, "leaves"), rng.uniform(0.75, 1.2)
    parts = [Part(post(tall + 0.8, rng.uniform(0.09, 0.2)), (0.3, 0.23, 0.17))]
    for _ in range(rng.integers(5, 10)):
        at = (rng.normal(0, 0.8), rng.normal(0, 0.8), tall + rng.uniform(0.2, 2.2))
        part = Part(move(_blob(), at, rng.uniform(0, 6), rng.uniform(0.6, 1.2)), (tint, tint, tint), leaf)
        parts.append(part)
    return parts


def hedge(rng: Generator, length: float, height: float) -> Parts:
    """A hedge along y."""
    mesh = block((rng.uniform(0.5, 1.0), length, height))
    return [Part(tiled(mesh, max(length / 2, 1), 1), (0.9, 0.9, 0.9), pick(rng, "leaves"))]


def lamp_post(rng: Generator, height: float, lit: bool) -> Parts:
    """A street lamp that reaches out along +x."""
    colour = tone(rng, 0.12, 0.6)
    glow: Colour = (1.6, 1.5, 1.3) if lit else (0.8, 0.8, 0.78)
    return [
        Part(post(height, 0.08), colour),
        Part(block((1.2, 0.1, 0.08), (0.5, 0, height - 0.1)), colour),
        Part(block((0.5, 0.25, 0.09), (0.95, 0, height - 0.19)), glow),
    ]


def sign(rng: Generator) -> Parts:
    """A traffic or advertising sign on a post."""
    if rng.random() < 0.5:
        face = block((0.04, 0.6, 0.6), (0.06, 0, 1.9))
        return [Part(post(2.5, 0.04), (0.5, 0.5, 0.5)), Part(face, vivid(rng), pick(rng, "poster"))]
    return [Part(block((0.4, 0.65, 1.0)), (1.0, 1.0, 1.0), pick(rng, "poster"))]


def bin_(rng: Generator) -> Parts:
    """A litter bin or a wheeled container."""
    colour = vivid(rng)
    if rng.random() < 0.5:
        return [Part(post(0.9, 0.27), colour), Part(post(0.06, 0.29, (0, 0, 0.9)), tone(rng, 0.05, 0.4))]
    return [Part(block((0.75, 1.2, 1.1)), colour), Part(block((0.82, 1.28, 0.12), (0, 0, 1.1)), tone(rng, 0.1, 0.5))]


def bollards(rng: Generator, length: float) -> Parts:
    """Posts in a row along y, maybe with rails between."""
    colour, gap = tone(rng, 0.1, 0.9, 0.2), rng.uniform(0.8, 1.6)
    tall = rng.uniform(0.7, 1.1)
    parts = [Part(post(tall, 0.06, (0, float(y), 0)), colour) for y in np.arange(-length / 2, length / 2 + 0.01, gap)]
    if rng.random() < 0.5:
        parts += [Part(block((0.05, length, 0.05), (0, 0, z * tall)), colour) for z in (0.5, 0.93)]
    return parts


def motorbike(rng: Generator) -> Parts:
    """A motorbike or scooter that stands along x."""
    colour, dark = vivid(rng), (0.07, 0.07, 0.08)
    wheels = meshes.join([meshes.wheel(x, 0.0, 0.29, 0.29, 0.1) for x in (-0.62, 0.62)])
    return [
        Part(wheels, dark),
        Part(block((0.75, 0.24, 0.35), (-0.15, 0, 0.38)), colour),
        Part(block((0.7, 0.26, 0.1), (-0.3, 0, 0.72)), dark),
        Part(block((0.2, 0.22, 0.5), (0.48, 0, 0.45)), colour),
        Part(block((0.06, 0.65, 0.06), (0.42, 0, 0.98)), (0.4, 0.4, 0.42)),
    ]


@cache
def _shell(sort: int) -> dict[str, Mesh]:
    sizes = ((4.2, 1.76, 1.45), (3.7, 1.66, 1.5), (4.6, 1.84, 1.42), (4.5, 1.88, 1.75), (5.0, 1.95, 2.1))
    shell = meshes.car(*sizes[sort])
    # Parked cars come by the dozen: wheels of few sides.
    a, w = sizes[sort][0] / 2, sizes[sort][1] / 2
    for name, radius, out in (("tyre", 0.32, 0.0), ("hub", 0.18, 0.012)):
        disc = meshes.loft([(-0.12 - out, 0, radius, radius), (0.12 + out, 0, radius, radius)], 8)
        spots = [(x * 0.62 * a, y * (w - 0.09), 0.32) for x in (-1, 1) for y in (-1, 1)]
        shell[name] = meshes.join([Mesh(disc.vertices + at, disc.normals, disc.uvs, disc.faces) for at in spots])
    return shell


def car(rng: Generator) -> Parts:
    """A car or van along x, about 4.2 m by 1.8 m."""
    base = np.array(CAR_COLOURS[rng.integers(len(CAR_COLOURS))]) if rng.random() < 0.75 else rng.uniform(0.1, 0.9, 3)
    r, g, b = np.clip(base * rng.uniform(0.8, 1.1), 0.02, 0.95)
    colours: dict[str, Colour] = {
        "paint": (float(r), float(g), float(b)), "glass": (0.17, 0.2, 0.24), "tyre": (0.05, 0.05, 0.05),
        "hub": (0.5, 0.5, 0.52), "lamp": (0.95, 0.95, 0.85), "tail": (0.6, 0.05, 0.05), "trim": (0.16, 0.16, 0.17),
    }  # fmt: skip
    return [Part(mesh, colours[name]) for name, mesh in _shell(int(rng.integers(5))).items()]


def parasol(rng: Generator) -> Parts:
    """A parasol of 2.4 m."""
    cone = meshes.loft([(2.0, 0, 1.4, 1.4), (2.5, 0, 0.05, 0.05)], 8)
    return [Part(post(2.4, 0.04), (0.7, 0.7, 0.7)), Part(meshes.stand_up(cone, (0, 0, 0)), vivid(rng))]


def desk(rng: Generator) -> Parts:
    """A desk with a screen, facing +x."""
    dark = tone(rng, 0.03, 0.2)
    return [
        Part(block((0.75, 1.4, 0.05), (0, 0, 0.7)), tone(rng, 0.3, 0.9, 0.2)),
        Part(block((0.7, 0.05, 0.7), (0, 0.66, 0)), tone(rng, 0.2, 0.8)),
        Part(block((0.7, 0.05, 0.7), (0, -0.66, 0)), tone(rng, 0.2, 0.8)),
        Part(block((0.05, 0.55, 0.36), (-0.1, 0.1, 0.85)), dark, pick(rng, "poster")),
        Part(block((0.2, 0.45, 0.03), (0.18, 0.1, 0.75)), dark),
        Part(block((0.3, 0.22, 0.1), (0.1, -0.4, 0.75)), (0.9, 0.9, 0.88)),
    ]


def litter(rng: Generator) -> Parts:
    """A paper, a can or a bag on the ground."""
    size = rng.uniform([0.08, 0.06, 0.01], [0.35, 0.25, 0.12])
    return [Part(block((size[0], size[1], size[2])), vivid(rng))]
