"""Acts: what one person does for a while.

A script is a list of acts; an `Actor` plays it, blending from each to the next.

Every act has a ``duration`` in s and ``state(u)``, the person's `State` at `u` s after the act's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from hiprobe_training.scenes.motions import (
    ROWS,
    Y_UP_TO_Z_UP,
    Array,
    Motion,
    identity_pose,
    load_motion,
    load_skeleton,
    mix,
    multiply,
    turn,
)


@dataclass(frozen=True)
class State:
    """A person at one moment.

    Place in m, yaw in radians, root height in m, pose (13, 4); `grounded`, 0..1, is how far to pull the
    body down until it touches the ground.
    """

    x: float
    y: float
    yaw: float
    height: float
    pose: Array
    grounded: float = 1.0


class Act(Protocol):
    """What one person does for `duration` s."""

    @property
    def duration(self) -> float:
        """Length in s."""
        ...

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        ...


def ease(u: float) -> float:
    """0 to 1 with level ends."""
    u = min(max(u, 0.0), 1.0)
    return u * u * (3 - 2 * u)


def bend(pose: Array, **angles: tuple[str, float]) -> Array:
    """A pose with joints turned on, in radians: ``left_shoulder=("z", 1.2)`` raises the left arm forwards."""
    pose = pose.copy()
    for joint, (axis, angle) in angles.items():
        pose[ROWS[joint]] = multiply(pose[ROWS[joint]], turn(axis, angle))
    return pose


def smooth_path(waypoints: Sequence[tuple[float, float]], step: float = 0.1) -> Array:
    """Waypoints in m as a dense polyline (n, 2) with rounded corners."""
    points = np.array(waypoints, dtype=np.float64)
    lengths = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    at = np.arange(0, lengths[-1] + step / 2, step)
    dense = np.stack([np.interp(at, lengths, points[:, k]) for k in (0, 1)], 1)
    if len(points) > 2:
        reach = int(0.8 / step)
        padded = np.concatenate([2 * dense[0] - dense[reach:0:-1], dense, 2 * dense[-1] - dense[-2 : -reach - 2 : -1]])
        kernel = np.hanning(2 * reach + 3)[1:-1]
        dense = np.stack([np.convolve(padded[:, k], kernel / kernel.sum(), "valid") for k in (0, 1)], 1)
    return dense.astype(np.float64)


@dataclass(frozen=True)
class Walk:
    """Along a path (n, 2) in m at `speed` m/s, in the gait ``walk`` or ``run``."""

    path: Array
    speed: float
    scale: float = 1.0
    gait: str = "walk"
    phase: float = 0.0
    lengths: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        steps = np.linalg.norm(np.diff(self.path, axis=0), axis=1)
        object.__setattr__(self, "lengths", np.concatenate([[0.0], np.cumsum(steps)]))

    @property
    def duration(self) -> float:
        """Length in s."""
        return float(self.lengths[-1]) / self.speed

    def _point(self, s: float) -> Array:
        return np.array([np.interp(s, self.lengths, self.path[:, k]) for k in (0, 1)])

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        total = float(self.lengths[-1])
        s = min(max(u * self.speed, 0.0), total)
        ahead = self._point(min(s + 0.25, total)) - self._point(max(s - 0.25, 0.0))
        yaw = float(np.arctan2(ahead[1], ahead[0]))
        motion = load_motion(self.gait)
        phase = (s / (motion.stride * self.scale) + self.phase) % 1.0
        root, pose = motion.at(phase * motion.duration)
        sway = (root[0] - motion.stride * phase) * self.scale
        x, y = self._point(s) + sway * np.array([np.cos(yaw), np.sin(yaw)])
        return State(float(x), float(y), yaw, float(root[2]), pose, 1.0 if self.gait == "walk" else 0.3)


@dataclass(frozen=True)
class Stand:
    """On the spot: ``idle``, ``talk`` (hands move) or ``phone`` (looks at a hand)."""

    x: float
    y: float
    yaw: float
    duration: float
    style: str = "idle"
    phase: float = 0.0

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        t = u + 10 * self.phase
        slow = np.sin(1.3 * t)
        pose = bend(
            identity_pose(),
            left_shoulder=("x", 0.12), right_shoulder=("x", -0.12), left_elbow=("z", 0.2),
            right_elbow=("z", 0.25), left_hip=("x", 0.05), right_hip=("x", -0.05), chest=("x", 0.03 * slow),
            neck=("y", 0.3 * float(np.sin(0.7 * t))),
        )  # fmt: skip
        if self.style == "talk":
            lift = 0.5 + 0.4 * np.sin(2.1 * t)
            pose = bend(
                pose,
                right_shoulder=("z", 0.35 * lift),
                right_elbow=("z", 1.1 * lift),
                left_elbow=("z", 0.5 * (1 - lift)),
            )
        elif self.style == "phone":
            pose = bend(pose, right_shoulder=("z", 0.5), right_elbow=("z", 1.6), neck=("z", -0.4))
        return State(self.x + 0.01 * slow, self.y, self.yaw + 0.05 * slow, 0.88, pose)


@dataclass(frozen=True)
class Play:
    """A motion-capture clip from `start` to `stop` s at `rate`, its first root heading along `yaw`."""

    motion: Motion
    x: float
    y: float
    yaw: float
    rate: float = 1.0
    start: float = 0.0
    stop: float = 1e9
    scale: float = 1.0
    grounded: float = 1.0

    @property
    def duration(self) -> float:
        """Length in s."""
        return (min(self.stop, self.motion.duration) - self.start) / self.rate

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        root, pose = self.motion.at(min(self.start + u * self.rate, self.stop))
        dx, dy = (root - self.motion.at(self.start)[0])[:2] * self.scale
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        x, y = self.x + c * dx - s * dy, self.y + s * dx + c * dy
        return State(float(x), float(y), self.yaw, float(root[2]), pose, self.grounded)


def lying(forward: bool) -> Array:
    """A pose on the ground, head along the yaw (`forward`, face down) or against it (face up)."""
    _, pose = load_motion("getup_facedown" if forward else "getup_faceup").at(0.0)
    positions, _ = load_skeleton().place(pose, Y_UP_TO_Z_UP)
    along = positions[ROWS["neck"]] - (positions[ROWS["left_ankle"]] + positions[ROWS["right_ankle"]]) / 2
    pose = pose.copy()
    away = 0.0 if forward else np.pi
    pose[0] = multiply(turn("y", away - float(np.arctan2(along[1], along[0]))), pose[0])
    return pose


@dataclass(frozen=True)
class Fall:
    """From `before` to the ground within `seconds`, then lying for the rest of `duration` s."""

    before: State
    duration: float
    forward: bool = True
    seconds: float = 0.9
    slide: float = 0.75

    def state(self, u: float) -> State:
        """The person `u` s after the start."""
        w = min(u / self.seconds, 1.0)
        tip = w**1.8 * (1 - 0.12 * np.sin(np.pi * w))  # slow to tip, fast to land
        buckle = np.sin(np.pi * min(w / 0.7, 1.0))
        reach = 0.6 if self.forward else -0.5
        pose = mix(self.before.pose, lying(self.forward), float(min(tip, 1.0)))
        pose = bend(
            pose,
            left_knee=("z", -0.9 * buckle), right_knee=("z", -0.7 * buckle),
            left_hip=("z", 0.5 * buckle), right_hip=("z", 0.3 * buckle),
            left_shoulder=("z", reach * buckle), right_shoulder=("z", 1.2 * reach * buckle),
        )  # fmt: skip
        push = self.slide * tip * (1 if self.forward else -0.9)
        b = self.before
        x, y = b.x + push * np.cos(b.yaw), b.y + push * np.sin(b.yaw)
        return replace(b, x=float(x), y=float(y), pose=pose, height=float(b.height * (1 - tip)), grounded=1.0)


@dataclass(frozen=True)
class Actor:
    """One person's script from time 0: acts played one after the other, the last one held."""

    acts: tuple[Act, ...]
    scale: float
    blend: float = 0.4

    @property
    def duration(self) -> float:
        """Length in s."""
        return sum(act.duration for act in self.acts)

    def state(self, t: float) -> State:
        """The person at `t` s."""
        begin, index = 0.0, 0
        while index < len(self.acts) - 1 and t >= begin + self.acts[index].duration:
            begin += self.acts[index].duration
            index += 1
        act = self.acts[index]
        now = act.state(min(t - begin, act.duration))
        if index == 0 or t - begin >= self.blend or isinstance(act, Fall):
            return now
        before = self.acts[index - 1]
        old = before.state(before.duration)
        w = ease((t - begin) / self.blend)
        swing = (now.yaw - old.yaw + np.pi) % (2 * np.pi) - np.pi
        return State(
            (1 - w) * old.x + w * now.x,
            (1 - w) * old.y + w * now.y,
            old.yaw + w * swing,
            (1 - w) * old.height + w * now.height,
            mix(old.pose, now.pose, w),
            (1 - w) * old.grounded + w * now.grounded,
        )
