"""What a cheap camera and a recorder make of a rendered picture."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from hiprobe_training.scenes.stage import Frames, Light, Place, Sensor

_TITLE = (
    "city", "camera", "news", "report", "local", "north", "gate", "live", "today", "street", "police", "video",
    "footage", "channel", "south", "station", "night", "centre", "archive", "source", "security", "east", "market",
)  # fmt: skip
_WEIGHTS = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def draw_sensor(rng: Generator, place: Place, light: Light) -> Sensor:
    """A random camera for a place: infrared is grey, night is noisy."""
    infrared = light.headlamp > 0.85
    grey = infrared or bool(rng.random() < (0.3 if place.night else 0.24))
    dark = place.night and not infrared
    poor = float(rng.uniform(0, 1)) ** 1.5
    bars = (0.0, 0.0)
    if rng.random() < 0.16:
        share = float(rng.uniform(0.04, 0.16))
        bars = (share, 0.0) if rng.random() < 0.6 else (0.0, share)
    return Sensor(
        seed=int(rng.integers(2**31)),
        grey=grey,
        brightness=float(rng.uniform(50, 105) if dark else rng.uniform(92, 145)),
        contrast=float(rng.uniform(0.8, 1.3)),
        warmth=float(rng.normal(0, 0.07)),
        saturation=float(rng.uniform(0.35, 1.25)),
        noise=float(rng.uniform(1.0, 4.0) + poor * (7.0 if place.night else 3.0)),
        blur=float(rng.uniform(0, 0.4) + 0.7 * poor),
        pixels=int(rng.integers(125, 205)) if rng.random() < 0.2 + 0.4 * poor else 224,
        quality=int(rng.integers(28, 92)),
        vignette=float(rng.uniform(0.0, 0.35)),
        bars=bars,
        overlay=bool(rng.random() < 0.6),
    )


@lru_cache(maxsize=32)
def _remap(size: int, bend: int) -> NDArray[np.int64]:
    """Flat indices that bend a picture outwards at its edges by `bend` hundredths."""
    y, x = np.meshgrid(*[np.linspace(-1, 1, size)] * 2, indexing="ij")
    k = bend / 100
    scale = (1 + k * (x * x + y * y)) / (1 + 2 * k)
    rows, columns = [np.clip(np.rint((v * scale + 1) / 2 * (size - 1)), 0, size - 1).astype(np.int64) for v in (y, x)]
    return (rows * size + columns).ravel()


def _draw_bend(rng: Generator) -> int:
    return int(rng.integers(4, 24)) if rng.random() < 0.35 else 0


def recorded_map(marked: NDArray[np.bool_], sensor: Sensor) -> NDArray[np.bool_]:
    """Where in the recorded picture what is marked in the rendered one (size, size) comes to lie."""
    size = len(marked)
    bend = _draw_bend(np.random.default_rng([sensor.seed, 5]))
    if bend:
        marked = marked.ravel()[_remap(size, bend)].reshape(size, size)
    high, wide = int(sensor.bars[0] * size), int(sensor.bars[1] * size)
    if high or wide:
        inner = Image.fromarray(marked).resize((size - 2 * wide, size - 2 * high), Image.Resampling.NEAREST)
        marked = np.zeros_like(marked)
        marked[high : size - high, wide : size - wide] = np.asarray(inner)
    return marked


def recorded_at(at: tuple[float, float], sensor: Sensor) -> tuple[float, float]:
    """Where in the recorded picture a point of the rendered one lies; column and row as fractions of its size."""
    k = _draw_bend(np.random.default_rng([sensor.seed, 5])) / 100
    source = 2 * np.array(at) - 1
    point = source
    for _ in range(8):  # the bend is given from the recorded picture to the rendered one: turned round by iteration
        point = source * (1 + 2 * k) / (1 + k * float(point @ point))
    column, row = (point + 1) / 2
    high, wide = sensor.bars
    return float(wide + column * (1 - 2 * wide)), float(high + row * (1 - 2 * high))


@lru_cache(maxsize=8)
def _rim(size: int) -> NDArray[np.float32]:
    """Squared distance from the middle, 1 in the corners, (size, size, 1)."""
    v = np.linspace(-1, 1, size) ** 2
    return ((v[:, None] + v) / 2)[..., None].astype(np.float32)


@lru_cache(maxsize=1)
def _static() -> NDArray[np.float32]:
    """Much gaussian noise; drawing it afresh for each clip would take longer than all else here."""
    return np.random.default_rng(31).standard_normal(1 << 21, dtype=np.float32)


def _soften(light: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Blur along axis 1 with three taps; `sigma` in pixels, below 1.2."""
    side = float(np.exp(-0.5 / sigma**2))
    middle = 1 / (1 + 2 * side)
    soft = light.copy()
    soft[:, 1:-1] = light[:, :-2] + light[:, 2:]
    soft[:, 1:-1] *= side * middle
    soft[:, 1:-1] += middle * light[:, 1:-1]
    return soft


def _jpeg(frame: Frames, quality: int) -> Frames:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


class _Overlay:
    """Date, time, camera name, channel logo or subtitle, the same in all frames but for the clock."""

    def __init__(self, rng: Generator, size: int) -> None:
        self.size, self.high = size, int(rng.integers(8, 17) * size / 224)
        self.clock = int(rng.integers(86400))
        colours = ((250, 240, 90), (90, 250, 120), (20, 20, 20))
        self.paint = (255, 255, 255) if rng.random() < 0.7 else colours[rng.integers(3)]
        day = f"{rng.integers(1, 29):02d}", f"{rng.integers(1, 13):02d}", f"20{rng.integers(8, 24):02d}"
        joint = "-/."[rng.integers(3)]
        self.date = joint.join(day if rng.random() < 0.5 else day[::-1])
        self.name = ("CAM {:02d}", "CH{:02d}", "Camera {}", "CH_{:02d}", "IPC {}", "")[rng.integers(6)]
        self.name = self.name.format(int(rng.integers(1, 33)))
        self.corners = rng.permutation(4)[:2]
        self.has_clock, self.shadow = rng.random() < 0.8, rng.random() < 0.5
        self.logo = rng.random() < 0.2
        self.logo_paint = tuple(int(v) for v in rng.integers(0, 256, 3))
        self.title = rng.random() < 0.12
        words = rng.choice(_TITLE, size=int(rng.integers(2, 6)), replace=False)
        self.words = " ".join(str(word) for word in words).capitalize()

    def _write(self, draw: ImageDraw.ImageDraw, text: str, corner: int) -> None:
        font = _font(self.high)
        width = draw.textlength(text, font=font)
        x = 4 if corner % 2 == 0 else self.size - width - 4
        y = 3 if corner < 2 else self.size - self.high - 6
        if self.shadow:
            draw.text((x + 1, y + 1), text, fill=(0, 0, 0), font=font)
        draw.text((x, y), text, fill=self.paint, font=font)

    def paint_on(self, frame: Frames, second: float) -> Frames:
        """The frame with the overlay, its clock `second` s later."""
        image = Image.fromarray(frame)
        draw = ImageDraw.Draw(image)
        n = self.size
        if self.logo:
            x = n - int(0.24 * n)
            draw.rectangle([x, 8, x + int(0.2 * n), 8 + int(0.07 * n)], fill=self.logo_paint)
            draw.text((x + 3, 8), self.words[:6].upper(), fill=(255, 255, 255), font=_font(int(0.055 * n)))
        if self.title:
            draw.rectangle([0, int(0.86 * n), n, int(0.96 * n)], fill=self.logo_paint)
            draw.text((6, int(0.87 * n)), self.words, fill=(255, 255, 255), font=_font(int(0.065 * n)))
        if self.has_clock:
            now = int(self.clock + second) % 86400
            text = f"{self.date} {now // 3600:02d}:{now // 60 % 60:02d}:{now % 60:02d}"
            self._write(draw, text, int(self.corners[0]))
        if self.name:
            self._write(draw, self.name, int(self.corners[1]))
        return np.asarray(image)


def expose(frames: Frames, sensor: Sensor) -> Frames:
    """The frames (n, size, size, 3) as recorded; the same for the same sensor."""
    rng = np.random.default_rng([sensor.seed, 5])
    count, size = len(frames), frames.shape[1]
    bend = _draw_bend(rng)
    tempo = float(rng.uniform(0.2, 1.0))  # s between frames, for the clock only
    if bend:
        frames = frames.reshape(count, size * size, 3)[:, _remap(size, bend)].reshape(frames.shape)
    light = frames.astype(np.float32)
    # One setting for the clip, as an exposure that has settled; the gain is bounded, so that night stays night.
    sample = light[:: max(count // 4, 1), ::4, ::4] @ _WEIGHTS
    mean = max(float(sample.mean()), 1.0)
    gain = float(np.clip(sensor.brightness / mean, 0.4, 4.0))
    light *= gain
    middle = mean * gain
    # Recorders stretch flat pictures to much of the range.
    spread = max(float(sample.std()) * gain, 1.0)
    light += (float(np.clip(52 * sensor.contrast / spread, 0.75, 1.8)) - 1.0) * (light - middle)
    if sensor.grey:
        light = (light @ _WEIGHTS)[..., None]  # one channel from here on
    else:
        luma = (light @ _WEIGHTS)[..., None]
        light = luma + sensor.saturation * (light - luma)
        light *= np.array([1 + sensor.warmth, 1.0, 1 - sensor.warmth], dtype=np.float32)
    light *= 1 - sensor.vignette * 1.4 * _rim(size)
    # Highlights roll off instead of clipping at once.
    light = np.minimum(light, 110 + 0.45 * light)
    if sensor.blur > 0.25:
        light = _soften(_soften(light, sensor.blur).swapaxes(1, 2), sensor.blur).swapaxes(1, 2)
    shape = (size, size, 1 if sensor.grey else 3)
    length = int(np.prod(shape))
    for k, start in enumerate(rng.integers(len(_static()) - length, size=count)):
        light[k] += sensor.noise * _static()[start : start + length].reshape(shape)
    out = np.broadcast_to(np.clip(light, 0, 255).astype(np.uint8), frames.shape)
    overlay = _Overlay(rng, size) if sensor.overlay else None
    late = rng.random() < 0.3  # the name of a channel is put on sharp, after the recorder
    done = np.empty_like(out)
    high, wide = int(sensor.bars[0] * size), int(sensor.bars[1] * size)
    for k in range(count):
        frame = out[k]
        if overlay is not None and not late:
            frame = overlay.paint_on(frame, k * tempo)
        if sensor.pixels < size:
            image = Image.fromarray(frame).resize((sensor.pixels, sensor.pixels), Image.Resampling.BILINEAR)
            frame = _jpeg(np.asarray(image), sensor.quality)
            frame = np.asarray(Image.fromarray(frame).resize((size, size), Image.Resampling.BILINEAR))
        else:
            frame = _jpeg(frame, sensor.quality)
        if high or wide:
            image = Image.fromarray(frame).resize((size - 2 * wide, size - 2 * high), Image.Resampling.BILINEAR)
            frame = np.zeros_like(frame)
            frame[high : size - high, wide : size - wide] = np.asarray(image)
        done[k] = overlay.paint_on(frame, k * tempo) if overlay is not None and late else frame
    return done
