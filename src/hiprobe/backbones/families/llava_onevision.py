"""LLaVA-OneVision: a video's tokens are pooled to a quarter, with one newline token at the end."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hiprobe.backbones.families.base import Family, Features, Native, Prepared, divided, expand, square
from hiprobe.backbones.reading import Prompt

_NEWLINE = 1
"""Tokens after the frames of a video."""


class LlavaOnevision(Family):
    """Frames enter as one video, which needs no more than the image processor's first view of each."""

    name = "LLaVA-OneVision"
    model_types = ("llava_onevision",)
    way = "video"
    modality = "video"

    def size(self) -> tuple[int, int]:
        """See :meth:`Family.size`: that of the vision tower, 384 px."""
        return square(self.config.vision_config.image_size)

    def tokens_per_frame(self) -> float:
        """See :meth:`Family.tokens_per_frame`: 196 at full size."""
        return math.ceil(self._side() / 2) ** 2

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        """See :meth:`Family.prepare`; the interval is not told to this family."""
        height, width = self.size()
        # With one place to cut at, the image processor gives the whole frame and then that one crop: the first is it.
        seen = self.processor(images=list(frames), image_grid_pinpoints=[[height, width]], return_tensors="pt")
        pixels = seen["pixel_values"][:, 0][None]
        tokens = len(frames) * math.ceil(self._side() / 2) ** 2 + _NEWLINE
        text = expand(self.render(["video"], prompt), "<video>", ["<video>" * tokens])
        prepared = self.tokenize(text, self.config.video_token_id, len(frames), pixel_values_videos=pixels)
        visual = prepared.visual.clone()
        visual[visual.nonzero()[-_NEWLINE:, 0]] = False
        return replace(prepared, visual=visual)

    def native(self) -> Native:
        """See :meth:`Family.native`."""
        return Native("video")

    def units(self, prepared: Prepared) -> list[dict[str, torch.Tensor]]:
        """See :meth:`Family.units`: a frame is encoded by itself, as a video of one."""
        return divided(prepared.inputs, ["pixel_values_videos"], prepared.steps)

    def layout(self, pixels: torch.Tensor) -> torch.Tensor:
        """See :meth:`Family.layout`: as they are."""
        return pixels

    def encoded(self, features: Features, segments: int) -> Any:
        """See :meth:`Family.encoded`: the newline at the end of each frame's tokens is left out but for the last's."""
        tokens = features["tokens"].unflatten(0, (segments, -1))
        frames = tokens[:, :, :-_NEWLINE].flatten(1, 2)
        return super().encoded({"tokens": torch.cat([frames, tokens[:, -1, -_NEWLINE:]], dim=1)}, segments)

    def _side(self) -> int:
        vision = self.config.vision_config
        return vision.image_size // vision.patch_size
