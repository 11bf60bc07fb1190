"""LLaVA-OneVision: a video's tokens are pooled to a quarter, with one newline token at the end."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones.families.base import Family, Prepared, expand, square


class LlavaOnevision(Family):
    """Frames enter as one video, which needs no more than the image processor's first view of each."""

    name = "LLaVA-OneVision"
    model_types = ("llava_onevision",)
    way = "video"

    def size(self) -> tuple[int, int]:
        """See :meth:`Family.size`: that of the vision tower, 384 px."""
        return square(self.config.vision_config.image_size)

    def tokens_per_frame(self) -> float:
        """See :meth:`Family.tokens_per_frame`: 196 at full size."""
        return math.ceil(self._side() / 2) ** 2

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: str) -> Prepared:
        """See :meth:`Family.prepare`; the interval is not told to this family."""
        height, width = self.size()
        # With one place to cut at, the image processor gives the whole frame and then that one crop: the first is it.
        seen = self.processor(images=list(frames), image_grid_pinpoints=[[height, width]], return_tensors="pt")
        pixels = seen["pixel_values"][:, 0][None]
        newline = 1
        tokens = len(frames) * math.ceil(self._side() / 2) ** 2 + newline
        text = expand(self.render(["video"], prompt), "<video>", ["<video>" * tokens])
        prepared = self.tokenize(text, self.config.video_token_id, len(frames), pixel_values_videos=pixels)
        visual = prepared.visual.clone()
        visual[visual.nonzero()[-newline:, 0]] = False
        return replace(prepared, visual=visual)

    def _side(self) -> int:
        vision = self.config.vision_config
        return vision.image_size // vision.patch_size
