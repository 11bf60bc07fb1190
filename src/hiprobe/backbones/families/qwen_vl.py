"""Qwen2.5-VL and Qwen3-VL: one video with pairs of frames joined, or images where torchvision is absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoImageProcessor, AutoProcessor
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

from hiprobe.backbones.catalogue import WITHOUT_TORCHVISION
from hiprobe.backbones.families.base import Family, Features, Native, Prepared, expand, has_torchvision
from hiprobe.backbones.reading import Prompt
from hiprobe.backbones.sizes import Proportional, Sizes

_SIDE = 448
"""Pixels of a frame's side, and its square those of a frame: as many tokens as other families'."""

_SEGMENT = 24_576
"""Tokens' worth of pixels of all frames of a segment, as in the settings of Qwen3-VL for videos."""

_IMAGE, _VIDEO = "<|image_pad|>", "<|video_pad|>"
_MARKED = f"<|vision_start|>{_VIDEO}<|vision_end|>"


_AS_THEY_ARE = {"do_resize": False, "cap_pixels_per_frame": False}
"""Settings of the native processor: frames come in their final size."""


class Qwen25VL(Family):
    """Both ways in: the native video processor joins frames in pairs; without it each frame is an image.

    The two give different hidden states, so a probe of one way is not valid for the other.
    """

    name = "Qwen2.5-VL"
    model_types = ("qwen2_5_vl",)
    pixels = _SIDE**2

    def __init__(self, folder: Path, config: Any, trust_remote_code: bool = False) -> None:
        self.way = "video" if has_torchvision() else "images"  # type: ignore[misc]
        self.modality = "video" if has_torchvision() else "image"  # type: ignore[misc]
        super().__init__(folder, config, trust_remote_code)

    def build_processor(self, folder: Path, **kwargs: Any) -> Any:
        """See :meth:`Family.build_processor`: the whole native processor where it can be built."""
        return (AutoProcessor if self.way == "video" else AutoImageProcessor).from_pretrained(folder, **kwargs)

    def size(self) -> tuple[int, int]:
        """See :meth:`Family.size`: 448 px, or the most that the processor lets through."""
        cell = self._cell()
        most = int(self._pictures.size["longest_edge"] ** 0.5)
        side = min(_SIDE, most) // cell * cell
        return side, side

    def sizes(self) -> Sizes:
        """See :meth:`Family.sizes`: all in whole tokens, within the processor's limits."""
        cell, limits = self._cell(), self._pictures.size
        return Proportional(cell, self._least(), limits["longest_edge"], _SEGMENT * cell**2)

    def tokens_per_frame(self) -> float:
        """See :meth:`Family.tokens_per_frame`: 256 as images, half as video (Qwen3-VL: 196 and 98)."""
        tokens = (self.size()[0] // self._cell()) ** 2
        return tokens / self.config.vision_config.temporal_patch_size if self.way == "video" else tokens

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        """See :meth:`Family.prepare`; as video, the interval reaches the model by M-RoPE or as text."""
        return self._video(frames, interval, prompt) if self.way == "video" else self._images(frames, prompt)

    def remark(self) -> str | None:
        """See :meth:`Family.remark`."""
        return None if self.way == "video" else WITHOUT_TORCHVISION

    def native(self) -> Native | None:
        """See :meth:`Family.native`: as images, there is none that could be built."""
        return Native("video", _AS_THEY_ARE) if self.way == "video" else None

    def units(self, prepared: Prepared) -> list[dict[str, torch.Tensor]]:
        """See :meth:`Family.units`: attention in the vision tower stays within a step of the grid."""
        video = self.way == "video"
        pixels, grid = ("pixel_values_videos", "video_grid_thw") if video else ("pixel_values", "image_grid_thw")
        rows = prepared.inputs[pixels].chunk(prepared.steps)
        one = torch.cat([torch.ones(1, 1, dtype=torch.long), prepared.inputs[grid][:1, 1:]], dim=1)
        return [{pixels: part, grid: one} for part in rows]

    def layout(self, pixels: torch.Tensor) -> torch.Tensor:
        """See :meth:`Family.layout`: patches, those that are merged one after the other; a frame alone stands twice."""
        vision = self.config.vision_config
        count, merged, patch = vision.temporal_patch_size, vision.spatial_merge_size, vision.patch_size
        if pixels.shape[1] < count:
            pixels = torch.cat([pixels, pixels[:, -1:].expand(-1, count - pixels.shape[1], -1, -1, -1)], dim=1)
        cells = pixels.unflatten(4, (-1, merged, patch)).unflatten(3, (-1, merged, patch))
        # (n, frames, channels, rows, merged, patch, columns, merged, patch)
        return cells.permute(0, 3, 6, 4, 7, 2, 1, 5, 8)

    def encoded(self, features: Features, segments: int) -> Any:
        """See :meth:`Family.encoded`."""
        return BaseModelOutputWithPooling(pooler_output=features["tokens"].unbind())  # type: ignore[arg-type]

    def _video(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        count, rate, text = len(frames), 1 / interval, self.render(["video"], prompt)
        metadata = {"total_num_frames": count, "fps": rate, "frames_indices": list(range(count))}
        found = self.processor(
            text=[text],
            add_special_tokens=self.adds_special(text),
            videos=[frames],
            video_metadata=[metadata],
            do_sample_frames=False,
            return_tensors="pt",
            **_AS_THEY_ARE,
        )
        inputs = {name: torch.as_tensor(value) for name, value in found.items() if name != "video_metadata"}
        visual = inputs["input_ids"][0] == self.config.video_token_id
        return Prepared(inputs, visual, int(inputs["video_grid_thw"][0, 0]))

    def _images(self, frames: NDArray[np.uint8], prompt: Prompt) -> Prepared:
        seen = self.processor(images=list(frames), do_resize=False, return_tensors="pt")
        grid = torch.as_tensor(seen["image_grid_thw"])
        tokens = int(grid[0].prod()) // self.config.vision_config.spatial_merge_size**2
        text = expand(self.render(["image"] * len(frames), prompt), _IMAGE, [_IMAGE * tokens] * len(frames))
        prepared = self.tokenize(
            text,
            self.config.image_token_id,
            len(frames),
            pixel_values=seen["pixel_values"],
            image_grid_thw=grid,
        )
        # M-RoPE is computed from these: 0 text, 1 image.
        prepared.inputs["mm_token_type_ids"] = prepared.visual[None].to(torch.int32)
        return prepared

    @property
    def _pictures(self) -> Any:
        return self.processor.image_processor if self.way == "video" else self.processor

    def _least(self) -> int:
        return self._pictures.size["shortest_edge"]

    def _cell(self) -> int:
        vision = self.config.vision_config
        return vision.patch_size * vision.spatial_merge_size


class Qwen3VL(Qwen25VL):
    """Time is told in words, ``<0.3 seconds>`` before each pair of frames, each pair between markers of its own."""

    name = "Qwen3-VL"
    model_types = ("qwen3_vl", "qwen3_vl_moe")

    def _least(self) -> int:
        # Of videos the least is that of all frames together, less than a token's a frame.
        return self._cell() ** 2 if self.way == "video" else super()._least()

    def render(self, parts: Sequence[str], prompt: Prompt) -> str:
        """See :meth:`Family.render`; without the template's markers around the video, which the pairs' own replace.

        The model's first processors did the same; that of transformers 5.23 would leave markers within markers.
        """
        return super().render(parts, prompt).replace(_MARKED, _VIDEO)

    def native(self) -> Native | None:
        """See :meth:`Family.native`: without those markers, too."""
        found = super().native()
        return replace(found, template=self.template.replace(_MARKED, _VIDEO)) if found else None

    def encode(self, model: Any, units: Sequence[dict[str, torch.Tensor]]) -> Features:
        """See :meth:`Family.encode`; some of the decoder's blocks are given features of their own (deepstack)."""
        found = self.run_encoder(model, units)
        deep = {f"deepstack {index}": torch.stack(part) for index, part in enumerate(found.deepstack_features)}
        return {"tokens": torch.stack(found.pooler_output), **deep}

    def encoded(self, features: Features, segments: int) -> Any:
        """See :meth:`Family.encoded`."""
        tokens, *deep = (value.unbind() for value in features.values())
        return BaseModelOutputWithDeepstackFeatures(pooler_output=tokens, deepstack_features=deep)  # type: ignore[arg-type]
