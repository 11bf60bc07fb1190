"""InternVL 2.5, 3 and 3.5 in Hugging Face format: each frame is one tile, introduced as ``Frame1: <image>``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hiprobe.backbones.families.base import Family, Features, Native, Prepared, expand, square
from hiprobe.backbones.reading import Prompt
from hiprobe.backbones.sizes import Sizes, Tiled

_IMAGE = "<IMG_CONTEXT>"

_TILES = 12
"""Of a frame at most, as the family was trained (max_dynamic_patch)."""


class InternVL(Family):
    """The paper's main model. Frames are not tiled by default, as in the family's own treatment of video.

    With pixels for two tiles or more a frame is cut as the family's own processor cuts images, and a small view of the
    whole follows the tiles.
    """

    name = "InternVL"
    model_types = ("internvl",)
    system = (
        "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
    )

    def size(self) -> tuple[int, int]:
        """See :meth:`Family.size`: that of a tile, 448 px."""
        return square(self.config.vision_config.image_size)

    def sizes(self) -> Sizes:
        """See :meth:`Family.sizes`: whole tiles."""
        return Tiled(self.size(), _TILES)

    def tokens_per_frame(self) -> float:
        """See :meth:`Family.tokens_per_frame`: 256 at full size."""
        return self.config.image_seq_length

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        """See :meth:`Family.prepare`; the interval is not told to this family."""
        tiles = self._tiles(frames.shape[1:3])
        cut = {"crop_to_patches": True, "min_patches": 1, "max_patches": tiles} if tiles > 1 else {}
        seen = self.processor(images=list(frames), **({"crop_to_patches": False} | cut), return_tensors="pt")
        pixels = seen["pixel_values"]
        tile = f"<img>{_IMAGE * (self.config.image_seq_length * len(pixels) // len(frames))}</img>"
        series = "\n".join(f"Frame{number}: {tile}" for number in range(1, len(frames) + 1))
        text = expand(self.render(["video"], prompt), "<video>", [series])
        return self.tokenize(text, self.config.image_token_id, len(frames), pixel_values=pixels)

    def native(self) -> Native:
        """See :meth:`Family.native`."""
        return Native("video")

    def units(self, prepared: Prepared) -> list[dict[str, torch.Tensor]]:
        """See :meth:`Family.units`: a frame's tiles are encoded by themselves."""
        return [{"pixel_values": part} for part in prepared.inputs["pixel_values"].chunk(prepared.steps)]

    def layout(self, pixels: torch.Tensor) -> torch.Tensor | None:
        """See :meth:`Family.layout`: as they are, where a frame is one tile; the small view is of all its pixels."""
        return pixels if self._tiles(pixels.shape[-2:]) == 1 else None

    def rows(self, tokens: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """See :meth:`Family.rows`: the tiles side by side, without the small view."""
        if (tiles := self._tiles(size)) == 1:
            return tokens
        rows = size[0] // self.size()[0]
        side = math.isqrt(self.config.image_seq_length)
        cells = tokens.unflatten(2, (tiles + 1, side, side))[:, :, :-1].unflatten(2, (rows, -1))
        return cells.transpose(3, 4).flatten(2, 5)

    def encode(self, model: Any, units: Sequence[dict[str, torch.Tensor]]) -> Features:
        """See :meth:`Family.encode`."""
        found = torch.stack(tuple(self.run_encoder(model, units).pooler_output))
        return {"tokens": found.reshape(len(units), -1, found.shape[-1])}

    def _tiles(self, size: Sequence[int]) -> int:
        height, width = self.size()
        # Frames of another size, which a class of another package may give, are resized by the processor.
        even = size[0] % height == size[1] % width == 0
        return size[0] // height * (size[1] // width) if even else 1
