"""What a renderer is given: the things of one clip, where they are at any time, the light and the camera.

Lengths in m (z up, ground at z = 0), times in s from the start of the clip, angles in radians unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hiprobe_training.scenes.meshes import Array, Mesh
from hiprobe_training.scenes.textures import Picture
from hiprobe_training.scenes.world import Camera

Colour = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Part:
    """A rigid mesh of one colour (0..1), or painted with a picture (row 0 where v = 0)."""

    mesh: Mesh
    colour: Colour = (1.0, 1.0, 1.0)
    picture: Picture | None = None


@dataclass(frozen=True, eq=False)
class Prop:
    """Something made of rigid parts.

    Attributes
    ----------
    parts : tuple of Part
    pose : callable or None
        From the time to the parts' positions (n, 3) and rotations (n, 4), quaternions x y z w; None for what never
        moves, whose meshes are in world coordinates.
    """

    parts: tuple[Part, ...]
    pose: Callable[[float], tuple[Array, Array]] | None = None


@dataclass(frozen=True, eq=False)
class Puffs:
    """Smoke or flames: soft discs that face the camera.

    Attributes
    ----------
    at : callable
        From the time to centres (n, 3), radii (n,) in m and colours with opacity (n, 4) of 0..1.
    glow : bool
        Whether they shine by themselves, as flames do.
    """

    at: Callable[[float], tuple[Array, Array, Array]]
    glow: bool = False


@dataclass(frozen=True, eq=False)
class Light:
    """A sun or lamp far away and what comes from all sides; colours of 0..1, haze in 1/m."""

    direction: Array  # (3,), towards the light
    colour: Colour
    ambient: Colour
    haze: float = 0.0
    haze_colour: Colour = (0.8, 0.82, 0.85)
    headlamp: float = 0.0  # light from the camera itself, as infrared cameras have it


@dataclass(frozen=True)
class Lane:
    """A straight strip where vehicles are normal: a point and the unit direction (2,) of travel, half its width."""

    point: tuple[float, float]
    direction: tuple[float, float]
    half_width: float = 1.6


@dataclass(frozen=True, eq=False)
class Place:
    """Where a clip happens, without the people.

    Attributes
    ----------
    kind : str
        ``street``, ``plaza``, ``car park``, ``walkway``, ``corridor``, ``shop``, ``hall`` or ``road``.
    words : tuple of str
        Ways to say where it is: "in a shop", "inside a store".
    props : tuple of Prop
        Ground, walls, furniture, parked cars: all that never moves.
    camera : callable
        From the time to the camera; a dashcam moves, a fixed camera may shake.
    blocks : ndarray of shape (n, 4)
        What nobody can walk through: x, y of the middle, half sizes in x and y.
    area : tuple of float
        x from, x to, y from, y to of the ground that people can walk on.
    lanes : tuple of Lane
        Where vehicles are normal; empty where none belongs.
    indoors, night : bool
    """

    kind: str
    words: tuple[str, ...]
    props: tuple[Prop, ...]
    camera: Callable[[float], Camera]
    blocks: Array
    area: tuple[float, float, float, float]
    lanes: tuple[Lane, ...] = ()
    indoors: bool = False
    night: bool = False

    def free(self, points: Array, radius: float = 0.3) -> bool:
        """Whether a path (n, 2) stays on the ground that people can walk on, clear of blocks and the camera."""
        x0, x1, y0, y1 = self.area
        if bool(((points < [x0, y0]) | (points > [x1, y1])).any()):
            return False
        eye = self.camera(0.0).eye
        if eye[2] < 3.0 and bool((np.linalg.norm(points - eye[:2], axis=1) < 1.2).any()):
            return False
        if not len(self.blocks):
            return True
        gap = np.abs(points[:, None] - self.blocks[None, :, :2]) - self.blocks[None, :, 2:] - radius
        return not bool((gap < 0).all(-1).any())

    def spot(self, rng: Generator, margin: float = 0.12, tall: tuple[float, float] = (0.14, 0.8)) -> Array | None:
        """A free place on the ground, (2,), whose person of 1.7 m is in view; None if 200 draws find none.

        Parameters
        ----------
        rng : Generator
            Of the draw.
        margin : float
            Fraction of the picture to keep away from its edges.
        tall : tuple of float
            How tall the person may look, as a fraction of the picture's height.
        """
        x0, x1, y0, y1 = self.area
        camera = self.camera(0.0)
        for _ in range(200):
            at = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)])
            ends = np.array([[*at, 0.0], [*at, 1.7]])
            if not bool(camera.sees(ends, margin).all()) or not self.free(at[None]):
                continue
            shown = camera.project(ends)
            height = float(np.linalg.norm(shown[0, :2] - shown[1, :2])) / camera.height
            # Seen from straight above a person is short in the picture and yet near: count the width as well.
            wide = 0.85 / (2 * np.tan(np.radians(camera.fov) / 2) * float(shown[0, 2]))
            if tall[0] <= max(height, wide) <= tall[1]:
                return at
        return None


@dataclass(frozen=True)
class Sensor:
    """What becomes of a rendered picture on its way to a file; see :mod:`hiprobe_training.scenes.sensor`."""

    seed: int
    grey: bool = False
    brightness: float = 110.0
    contrast: float = 1.0
    warmth: float = 0.0
    saturation: float = 1.0
    noise: float = 2.0
    blur: float = 0.0
    pixels: int = 224  # the picture is squeezed to this height and enlarged again, as cheap cameras do
    quality: int = 80  # JPEG
    vignette: float = 0.1
    bars: tuple[float, float] = (0.0, 0.0)  # black bars: fraction of the height, of the width
    overlay: bool = False  # date, time, camera name


@dataclass
class Stage:
    """All that one clip shows."""

    place: Place
    light: Light
    sensor: Sensor
    duration: float
    props: list[Prop] = field(default_factory=list)
    puffs: list[Puffs] = field(default_factory=list)


Frames = NDArray[np.uint8]
