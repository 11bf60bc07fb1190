"""A backbone for fast tests: it reads brightness and motion off the frames, and counts what it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import BackboneInfo, Batch, Places, Reading, States, TokenSource
from hiprobe.backbones.base import check_reading
from hiprobe.backbones.sites import of_tokens
from tests.videos import write_video

WIDTH = 6
BEST_LAYER = 3


class FakeBackbone:
    """Four layers; at ``BEST_LAYER`` brightness shows clearly, elsewhere it drowns in noise."""

    def __init__(self, fingerprint: str = "f" * 64) -> None:
        self.info = BackboneInfo(
            "fake",
            fingerprint,
            layers=4,
            width=WIDTH,
            frame_size=(12, 16),
            pooling="visual",
            warnings=("fake text",),
        )
        self.loads = 0
        self.batches = 0
        self.segments = 0
        self.asked: list[tuple[int, ...]] = []

    def load(self) -> None:
        self.loads += 1

    def read(self, batch: Batch, reading: Reading) -> States:
        check_reading(self.info, batch, reading)
        self.batches += 1
        self.segments += len(batch)
        self.asked.append(reading.layers)
        return States(self.vectors(batch.frames, reading))

    def vectors(self, frames: NDArray[np.uint8], reading: Reading) -> NDArray[np.float32]:
        layers = reading.layers
        states = np.empty((len(frames), len(layers), WIDTH), np.float32)
        for row, segment in enumerate(frames):
            noise = np.random.default_rng(int(segment.astype(np.int64).sum())).normal(size=(len(layers), WIDTH))
            for column, layer in enumerate(layers):
                signal = 0.05 if layer == BEST_LAYER else 0.001
                states[row, column] = noise[column] + signal * segment.mean() * np.linspace(0.5, 1, WIDTH)
        return states

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        return "a bright flash" if batch.frames.mean() > 120 else "dark"


def bright_video(
    path: Path, seconds: float, bright: tuple[float, float] | None = None, seed: int = 0, level: int = 200
) -> Path:
    """Write a dark, slightly noisy video at 10 fps that is bright in the interval ``bright``, in seconds."""
    random = np.random.default_rng([seed, *path.stem.encode()])
    images = []
    for index in range(round(seconds * 10)):
        mean = level if bright and bright[0] <= index / 10 < bright[1] else 40
        images.append(np.clip(random.normal(mean, 6, (48, 80, 1)).repeat(3, 2), 0, 255).astype(np.uint8))
    return write_video(path, len(images), fps=10, images=images)


def write_calibration(folder: Path) -> Path:
    """Write four dark and four partly bright videos of 8 s with a manifest; return the manifest."""
    rows = ["path,label,start,end,group"]
    for index in range(4):
        bright_video(folder / f"dark{index}.mp4", 8, seed=index)
        bright_video(folder / f"bright{index}.mp4", 8, (2, 6), seed=index)
        rows += [f"dark{index}.mp4,normal,,,g{index}", f"bright{index}.mp4,flash,2,6,g{index}"]
    manifest = folder / "labels.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest


class FakePlacedBackbone(FakeBackbone):
    """Also tells places apart, in patches of 4 x 4: the state of a segment is the mean of its patches' states."""

    def __init__(self, fingerprint: str = "f" * 64) -> None:
        super().__init__(fingerprint)
        self.info = replace(self.info, places=True)

    def read(self, batch: Batch, reading: Reading) -> States:
        found = super().read(batch, reading)
        return States(found.values, self.laid_out(batch.frames, reading.layer)) if reading.places else found

    def vectors(self, frames: NDArray[np.uint8], reading: Reading) -> NDArray[np.float32]:
        found = [self.laid_out(frames, layer).states.mean((1, 2, 3), dtype=np.float64) for layer in reading.layers]
        visual = np.stack(found, axis=1)
        # The last token says the opposite, so that its weights are misleading where visual tokens are read by them.
        return (-visual if reading.pooling == "last" else visual).astype(np.float32)

    def laid_out(self, frames: NDArray[np.uint8], layer: int) -> Places:
        batch, count = frames.shape[:2]
        patches = frames.mean(-1).reshape(batch, count, 3, 4, 4, 4).mean((3, 5))[..., None]
        noise = np.stack([np.random.default_rng(int(one.astype(np.int64).sum())).normal(size=WIDTH) for one in frames])
        signal = 0.05 if layer == BEST_LAYER else 0.001
        states = noise[:, None, None, None] + signal * patches * np.linspace(0.5, 1, WIDTH)
        return Places(states.astype(np.float32))


class FakeTokenBackbone(FakeBackbone):
    """Gives token states, too: at ``BEST_LAYER`` the pixels of 4x4 patches, at layer 1 noise."""

    def __init__(self, fingerprint: str = "f" * 64) -> None:
        super().__init__(fingerprint)
        self.info = replace(self.info, tokens=TokenSource("vision", (1, BEST_LAYER), width=4, frame_size=(12, 16)))

    def read(self, batch: Batch, reading: Reading) -> States:
        if reading.pooling not in ("tokens", "steps"):
            return super().read(batch, reading)
        check_reading(self.info, batch, reading)
        self.segments += len(batch)
        return States(of_tokens(self.tokens(batch.frames, reading.layers), reading, self.info.name))

    def tokens(self, frames: NDArray[np.uint8], layers: Sequence[int]) -> NDArray[np.float32]:
        batch, count = frames.shape[:2]
        # Means of the 2x2 blocks of each of the 12 patches.
        blocks = frames.mean(-1).reshape(batch, count, 3, 2, 2, 4, 2, 2).mean((4, 7))
        seen = blocks.transpose(0, 1, 2, 4, 3, 5).reshape(batch, count, 12, 4)
        noise = np.stack(
            [np.random.default_rng(int(one.astype(np.int64).sum())).normal(size=seen.shape[1:]) for one in frames]
        )
        return np.stack([seen if layer == BEST_LAYER else noise for layer in layers], axis=1).astype(np.float32)


def yard_video(path: Path, seconds: float, mover: tuple[float, float] | None = None, seed: int = 0) -> Path:
    """Write a video at 10 fps of a place with dark and light parts, where something bright moves in an interval."""
    random = np.random.default_rng([seed, *path.stem.encode()])
    place = np.random.default_rng(0).integers(30, 150, (6, 8)).repeat(8, 0).repeat(10, 1)[:, :, None].repeat(3, 2)
    images = []
    for index in range(round(seconds * 10)):
        image = place + random.normal(0, 3, (48, 80, 1))
        if mover and mover[0] <= index / 10 < mover[1]:
            image[16:32, (7 * index) % 60 : (7 * index) % 60 + 16] = 250
        images.append(np.clip(image, 0, 255).astype(np.uint8))
    return write_video(path, len(images), fps=10, images=images)


def write_normal(folder: Path) -> Path:
    """Write five normal videos of 10 s of one place with a manifest; return the manifest."""
    rows = ["path,label"]
    for index in range(5):
        yard_video(folder / f"calm{index}.mp4", 10, seed=index)
        rows.append(f"calm{index}.mp4,normal")
    manifest = folder / "normal.csv"
    manifest.write_text("\n".join(rows) + "\n")
    return manifest
