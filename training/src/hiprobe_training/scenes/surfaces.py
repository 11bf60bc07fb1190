"""Small painted surfaces that places are made of: a pool, made when first asked for, the same for the same index."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.textures import Picture

N = 256
Ink = tuple[int, int, int]


def _ink(colour: Array) -> Ink:
    r, g, b = np.clip(colour, 0, 255).astype(int)
    return int(r), int(g), int(b)


def _grain(rng: Generator, height: int, width: int, layers: tuple[tuple[int, float], ...]) -> Array:
    """Noise (height, width) that repeats at the edges, a sum of (grain in pixels, amplitude)."""
    total = np.zeros((height, width))
    for grain, amplitude in layers:
        h, w = max(height // grain, 2), max(width // grain, 2)
        small = np.pad(rng.normal(0, 1, (h, w)).astype(np.float32), 2, mode="wrap")
        big = Image.fromarray(small).resize((width + 4 * width // w, height + 4 * height // h), 3)
        top, left = 2 * height // h, 2 * width // w
        total += amplitude * np.asarray(big)[top : top + height, left : left + width]
    return total


def _sheet(colour: Array, height: int = N, width: int = N) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (width, height), _ink(colour))
    return image, ImageDraw.Draw(image)


def _done(image: Image.Image, rng: Generator, layers: tuple[tuple[int, float], ...]) -> Picture:
    base = np.asarray(image, dtype=np.float32)
    return np.clip(base + _grain(rng, base.shape[0], base.shape[1], layers)[..., None], 0, 255).astype(np.uint8)


PAINTS = (
    (200, 40, 35), (40, 70, 140), (230, 225, 215), (40, 40, 44), (225, 180, 40), (60, 120, 70), (130, 95, 65),
    (190, 165, 130), (120, 125, 130), (215, 110, 40), (90, 140, 180), (150, 50, 60), (235, 235, 238), (70, 60, 55),
)  # fmt: skip


def paint(rng: Generator, fade: float = 0.25) -> Array:
    """A colour (3,) of 0..255 such as goods, cars and doors have; `fade` draws it towards grey."""
    base = np.array(PAINTS[int(rng.integers(len(PAINTS)))]) * rng.uniform(0.6, 1.1)
    fade = rng.uniform(0, 2 * fade)
    return np.clip((1 - fade) * base + fade * base.mean() + rng.normal(0, 12, 3), 6, 250)


def _tone(rng: Generator, low: float, high: float, spread: float = 0.06) -> Array:
    return rng.uniform(low, high) * (1 + rng.normal(0, spread, 3))


def _asphalt(rng: Generator) -> Picture:
    tone = _tone(rng, 85, 150, 0.02)
    image, draw = _sheet(tone)
    for _ in range(rng.integers(0, 5)):  # repairs and stains
        x, y, w, h = rng.integers(0, N), rng.integers(0, N), rng.integers(20, 120), rng.integers(20, 120)
        shape = draw.rectangle if rng.random() < 0.5 else draw.ellipse
        shape([int(x), int(y), int(x + w), int(y + h)], fill=_ink(tone * rng.uniform(0.82, 1.06)))
    for _ in range(rng.integers(0, 4)):  # cracks
        p = rng.uniform(0, N, 2)
        for _ in range(12):
            q = p + rng.normal(0, 12, 2)
            draw.line([*map(float, p), *map(float, q)], fill=_ink(tone * 0.7))
            p = q
    return _done(image, rng, ((1, 7.0), (8, 5.0), (64, 8.0)))


def _tiles(rng: Generator) -> Picture:
    """Four to sixteen square tiles along each side, one tone or two."""
    tone = _tone(rng, 100, 215, 0.04)
    other = tone * rng.uniform(0.55, 0.95) if rng.random() < 0.2 else tone
    image, draw = _sheet(tone * rng.uniform(0.6, 0.92))
    count = int(rng.choice([4, 8, 8, 16]))
    edge, gap = N // count, int(rng.integers(1, 3))
    vary = rng.uniform(0.0, 0.06)
    for i in range(count):
        for j in range(count):
            shade = (tone if (i + j) % 2 else other) * (1 + rng.normal(0, vary))
            draw.rectangle([i * edge, j * edge, (i + 1) * edge - 1 - gap, (j + 1) * edge - 1 - gap], fill=_ink(shade))
    return _done(image, rng, ((2, 3.0), (48, 6.0)))


def _bricks(rng: Generator) -> Picture:
    """Paving or a wall of bricks, red, grey or sandy."""
    tones = ((160, 92, 78), (176, 120, 96), (150, 150, 146), (190, 168, 136), (120, 84, 70), (196, 192, 184))
    tone = np.array(tones[rng.integers(len(tones))]) * rng.uniform(0.85, 1.1)
    image, draw = _sheet(tone * rng.uniform(0.65, 1.2))
    rows = int(rng.choice([8, 16, 32]))
    high = N // rows
    wide = 2 * high
    for j in range(rows):
        for x in range(-wide, N, wide):
            left = x + (j % 2) * high
            shade = tone * (1 + rng.normal(0, 0.09))
            draw.rectangle([left, j * high, left + wide - 2, (j + 1) * high - 2], fill=_ink(shade))
    return _done(image, rng, ((2, 5.0), (64, 7.0)))


def _grass(rng: Generator) -> Picture:
    tone = np.array([95, 118, 62]) * rng.uniform(0.7, 1.15) * (1 + rng.normal(0, 0.08, 3))
    image, _ = _sheet(tone)
    return _done(image, rng, ((1, 14.0), (4, 10.0), (24, 9.0), (90, 12.0)))


def _wood(rng: Generator) -> Picture:
    tone = np.array([168, 122, 78]) * rng.uniform(0.45, 1.25) * (1 + rng.normal(0, 0.05, 3))
    image, draw = _sheet(tone * 0.6)
    for y in range(0, N, 32):
        shift = int(rng.integers(0, N))
        for x in (shift - N, shift):
            draw.rectangle([x, y, x + N - 2, y + 30], fill=_ink(tone * (1 + rng.normal(0, 0.09))))
    streaks = np.repeat(rng.normal(0, 8, (N, 8)), N // 8, axis=1)
    return np.clip(_done(image, rng, ((2, 4.0), (32, 5.0))) + streaks[..., None], 0, 255).astype(np.uint8)


def _carpet(rng: Generator) -> Picture:
    tone = 0.8 * paint(rng)
    image, draw = _sheet(tone)
    if rng.random() < 0.6:
        step, shade = int(rng.choice([16, 32, 64])), _ink(tone * rng.uniform(0.6, 1.4))
        for i in range(0, N, step):
            for j in range(0, N, step):
                if (i + j) // step % 2:
                    draw.ellipse([i, j, i + step * 0.6, j + step * 0.6], fill=shade)
    return _done(image, rng, ((1, 9.0), (6, 6.0), (64, 6.0)))


def _plaster(rng: Generator) -> Picture:
    """A painted wall, 3 m high: often a band of another colour below, marks, a skirting."""
    tone = _tone(rng, 130, 225, 0.05)
    image, draw = _sheet(tone)
    if rng.random() < 0.4:
        draw.rectangle([0, 0, N, int(rng.uniform(70, 130))], fill=_ink(paint(rng)))
    if rng.random() < 0.4:
        for x in range(0, N, int(rng.choice([32, 64, 128]))):
            draw.line([x, 0, x, N], fill=_ink(tone * 0.85), width=1)
    draw.rectangle([0, 0, N, 9], fill=_ink(tone * rng.uniform(0.3, 0.8)))
    for _ in range(rng.integers(2, 9)):  # smears, switches, notices
        x, y, w, h = rng.integers(0, N), rng.integers(20, 200), rng.integers(3, 26), rng.integers(3, 30)
        draw.rectangle([int(x), int(y), int(x + w), int(y + h)], fill=_ink(tone * rng.uniform(0.75, 1.1, 3)))
    return _done(image, rng, ((2, 3.0), (20, 3.0), (90, 8.0)))


def _goods(rng: Generator) -> Picture:
    """A shelf full of goods seen from the front: rows of packs, bottles and tins with price strips."""
    image, draw = _sheet(_tone(rng, 40, 120))
    rows = int(rng.integers(4, 8))
    high = N / rows
    for j in range(rows):
        floor = int(N - j * high)
        x = 0
        while x < N:
            wide = int(rng.integers(5, 22))
            tall = int(high * rng.uniform(0.45, 0.85))
            body = paint(rng, 0.15)
            label = _ink(paint(rng))
            for _ in range(int(rng.integers(1, 6))):
                top = floor - 4 - tall
                draw.rectangle([x, top, x + wide - 2, floor - 4], fill=_ink(body * rng.uniform(0.88, 1.08)))
                draw.rectangle([x + 1, top + tall // 3, x + wide - 3, top + 2 * tall // 3], fill=label)
                x += wide
            x += int(rng.integers(0, 4))
        draw.rectangle([0, floor - 4, N, floor], fill=_ink(_tone(rng, 120, 230)))
    return np.flip(_done(image, rng, ((2, 6.0), (40, 6.0))), 0).copy()


def _poster(rng: Generator) -> Picture:
    """A poster, sign or screen: blocks of colour, lines of text, a shape."""
    image, draw = _sheet(paint(rng), 96, 128)
    for _ in range(rng.integers(2, 6)):
        x, y, w, h = rng.integers(0, 110), rng.integers(0, 80), rng.integers(12, 90), rng.integers(6, 50)
        shape = draw.rectangle if rng.random() < 0.6 else draw.ellipse
        shape([int(x), int(y), int(x + w), int(y + h)], fill=_ink(paint(rng)))
    shade = _ink(rng.choice([15, 245]) * np.ones(3))
    for k in range(int(rng.integers(1, 6))):
        y = 8 + 14 * k
        for x in range(8, int(rng.integers(40, 122)), 8):
            draw.rectangle([x, y, x + int(rng.integers(3, 7)), y + int(rng.integers(3, 9))], fill=shade)
    return np.flip(_done(image, rng, ((2, 4.0),)), 0).copy()


def _facade(rng: Generator) -> Picture:
    """12 m of a building's front, three storeys: windows, ledges, shops with signs or doors and shutters below."""
    wide, high = 384, 320
    walls = ((150, 92, 74), (186, 172, 148), (146, 146, 144), (200, 190, 170), (120, 104, 92), (190, 150, 120))
    tone = np.array(walls[rng.integers(len(walls))]) * rng.uniform(0.7, 1.15)
    image, draw = _sheet(tone, high, wide)
    if rng.random() < 0.5:
        step = int(rng.choice([4, 8, 16]))
        for y in range(0, high, step):
            draw.line([0, y, wide, y], fill=_ink(tone * rng.uniform(0.82, 0.95)))
    columns = int(rng.integers(3, 7))
    frame, glass = _ink(_tone(rng, 60, 230)), np.array([58, 68, 80]) * rng.uniform(0.6, 1.5)
    half, tall = int(rng.uniform(0.18, 0.42) * wide / columns), int(rng.uniform(38, 62))
    for storey in (0, 1):
        for column in range(columns):
            x, y = int((column + 0.5) * wide / columns), 24 + 96 * storey
            draw.rectangle([x - half - 3, y - 3, x + half + 3, y + tall + 4], fill=frame)
            draw.rectangle([x - half, y, x + half, y + tall], fill=_ink(glass * rng.uniform(0.6, 1.6)))
            if rng.random() < 0.3:
                draw.rectangle([x - half, y, x + half, y + tall // 2], fill=_ink(_tone(rng, 120, 210)))
            draw.line([x, y, x, y + tall], fill=frame, width=2)
        if rng.random() < 0.4:
            draw.rectangle([0, 110 + 96 * storey, wide, 115 + 96 * storey], fill=_ink(tone * 0.75))
    x = 0
    while x < wide:
        bay = int(rng.integers(50, 130))
        sort = rng.integers(4)
        sign = _ink(paint(rng))
        if sort == 0:  # a shop window
            draw.rectangle([x + 3, 222, x + bay - 3, high - 12], fill=_ink(glass * rng.uniform(0.8, 2.0)))
            for _ in range(8):
                px, py = int(rng.integers(x + 4, x + bay - 6)), int(rng.integers(240, 295))
                draw.rectangle([px, py, px + 7, py + 9], fill=_ink(paint(rng)))
        elif sort == 1:  # a shutter
            draw.rectangle([x + 3, 222, x + bay - 3, high], fill=_ink(_tone(rng, 90, 190)))
            for y in range(222, high, 5):
                draw.line([x + 3, y, x + bay - 3, y], fill=_ink(_tone(rng, 70, 110)))
        else:  # a door beside wall
            draw.rectangle([x + bay // 2 - 16, 238, x + bay // 2 + 16, high], fill=frame)
            draw.rectangle([x + bay // 2 - 13, 241, x + bay // 2 + 13, high], fill=_ink(paint(rng)))
        if sort < 2 or rng.random() < 0.3:
            draw.rectangle([x + 1, 200, x + bay - 2, 220], fill=sign)
            for lx in range(x + 8, x + bay - 12, 9):
                draw.rectangle([lx, 206, lx + 5, 214], fill=_ink(_tone(rng, 180, 250)))
        x += bay
    draw.rectangle([0, high - 5, wide, high], fill=_ink(tone * 0.55))
    return np.flip(_done(image, rng, ((2, 5.0), (50, 8.0))), 0).copy()


def _leaves(rng: Generator) -> Picture:
    tone = np.array([70, 96, 48]) * rng.uniform(0.6, 1.3) * (1 + rng.normal(0, 0.12, 3))
    image, _ = _sheet(tone, 128, 128)
    return _done(image, rng, ((1, 12.0), (3, 22.0), (12, 22.0)))


def _door(rng: Generator) -> Picture:
    tone = paint(rng)
    image, draw = _sheet(tone, 128, 64)
    draw.rectangle([0, 0, 63, 127], outline=_ink(tone * 0.6), width=4)
    if rng.random() < 0.6:
        draw.rectangle([16, 14, 47, int(rng.integers(30, 100))], fill=_ink(_tone(rng, 40, 220)))
    if rng.random() < 0.4:
        draw.rectangle([8, 70, 55, 118], outline=_ink(tone * 0.7), width=2)
    draw.rectangle([52, 64, 58, 70], fill=(200, 200, 190))
    return np.flip(_done(image, rng, ((2, 4.0), (30, 5.0))), 0).copy()


def _window(rng: Generator) -> Picture:
    """A window wall: frames with what is outside, bright by day."""
    frame = _tone(rng, 60, 220)
    image, draw = _sheet(frame, 128, N)
    columns = int(rng.integers(2, 7))
    bright = rng.uniform(30, 250)
    for k in range(columns):
        x0, x1 = k * N // columns + 3, (k + 1) * N // columns - 3
        draw.rectangle([x0, 4, x1, 124], fill=_ink(bright * np.array([0.92, 0.97, 1.0])))
        draw.rectangle([x0, int(rng.integers(50, 90)), x1, 124], fill=_ink(bright / 255 * paint(rng, 0.4)))
        if rng.random() < 0.3:
            for y in range(4, 124, 5):
                draw.line([x0, y, x1, y], fill=_ink(frame))
    return np.flip(_done(image, rng, ((3, 3.0), (30, 8.0))), 0).copy()


def _mess(rng: Generator) -> Picture:
    """Many small things on a table or the floor, from above."""
    image, draw = _sheet(_tone(rng, 70, 200), 128, 128)
    for _ in range(rng.integers(8, 40)):
        x, y, w, h = rng.integers(0, 122), rng.integers(0, 122), rng.integers(4, 34), rng.integers(4, 26)
        shape = draw.rectangle if rng.random() < 0.7 else draw.ellipse
        shape([int(x), int(y), int(x + w), int(y + h)], fill=_ink(paint(rng)))
    return _done(image.filter(ImageFilter.GaussianBlur(0.6)), rng, ((2, 5.0),))


def _ceiling(rng: Generator) -> Picture:
    tone = _tone(rng, 150, 215, 0.03)
    image, draw = _sheet(tone)
    for k in range(0, N, 32):
        draw.line([k, 0, k, N], fill=_ink(tone * 0.8), width=2)
        draw.line([0, k, N, k], fill=_ink(tone * 0.8), width=2)
    return _done(image, rng, ((2, 5.0), (64, 5.0)))


MAKERS: dict[str, tuple[int, Callable[[Generator], Picture]]] = {
    "asphalt": (8, _asphalt),
    "tiles": (16, _tiles),
    "bricks": (12, _bricks),
    "grass": (4, _grass),
    "wood": (8, _wood),
    "carpet": (8, _carpet),
    "plaster": (16, _plaster),
    "goods": (14, _goods),
    "poster": (20, _poster),
    "facade": (16, _facade),
    "leaves": (5, _leaves),
    "door": (8, _door),
    "window": (8, _window),
    "mess": (10, _mess),
    "ceiling": (4, _ceiling),
}


@cache
def surface(kind: str, index: int) -> Picture:
    """Number `index` (any; counted round) of a kind in `MAKERS`; row 0 is the lowest of what stands upright."""
    count, make = MAKERS[kind]
    if index >= count or index < 0:
        return surface(kind, index % count)
    return make(np.random.default_rng([sorted(MAKERS).index(kind), index, 77]))


def pick(rng: Generator, *kinds: str) -> Picture:
    """A surface of one of the `kinds`."""
    kind = kinds[int(rng.integers(len(kinds)))]
    return surface(kind, int(rng.integers(MAKERS[kind][0])))
