"""Tiny random InternVL models with a tokenizer of a few words: real code, no download."""

from __future__ import annotations

import torch
from transformers import (
    InternVLVisionConfig,
    LlamaConfig,
)

from hiprobe.backbones.embedded.motion_internvl import MotionInternVLConfig, MotionInternVLForConditionalGeneration

CHAT = "{% for m in messages %}{{ m['content'] }} {% endfor %}ask"
LAYERS = 5
WIDTH = 32


def tiny_configs() -> tuple[InternVLVisionConfig, LlamaConfig]:
    """Two vision blocks of width 16 over 8x8 patches of 4 px; five decoder blocks of width 32."""
    vision = InternVLVisionConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=(32, 32),
        patch_size=(4, 4),
        attention_bias=True,
    )
    text = LlamaConfig(
        vocab_size=16,
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=1,
        bos_token_id=None,
        eos_token_id=None,
    )
    return vision, text


def tiny_motion_internvl() -> MotionInternVLForConditionalGeneration:
    """The embedded backbone's architecture: an appearance and a motion stream of 2 x 2 cells, and two slots."""
    vision, text = tiny_configs()
    torch.manual_seed(0)
    config = MotionInternVLConfig(
        vision_config=vision,
        text_config=text,
        image_token_id=2,
        appearance_blocks=[2],
        motion_blocks=[1],
        token_grid=2,
        observed_blocks=[1, 2],
        reduced_widths=[3, 4],
        observer_width=8,
        observer_depth=1,
        observer_heads=2,
        slots=[3, 2],
    )
    return MotionInternVLForConditionalGeneration(config).eval()
