"""Skeleton, motion-capture clips and forward kinematics.

A motion file is JSON with ``Frames`` of 44 numbers: duration in s; root position in m, y up (3); then
rotations in the order of `JOINTS`, quaternions as w x y z or one angle in radians. Here, every rotation is
a quaternion x y z w, and a pose is one (13, 4) array whose row 0 is the root.
"""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

JOINTS = (
    ("chest", 4),
    ("neck", 4),
    ("right_hip", 4),
    ("right_knee", 1),
    ("right_ankle", 4),
    ("right_shoulder", 4),
    ("right_elbow", 1),
    ("left_hip", 4),
    ("left_knee", 1),
    ("left_ankle", 4),
    ("left_shoulder", 4),
    ("left_elbow", 1),
)
LINKS = ("root", *(name for name, _ in JOINTS), "right_wrist", "left_wrist")
ROWS = {name: row for row, name in enumerate(LINKS)}
URDF_SCALE = 0.25  # humanoid.urdf is four times life size
Y_UP_TO_Z_UP = np.array([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])


def data_folder() -> Path:
    """The folder of the installed ``pybullet_data``."""
    spec = find_spec("pybullet_data")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("pybullet_data is not installed: pip install pybullet==3.2.7")
    return Path(spec.origin).parent


def cross(a: Array, b: Array) -> Array:
    """Cross product of vectors (..., 3); several times faster than NumPy's for single vectors."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    x = ay * bz - az * by
    out = np.empty((*np.shape(x), 3))
    out[..., 0], out[..., 1], out[..., 2] = x, az * bx - ax * bz, ax * by - ay * bx
    return out


def multiply(a: Array, b: Array) -> Array:
    """Product of quaternions of shape (..., 4), x y z w."""
    if a.ndim == b.ndim == 1:  # most calls; NumPy's overhead for single quaternions is ten times their arithmetic
        ax, ay, az, aw = a.tolist()
        bx, by, bz, bw = b.tolist()
    else:
        ax, ay, az, aw = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
        bx, by, bz, bw = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    x = aw * bx + bw * ax + ay * bz - az * by
    out = np.empty((*np.shape(x), 4))
    out[..., 0], out[..., 1] = x, aw * by + bw * ay + az * bx - ax * bz
    out[..., 2] = aw * bz + bw * az + ax * by - ay * bx
    out[..., 3] = aw * bw - ax * bx - ay * by - az * bz
    return out


def rotate(q: Array, v: Array) -> Array:
    """Vectors (..., 3) turned by quaternions (..., 4)."""
    t = 2.0 * cross(q[..., :3], v)
    return v + q[..., 3:] * t + cross(q[..., :3], t)


def turn(axis: str, angle: float) -> Array:
    """Quaternion that turns by `angle` radians about the axis ``x``, ``y`` or ``z``."""
    q = np.zeros(4)
    q["xyz".index(axis)] = np.sin(angle / 2)
    q[3] = np.cos(angle / 2)
    return q


def mix(a: Array, b: Array, weight: float) -> Array:
    """Normalised linear interpolation of quaternions (..., 4), by the shorter way; `weight` 1 is `b`."""
    sign = np.where((a * b).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    q = (1 - weight) * a + weight * sign * b
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def heading(q: Array) -> float:
    """Where the x axis of a y-up rotation points, as an angle about the vertical in radians."""
    forward = rotate(q, np.array([1.0, 0.0, 0.0]))
    return float(np.arctan2(-forward[2], forward[0]))


@dataclass(frozen=True)
class Motion:
    """One motion-capture clip.

    Attributes
    ----------
    times : ndarray of shape (n,)
        Seconds from the start.
    roots : ndarray of shape (n, 3)
        Root position in m, z up, facing x at the start, relative to the start; column 2 is the height.
    poses : ndarray of shape (n, 13, 4)
        Rotations, root first.
    """

    times: Array
    roots: Array
    poses: Array

    @property
    def duration(self) -> float:
        """Length in s."""
        return float(self.times[-1])

    @property
    def stride(self) -> float:
        """How far the root gets in one playback, in m."""
        return float(self.roots[-1, 0] - self.roots[0, 0])

    def at(self, time: float) -> tuple[Array, Array]:
        """Root (3,) and pose (13, 4) at `time` s, interpolated; times outside are clamped."""
        time = min(max(time, 0.0), self.duration)
        right = min(max(int(np.searchsorted(self.times, time, side="right")), 1), len(self.times) - 1)
        left = right - 1
        weight = (time - self.times[left]) / (self.times[right] - self.times[left])
        root = (1 - weight) * self.roots[left] + weight * self.roots[right]
        return root, mix(self.poses[left], self.poses[right], float(weight))


@cache
def load_motion(name: str) -> Motion:
    """The clip ``humanoid3d_<name>.txt``, turned so that it starts facing along x."""
    path = data_folder() / "data" / "motions" / f"humanoid3d_{name}.txt"
    frames = np.array(json.loads(path.read_text(encoding="utf-8"))["Frames"], dtype=np.float64)
    times = np.concatenate([[0.0], np.cumsum(frames[:-1, 0])])
    axes = load_skeleton().axes
    poses = np.zeros((len(frames), 1 + len(JOINTS), 4))
    poses[:, 0] = frames[:, [5, 6, 7, 4]]
    column = 8
    for row, (joint, size) in enumerate(JOINTS, start=1):
        if size == 4:
            poses[:, row] = frames[:, [column + 1, column + 2, column + 3, column]]
        else:
            half = frames[:, column] / 2
            poses[:, row, :3] = np.sin(half)[:, None] * axes[joint]
            poses[:, row, 3] = np.cos(half)
        column += size
    roots = frames[:, [1, 3, 2]] * [1, -1, 1]
    roots[:, :2] -= roots[0, :2]
    return Motion(times, roots, poses)


@dataclass(frozen=True)
class Skeleton:
    """Links in the order of `LINKS`: parents, offsets from them in m, and the axes of the hinge joints."""

    parents: tuple[int, ...]
    offsets: Array
    axes: dict[str, Array]

    def place(self, pose: Array, base: Array) -> tuple[Array, Array]:
        """Forward kinematics.

        Parameters
        ----------
        pose : ndarray of shape (13, 4)
            Rotations, root first.
        base : ndarray of shape (4,)
            Rotation of the whole figure from the motion's y-up frame to the world.

        Returns
        -------
        positions : ndarray of shape (15, 3)
            Link origins in m relative to the root.
        rotations : ndarray of shape (15, 4)
        """
        positions = np.zeros((len(LINKS), 3))
        rotations = np.zeros((len(LINKS), 4))
        rotations[0] = multiply(base, pose[0])
        for row in range(1, len(LINKS)):
            parent = self.parents[row]
            positions[row] = positions[parent] + rotate(rotations[parent], self.offsets[row])
            local = pose[row] if row < len(pose) else np.array([0.0, 0.0, 0.0, 1.0])
            rotations[row] = multiply(rotations[parent], local)
        return positions, rotations


@cache
def load_skeleton() -> Skeleton:
    """The skeleton that the motion files were made for, read from ``humanoid.urdf``."""
    text = (data_folder() / "humanoid" / "humanoid.urdf").read_text(encoding="utf-8")
    robot = ET.fromstring(text.rstrip("\0 \r\n"))  # the file ends in a NUL byte
    joints = {joint.get("name", ""): joint for joint in robot.iter("joint")}
    parents, offsets, axes = [0], [np.zeros(3)], {}
    for name in LINKS[1:]:
        joint = joints[name]
        parent, origin, axis = joint.find("parent"), joint.find("origin"), joint.find("axis")
        if parent is None or origin is None:
            raise ValueError(f"humanoid.urdf: joint {name} has no parent or origin")
        parents.append(ROWS[parent.get("link", "")])
        offsets.append(np.array([float(v) for v in origin.get("xyz", "0 0 0").split()]) * URDF_SCALE)
        if axis is not None:
            axes[name] = np.array([float(v) for v in axis.get("xyz", "0 0 1").split()])
    return Skeleton(tuple(parents), np.array(offsets), axes)


def identity_pose() -> Array:
    """Standing upright, arms down: (13, 4)."""
    pose = np.zeros((1 + len(JOINTS), 4))
    pose[:, 3] = 1.0
    return pose
