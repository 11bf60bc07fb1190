"""A clip in the making: who and what is there already, and whether somebody else has room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hiprobe_training.scenes.bodies import Body, Script, person_prop
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.motions import cross
from hiprobe_training.scenes.stage import Part, Place, Prop, Puffs
from hiprobe_training.scenes.vehicles import Route
from hiprobe_training.scenes.world import Camera

PROBES = 5  # moments at which paths are compared


@dataclass(eq=False)
class Figure:
    """One person of a clip: body, script, a word for the act, whether it changes place, things carried."""

    body: Body
    script: Script
    action: str
    moving: bool = False
    extras: tuple[tuple[int, Part], ...] = ()

    def spot(self, t: float) -> Array:
        """Where the person is at `t` s: (2,) in m."""
        state = self.script.state(t)
        return np.array([state.x, state.y])

    def track(self, duration: float) -> Array:
        """The person's path (`PROBES`, 2) over the clip."""
        return np.array([self.spot(float(t)) for t in np.linspace(0.0, duration, PROBES)])

    @property
    def prop(self) -> Prop:
        """What the renderer takes."""
        return person_prop(self.body, self.script, self.extras)


@dataclass(eq=False)
class Ride:
    """A moving vehicle: its route, how much room it takes in m, its word, and whether it is where it belongs."""

    prop: Prop
    route: Route
    radius: float
    word: str
    normal: bool = True


@dataclass(eq=False)
class Scene:
    """What a clip holds so far; `still` is the place with the camera as it is in the middle of the clip."""

    place: Place
    duration: float
    walls: Array | None = None  # triangles (n, 3, 3) of all that never moves, once asked for
    still: Place = field(init=False)
    view: Camera = field(init=False)
    figures: list[Figure] = field(default_factory=list)
    tracks: list[Array] = field(default_factory=list)
    rides: list[Ride] = field(default_factory=list)
    props: list[Prop] = field(default_factory=list)
    puffs: list[Puffs] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.view = self.place.camera(self.duration / 2)
        view = self.view
        self.still = replace(self.place, camera=lambda _: view)

    def copy(self) -> Scene:
        """The same content, to be added to without changing this one."""
        other = Scene(self.place, self.duration, self.walls)
        other.figures, other.tracks, other.rides = [*self.figures], [*self.tracks], [*self.rides]
        other.props, other.puffs = [*self.props], [*self.puffs]
        return other

    def add(self, figures: Sequence[Figure]) -> None:
        """Put people in."""
        self.figures += figures
        self.tracks += [figure.track(self.duration) for figure in figures]

    def fits(self, figures: Sequence[Figure], gap: float = 0.55, strict: bool = True) -> bool:
        """Whether all of them keep off the others, the walls, the vehicles and the camera."""
        for figure in figures:
            track = figure.track(self.duration)
            if strict and not self.still.free(track, 0.25):
                return False
            if any(bool((np.linalg.norm(track - other, axis=1) < gap).any()) for other in self.tracks):
                return False
            if any(bool((np.linalg.norm(track - self.way(ride), axis=1) < ride.radius).any()) for ride in self.rides):
                return False
        return True

    def way(self, ride: Ride) -> Array:
        """A vehicle's path (`PROBES`, 2)."""
        return np.array([ride.route.at(float(t)) for t in np.linspace(0.0, self.duration, PROBES)])

    def clear_for(self, figures: Sequence[Figure], gap: float) -> None:
        """Take out whoever is in the way of `figures`, and then put those in."""
        mine = [figure.track(self.duration) for figure in figures]
        keep = [
            k for k, track in enumerate(self.tracks)
            if all(bool((np.linalg.norm(track - own, axis=1) >= gap).all()) for own in mine)
        ]  # fmt: skip
        self.figures, self.tracks = [self.figures[k] for k in keep], [self.tracks[k] for k in keep]
        self.add(figures)

    def sees(self, at: Array, margin: float = 0.0, height: float = 0.9) -> bool:
        """Whether a point (2,) on the ground, raised by `height` m, is in view in the middle of the clip."""
        return bool(self.view.sees(np.array([*at, height]), margin))

    def tall(self, at: Array) -> float:
        """How tall somebody at (2,) looks, as a fraction of the picture's height."""
        shown = self.view.project(np.array([[*at, 0.0], [*at, 1.7]]))
        return float(np.linalg.norm(shown[0, :2] - shown[1, :2])) / self.view.height

    def where(self, at: Array) -> str:
        """``left``, ``middle``, ``right``, ``near`` or ``far``, of a point (2,) on the ground."""
        column, _, depth = self.view.project(np.array([*at, 0.9]))
        share = float(column) / self.view.width
        if share < 0.33:
            return "left"
        if share > 0.67:
            return "right"
        if self.tall(at) < 0.2 and depth > 9:
            return "far"
        return "near" if self.tall(at) > 0.55 else "middle"

    def hidden(self, points: Array) -> NDArray[np.bool_]:
        """Which of the points (n, 3) have something of the place that never moves before them."""
        if self.walls is None:
            meshes = [part.mesh for prop in self.place.props if prop.pose is None for part in prop.parts]
            corners = [mesh.vertices[mesh.faces] for mesh in meshes]
            self.walls = np.concatenate(corners) if corners else np.zeros((0, 3, 3))
        a = self.walls[:, 0]
        u, v = self.walls[:, 1] - a, self.walls[:, 2] - a
        out = np.zeros(len(points), dtype=bool)
        for k, point in enumerate(points):
            way = point - self.view.eye
            p = cross(np.broadcast_to(way, v.shape), v)
            det = (u * p).sum(1)
            safe = np.where(np.abs(det) < 1e-12, 1e-12, det)
            s = self.view.eye - a
            x = (s * p).sum(1) / safe
            q = cross(s, u)
            y, t = (q @ way) / safe, (v * q).sum(1) / safe
            out[k] = bool(((x >= 0) & (y >= 0) & (x + y <= 1) & (t > 0.01) & (t < 0.985)).any())
        return out

    def spot(self, rng: Generator, margin: float = 0.12, tall: tuple[float, float] = (0.14, 0.8)) -> Array | None:
        """A free place in view, (2,), as :meth:`Place.spot`; off the lanes where the camera drives."""
        for _ in range(12):
            at = self.still.spot(rng, margin, tall)
            if at is None or self.place.kind != "road" or not self.on_lane(at):
                return at
        return None

    def on_lane(self, at: Array) -> bool:
        """Whether (2,) is where vehicles drive, or before the camera's own car."""
        ways = [(np.array(lane.point), np.array(lane.direction), lane.half_width) for lane in self.place.lanes]
        drive = self.place.camera(self.duration).eye - self.place.camera(0.0).eye
        if np.linalg.norm(drive[:2]) > 0.5:
            ways.append((self.view.eye[:2], drive[:2] / np.linalg.norm(drive[:2]), 1.6))
        return any(abs(float(way[0] * (at - p)[1] - way[1] * (at - p)[0])) < half + 0.2 for p, way, half in ways)

    def across(self, rng: Generator) -> float:
        """A direction in radians, mostly across the picture so that two people do not hide one another."""
        right = self.view.axes()[0]
        angle = float(np.arctan2(right[1], right[0])) + float(rng.choice([0.0, np.pi]))
        return angle + float(rng.normal(0, 0.5) if rng.random() < 0.8 else rng.uniform(-np.pi, np.pi))
