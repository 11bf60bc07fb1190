"""Full-size configs of the checkpoints that the families are known by, as their hub config.json gives them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from transformers import AutoConfig, PretrainedConfig

Config = dict[str, Any]


def _qwen_text(model_type: str, width: int, mlp: int, layers: int, heads: int, vocab: int, **more: Any) -> Config:
    """A Qwen2 or Qwen3 decoder; key-value heads, rope and whatever else differs come in `more`."""
    return {
        "model_type": model_type,
        "hidden_size": width,
        "intermediate_size": mlp,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "vocab_size": vocab,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "attention_dropout": 0.0,
        "max_position_embeddings": 32768,
        "rope_theta": 1000000.0,
        "bos_token_id": 151643,
        "eos_token_id": 151645,
        "use_cache": True,
        **more,
    }


def _internvl(text: Config, image_token: int) -> Config:
    """InternViT-300M, the pixel shuffle and an untied decoder."""
    vision = {
        "model_type": "internvl_vision",
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "num_channels": 3,
        "image_size": [448, 448],
        "patch_size": [14, 14],
        "attention_bias": True,
        "use_qk_norm": False,
        "hidden_act": "gelu",
        "norm_type": "layer_norm",
        "layer_norm_eps": 1e-6,
        "layer_scale_init_value": 0.1,
        "use_absolute_position_embeddings": True,
        "use_mask_token": False,
        "use_mean_pooling": True,
    }
    return {
        "model_type": "internvl",
        "architectures": ["InternVLForConditionalGeneration"],
        "image_token_id": image_token,
        "image_seq_length": 256,
        "downsample_ratio": 0.5,
        "projector_hidden_act": "gelu",
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
        "tie_word_embeddings": False,
        "text_config": {**text, "tie_word_embeddings": False},
        "vision_config": vision,
    }


def _qwen2_5_vl(text: Config, tied: bool) -> Config:
    """The hub keeps this family's decoder values flat, at the top of the file."""
    return {
        **text,
        "model_type": "qwen2_5_vl",
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "max_position_embeddings": 128000,
        "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
        "sliding_window": 32768,
        "use_sliding_window": False,
        "tie_word_embeddings": tied,
        "image_token_id": 151655,
        "video_token_id": 151656,
        "vision_start_token_id": 151652,
        "vision_end_token_id": 151653,
        "vision_config": {
            "model_type": "qwen2_5_vl",
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "num_heads": 16,
            "in_channels": 3,
            "hidden_act": "silu",
            "out_hidden_size": text["hidden_size"],
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "tokens_per_second": 2,
            "window_size": 112,
            "fullatt_block_indexes": [7, 15, 23, 31],
        },
    }


def _qwen3_vl(text: Config, vision: Config, tied: bool) -> Config:
    return {
        "model_type": "qwen3_vl",
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "image_token_id": 151655,
        "video_token_id": 151656,
        "vision_start_token_id": 151652,
        "vision_end_token_id": 151653,
        "tie_word_embeddings": tied,
        "text_config": {
            **text,
            "head_dim": 128,
            "attention_bias": False,
            "max_position_embeddings": 262144,
            "rope_theta": 5000000.0,
            "rope_scaling": {"rope_type": "default", "mrope_interleaved": True, "mrope_section": [24, 20, 20]},
            "tie_word_embeddings": tied,
        },
        "vision_config": {
            "model_type": "qwen3_vl",
            "num_heads": 16,
            "in_channels": 3,
            "hidden_act": "gelu_pytorch_tanh",
            "num_position_embeddings": 2304,
            "out_hidden_size": text["hidden_size"],
            "patch_size": 16,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            **vision,
        },
    }


def _siglip(model_type: str, layers: int, side: int, **more: Any) -> Config:
    """The so400m image encoder with 14 px patches; families differ in depth and in pixels a side."""
    return {
        "model_type": model_type,
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": layers,
        "num_attention_heads": 16,
        "image_size": side,
        "patch_size": 14,
        **more,
    }


def _llava_onevision(text: Config, tied: bool) -> Config:
    steps = [384 * i for i in range(1, 7)]
    return {
        "model_type": "llava_onevision",
        "architectures": ["LlavaOnevisionForConditionalGeneration"],
        "image_token_index": 151646,
        "video_token_index": 151647,
        "image_grid_pinpoints": [[height, width] for height in steps for width in steps],
        "projector_hidden_act": "gelu",
        "vision_aspect_ratio": "anyres_max_9",
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "tie_word_embeddings": tied,
        "text_config": {**text, "tie_word_embeddings": tied},
        "vision_config": _siglip("siglip_vision_model", 26, 384, vision_use_head=False),
    }


def _smolvlm(width: int, mlp: int, layers: int, heads: int, kv_heads: int, vision: Config, scale: int) -> Config:
    return {
        "model_type": "smolvlm",
        "architectures": ["SmolVLMForConditionalGeneration"],
        "image_token_id": 49190,
        "scale_factor": scale,
        "tie_word_embeddings": False,
        "text_config": {
            "model_type": "llama",
            "hidden_size": width,
            "intermediate_size": mlp,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "num_key_value_heads": kv_heads,
            "head_dim": 64,
            "vocab_size": 49280,
            "max_position_embeddings": 8192,
            "rms_norm_eps": 1e-5,
            "rope_theta": 130000.0 if width == 2048 else 100000.0,
            "bos_token_id": 1,
            "eos_token_id": 49279,
            "pad_token_id": 2,
            "tie_word_embeddings": False,
        },
        "vision_config": vision,
    }


def _smol_vision() -> Config:
    """SigLIP base with 16 px patches over 512 px."""
    return {
        "model_type": "smolvlm_vision",
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "image_size": 512,
        "patch_size": 16,
    }


def _gemma3() -> Config:
    return {
        "model_type": "gemma3",
        "architectures": ["Gemma3ForConditionalGeneration"],
        "boi_token_index": 255999,
        "eoi_token_index": 256000,
        "image_token_index": 262144,
        "mm_tokens_per_image": 256,
        "eos_token_id": [1, 106],
        "tie_word_embeddings": True,
        "text_config": {
            "model_type": "gemma3_text",
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 34,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "head_dim": 256,
            "vocab_size": 262208,
            "max_position_embeddings": 131072,
            "query_pre_attn_scalar": 256,
            "rope_theta": 1000000.0,
            "rope_local_base_freq": 10000.0,
            "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
            "sliding_window": 1024,
            "sliding_window_pattern": 6,
        },
        "vision_config": _siglip("siglip_vision_model", 27, 896, vision_use_head=False),
    }


def _idefics3() -> Config:
    return {
        "model_type": "idefics3",
        "architectures": ["Idefics3ForConditionalGeneration"],
        "image_token_id": 128257,
        "scale_factor": 2,
        "tie_word_embeddings": False,
        "text_config": {
            "model_type": "llama",
            "hidden_size": 4096,
            "intermediate_size": 14336,
            "num_hidden_layers": 32,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "vocab_size": 128259,
            "max_position_embeddings": 131072,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500000.0,
            "bos_token_id": 128000,
            "eos_token_id": 128001,
            "pad_token_id": 128002,
            "tie_word_embeddings": False,
        },
        "vision_config": _siglip("idefics3_vision", 27, 364),
    }


_DYNAMIC_ROPE: Config = {"rope_type": "dynamic", "factor": 2.0}

FULL: dict[str, Config] = {
    "OpenGVLab/InternVL3-1B-hf": _internvl(
        _qwen_text("qwen2", 896, 4864, 24, 14, 151674, num_key_value_heads=2, rope_scaling=_DYNAMIC_ROPE), 151667
    ),
    "OpenGVLab/InternVL3-8B-hf": _internvl(
        _qwen_text("qwen2", 3584, 18944, 28, 28, 151674, num_key_value_heads=4, rope_scaling=_DYNAMIC_ROPE), 151667
    ),
    "OpenGVLab/InternVL3_5-8B-HF": _internvl(
        _qwen_text(
            "qwen3",
            4096,
            12288,
            36,
            32,
            151936,
            num_key_value_heads=8,
            head_dim=128,
            attention_bias=False,
            max_position_embeddings=40960,
        ),
        151671,
    ),
    "Qwen/Qwen2.5-VL-3B-Instruct": _qwen2_5_vl(
        _qwen_text("", 2048, 11008, 36, 16, 151936, num_key_value_heads=2, max_window_layers=70), tied=True
    ),
    "Qwen/Qwen2.5-VL-7B-Instruct": _qwen2_5_vl(
        _qwen_text("", 3584, 18944, 28, 28, 152064, num_key_value_heads=4, max_window_layers=28), tied=False
    ),
    "Qwen/Qwen3-VL-2B-Instruct": _qwen3_vl(
        _qwen_text("qwen3_vl_text", 2048, 6144, 28, 16, 151936, num_key_value_heads=8),
        {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "deepstack_visual_indexes": [5, 11, 17]},
        tied=True,
    ),
    "Qwen/Qwen3-VL-8B-Instruct": _qwen3_vl(
        _qwen_text("qwen3_vl_text", 4096, 12288, 36, 32, 151936, num_key_value_heads=8),
        {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "deepstack_visual_indexes": [8, 16, 24]},
        tied=False,
    ),
    "llava-hf/llava-onevision-qwen2-0.5b-ov-hf": _llava_onevision(
        _qwen_text("qwen2", 896, 4864, 24, 14, 152000, num_key_value_heads=2), tied=True
    ),
    "llava-hf/llava-onevision-qwen2-7b-ov-hf": _llava_onevision(
        _qwen_text("qwen2", 3584, 18944, 28, 28, 152128, num_key_value_heads=4), tied=False
    ),
    "HuggingFaceTB/SmolVLM2-256M-Video-Instruct": _smolvlm(576, 1536, 30, 9, 3, _smol_vision(), 4),
    "HuggingFaceTB/SmolVLM2-500M-Video-Instruct": _smolvlm(960, 2560, 32, 15, 5, _smol_vision(), 4),
    "HuggingFaceTB/SmolVLM2-2.2B-Instruct": _smolvlm(2048, 8192, 24, 32, 32, _siglip("smolvlm_vision", 27, 384), 3),
    "google/gemma-3-4b-it": _gemma3(),
    "HuggingFaceM4/Idefics3-8B-Llama3": _idefics3(),
}


def full_config(checkpoint: str) -> PretrainedConfig:
    """The config object of a checkpoint at full size; a fresh one each time, since models write into theirs."""
    return AutoConfig.for_model(**deepcopy(FULL[checkpoint]))
