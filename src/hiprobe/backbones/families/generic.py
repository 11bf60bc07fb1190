"""Every other multimodal LLM that takes images: one image a frame, by its own processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoProcessor

from hiprobe.backbones.families.base import Family, Native, Prepared, square
from hiprobe.backbones.reading import Prompt
from hiprobe.backbones.sizes import Proportional, Sizes
from hiprobe.errors import BackboneError

_SIDE = 448
"""Pixels of a frame's side where neither configuration nor processor says one."""

_MOST = 24_576
"""Tokens' worth of pixels of a segment."""


class Generic(Family):
    """Works with what follows the library's conventions (Gemma 3, Idefics3, ...), and says why where it does not."""

    name = "generic"
    model_types = ()

    def build_processor(self, folder: Path, **kwargs: Any) -> Any:
        """See :meth:`Family.build_processor`: the checkpoint's combined processor."""
        return AutoProcessor.from_pretrained(folder, **kwargs)

    def size(self) -> tuple[int, int]:
        """See :meth:`Family.size`: the vision tower's, if it has one size."""
        vision = getattr(self.config, "vision_config", None)
        return square(getattr(vision, "image_size", None) or _SIDE)

    def sizes(self) -> Sizes | None:
        """See :meth:`Family.sizes`: of a vision tower without a size of its own, all in whole tokens."""
        vision = getattr(self.config, "vision_config", None)
        patch = getattr(vision, "patch_size", None)
        if not isinstance(patch, int) or getattr(vision, "image_size", None):
            return None
        unit = patch * getattr(vision, "spatial_merge_size", 1)
        return Proportional(unit, unit**2, _MOST * unit**2, _MOST * unit**2)

    def tokens_per_frame(self) -> float | None:
        """See :meth:`Family.tokens_per_frame`: not known before a frame has been prepared."""
        return None

    def prepare(self, frames: NDArray[np.uint8], interval: float, prompt: Prompt) -> Prepared:
        """See :meth:`Family.prepare`.

        Raises
        ------
        BackboneError
            If the model's processor does not take K images in one prompt.
        """
        text = self.render(["image"] * len(frames), prompt)
        try:
            found = self.processor(
                images=[list(frames)],
                text=[text],
                add_special_tokens=self.adds_special(text),
                return_tensors="pt",
                **self._uncut(),
            )
        except (ValueError, TypeError, KeyError, IndexError, RuntimeError) as error:
            raise BackboneError(
                f"The processor {type(self.processor).__name__} does not take {len(frames)} images in one prompt "
                f"({error}); this model cannot be used, or needs a family of its own (docs/models.md)."
            ) from error
        inputs = {name: torch.as_tensor(value) for name, value in found.items()}
        return Prepared(inputs, inputs["input_ids"][0] == self._image_token_id(), len(frames))

    def native(self) -> Native:
        """See :meth:`Family.native`: the same processor, which then decides on special tokens itself."""
        return Native("image", self._uncut())

    def _uncut(self) -> dict[str, Any]:
        """Return what keeps images whole: neither cut, nor enlarged and shrunk, which rounds as the release does."""
        edge = {"longest_edge": self.size()[0]}
        split = hasattr(self._images, "do_image_splitting")
        return {"do_image_splitting": False, "size": edge, "max_image_size": edge} if split else {}

    @property
    def _images(self) -> Any:
        return getattr(self.processor, "image_processor", self.processor)

    def _image_token_id(self) -> int:
        for owner in (self.config, self.processor):
            for name in ("image_token_id", "image_token_index"):
                if isinstance(found := getattr(owner, name, None), int):
                    return found
        raise BackboneError(
            f"Neither configuration nor processor of {self.config.model_type!r} names the token that stands for an "
            "image; it needs a family of its own (docs/models.md)."
        )
