"""One group's world: the pybullet client, ground, buildings, street furniture, light and the fixed camera."""

from __future__ import annotations

import importlib
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from hiprobe_training.scenes import textures
from hiprobe_training.scenes.meshes import Array, Mesh, ball, box, car, join, pillar, quad, stand_up
from hiprobe_training.scenes.motions import turn

CAR_COLOURS = (
    (0.62, 0.63, 0.65),
    (0.13, 0.14, 0.17),
    (0.5, 0.08, 0.08),
    (0.12, 0.2, 0.42),
    (0.85, 0.85, 0.84),
)


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: eye and target in m (z up), vertical field of view in degrees, size in pixels."""

    eye: Array
    target: Array
    fov: float
    width: int
    height: int
    near: float = 0.5
    far: float = 90.0

    def axes(self) -> Array:
        """Rows right, up and backward, (3, 3)."""
        return self._axes

    @cached_property
    def _axes(self) -> Array:
        back = self.eye - self.target
        back = back / np.linalg.norm(back)
        right = np.cross([0.0, 0.0, 1.0], back)
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(back, right), back])

    def project(self, points: Array) -> Array:
        """World points (..., 3) in m as (..., 3): column, row in pixels and distance along the view in m."""
        local = (points - self.eye) @ self.axes().T
        depth = -local[..., 2]
        focal = self.height / 2 / np.tan(np.radians(self.fov) / 2)
        safe = np.where(np.abs(depth) < 1e-6, 1e-6, depth)
        column = self.width / 2 + focal * local[..., 0] / safe
        row = self.height / 2 - focal * local[..., 1] / safe
        return np.stack([column, row, depth], -1)

    def sees(self, points: Array, margin: float = 0.0) -> NDArray[np.bool_]:
        """Whether world points (..., 3) fall in the picture less a `margin` (a fraction) on each side."""
        column, row, depth = np.moveaxis(self.project(points), -1, 0)
        mx, my = margin * self.width, margin * self.height
        inside = (column >= mx) & (column < self.width - mx) & (row >= my) & (row < self.height - my)
        return inside & (depth > self.near)

    def part(self, centre: Array, share: float) -> Camera:
        """The same camera with a longer lens: what it sees of the view around ``centre``, ``share`` of it each way.

        Parameters
        ----------
        centre : array of shape (2,)
            Of the part, from -1 (left, bottom) to 1 (right, top).
        share : float
            Side of the part, as a fraction of the view's.
        """
        tall = np.tan(np.radians(self.fov) / 2)
        right, up, back = self.axes()
        ray = right * centre[0] * tall * self.width / self.height + up * centre[1] * tall - back
        far = float(np.linalg.norm(self.target - self.eye))
        fov = float(np.degrees(2 * np.arctan(share * tall)))
        return replace(self, target=self.eye + ray / np.linalg.norm(ray) * far, fov=fov)

    def rays(self) -> Array:
        """For each pixel the world vector (height, width, 3) that goes 1 m along the view."""
        focal = self.height / 2 / np.tan(np.radians(self.fov) / 2)
        x = (np.arange(self.width) + 0.5 - self.width / 2) / focal
        y = (self.height / 2 - np.arange(self.height) - 0.5) / focal
        grid = np.stack([*np.meshgrid(x, y), -np.ones((self.height, self.width))], -1)
        return grid @ self.axes()


@dataclass(frozen=True)
class Setting:
    """All that a group's clips share, drawn from the group's seed."""

    seed: int
    camera: Camera
    sun: Array
    shade: float
    ambient: float
    ground: str
    kerb: float
    wall: float
    grey: bool
    noise: float
    brightness: float
    warmth: float
    obstacles: tuple[tuple[float, float, float], ...]
    parked: tuple[float, float] | None

    def walkable(self, points: Array) -> bool:
        """Whether a path (n, 2) keeps clear of walls, furniture and the camera."""
        if bool((np.linalg.norm(points - self.camera.eye[:2], axis=1) < 3.5).any()):
            return False
        level = [np.column_stack([points, np.full(len(points), z)]) for z in (0.0, 1.7)]
        points = points[self.camera.sees(level[0], -0.1) | self.camera.sees(level[1], -0.1)]
        if bool((points[:, 1] > self.wall - 0.7).any()):
            return False
        blocks = list(self.obstacles)
        if self.parked is not None:
            blocks += [(self.parked[0] + dx, self.parked[1], 1.0) for dx in (-1.4, 0.0, 1.4)]
        return all(bool((np.linalg.norm(points - [x, y], axis=1) > r + 0.4).all()) for x, y, r in blocks)


def draw_setting(seed: int, width: int = 640, height: int = 480) -> Setting:
    """A group's setting; the same seed gives the same one."""
    rng = np.random.default_rng([seed, 1])
    azimuth = np.radians(-90 + rng.uniform(-38, 38))
    distance, tall = rng.uniform(6.9, 8.4), rng.uniform(3.0, 4.2)
    eye = np.array([distance * np.cos(azimuth), distance * np.sin(azimuth), tall])
    camera = Camera(eye, np.array([0.0, 0.3, rng.uniform(0.6, 0.9)]), float(rng.uniform(36, 42)), width, height)
    sun_at = azimuth + np.radians(rng.choice([-1, 1]) * rng.uniform(25, 80))
    sun_up = np.radians(rng.uniform(35, 60))
    sun = np.array([np.cos(sun_up) * np.cos(sun_at), np.cos(sun_up) * np.sin(sun_at), np.sin(sun_up)])
    wall = float(rng.uniform(4.6, 6.5))
    kerb = wall - float(rng.uniform(2.2, 3.2))
    obstacles = []
    for _ in range(int(rng.integers(2, 5))):  # along the kerb, out of the way
        obstacles.append((float(rng.uniform(-7, 7)), kerb + float(rng.uniform(0.3, 0.7)), 0.3))
    parked = None
    if rng.random() < 0.5:  # so that a car alone is no event
        parked = (float(rng.choice([-1, 1]) * rng.uniform(4.0, 6.0)), kerb - 1.0)
    return Setting(
        seed=seed,
        camera=camera,
        sun=sun,
        shade=float(rng.uniform(0.42, 0.8)),
        ambient=float(rng.uniform(0.5, 0.65)),
        ground=str(rng.choice(["asphalt", "slabs", "street"])),
        kerb=kerb,
        wall=wall,
        grey=bool(rng.random() < 0.25),
        noise=float(rng.uniform(1.5, 3.5)),
        brightness=float(rng.uniform(98, 124)),
        warmth=float(rng.uniform(-0.06, 0.06)),
        obstacles=tuple(obstacles),
        parked=parked,
    )


class World:
    """A pybullet client with a setting's static scene in it. Use as a context manager."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.bullet: Any = importlib.import_module("pybullet")
        self._client: int = self.bullet.connect(self.bullet.DIRECT)
        self._folder = tempfile.TemporaryDirectory(prefix="scene-")
        self.fronts: list[int] = []
        self._build(np.random.default_rng([setting.seed, 2]))

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bullet.disconnect(physicsClientId=self._client)
        self._folder.cleanup()

    def add(
        self,
        mesh: Mesh,
        colour: tuple[float, float, float],
        scale: float = 1.0,
        picture: textures.Picture | None = None,
    ) -> int:
        """Add a mesh; returns its body number."""
        shape = self.bullet.createVisualShape(
            self.bullet.GEOM_MESH,
            vertices=(mesh.vertices * scale).tolist(),
            indices=mesh.faces.ravel().tolist(),
            uvs=mesh.uvs.tolist(),
            normals=mesh.normals.tolist(),
            rgbaColor=[*colour, 1.0],
            specularColor=[0, 0, 0],
            physicsClientId=self._client,
        )
        body: int = self.bullet.createMultiBody(0, baseVisualShapeIndex=shape, physicsClientId=self._client)
        if picture is not None:
            path = Path(self._folder.name) / f"{body}.png"
            Image.fromarray(picture).save(path, compress_level=1)
            texture = self.bullet.loadTexture(str(path), physicsClientId=self._client)
            self.bullet.changeVisualShape(body, -1, textureUniqueId=texture, physicsClientId=self._client)
        return body

    def place(self, body: int, position: Array, rotation: Array) -> None:
        """Move a body: position in m, rotation as quaternion x y z w."""
        self.bullet.resetBasePositionAndOrientation(
            body, position.tolist(), rotation.tolist(), physicsClientId=self._client
        )

    def shoot(self, camera: Camera) -> tuple[NDArray[np.uint8], Array, NDArray[np.int64]]:
        """Render without shadows: colours (h, w, 3), distance in m, body numbers (-1 for none)."""
        b, c = self.bullet, camera
        view = b.computeViewMatrix(c.eye.tolist(), c.target.tolist(), [0, 0, 1])
        lens = b.computeProjectionMatrixFOV(c.fov, c.width / c.height, c.near, c.far)
        _, _, rgb, depth, bodies = b.getCameraImage(
            c.width, c.height, view, lens, shadow=0, renderer=b.ER_TINY_RENDERER,
            lightDirection=self.setting.sun.tolist(), lightAmbientCoeff=self.setting.ambient,
            lightDiffuseCoeff=0.55, lightSpecularCoeff=0.0, physicsClientId=self._client,
        )  # fmt: skip
        size = (c.height, c.width)
        z = np.asarray(depth, dtype=np.float64).reshape(size)
        distance = c.far * c.near / (c.far - (c.far - c.near) * z)
        colours = np.asarray(rgb, dtype=np.uint8).reshape(*size, 4)[..., :3]
        return colours, distance, np.asarray(bodies, dtype=np.int64).reshape(size)

    def add_car(self, rng: Generator) -> list[int]:
        """A car of random paint and size; returns its bodies, to be placed together."""
        paint = CAR_COLOURS[rng.integers(len(CAR_COLOURS))]
        shell = car(float(rng.uniform(3.9, 4.5)), float(rng.uniform(1.7, 1.82)), float(rng.uniform(1.42, 1.6)))
        colours = {
            "paint": paint, "glass": (0.17, 0.2, 0.24), "tyre": (0.05, 0.05, 0.05), "hub": (0.55, 0.55, 0.57),
            "lamp": (0.95, 0.95, 0.85), "tail": (0.6, 0.05, 0.05), "trim": (0.16, 0.16, 0.17),
        }  # fmt: skip
        return [self.add(mesh, colours[part]) for part, mesh in shell.items()]

    def _build(self, rng: Generator) -> None:
        s, half = self.setting, textures.GROUND_SIZE / 2
        floor = quad((-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0))
        # pybullet has v = 0 at a picture's last row, and `ground` has the least y in its first: so flip.
        self.add(floor, (1, 1, 1), picture=textures.ground(rng, s.ground, s.kerb)[::-1].copy())
        x = -24.0 + float(rng.uniform(0, 4))
        while x < 22:
            width, height = float(rng.uniform(7, 12)), float(rng.uniform(6.4, 10.5))
            y = s.wall + float(rng.choice([0.0, 0.0, 0.4]))
            front = quad((x, y, 0), (x + width, y, 0), (x + width, y, height), (x, y, height))
            self.fronts.append(self.add(front, (1, 1, 1), picture=textures.facade(rng, width, height)))
            self.add(box((width, 4.0, height), (x + width / 2, y + 2.02, 0.0)), (0.5, 0.47, 0.43))
            x += width + (float(rng.uniform(1.5, 3)) if rng.random() < 0.25 else 0.0)
        for ox, oy, radius in s.obstacles:
            kind = rng.integers(4)
            if kind == 0:
                self.add(
                    join([pillar(5.5, 0.06, (ox, oy, 0)), box((0.2, 0.7, 0.1), (ox, oy - 0.4, 5.4))]),
                    (0.25, 0.27, 0.28),
                )
            elif kind == 1:
                self.add(pillar(0.95, radius, (ox, oy, 0)), (0.16, 0.28, 0.2))
            elif kind == 2:
                self.add(pillar(2.4, 0.1, (ox, oy, 0)), (0.3, 0.22, 0.15))
                crown = [
                    ball((float(rng.normal(0, 0.3)), float(rng.normal(0, 0.3))), (0.9, 0.8, 0.9)) for _ in range(4)
                ]
                green = (float(rng.uniform(0.12, 0.22)), float(rng.uniform(0.25, 0.36)), 0.12)
                self.add(join([stand_up(m, (ox, oy + float(rng.normal(0, 0.3)), 3.0)) for m in crown]), green)
            else:
                self.add(join([pillar(0.9, 0.09, (ox + d, oy, 0)) for d in (-1.2, 0.0, 1.2)]), (0.55, 0.55, 0.52))
        if s.parked is not None:
            at = np.array([*s.parked, 0.0])
            for body in self.add_car(rng):
                self.place(body, at, turn("z", float(rng.choice([0.0, np.pi]))))
