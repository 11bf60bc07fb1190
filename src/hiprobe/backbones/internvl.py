"""The InternVL family: each frame is an image of its own, introduced as ``Frame1: <image>``."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import InternVLForConditionalGeneration, PreTrainedTokenizerBase

from hiprobe.backbones.base import BackboneInfo
from hiprobe.backbones.huggingface import HuggingFaceBackbone, VisualTokens, sampled_fingerprint
from hiprobe.backbones.motion import departure

IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
"""ImageNet's, in RGB: what InternVL's vision towers, and DINOv2, were trained with."""

IMAGE_TOKEN = "<IMG_CONTEXT>"


def normalise(frames: NDArray[np.uint8], like: torch.Tensor) -> torch.Tensor:
    """Turn frames, uint8 (..., H, W, 3), into pixel values (..., 3, H, W) on the device and in the type of ``like``."""
    pixels = torch.from_numpy(frames).to(like.device).movedim(-1, -3).to(like.dtype) / 255
    mean = torch.tensor(IMAGE_MEAN, dtype=like.dtype, device=like.device).view(3, 1, 1)
    std = torch.tensor(IMAGE_STD, dtype=like.dtype, device=like.device).view(3, 1, 1)
    return (pixels - mean) / std


class InternVLBackbone(HuggingFaceBackbone):
    """A plain InternVL model in Hugging Face format, without tiling: one tile a frame."""

    def __init__(self, model: InternVLForConditionalGeneration, tokenizer: PreTrainedTokenizerBase, name: str) -> None:
        config: Any = model.config
        height, width = config.vision_config.image_size
        text = config.text_config
        info = BackboneInfo(
            name=name,
            fingerprint=sampled_fingerprint(model),
            layers=text.num_hidden_layers,
            width=text.hidden_size,
            frame_size=(height, width),
            pooling="last",
        )
        super().__init__(model, tokenizer, info, IMAGE_TOKEN)

    def visual_tokens(self, frames: NDArray[np.uint8]) -> VisualTokens:
        """See :meth:`HuggingFaceBackbone.visual_tokens`; K * image_seq_length tokens, frame by frame."""
        batch, count = frames.shape[:2]
        pixels = normalise(frames.reshape(batch * count, *frames.shape[2:]), self._model.get_input_embeddings().weight)
        tokens = self._model.model.get_image_features(pixel_values=pixels).pooler_output
        tokens = tokens.reshape(batch, count, -1, tokens.shape[-1])
        return VisualTokens(tokens.flatten(1, 2), departure(tokens).flatten(1, 2))

    def visual_text(self, frames: int, tokens: int) -> str:
        """See :meth:`HuggingFaceBackbone.visual_text`."""
        image = f"<img>{IMAGE_TOKEN * self._model.config.image_seq_length}</img>"
        return "\n".join(f"Frame{i + 1}: {image}" for i in range(frames))
