"""The embedded backbone as training takes it."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoTokenizer, LlamaConfig

from hiprobe.backbones.embedded.assembly import embedded_folder, model_config, untrained_projector
from hiprobe.backbones.embedded.motion_internvl import MotionInternVLForConditionalGeneration, StreamProjector
from hiprobe.backbones.embedded.recipe import OBSERVING
from hiprobe.backbones.registry import cache_folder

TEXT_WIDTH = 576  # of SmolLM2-135M


def untrained(seed: int = 0) -> tuple[Any, StreamProjector]:
    """A model without weights, for what needs none (its streams), and the projector that training starts from."""
    text = LlamaConfig(hidden_size=TEXT_WIDTH, num_attention_heads=9, num_key_value_heads=3)
    config = model_config(OBSERVING, text, 0)
    with torch.device("meta"):
        model = MotionInternVLForConditionalGeneration(config)
    return model, untrained_projector(OBSERVING, config, seed)


def load_frozen() -> tuple[Any, Any]:
    """The embedded model, whatever its projector, and its tokenizer; nothing of it takes gradients."""
    folder = embedded_folder(cache_folder(), print)
    model: Any = MotionInternVLForConditionalGeneration.from_pretrained(folder).eval().requires_grad_(False)
    # On CPUs, fused attention is slower backwards than plain matrix products at these lengths.
    model.model.language_model.config._attn_implementation = "eager"
    return model, AutoTokenizer.from_pretrained(folder)
