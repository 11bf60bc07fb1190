"""Triangle meshes as arrays, in metres: lofts, boxes, a person's parts and a car."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mesh:
    """Vertices and unit normals (n, 3), texture coordinates (n, 2), faces (m, 3) outward."""

    vertices: Array
    normals: Array
    uvs: Array
    faces: NDArray[np.int64]


def _smooth(vertices: Array, faces: NDArray[np.int64]) -> Mesh:
    """A mesh with normals averaged over the faces that meet at a vertex."""
    corners = vertices[faces]
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(normals, faces[:, k], flat)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Mesh(vertices, normals, np.zeros((len(vertices), 2)), faces)


def loft(rings: Sequence[tuple[float, float, float, float]], sides: int = 12, square: float = 1.0) -> Mesh:
    """A closed skin over elliptic rings stacked along y.

    Parameters
    ----------
    rings : sequence of (y, x centre, x radius, z radius)
        From the bottom up, in m.
    sides : int
        How many corners a ring has.
    square : float
        1 is an ellipse; smaller values approach a rectangle.
    """
    angles = np.linspace(0, 2 * np.pi, sides, endpoint=False) + np.pi / sides
    unit = np.stack([np.cos(angles), np.sin(angles)])
    unit = np.sign(unit) * np.abs(unit) ** square
    bottom, top = rings[0], rings[-1]
    stack = [(bottom[0], bottom[1], 0.0, 0.0), *rings, (top[0], top[1], 0.0, 0.0)]
    vertices = np.concatenate(
        [np.stack([x + rx * unit[0], np.full(sides, y), rz * unit[1]], 1) for y, x, rx, rz in stack]
    )
    here = np.arange(sides)
    after = (here + 1) % sides
    faces = []
    for level in range(len(stack) - 1):
        a, b = level * sides, (level + 1) * sides
        faces.append(np.stack([a + here, b + here, b + after], 1))
        faces.append(np.stack([a + here, b + after, a + after], 1))
    return _smooth(vertices, np.concatenate(faces))


def ball(centre: tuple[float, float], radii: tuple[float, float, float], levels: int = 7) -> Mesh:
    """An ellipsoid about (x, y) of `centre` with radii along x, y and z."""
    tilt = np.linspace(-np.pi / 2 * 0.97, np.pi / 2 * 0.97, levels)
    x, y = centre
    return loft([(y + radii[1] * np.sin(t), x, radii[0] * np.cos(t), radii[2] * np.cos(t)) for t in map(float, tilt)])


def limb(top: float, bottom: float, wide: float, narrow: float) -> Mesh:
    """A tapered limb with round ends, from y = `top` (radius `wide`) down to `bottom` (radius `narrow`)."""
    return loft(
        [
            (bottom - 0.7 * narrow, 0, 0.7 * narrow, 0.7 * narrow),
            (bottom, 0, narrow, narrow),
            ((top + 2 * bottom) / 3, 0, (wide + 2 * narrow) / 3, (wide + 2 * narrow) / 3),
            ((2 * top + bottom) / 3, 0, wide * 1.02, wide * 1.02),
            (top, 0, wide, wide),
            (top + 0.7 * wide, 0, 0.7 * wide, 0.7 * wide),
        ],
        sides=10,
    )


def quad(a: Sequence[float], b: Sequence[float], c: Sequence[float], d: Sequence[float]) -> Mesh:
    """A flat quadrilateral, counter-clockwise to the viewer; textured (0, 0), (1, 0), (1, 1), (0, 1)."""
    vertices = np.array([a, b, c, d], dtype=np.float64)
    normal = np.cross(vertices[1] - vertices[0], vertices[2] - vertices[0])
    normals = np.tile(normal / np.linalg.norm(normal), (4, 1))
    uvs = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    return Mesh(vertices, normals, uvs, np.array([[0, 1, 2], [0, 2, 3]]))


def join(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(m.vertices) for m in meshes[:-1])])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.normals for m in meshes]),
        np.concatenate([m.uvs for m in meshes]),
        np.concatenate([m.faces + s for m, s in zip(meshes, starts, strict=True)]),
    )


def prism(bottom: tuple[float, float, float, float, float], top: tuple[float, float, float, float, float]) -> Mesh:
    """A flat-sided frustum between two level rectangles, each (z, x from, x to, y from, y to)."""

    def corners(r: tuple[float, float, float, float, float]) -> list[list[float]]:
        z, x0, x1, y0, y1 = r
        return [[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]]

    low, high = corners(bottom), corners(top)
    sides = [quad(low[i], low[(i + 1) % 4], high[(i + 1) % 4], high[i]) for i in range(4)]
    return join([*sides, quad(*high), quad(*low[::-1])])


def box(size: tuple[float, float, float], at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """A box of `size` (x, y, z) standing with the middle of its floor at `at`."""
    (sx, sy, sz), (x, y, z) = size, at
    rect = (x - sx / 2, x + sx / 2, y - sy / 2, y + sy / 2)
    return prism((z, *rect), (z + sz, *rect))


def pillar(height: float, radius: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """An upright cylinder with its floor at `at`."""
    return stand_up(loft([(0, 0, radius, radius), (height, 0, radius, radius)], sides=10), at)


def stand_up(mesh: Mesh, at: tuple[float, float, float]) -> Mesh:
    """A mesh made along y, turned so that y points up, and moved to `at`."""
    turned = [v[:, [0, 2, 1]] * [1, -1, 1] for v in (mesh.vertices, mesh.normals)]
    return Mesh(turned[0] + np.array(at), turned[1], mesh.uvs, mesh.faces)


def wheel(x: float, y: float, z: float, radius: float, width: float) -> Mesh:
    """A disc of `radius` and `width` about a level axis along y, its middle at (x, y, z)."""
    disc = loft([(-width / 2, 0, radius, radius), (width / 2, 0, radius, radius)], sides=16)
    return Mesh(disc.vertices + np.array([x, y, z]), disc.normals, disc.uvs, disc.faces)


def car(length: float = 4.2, width: float = 1.76, height: float = 1.45) -> dict[str, Mesh]:
    """A car that drives along x, by material; sizes in m."""
    a, w = length / 2, width / 2
    belt, roof = 0.58 * height, height
    nose = prism((0.28, 0.30 * a, a, -w, w), (belt - 0.10, 0.30 * a, a - 0.10, -w + 0.06, w - 0.06))
    middle = prism((0.26, -0.72 * a, 0.36 * a, -w, w), (belt, -0.72 * a, 0.36 * a, -w + 0.04, w - 0.04))
    tail = prism((0.30, -a, -0.70 * a, -w, w), (belt - 0.03, -a + 0.08, -0.70 * a, -w + 0.05, w - 0.05))
    cowl = prism((belt - 0.11, 0.30 * a, 0.62 * a, -w + 0.1, w - 0.1), (belt, 0.30 * a, 0.36 * a, -w + 0.12, w - 0.12))
    cabin = prism(
        (belt, -0.86 * a, 0.44 * a, -w + 0.08, w - 0.08),
        (roof - 0.05, -0.58 * a, 0.04 * a, -w + 0.22, w - 0.22),
    )
    top = prism(
        (roof - 0.06, -0.60 * a, 0.06 * a, -w + 0.20, w - 0.20),
        (roof, -0.54 * a, 0.0 * a, -w + 0.25, w - 0.25),
    )
    pillars = []
    for side in (-1.0, 1.0):
        y0, y1 = side * (w - 0.06), side * (w - 0.2)
        low, high = sorted((y0, y0 - side * 0.05)), sorted((y1, y1 - side * 0.05))
        pillars.append(
            prism((belt, -0.25 * a, -0.20 * a, low[0], low[1]), (roof, -0.27 * a, -0.22 * a, high[0], high[1]))
        )
    spots = [(sx * 0.62 * a, sy * (w - 0.09)) for sx in (-1, 1) for sy in (-1, 1)]
    return {
        "paint": join([nose, middle, tail, cowl, top, *pillars]),
        "glass": cabin,
        "tyre": join([wheel(x, y, 0.32, 0.32, 0.24) for x, y in spots]),
        "hub": join([wheel(x, y * 1.01, 0.32, 0.18, 0.25) for x, y in spots]),
        "lamp": join([box((0.06, 0.34, 0.14), (a - 0.05, s * (w - 0.25), 0.52)) for s in (-1, 1)]),
        "tail": join([box((0.06, 0.3, 0.16), (-a + 0.05, s * (w - 0.22), 0.58)) for s in (-1, 1)]),
        "trim": join([box((0.10, 2 * w - 0.1, 0.16), (s * (a - 0.01), 0.0, 0.3)) for s in (-1, 1)]),
    }
