"""Pseudo-anomalies: a piece of the picture, turned and moved to where it does not belong.

They serve one purpose: to choose a layer where there is no anomaly to choose it by. No threshold is set with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = (0.08, 0.25)
"""Sides of the piece, as shares of the picture's."""

SPEED = 0.03
"""The piece moves by up to this share of the picture from frame to frame."""


def paste(frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return segments, frames (B, K, H, W, 3), with a piece of their first frame pasted over each of their frames.

    The piece is turned by a quarter, half or three quarters, and moves in a straight line. The same frames always get
    the same piece.

    References
    ----------
    Li et al., CutPaste: self-supervised learning for anomaly detection and localization, 2021.
    """
    altered = frames.copy()
    for segment in altered:
        _paste(segment)
    return altered


def _paste(segment: NDArray[np.uint8]) -> None:
    count, height, width = segment.shape[:3]
    random = np.random.default_rng(int(segment[0].astype(np.int64).sum()))
    sides = (random.uniform(*SIDE, 2) * (height, width)).astype(int).clip(1)
    top, left = (int(random.integers(0, whole - side + 1)) for whole, side in zip((height, width), sides, strict=True))
    piece = np.rot90(segment[0, top : top + sides[0], left : left + sides[1]], int(random.integers(1, 4))).copy()
    room = np.array([height - piece.shape[0], width - piece.shape[1]]).clip(0)
    start = random.uniform(0, 1, 2) * room
    step = random.uniform(-SPEED, SPEED, 2) * (height, width)
    for index in range(count):
        y, x = np.clip(start + index * step, 0, room).astype(int)
        target = segment[index, y : y + piece.shape[0], x : x + piece.shape[1]]
        target[:] = piece[: target.shape[0], : target.shape[1]]
