"""SmolVLM2: each frame is one image with its timestamp, after a sentence about the video."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers.models.smolvlm import processing_smolvlm as native

from hiprobe.backbones.families.base import Family, Native, Prepared, divided, expand, square
from hiprobe.backbones.reading import Prompt

_IMAGE, _AROUND, _WHOLE = "<image>", "<fake_token_around_image>", "<global-img>"


class SmolVLM(Family):
    """The one that a laptop can run: 256M, 500M and 2.2B."""

    name = "SmolVLM2"
    model_types = ("smolvlm",)
    packages = ("num2words",)

    def size(self) -> tuple[int, int]:
        """See :meth:`Family.size`: that of the vision tower, 512 px (384 in the 2.2B)."""
        return square(self.config.vision_config.image_size)

    def tokens_per_frame(self) -> float:
        """See :meth:`Family.tokens_per_frame`: 64 (81 in the 2.2B)."""
        return self._tokens()

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        """See :meth:`Family.prepare`; the wording around frames is the native processor's."""
        from num2words import num2words

        edge = {"longest_edge": self.size()[0]}
        seen = self.processor(
            images=[list(frames)], do_image_splitting=False, size=edge, max_image_size=edge, return_tensors="pt"
        )
        picture = _AROUND + _WHOLE + _IMAGE * self._tokens() + _AROUND
        series = native.DEFAULT_VIDEO_INTRO.format(
            frame_count=num2words(len(frames)),
            video_duration=str(timedelta(seconds=int(round(len(frames) * interval, 3)))),
        )
        for index in range(len(frames)):
            second = int(round(index * interval, 3))
            stamp = f"{second // 60:02d}:{second % 60:02d}"
            series += native.FRAME_TIMESTAMP_MESSAGE.format(timestamp=stamp) + picture
        text = expand(self.render(["video"], prompt), "<video>", [series + native.DEFAULT_MEDIA_OUTTRO])
        return self.tokenize(
            text,
            self.config.image_token_id,
            len(frames),
            pixel_values=seen["pixel_values"],
            pixel_attention_mask=seen["pixel_attention_mask"],
        )

    def native(self) -> Native:
        """See :meth:`Family.native`: without enlarging frames and shrinking them again, which would only blur them."""
        return Native("video", {"size": {"longest_edge": self.size()[0]}})

    def units(self, prepared: Prepared) -> list[dict[str, torch.Tensor]]:
        """See :meth:`Family.units`: an image is encoded by itself."""
        return divided(prepared.inputs, ["pixel_values", "pixel_attention_mask"], prepared.steps)

    def layout(self, pixels: torch.Tensor) -> torch.Tensor:
        """See :meth:`Family.layout`: as they are."""
        return pixels

    def build_template(self, folder: Path) -> str:
        """See :meth:`Family.build_template`: checkpoints' own know no video, so the library takes this one."""
        return native.DEFAULT_CHAT_TEMPLATE

    def _tokens(self) -> int:
        vision = self.config.vision_config
        return (vision.image_size // vision.patch_size) ** 2 // self.config.scale_factor**2
