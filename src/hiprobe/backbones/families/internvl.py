"""InternVL 2.5, 3 and 3.5 in Hugging Face format: each frame is one tile, introduced as ``Frame1: <image>``."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from hiprobe.backbones.families.base import Family, Native, Prepared, divided, expand, square
from hiprobe.backbones.reading import Prompt

_IMAGE = "<IMG_CONTEXT>"


class InternVL(Family):
    """The paper's main model. Frames are not tiled, as in the family's own treatment of video."""

    name = "InternVL"
    model_types = ("internvl",)

    def size(self) -> tuple[int, int]:
        """See :meth:`Family.size`: that of a tile, 448 px."""
        return square(self.config.vision_config.image_size)

    def tokens_per_frame(self) -> float:
        """See :meth:`Family.tokens_per_frame`: 256 at full size."""
        return self.config.image_seq_length

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        """See :meth:`Family.prepare`; the interval is not told to this family."""
        pixels = self.processor(images=list(frames), crop_to_patches=False, return_tensors="pt")["pixel_values"]
        tile = f"<img>{_IMAGE * self.config.image_seq_length}</img>"
        series = "\n".join(f"Frame{number}: {tile}" for number in range(1, len(frames) + 1))
        text = expand(self.render(["video"], prompt), "<video>", [series])
        return self.tokenize(text, self.config.image_token_id, len(frames), pixel_values=pixels)

    def native(self) -> Native:
        """See :meth:`Family.native`."""
        return Native("video")

    def units(self, prepared: Prepared) -> list[dict[str, torch.Tensor]]:
        """See :meth:`Family.units`: a tile is encoded by itself."""
        return divided(prepared.inputs, ["pixel_values"], prepared.steps)

    def layout(self, pixels: torch.Tensor) -> torch.Tensor:
        """See :meth:`Family.layout`: as they are."""
        return pixels
