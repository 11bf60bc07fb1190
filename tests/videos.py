"""Tiny videos for tests: each frame shows its own number in stripes that survive compression."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITS = 10


def numbered_image(number: int, height: int = 48, width: int = 80) -> NDArray[np.uint8]:
    """Draw ``number`` as ten vertical stripes, white for 1: uint8 (H, W, 3)."""
    edges = np.linspace(0, width, BITS + 1).astype(int)
    image = np.full((height, width, 3), 16, np.uint8)
    for bit in range(BITS):
        if number >> bit & 1:
            image[:, edges[bit] : edges[bit + 1]] = 235
    return image


def number_of(image: NDArray[np.uint8]) -> int:
    """Read the number back, at any size."""
    edges = np.linspace(0, image.shape[1], BITS + 1)
    middles = ((edges[:-1] + edges[1:]) / 2).astype(int)
    bits = image[:, middles].mean(axis=(0, 2)) > 128
    return int(sum(1 << bit for bit in range(BITS) if bits[bit]))


def write_video(
    path: Path,
    n_frames: int = 50,
    *,
    fps: int = 25,
    times: Sequence[float] | None = None,
    size: tuple[int, int] = (48, 80),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    format: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    images: Sequence[NDArray[np.uint8]] | None = None,
    audio: float = 0.0,
) -> Path:
    """Write a video whose frame i shows the number i, at ``times`` (ms precision) or i/fps seconds.

    ``audio`` adds that many seconds of silence.
    """
    height, width = size
    with av.open(path, "w", format=format, options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=fps, options={"threads": "1", **(options or {})})
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        sound: Any = container.add_stream("aac", rate=16000) if audio else None
        if sound is not None:
            for start in range(0, int(audio * 16000), 1024):
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
                silence.sample_rate, silence.pts = 16000, start
                container.mux(sound.encode(silence))
            container.mux(sound.encode(None))
        for index in range(n_frames):
            image = numbered_image(index, height, width) if images is None else images[index]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            if times is None:
                frame.pts, frame.time_base = index, Fraction(1, fps)
            else:
                frame.pts, frame.time_base = round(times[index] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_images(folder: Path, n_frames: int, images: Sequence[NDArray[np.uint8]] | None = None) -> Path:
    """Write a folder of images, of which image i shows the number i unless others are given; return the folder."""
    folder.mkdir(parents=True)
    for index in range(n_frames):
        image = numbered_image(index) if images is None else images[index]
        Image.fromarray(image).save(folder / f"{index:04}.png")
    return folder


def write_audio(path: Path) -> Path:
    """Write a second of silence, without video."""
    with av.open(path, "w") as container:
        sound: Any = container.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate, silence.pts = 16000, 0
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    return path


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write a display matrix into the track header of an mp4 file: (x, y) is shown at (ax+cy, bx+dy)."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    one = 1 << 16
    data[start : start + 36] = struct.pack(">9i", a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def cut(path: Path, share: float = 0.5) -> Path:
    """Cut off the end of a file, as a broken copy does; return the new file."""
    data = path.read_bytes()
    short = path.with_name(f"cut-{path.name}")
    short.write_bytes(data[: int(len(data) * share)])
    return short


def damage_packets(path: Path, indices: Sequence[int]) -> Path:
    """Overwrite packets, counted in order of decoding, with zeros; return the new file."""
    with av.open(path) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    for index in indices:
        position, size = places[index]
        assert position is not None
        data[position : position + size] = bytes(size)
    damaged = path.with_name(f"damaged-{path.name}")
    damaged.write_bytes(data)
    return damaged
