"""Brawlers: blows, shoves, clinches, cowering, and what happens on the ground."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.random import Generator

from hiprobe_training.scenes.acts import State, bend, ease
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.motions import (
    ROWS,
    Y_UP_TO_Z_UP,
    identity_pose,
    load_motion,
    load_skeleton,
    mix,
    multiply,
    turn,
)
from hiprobe_training.scenes.moves import squat

# Motion-capture blows: clip, window in s, and the link that lands.
CAPTURED = {
    "roundhouse": ("kick", 0.25, 1.25, "right_ankle"),
    "swing": ("punch", 0.35, 1.2, "right_wrist"),
    "spinkick": ("spinkick", 0.1, 1.2, "right_ankle"),
}
# Posed blows: arm, and at the peak the arm's lift, its turn inwards, the elbow, the chest's twist, the lean.
ARM_BLOWS: dict[str, tuple[str, float, float, float, float, float]] = {
    "jab": ("left", 1.6, 0.0, 0.05, -0.5, 0.15),
    "cross": ("right", 1.65, 0.0, 0.05, 0.65, 0.22),
    "hook": ("right", 1.5, 0.7, 1.1, 0.9, 0.1),
    "left hook": ("left", 1.5, 0.7, 1.1, -0.9, 0.1),
    "uppercut": ("right", 2.1, 0.1, 1.5, 0.4, -0.05),
    "overhand": ("right", 2.4, 0.2, 0.4, 0.6, 0.35),
    "slap": ("left", 1.4, -0.5, 0.3, -0.8, 0.1),
}
FISTS = ("jab", "cross", "hook", "left hook", "uppercut", "overhand", "slap")
FEET = ("roundhouse", "spinkick", "front kick", "knee", "low kick")
HURT = ("recoil", "stagger", "duck", "cover")


@dataclass(frozen=True)
class Move:
    """A blow or what it does to somebody, from `start` s for `seconds`."""

    kind: str
    start: float
    seconds: float


@cache
def _aim(kind: str) -> float:
    """How far a captured blow lands to the left of where the figure faced at first, in radians."""
    motion, start, stop, link = CAPTURED[kind]
    best, aim = -1.0, 0.0
    for t in np.linspace(start, stop, 25):
        _, pose = load_motion(motion).at(float(t))
        point = load_skeleton().place(pose, Y_UP_TO_Z_UP)[0][ROWS[link]]
        reach = float(np.hypot(point[0], point[1])) + (float(point[2]) if link == "right_ankle" else 0.0)
        if reach > best:
            best, aim = reach, float(np.arctan2(point[1], point[0]))
    return aim


def draw_moves(
    rng: Generator, duration: float, blows: tuple[str, ...], fairness: float = 0.5, tempo: float = 1.0
) -> tuple[tuple[Move, ...], tuple[Move, ...]]:
    """Moves of both for `duration` s; the first strikes with probability `fairness`, else the second."""
    sides: tuple[list[Move], list[Move]] = ([], [])
    t = -float(rng.uniform(0, 0.5))
    while t < duration:
        who = 0 if rng.random() < fairness else 1
        kind = str(rng.choice(blows))
        quick = kind in ARM_BLOWS or kind in ("shove", "knee", "low kick")
        seconds = float(rng.uniform(0.28, 0.5) if quick else rng.uniform(0.6, 0.95)) / tempo
        sides[who].append(Move(kind, t, seconds))
        if rng.random() < 0.75:
            hurt = str(rng.choice(HURT, p=[0.5, 0.2, 0.15, 0.15]))
            sides[1 - who].append(Move(hurt, t + 0.4 * seconds, float(rng.uniform(0.3, 0.6))))
        t += seconds * float(rng.uniform(0.5, 1.15)) + (float(rng.uniform(0.1, 0.4)) if rng.random() < 0.2 else 0.0)
    return tuple(sides[0]), tuple(sides[1])


def _stance(style: str, u: float, a: float) -> Array:
    """The pose between blows; `a` is a phase that tells people apart."""
    s, q = float(np.sin(5 * u + a)), float(np.sin(8.5 * u + 1.7 * a))
    if style == "clinch":
        pose = bend(
            identity_pose(), root=("z", -0.28 + 0.06 * s), chest=("z", -0.15 + 0.08 * q), neck=("x", 0.3 + 0.2 * s)
        )
        pose = bend(pose, left_shoulder=("z", 1.35 + 0.25 * q), right_shoulder=("z", 1.1 - 0.25 * s))
        pose = bend(pose, left_shoulder=("x", -0.3), right_shoulder=("x", 0.3), left_elbow=("z", 0.9 + 0.3 * s))
        pose = bend(pose, right_elbow=("z", 1.0 + 0.4 * q), left_hip=("z", 0.75 + 0.25 * s), left_knee=("z", -0.8))
        return bend(pose, right_hip=("z", -0.05 - 0.25 * s), right_knee=("z", -0.35 - 0.2 * q), left_hip=("x", 0.12))
    if style == "cower":
        pose = bend(squat(identity_pose(), 0.3 + 0.06 * s), root=("z", -0.15), chest=("z", -0.45), neck=("z", -0.4))
        pose = bend(pose, left_shoulder=("z", 1.7 + 0.2 * q), right_shoulder=("z", 1.9 - 0.2 * s))
        return bend(pose, left_elbow=("z", 2.0), right_elbow=("z", 1.9))
    if style == "shove":
        pose = bend(identity_pose(), root=("z", -0.15), left_shoulder=("z", 0.8 + 0.2 * q), right_shoulder=("z", 0.8))
        pose = bend(pose, left_elbow=("z", 1.5), right_elbow=("z", 1.4 + 0.3 * s), left_hip=("z", 0.35 + 0.15 * s))
        return bend(pose, right_hip=("z", -0.1), left_knee=("z", -0.35), right_knee=("z", -0.2))
    if style == "loose":  # hands low, feet apart: most people are no boxers
        pose = bend(identity_pose(), left_shoulder=("z", 0.5 + 0.4 * s), right_shoulder=("z", 0.4 + 0.4 * q))
        pose = bend(pose, left_shoulder=("x", 0.35), right_shoulder=("x", -0.35), left_elbow=("z", 0.9 + 0.3 * q))
        pose = bend(pose, right_elbow=("z", 0.8 + 0.4 * s), chest=("z", -0.15), left_hip=("z", 0.35 + 0.2 * q))
        return bend(pose, right_hip=("z", -0.15), left_knee=("z", -0.4), right_knee=("z", -0.3), root=("y", 0.2 * s))
    _, pose = load_motion("punch").at(0.15 + 0.1 * s)
    bounce = 0.14 * q
    return bend(
        pose,
        left_shoulder=("z", 0.35 + bounce), right_shoulder=("z", 0.55 - bounce),
        left_elbow=("z", 0.3), right_elbow=("z", 0.4), chest=("z", -0.12),
    )  # fmt: skip


def _swing_arm(kind: str, w: float, pose: Array) -> Array:
    arm, lift, inward, elbow, twist, lean = ARM_BLOWS[kind]
    back = 0.5 * float(np.sin(np.pi * min(w / 0.4, 1.0))) if w < 0.4 else 0.0  # the arm is drawn back first
    out = float(np.sin(np.pi * ease(w)))
    side = -1.0 if arm == "left" else 1.0
    straight = pose.copy()
    for joint in (f"{arm}_shoulder", f"{arm}_elbow"):
        straight[ROWS[joint]] = [0.0, 0.0, 0.0, 1.0]
    straight = bend(straight, **{f"{arm}_shoulder": ("x", side * inward), f"{arm}_elbow": ("z", elbow)})
    straight = bend(straight, **{f"{arm}_shoulder": ("z", lift)})
    straight = bend(straight, chest=("y", twist), root=("z", -lean))
    return bend(mix(pose, straight, out), chest=("y", -0.6 * twist * back), **{f"{arm}_shoulder": ("z", -0.8 * back)})


def perform(kind: str, w: float, pose: Array) -> tuple[Array, float]:
    """The pose a fraction `w` into a move, and the step towards the other one in m."""
    out = float(np.sin(np.pi * ease(w)))
    if kind in ARM_BLOWS:
        return _swing_arm(kind, w, pose), 0.24 * out
    if kind in CAPTURED:
        motion, start, stop, _ = CAPTURED[kind]
        _, blow = load_motion(motion).at(start + w * (stop - start))
        blow = blow.copy()
        blow[0] = multiply(turn("y", -_aim(kind)), blow[0])
        fade = ease(w / 0.25) * ease((1 - w) / 0.25)
        return mix(pose, blow, fade), (-0.1 if kind != "swing" else 0.12) * out
    if kind in ("front kick", "knee", "low kick", "stomp"):
        hip, knee = {"front kick": (1.6, -1.1), "knee": (1.7, -2.0), "low kick": (1.15, -0.9), "stomp": (1.5, -1.7)}[
            kind
        ]
        late = ease((w - 0.3) / 0.3)
        bent = knee * (1 - (0.9 * late if kind not in ("knee",) else 0.0))
        bent_hip = hip * (1 - 0.8 * late) if kind == "stomp" else hip
        kicked = bend(pose, right_hip=("z", bent_hip * out), right_knee=("z", bent * out), root=("z", 0.25 * out))
        return bend(kicked, left_shoulder=("z", 0.6 * out), right_shoulder=("z", -0.7 * out)), 0.15 * out
    if kind == "shove":
        arms = bend(pose, left_shoulder=("z", 0.75 * out), right_shoulder=("z", 0.75 * out), root=("z", -0.25 * out))
        return bend(arms, left_elbow=("z", -1.3 * out), right_elbow=("z", -1.3 * out)), 0.32 * out
    if kind == "duck":
        return bend(squat(pose, 0.35 * out), chest=("z", -0.4 * out)), -0.05 * out
    if kind == "cover":
        up = bend(pose, left_shoulder=("z", 0.9 * out), right_shoulder=("z", 0.8 * out), chest=("z", -0.4 * out))
        return bend(up, left_elbow=("z", 0.6 * out), right_elbow=("z", 0.6 * out), neck=("z", -0.3 * out)), -0.12 * out
    if kind == "stagger":
        bent = bend(pose, root=("z", 0.35 * out), chest=("x", 0.3 * out), left_hip=("z", 0.7 * out))
        bent = bend(bent, left_knee=("z", -0.6 * out), right_shoulder=("x", -1.0 * out), left_shoulder=("x", 0.8 * out))
        return bent, -0.45 * out
    bent = bend(pose, root=("z", 0.3 * out), chest=("z", 0.35 * out), neck=("z", 0.4 * out), left_hip=("z", 0.35 * out))
    return bend(bent, left_shoulder=("z", 0.9 * out), right_shoulder=("x", -0.6 * out)), -0.25 * out


@dataclass(frozen=True)
class Scrap:
    """Somebody in a brawl about (x, y), which drifts; stands `radius` m from it at `angle`, facing it.

    Attributes
    ----------
    spin : float
        How fast the fighters go round each other, rad/s.
    drift : tuple of float
        How the brawl moves over the ground, m/s.
    style : str
        ``guard``, ``loose``, ``shove``, ``clinch`` or ``cower``.
    turned : float
        How far from the middle the person faces, radians.
    """

    x: float
    y: float
    angle: float
    radius: float
    duration: float
    moves: tuple[Move, ...] = ()
    spin: float = 0.0
    drift: tuple[float, float] = (0.0, 0.0)
    style: str = "guard"
    turned: float = 0.0
    phase: float = 0.0

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        angle = self.angle + self.spin * u + 0.12 * float(np.sin(2.3 * u))
        pose, step = _stance(self.style, u, self.phase), 0.0
        for move in self.moves:
            if move.start <= u < move.start + move.seconds:
                pose, more = perform(move.kind, (u - move.start) / move.seconds, pose)
                step += more
        away = max(self.radius - step + 0.04 * float(np.sin(4 * u + self.phase)), 0.1)
        surge = 0.08 * float(np.sin(2.9 * u))  # both sway together
        x = self.x + self.drift[0] * u + (away + surge) * np.cos(angle)
        y = self.y + self.drift[1] * u + (away - surge) * np.sin(angle)
        return State(float(x), float(y), angle + np.pi + self.turned, 0.8, pose)


@dataclass(frozen=True)
class Astride:
    """Kneeling over somebody at (x, y), who lies with the head along `yaw`, and hitting downwards."""

    x: float
    y: float
    yaw: float
    duration: float
    tempo: float = 1.0
    phase: float = 0.0

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        t = 2 * np.pi * (1.9 * self.tempo * u + self.phase)
        a, b = 0.5 + 0.5 * float(np.sin(t)), 0.5 + 0.5 * float(np.sin(t + 2.6))
        pose = bend(
            identity_pose(),
            root=("z", -0.45 - 0.2 * a + 0.08 * float(np.sin(3.1 * u))), chest=("y", 0.5 * (b - a)),
            neck=("z", -0.15), left_hip=("x", 0.45), right_hip=("x", -0.45),
        )  # fmt: skip
        pose = bend(pose, left_hip=("z", 1.15), right_hip=("z", 1.2), left_knee=("z", -1.6), right_knee=("z", -1.65))
        pose = bend(pose, left_shoulder=("z", 0.7 + 1.9 * a), right_shoulder=("z", 0.7 + 1.9 * b))
        pose = bend(pose, left_elbow=("z", 0.2 + 1.3 * a), right_elbow=("z", 0.2 + 1.3 * b))
        sway = 0.08 * float(np.sin(2.4 * u))
        return State(self.x + sway * np.cos(self.yaw), self.y + sway * np.sin(self.yaw), self.yaw, 0.5, pose)


@dataclass(frozen=True)
class Tumble:
    """Two bodies roll over the ground in a clinch: one of them, `half` is 0 or pi."""

    x: float
    y: float
    yaw: float
    duration: float
    half: float
    speed: float = 2.2
    seed: int = 0
    phases: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", np.random.default_rng(self.seed).uniform(0, 6, 4))

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        turned = 1.1 * np.sin(self.speed * u) + 0.6 * np.sin(2.3 * self.speed * u + 1)  # over and back
        roll = self.half + turned
        s = np.sin(7 * u + self.phases)
        pose = identity_pose()
        pose = bend(pose, left_shoulder=("z", 1.5 + 0.5 * s[0]), right_shoulder=("z", 1.3 + 0.5 * s[1]))
        pose = bend(pose, left_elbow=("z", 0.9 + 0.4 * s[1]), right_elbow=("z", 1.0 + 0.4 * s[2]))
        pose = bend(pose, left_hip=("z", 0.7 + 0.5 * s[2]), right_hip=("z", 0.5 + 0.5 * s[3]))
        pose = bend(pose, left_knee=("z", -0.9 - 0.5 * s[0]), right_knee=("z", -0.7 - 0.5 * s[3]), chest=("z", -0.25))
        # Face down along x, then rolled about x; the two lie face to face, 0.26 m from their common axis.
        pose[0] = multiply(turn("x", roll), turn("z", -np.pi / 2))
        c, d = np.cos(self.yaw), np.sin(self.yaw)
        side = -0.26 * np.sin(roll)
        up = 0.16 + 0.17 * (1 + np.cos(roll))
        drift = 0.3 * turned
        x, y = self.x - (side + drift) * d, self.y + (side + drift) * c
        return State(float(x), float(y), self.yaw, float(up), pose, 0.0)
