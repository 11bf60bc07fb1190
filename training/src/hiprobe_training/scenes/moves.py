"""Acts beyond walking and standing: posed gestures, arms laid over a gait, jerks, holding still."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from hiprobe_training.scenes.acts import Act, Actor, State, bend, ease, lying
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.motions import ROWS, identity_pose, load_motion, multiply, turn

ARMS = ("left_shoulder", "right_shoulder", "left_elbow", "right_elbow")
LIMBS = ("chest", "neck", "left_hip", "right_hip", "left_knee", "right_knee", *ARMS)


def _rest() -> Array:
    return bend(
        identity_pose(),
        left_shoulder=("x", 0.12), right_shoulder=("x", -0.12), left_elbow=("z", 0.2), right_elbow=("z", 0.2),
        left_hip=("x", 0.06), right_hip=("x", -0.06),
    )  # fmt: skip


def _stoop(pose: Array, amount: float) -> Array:
    """Bent at the hips by `amount` radians, legs upright."""
    return bend(pose, root=("z", -amount), left_hip=("z", amount), right_hip=("z", amount))


def squat(pose: Array, amount: float) -> Array:
    """Knees bent; `amount` 0..1, 1 sits on the heels."""
    return bend(
        pose,
        root=("z", -0.45 * amount), chest=("z", -0.2 * amount),
        left_hip=("z", 2.25 * amount), right_hip=("z", 2.2 * amount),
        left_knee=("z", -2.35 * amount), right_knee=("z", -2.3 * amount),
        left_ankle=("z", 0.55 * amount), right_ankle=("z", 0.55 * amount),
    )  # fmt: skip


def _wave(t: float) -> Array:
    return bend(
        _rest(), right_shoulder=("x", -2.3 + 0.15 * np.sin(3 * t)), right_elbow=("z", 0.5 + 0.5 * np.sin(7 * t))
    )


def _gesture(t: float) -> Array:
    a, b = 0.5 + 0.5 * np.sin(3.1 * t), 0.5 + 0.5 * np.sin(2.3 * t + 1)
    return bend(
        _rest(),
        right_shoulder=("z", 0.3 + 0.7 * a), right_elbow=("z", 0.7 + 0.7 * b),
        left_shoulder=("z", 0.2 + 0.6 * b), left_elbow=("z", 0.8 + 0.6 * a),
        neck=("y", 0.2 * np.sin(1.7 * t)), chest=("y", 0.12 * np.sin(2.3 * t)),
    )  # fmt: skip


def _hug(t: float) -> Array:
    pose = bend(_rest(), left_shoulder=("z", 1.25), right_shoulder=("z", 1.1), root=("z", -0.06 + 0.02 * np.sin(2 * t)))
    pose = bend(pose, left_shoulder=("x", -0.25), right_shoulder=("x", 0.25), left_elbow=("z", 0.7), neck=("x", 0.25))
    return bend(pose, right_elbow=("z", 0.75))


def _handshake(t: float) -> Array:
    pump = 0.12 * np.sin(9 * t)
    return bend(_rest(), right_shoulder=("z", 0.75 + pump), right_elbow=("z", 0.5 - pump), chest=("z", -0.05))


def _pickup(t: float) -> Array:
    w = 0.5 - 0.5 * np.cos(2.2 * t)
    pose = squat(_stoop(_rest(), 0.9 * w), 0.25 * w)
    return bend(pose, right_shoulder=("z", 1.0 * w), left_shoulder=("z", 0.5 * w))


def _tie(t: float) -> Array:
    fiddle = 0.15 * np.sin(6 * t)
    pose = bend(squat(_rest(), 0.95), chest=("z", -0.35))
    return bend(
        pose,
        left_shoulder=("z", 0.7 + fiddle), right_shoulder=("z", 0.7 - fiddle),
        left_elbow=("z", 0.3), right_elbow=("z", 0.3 + fiddle), neck=("z", -0.3),
    )  # fmt: skip


def _crouch(t: float) -> Array:
    pose = squat(_rest(), 0.9 + 0.04 * np.sin(1.3 * t))
    return bend(pose, left_shoulder=("z", 0.9), right_shoulder=("z", 0.8), left_elbow=("z", 0.8), neck=("y", np.sin(t)))


def _sit(t: float) -> Array:
    pose = bend(_rest(), left_hip=("z", 1.5), right_hip=("z", 1.45), left_knee=("z", -1.5), right_knee=("z", -1.45))
    lift = 0.5 + 0.5 * np.sin(1.7 * t)
    pose = bend(pose, left_shoulder=("z", 0.5), right_shoulder=("z", 0.4 + 0.5 * lift), left_elbow=("z", 0.8))
    return bend(pose, right_elbow=("z", 0.8 + 0.7 * lift), neck=("y", 0.4 * np.sin(0.9 * t)))


def _reach(t: float) -> Array:
    w = 0.5 + 0.5 * np.sin(2.0 * t)
    pose = bend(_rest(), right_shoulder=("z", 1.1 + 0.9 * w), right_elbow=("z", 0.5 * (1 - w)), chest=("z", -0.12))
    return bend(pose, left_shoulder=("z", 0.4), left_elbow=("z", 1.0), neck=("z", 0.15))


def _mop(t: float) -> Array:
    s = np.sin(3.0 * t)
    pose = bend(_stoop(_rest(), 0.35), chest=("y", 0.35 * s), left_shoulder=("z", 1.0 + 0.2 * s))
    return bend(pose, right_shoulder=("z", 0.7 - 0.3 * s), left_elbow=("z", 0.5), right_elbow=("z", 0.6))


def _carry(t: float) -> Array:
    pose = bend(_rest(), left_shoulder=("z", 0.6), right_shoulder=("z", 0.6), left_elbow=("z", 0.9), chest=("z", 0.08))
    return bend(pose, right_elbow=("z", 0.9 + 0.03 * np.sin(2 * t)))


def _call(t: float) -> Array:
    pose = bend(_rest(), right_shoulder=("z", 0.75), right_elbow=("z", 2.3), neck=("x", 0.15 + 0.05 * np.sin(t)))
    return bend(pose, left_elbow=("z", 0.5 + 0.4 * np.sin(1.9 * t)))


def _phone(t: float) -> Array:
    return bend(_rest(), right_shoulder=("z", 0.5), right_elbow=("z", 1.6 + 0.04 * np.sin(5 * t)), neck=("z", -0.4))


def _point(t: float) -> Array:
    return bend(_rest(), right_shoulder=("z", 1.4 + 0.15 * np.sin(3 * t)), right_elbow=("z", 0.1), neck=("y", 0.2))


def _watch(t: float) -> Array:
    pose = bend(_rest(), left_shoulder=("z", 0.5), right_shoulder=("z", 0.5), left_elbow=("z", 1.7))
    return bend(pose, right_elbow=("z", 1.7), neck=("y", 0.15 * np.sin(1.4 * t)), chest=("x", 0.04 * np.sin(t)))


def _film(t: float) -> Array:
    pose = bend(_rest(), right_shoulder=("z", 1.2), right_elbow=("z", 0.7), left_shoulder=("z", 1.0))
    return bend(pose, left_elbow=("z", 0.9 + 0.05 * np.sin(3 * t)))


def _stretch(t: float) -> Array:
    w = 0.5 + 0.5 * np.sin(1.8 * t)
    pose = bend(_rest(), left_shoulder=("x", 1.2 + 1.5 * w), right_shoulder=("x", -1.2 - 1.5 * w))
    return bend(pose, chest=("z", 0.12 * w), left_elbow=("z", 0.5 * w))


def _throw(t: float) -> Array:
    s = np.sin(2.6 * t)
    pose = bend(_rest(), right_shoulder=("z", 1.0 + 1.4 * s), right_elbow=("z", 0.9 - 0.7 * s), chest=("y", -0.3 * s))
    return bend(pose, left_shoulder=("z", 0.6 - 0.4 * s), left_hip=("z", 0.15))


def _push(t: float) -> Array:
    pose = bend(
        _rest(), left_shoulder=("z", 0.85), right_shoulder=("z", 0.85), left_elbow=("z", 0.45), chest=("z", -0.1)
    )
    return bend(pose, right_elbow=("z", 0.45 + 0.03 * np.sin(3 * t)))


def _idle(t: float) -> Array:
    return bend(_rest(), chest=("x", 0.04 * np.sin(1.3 * t)), neck=("y", 0.4 * np.sin(0.8 * t)))


def _kneel(t: float) -> Array:
    """Bent over somebody on the ground, as helpers do."""
    pose = bend(squat(_rest(), 0.8), chest=("z", -0.35 + 0.1 * np.sin(2 * t)), neck=("z", -0.2))
    return bend(
        pose, left_shoulder=("z", 0.9 + 0.1 * np.sin(3 * t)), right_shoulder=("z", 0.9 - 0.15 * np.sin(2.4 * t))
    )


POSES: dict[str, Callable[[float], Array]] = {
    "wave": _wave, "gesture": _gesture, "hug": _hug, "handshake": _handshake, "pickup": _pickup, "tie": _tie,
    "crouch": _crouch, "sit": _sit, "reach": _reach, "mop": _mop, "carry": _carry, "call": _call, "phone": _phone,
    "point": _point, "watch": _watch, "film": _film, "stretch": _stretch, "throw": _throw, "push": _push,
    "idle": _idle, "kneel": _kneel,
}  # fmt: skip


@dataclass(frozen=True)
class Posed:
    """On the spot in one of `POSES`, at `rate` times its usual tempo; drifts at `drift` m/s (x, y)."""

    x: float
    y: float
    yaw: float
    duration: float
    kind: str = "idle"
    phase: float = 0.0
    rate: float = 1.0
    drift: tuple[float, float] = (0.0, 0.0)

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        t = self.rate * u + 10 * self.phase
        x, y = self.x + self.drift[0] * u, self.y + self.drift[1] * u
        return State(x, y, self.yaw + 0.04 * float(np.sin(1.1 * t)), 0.88, POSES[self.kind](t))


@dataclass(frozen=True)
class Arms:
    """Another act with the arms of one of `POSES`: walking with a box, a phone, a trolley."""

    inner: Act
    kind: str
    phase: float = 0.0

    @property
    def duration(self) -> float:
        """Length in s."""
        return self.inner.duration

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        now = self.inner.state(u)
        pose, arms = now.pose.copy(), POSES[self.kind](u + 10 * self.phase)
        for joint in ARMS:
            pose[ROWS[joint]] = arms[ROWS[joint]]
        return replace(now, pose=pose)


@dataclass(frozen=True)
class Jerky:
    """Another act with irregular fast motion of all joints, `strength` radians at 3 to 8 Hz."""

    inner: Act
    seed: int
    strength: float = 0.25
    waves: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        shape = (len(LIMBS), 2, 3)
        waves = np.stack(
            [rng.normal(0, 0.5, shape), 2 * np.pi * rng.uniform(1.5, 6.0, shape), rng.uniform(0, 2 * np.pi, shape)]
        )
        object.__setattr__(self, "waves", waves)

    @property
    def duration(self) -> float:
        """Length in s."""
        return self.inner.duration

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        now = self.inner.state(u)
        size, speed, phase = self.waves
        angles = self.strength * (size * np.sin(speed * u + phase)).sum(1)
        pose = now.pose.copy()
        for row, name in enumerate(LIMBS):
            a = float(angles[row, 0])
            if name.endswith("knee"):
                a = -abs(a)
            elif name.endswith("elbow"):
                a = abs(a)
            elif name in ("chest", "neck"):
                a *= 0.5
            pose[ROWS[name]] = multiply(pose[ROWS[name]], turn("z", a))
            if not name.endswith(("knee", "elbow")):
                pose[ROWS[name]] = multiply(pose[ROWS[name]], turn("x", 0.6 * float(angles[row, 1])))
        shake = 0.05 * self.strength
        x, y = now.x + shake * float(angles[0, 0]), now.y + shake * float(angles[1, 0])
        return replace(now, pose=pose, x=x, y=y)


@dataclass(frozen=True)
class Lie:
    """On the ground: `roll` radians about the body's length, limbs drawn up by `curl` 0..1, `flail` how wildly."""

    x: float
    y: float
    yaw: float
    duration: float
    forward: bool = False
    roll: float = 0.0
    curl: float = 0.0
    flail: float = 0.0
    wobble: float = 0.0
    seed: int = 0

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        rng = np.random.default_rng(self.seed)
        pose, c = lying(self.forward), self.curl
        spread = rng.uniform(-0.5, 0.5, 6)
        pose = bend(
            pose,
            left_hip=("z", 1.5 * c + 0.25 * spread[0]), right_hip=("z", 1.4 * c + 0.25 * spread[1]),
            left_knee=("z", -1.7 * c - 0.4 * abs(spread[2])), right_knee=("z", -1.6 * c - 0.4 * abs(spread[3])),
            left_shoulder=("z", 1.8 * c + spread[4]), right_shoulder=("z", 1.6 * c + spread[5]),
            left_elbow=("z", 1.6 * c), right_elbow=("z", 1.6 * c), chest=("z", -0.4 * c), neck=("z", -0.5 * c),
        )  # fmt: skip
        a = rng.uniform(0, 6, 4)
        f = self.flail
        pose = bend(
            pose,
            left_shoulder=("z", f * np.sin(11 * u + a[0])), right_shoulder=("z", f * np.sin(13 * u + a[1])),
            left_hip=("z", 0.6 * f * (1 + np.sin(9 * u + a[2]))), right_hip=("z", 0.6 * f * (1 + np.sin(8 * u + a[3]))),
            left_knee=("z", -0.7 * f * (1 + np.sin(7 * u))), right_knee=("z", -0.7 * f * (1 + np.sin(10 * u))),
        )  # fmt: skip
        roll = self.roll + self.wobble * float(np.sin(3.5 * u + a[0]))
        pose[0] = multiply(turn("x", roll), pose[0])
        return State(self.x, self.y, self.yaw, 0.2, pose)


@dataclass(frozen=True)
class Crawl:
    """On hands and knees along `yaw` at about 0.35 m/s times `rate`."""

    x: float
    y: float
    yaw: float
    duration: float
    rate: float = 1.0
    phase: float = 0.0
    scale: float = 1.0

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        motion = load_motion("crawl")
        laps = u * self.rate / motion.duration + self.phase
        root, pose = motion.at((laps % 1.0) * motion.duration)
        ahead = (float(root[0]) + np.floor(laps) * motion.stride - self.phase * motion.stride) * self.scale
        x, y = self.x + ahead * np.cos(self.yaw), self.y + ahead * np.sin(self.yaw)
        return State(float(x), float(y), self.yaw, float(root[2]), pose)


@dataclass(frozen=True)
class Loop:
    """A motion-capture clip over and over on the spot, forwards and backwards so that nothing jumps."""

    motion: str
    x: float
    y: float
    yaw: float
    duration: float
    rate: float = 1.0
    phase: float = 0.0
    roam: float = 0.5

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        motion = load_motion(self.motion)
        t = (u * self.rate + self.phase * 2 * motion.duration) % (2 * motion.duration)
        root, pose = motion.at(t if t < motion.duration else 2 * motion.duration - t)
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        dx, dy = self.roam * root[0], self.roam * root[1]
        return State(float(self.x + c * dx - s * dy), float(self.y + s * dx + c * dy), self.yaw, float(root[2]), pose)


@dataclass(frozen=True)
class Hop:
    """Up and down on the spot, arms swinging, `tall` m high at `rate` jumps a second."""

    x: float
    y: float
    yaw: float
    duration: float
    rate: float = 1.4
    phase: float = 0.0
    tall: float = 0.25

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        w = (self.rate * u + self.phase) % 1.0
        air = max(0.0, float(np.sin(np.pi * (w - 0.35) / 0.65))) if w > 0.35 else 0.0
        dip = float(np.sin(np.pi * w / 0.35)) if w < 0.35 else 0.0
        pose = squat(_rest(), 0.35 * dip + 0.15 * air)
        pose = bend(pose, left_shoulder=("z", 2.2 * air), right_shoulder=("z", 2.0 * air))
        return State(self.x, self.y, self.yaw, 0.9 + self.tall * air, pose, 1.0 - ease(air * 4))


@dataclass(frozen=True)
class Steps:
    """Acts one after the other, as :class:`Actor` plays them, as one act."""

    acts: tuple[Act, ...]
    scale: float
    blend: float = 0.4
    actor: Actor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "actor", Actor(self.acts, self.scale, self.blend))

    @property
    def duration(self) -> float:
        """Length in s."""
        return self.actor.duration

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        return self.actor.state(u)
