"""A fighter: stance, blows, recoil. Kicks and swings are motion capture; the rest is posed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import State, bend, ease
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.motions import ROWS, Y_UP_TO_Z_UP, load_motion, load_skeleton, mix, multiply, turn

# Mocap blows: motion, window in s, and the link that lands.
BLOWS = {"kick": ("kick", 0.25, 1.25, "right_ankle"), "swing": ("punch", 0.35, 1.2, "right_wrist")}


@dataclass(frozen=True)
class Beat:
    """``jab``, ``cross``, ``kick``, ``swing`` or ``recoil``, from `start` s for `seconds`."""

    kind: str
    start: float
    seconds: float


def draw_beats(rng: Generator, duration: float) -> tuple[tuple[Beat, ...], tuple[Beat, ...]]:
    """Both fighters' beats for `duration` s: blows by turns, and the other's recoil a moment later."""
    sides: tuple[list[Beat], list[Beat]] = ([], [])
    t, who = 0.05, int(rng.integers(2))
    while t < duration - 0.4:
        kind = str(rng.choice(["jab", "cross", "kick", "swing"], p=[0.3, 0.3, 0.2, 0.2]))
        length = 0.55 if kind in ("jab", "cross") else 0.9
        sides[who].append(Beat(kind, t, length))
        sides[1 - who].append(Beat("recoil", t + 0.42 * length, 0.6))
        t += length * rng.uniform(0.75, 0.95)
        who = 1 - who if rng.random() < 0.65 else who
    return tuple(sides[0]), tuple(sides[1])


def _aim(name: str) -> float:
    """How far a mocap blow lands to the left of where the figure faced at first, in radians."""
    motion, start, stop, link = BLOWS[name]
    best, aim = -1.0, 0.0
    for t in np.linspace(start, stop, 25):
        _, pose = load_motion(motion).at(float(t))
        point = load_skeleton().place(pose, Y_UP_TO_Z_UP)[0][ROWS[link]]
        reach = float(np.hypot(point[0], point[1])) + (float(point[2]) if name == "kick" else 0.0)
        if reach > best:
            best, aim = reach, float(np.arctan2(point[1], point[0]))
    return aim


@dataclass(frozen=True)
class Spar:
    """One of two fighters, on a circle of `radius` m about (x, y), facing its middle.

    Where on the circle is `angle` in radians at first, and turns at `spin` radians a second.
    """

    x: float
    y: float
    angle: float
    spin: float
    radius: float
    duration: float
    beats: tuple[Beat, ...]
    scale: float

    def _guard(self, u: float) -> Array:
        """Fists up, knees bent, bouncing: the pose of a fighter who waits."""
        _, pose = load_motion("punch").at(0.15 + 0.1 * float(np.sin(5 * u + self.angle)))
        bounce = 0.12 * float(np.sin(9 * u + self.angle))
        return bend(
            pose,
            left_shoulder=("z", 0.35 + bounce), right_shoulder=("z", 0.55 - bounce),
            left_elbow=("z", 0.3), right_elbow=("z", 0.4), chest=("z", -0.12),
        )  # fmt: skip

    def _beat(self, beat: Beat, u: float, pose: Array) -> tuple[Array, float]:
        """The pose and the step towards the other (m) in the middle of a beat."""
        w = (u - beat.start) / beat.seconds
        out = float(np.sin(np.pi * ease(w)))
        if beat.kind == "recoil":
            bent = bend(
                pose,
                root=("z", 0.3 * out),
                chest=("z", 0.35 * out),
                neck=("z", 0.4 * out),
                left_hip=("z", 0.35 * out),
            )
            return bend(bent, left_shoulder=("z", 0.9 * out), right_shoulder=("x", -0.6 * out)), -0.28 * out
        if beat.kind in ("jab", "cross"):
            arm, twist = ("left", -0.5) if beat.kind == "jab" else ("right", 0.6)
            straight = pose.copy()
            for joint in (f"{arm}_shoulder", f"{arm}_elbow"):
                straight[ROWS[joint]] = [0.0, 0.0, 0.0, 1.0]
            straight = bend(straight, **{f"{arm}_shoulder": ("z", 1.65), f"{arm}_elbow": ("z", 0.1)})
            straight = bend(straight, chest=("y", twist), root=("z", -0.15))
            return mix(pose, straight, out), 0.22 * out
        motion, start, stop, _ = BLOWS[beat.kind]
        _, blow = load_motion(motion).at(start + w * (stop - start))
        blow = blow.copy()
        blow[0] = multiply(turn("y", -_aim(beat.kind)), blow[0])
        fade = ease(w / 0.25) * ease((1 - w) / 0.25)
        return mix(pose, blow, fade), (-0.12 if beat.kind == "kick" else 0.12) * out

    def state(self, u: float) -> State:
        """The fighter `u` s after the start."""
        angle = self.angle + self.spin * u
        pose, step = self._guard(u), 0.0
        for beat in self.beats:
            if beat.start <= u < beat.start + beat.seconds:
                pose, step = self._beat(beat, u, pose)
        away = self.radius - step + 0.03 * float(np.sin(4 * u + self.angle))
        x, y = self.x + away * np.cos(angle), self.y + away * np.sin(angle)
        return State(float(x), float(y), angle + np.pi, 0.8, pose)
