"""Painted surfaces as (height, width, 3) uint8 arrays: ground and facades."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from hiprobe_training.scenes.meshes import Array

Picture = NDArray[np.uint8]

GROUND_SIZE = 40.0  # m, edge of the square that the ground texture covers
GROUND_PIXELS = 2048


def _noise(rng: Generator, height: int, width: int, grains: tuple[tuple[int, float], ...]) -> Array:
    """Smooth noise (height, width): a sum of (grain in pixels, amplitude) layers."""
    total = np.zeros((height, width))
    for grain, amplitude in grains:
        small = rng.normal(0, 1, (height // grain + 2, width // grain + 2)).astype(np.float32)
        layer = Image.fromarray(small, mode="F").resize((width + grain, height + grain), Image.Resampling.BICUBIC)
        total += amplitude * np.asarray(layer)[:height, :width]
    return total


def _finish(base: Array, noise: Array) -> Picture:
    return np.clip(base + noise[..., None], 0, 255).astype(np.uint8)


def ground(rng: Generator, kind: str, kerb: float) -> Picture:
    """A street from above; rows run along y from -20 m, columns along x.

    Parameters
    ----------
    rng : Generator
        Draws tones, joints and repairs.
    kind : str
        ``asphalt`` (a yard with painted bays), ``slabs`` (a paved square) or ``street`` (a road with kerbs).
    kerb : float
        y in m from which there is pavement up to the wall.
    """
    n, per = GROUND_PIXELS, GROUND_PIXELS / GROUND_SIZE

    def row(y: float) -> int:
        return round((y + GROUND_SIZE / 2) * per)

    tone = rng.uniform(95, 135)
    tint = np.array([1.0, rng.uniform(0.96, 1.0), rng.uniform(0.9, 1.02)])
    image = Image.new("RGB", (n, n), tuple(int(v) for v in tone * tint))
    draw = ImageDraw.Draw(image)
    pale = tuple(int(v) for v in min(tone * 1.35, 185) * tint)
    joint = tuple(int(v) for v in tone * 0.8 * tint)
    white = (205, 205, 198)
    if kind == "slabs":
        size, image_tone = int(rng.choice([40, 52, 64])), tone * 1.2
        for x in range(0, n, size):
            for y in range(0, n, size):
                shade = image_tone * rng.uniform(0.95, 1.05)
                draw.rectangle([x, y, x + size - 3, y + size - 3], fill=tuple(int(v) for v in shade * tint))
    elif kind == "asphalt":
        left = int(rng.integers(0, 120))
        for x in range(left, n, 138):
            draw.rectangle([x, row(kerb - 5.0), x + 5, row(kerb)], fill=white)
        for _ in range(6):  # repairs
            x, y = rng.integers(0, n, 2)
            w, h = rng.integers(40, 260, 2)
            shade = tone * rng.uniform(0.82, 1.0)
            draw.rectangle([int(x), int(y), int(x + w), int(y + h)], fill=tuple(int(v) for v in shade * tint))
    else:
        middle = row(kerb - 5.5)
        for x in range(0, n, 210):
            draw.rectangle([x, middle, x + 110, middle + 6], fill=white)
        zebra = row(0) if rng.random() < 0.5 else int(rng.integers(700, 1300))
        for y in range(row(kerb - 11), row(kerb), 52):
            draw.rectangle([zebra, y, zebra + 150, y + 24], fill=white)
    if kind != "slabs":
        for low, high in ((row(kerb), n), (0, row(kerb - 11.0))):
            draw.rectangle([0, low, n, high], fill=pale)
            for x in range(0, n, 45):
                draw.line([x, low, x, high], fill=joint, width=2)
            for y in range(low, high, 45):
                draw.line([0, y, n, y], fill=joint, width=2)
        draw.rectangle([0, row(kerb) - 8, n, row(kerb)], fill=tuple(int(v) for v in tone * 1.5 * tint))
    grains = ((2, 7.0), (12, 4.0), (70, 5.0), (300, 6.0))
    return _finish(np.asarray(image, dtype=np.float64), _noise(rng, n, n, grains))


def facade(rng: Generator, width: float, height: float) -> Picture:
    """The front of a building of `width` x `height` m, 50 pixels a metre: windows, doors, maybe a shop."""
    per = 50
    w, h = int(width * per), int(height * per)
    walls = (
        (150, 92, 74),
        (176, 164, 142),
        (140, 140, 138),
        (196, 186, 164),
        (120, 104, 92),
        (168, 132, 104),
    )
    base = np.array(walls[rng.integers(len(walls))]) * rng.uniform(0.85, 1.1)
    image = Image.new("RGB", (w, h), tuple(int(v) for v in base))
    draw = ImageDraw.Draw(image)
    if rng.random() < 0.5:  # courses of brick or stone
        course = int(rng.choice([8, 20]))
        dark = tuple(int(v) for v in base * 0.88)
        for k, y in enumerate(range(0, h, course)):
            draw.line([0, y, w, y], fill=dark)
            for x in range(course * (k % 2), w, 2 * course):
                draw.line([x, y, x, y + course], fill=dark)
    frame = tuple(int(v) for v in np.array([225, 222, 215]) * rng.uniform(0.4, 1.0))
    glass = np.array([52, 62, 74]) * rng.uniform(0.7, 1.4)
    pitch = rng.uniform(2.2, 3.2) * per
    columns = max(int(w // pitch), 1)
    storeys = int((height - 3.4) // 3.0)
    for storey in range(storeys):
        bottom = h - int((3.4 + 3.0 * storey + 0.9) * per)
        for column in range(columns):
            x = int((column + 0.5) * w / columns)
            half, tall = int(0.55 * per), int(1.5 * per)
            draw.rectangle([x - half - 5, bottom - tall - 5, x + half + 5, bottom + 8], fill=frame)
            shade = tuple(int(v) for v in glass * rng.uniform(0.8, 1.25))
            draw.rectangle([x - half, bottom - tall, x + half, bottom], fill=shade)
            draw.line([x, bottom - tall, x, bottom], fill=frame, width=4)
    shop = rng.random() < 0.5
    band = tuple(int(v) for v in rng.uniform(40, 190, 3))
    if shop:
        draw.rectangle([0, h - int(3.3 * per), w, h - int(2.7 * per)], fill=band)
    for column in range(columns):
        x = int((column + 0.5) * w / columns)
        half = int((0.42 if shop else 0.24) * w / columns)
        if rng.random() < 0.3:
            paint = tuple(int(v) for v in rng.uniform(30, 130, 3))
            draw.rectangle([x - 32, h - int(2.25 * per), x + 32, h - int(2.2 * per)], fill=frame)
            draw.rectangle([x - 27, h - int(2.2 * per), x + 27, h], fill=paint)
        else:
            sill = int((0.5 if shop else 1.0) * per)
            shade = tuple(int(v) for v in glass * rng.uniform(0.9, 1.6))
            draw.rectangle([x - half - 5, h - int(2.55 * per), x + half + 5, h - sill + 5], fill=frame)
            draw.rectangle([x - half, h - int(2.5 * per), x + half, h - sill], fill=shade)
    draw.rectangle([0, h - int(0.35 * per), w, h], fill=tuple(int(v) for v in base * 0.6))
    return _finish(np.asarray(image, dtype=np.float64), _noise(rng, h, w, ((2, 4.0), (60, 6.0))))


def sky(rng: Generator, height: int, width: int) -> Picture:
    """A pale sky with soft clouds, as seen by the camera."""
    top, low = np.array([140, 170, 205.0]), np.array([205, 212, 218.0])
    ramp = np.linspace(0, 1, height)[:, None, None]
    return _finish(
        np.broadcast_to(top + (low - top) * ramp, (height, width, 3)),
        _noise(rng, height, width, ((80, 10.0),)),
    )
