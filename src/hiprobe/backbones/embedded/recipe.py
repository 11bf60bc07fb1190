"""What the embedded backbone is made of, and the facts of it, known without loading anything."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib import resources

from hiprobe.backbones.base import BackboneInfo, TokenSource
from hiprobe.backbones.embedded.sources import LANGUAGE, VISION
from hiprobe.backbones.reading import POOLINGS

NAME = "embedded"

PROJECTOR = resources.files("hiprobe.backbones.embedded").joinpath("projector.safetensors")
"""What is trained of the projector, float16, made by the training package; all else of it is the closed form's."""

TRAINED = PROJECTOR.is_file()


@dataclass(frozen=True)
class Recipe:
    """All that decides what the embedded backbone computes; how it was chosen is in docs/measurements.md.

    Offsets and scales, one per stream, were measured on generated clips. Without slots there is no observer.
    """

    version: int = 4
    vision_sha256: str = VISION.member_sha256
    language_sha256: str = LANGUAGE.member_sha256
    projector: str = "closed-form orthonormal"
    image_size: int = 168
    appearance_blocks: tuple[int, ...] = (10,)
    motion_blocks: tuple[int, ...] = (4, 10)
    offsets: tuple[float, ...] = (0.0, 0.0156, 0.1124)
    scales: tuple[float, ...] = (1.0, 0.0143, 0.0791)
    token_grid: int = 4
    observed_blocks: tuple[int, ...] = ()
    reduced_widths: tuple[int, ...] = ()
    observer_width: int = 256
    observer_depth: int = 2
    observer_heads: int = 4
    slots: tuple[int, ...] = ()

    @property
    def vision_blocks(self) -> int:
        """How many blocks of the vision tower are kept: none above the deepest that is read."""
        return max(*self.appearance_blocks, *self.motion_blocks, *self.observed_blocks)


CLOSED_FORM = Recipe()

OBSERVING = Recipe(
    projector=hashlib.sha256(PROJECTOR.read_bytes()).hexdigest() if TRAINED else "in training",
    observed_blocks=(4, 10),
    reduced_widths=(64, 128),
    slots=(12, 27, 10, 19, 6, 6, 8, 3),
)
"""What the training package makes a projector for."""

RECIPE = OBSERVING if TRAINED else CLOSED_FORM

FINGERPRINT = hashlib.sha256(json.dumps(asdict(RECIPE), sort_keys=True).encode()).hexdigest()

UNTRAINED = (
    "The embedded backbone's projector is closed-form and untrained: its hidden states can be probed, but the text "
    "that it generates does not describe the video; do not rely on explanations."
)

SMALL = (
    "The embedded backbone is small and was trained on generated scenes: its explanations are often wrong in details "
    "and sometimes altogether; look at the video before relying on one."
)

INFO = BackboneInfo(
    name=NAME,
    fingerprint=FINGERPRINT,
    layers=30,
    width=576,
    frame_size=(RECIPE.image_size, RECIPE.image_size),
    pooling="observed" if TRAINED else "last",
    warnings=(SMALL if TRAINED else UNTRAINED,),
    # Larger than what enters the language model: people are small in the frames of a fixed camera.
    tokens=TokenSource("vision", layers=(4, 6, 8), width=384, frame_size=(252, 252)),
    places=True,
    poolings=(*POOLINGS, "observed") if TRAINED else POOLINGS,
)
