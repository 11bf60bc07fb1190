"""Checkpoints that are suggested, with their facts. Light to import: `hiprobe models` prints it."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

WITHOUT_TORCHVISION = (
    "frames of Qwen-VL enter as images: twice the tokens of video, and the model is told no times; torchvision brings "
    "video (`pip install 'hiprobe[gpu]'`), and makes another backbone of it for probes"
)
"""Said where torchvision is absent."""


def has_torchvision() -> bool:
    """Return whether torchvision is installed, without which video processors cannot be built."""
    return importlib.util.find_spec("torchvision") is not None


@dataclass(frozen=True)
class Suggested:
    """A checkpoint of the hub.

    Attributes
    ----------
    checkpoint : str
        ID on the hub.
    family : str
        By name, as its class says.
    parameters : float
        In billions.
    layers, width : int
        L decoder blocks and D.
    frame_size : int
        Pixels of a frame's side.
    tokens : int
        Visual tokens of a segment of 8 square frames at most: as video where the family has that way.
    licence : str
        As the checkpoint's card names it; the card decides.
    stored : {"bfloat16", "float16", "float32"}
        The type of its files, which decides the size of the download; not the one it is loaded in.
    """

    checkpoint: str
    family: str
    parameters: float
    layers: int
    width: int
    frame_size: int
    tokens: int
    licence: str
    stored: str = "bfloat16"

    @property
    def joins(self) -> bool:
        """Whether two frames share their tokens, which needs torchvision; without it they enter as images."""
        return self.family.startswith("Qwen")

    @property
    def tokens_here(self) -> int:
        """Visual tokens of a segment of 8 frames by the way that is taken on this machine."""
        return self.tokens * (2 if self.joins and not has_torchvision() else 1)

    @property
    def memory(self) -> float:
        """Gigabytes of its weights in bfloat16; float32 needs twice, 4-bit a bit more than a quarter of that."""
        return 2 * self.parameters

    @property
    def download(self) -> float:
        """Gigabytes of its files."""
        return (4 if self.stored == "float32" else 2) * self.parameters


SUGGESTED = (
    Suggested("OpenGVLab/InternVL3-1B-hf", "InternVL", 0.94, 24, 896, 448, 2048, "Qwen / MIT"),
    Suggested("OpenGVLab/InternVL3-8B-hf", "InternVL", 7.94, 28, 3584, 448, 2048, "Qwen / MIT"),
    Suggested("OpenGVLab/InternVL3_5-8B-HF", "InternVL", 8.53, 36, 4096, 448, 2048, "Apache-2.0"),
    Suggested("Qwen/Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL", 3.75, 36, 2048, 448, 1024, "Qwen Research (no commerce)"),
    Suggested("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen2.5-VL", 8.29, 28, 3584, 448, 1024, "Apache-2.0"),
    Suggested("Qwen/Qwen3-VL-2B-Instruct", "Qwen3-VL", 2.13, 28, 2048, 448, 784, "Apache-2.0"),
    Suggested("Qwen/Qwen3-VL-8B-Instruct", "Qwen3-VL", 8.77, 36, 4096, 448, 784, "Apache-2.0"),
    Suggested(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        "LLaVA-OneVision",
        0.89,
        24,
        896,
        384,
        1568,
        "Apache-2.0",
        "float16",
    ),
    Suggested(
        "llava-hf/llava-onevision-qwen2-7b-ov-hf", "LLaVA-OneVision", 8.03, 28, 3584, 384, 1568, "Apache-2.0", "float16"
    ),
    Suggested(
        "HuggingFaceTB/SmolVLM2-256M-Video-Instruct", "SmolVLM2", 0.26, 30, 576, 512, 512, "Apache-2.0", "float32"
    ),
    Suggested(
        "HuggingFaceTB/SmolVLM2-500M-Video-Instruct", "SmolVLM2", 0.51, 32, 960, 512, 512, "Apache-2.0", "float32"
    ),
    Suggested("HuggingFaceTB/SmolVLM2-2.2B-Instruct", "SmolVLM2", 2.25, 24, 2048, 384, 648, "Apache-2.0", "float32"),
    Suggested("google/gemma-3-4b-it", "generic", 4.30, 34, 2560, 896, 2048, "Gemma terms"),
)
"""None of them has been measured by this project on real video yet; docs/measurements.md says what has."""
