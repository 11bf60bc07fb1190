"""Toy checkpoints: the real class of each family from its real config cut small, with its processor files.

A folder holds what the hub's does, so the Auto classes read it. The processor files are written as text, not by
transformers, because some of their classes cannot be imported without torchvision.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig

from tests.families.configs import FULL, Config

WIDTH = 64
HEADS = 4
KV_HEADS = 2
LAYERS = 4
HEAD_DIM = WIDTH // HEADS
VISION_WIDTH = 32

_CLIP = {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_HALF = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
_BICUBIC, _BILINEAR, _LANCZOS = 3, 2, 1
_STEPS = {
    "do_convert_rgb": True,
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
}

_EACH_PART = (
    "{%- if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'image' %}IMAGE{% elif part.type == 'video' %}VIDEO{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif -%}"
)


def _parts(image: str, video: str) -> str:
    """The Jinja loop that writes a message's parts in their order."""
    return _EACH_PART.replace("IMAGE", image).replace("VIDEO", video)


def _im_turns(image: str, video: str, first: str = "") -> str:
    """Qwen's way to write turns: a line with the role, the parts, an end mark."""
    return (
        first
        + "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
        + _parts(image, video)
        + "{{ '<|im_end|>\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif -%}"
    )


def _colon_turns(start: str) -> str:
    """Idefics' way: no space after the colon where the message opens with a picture."""
    return (
        start + "{%- for m in messages %}{{ m.role | capitalize }}"
        "{{ ':' if m.content is not string and m.content[0].type == 'image' else ': ' }}"
        + _parts("<image>", "<video>")
        + "{{ '<end_of_utterance>\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif -%}"
    )


def _pictures_first(kind: str) -> str:
    return "{% for part in m.content if part.type == '" + kind + "' %}<" + kind + ">{% endfor %}"


_QWEN_PADS = ("<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>")
_QWEN_SYSTEM = (
    "{%- if messages[0].role != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif -%}"
)
_LLAVA_TURNS = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + ' ' }}"
    + _pictures_first("image")
    + _pictures_first("video")
    + "{% for part in m.content if part.type == 'text' %}{{ '\n' + part.text }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif -%}"
)
_GEMMA_TURNS = (
    "{{- bos_token }}{%- for m in messages %}"
    "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    + _parts("<start_of_image>", "<start_of_image>")
    + "{{ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif -%}"
)


@dataclass(frozen=True)
class _Words:
    """A family's tokenizer: `tokens` follow the 256 byte symbols, `named` are the attributes processors read."""

    tokenizer_class: str
    tokens: tuple[str, ...]
    roles: dict[str, str]
    named: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Toy:
    """What makes one family's folder: `cut` shrinks the full config in place, given the ids of the tokens."""

    checkpoint: str
    words: _Words
    template: str
    cut: Callable[[Config, dict[str, int]], None]
    stop: tuple[str, ...]
    files: dict[str, dict[str, Any]]


def _byte_symbols() -> list[str]:
    """ByteLevel's 256 symbols in a fixed order, so that ids do not change from run to run."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _byte_level(words: _Words) -> Tokenizer:
    """BPE without merges: every byte is a token, so any text comes back."""
    inner = Tokenizer(models.BPE(vocab={s: i for i, s in enumerate(_byte_symbols())}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in words.tokens])
    if words.roles.get("bos_token") == "<|begin_of_text|>":
        bos = ("<|begin_of_text|>", inner.token_to_id("<|begin_of_text|>"))
        inner.post_processor = processors.TemplateProcessing(
            single=f"{bos[0]} $A", pair=f"{bos[0]} $A {bos[0]} $B", special_tokens=[bos]
        )
    return inner


def _gemma_level(words: _Words) -> Tokenizer:
    """Gemma's kind: spaces become a mark, and what has no piece of its own falls back to bytes."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    pieces += [f"<0x{byte:02X}>" for byte in range(256)] + ["▁"] + [chr(c) for c in range(33, 127)]
    inner = Tokenizer(
        models.BPE(
            vocab={p: i for i, p in enumerate(pieces)},
            merges=[],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    inner.normalizer = normalizers.Replace(" ", "▁")
    inner.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    inner.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    inner.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in words.tokens])
    bos = ("<bos>", inner.token_to_id("<bos>"))
    inner.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A <bos> $B", special_tokens=[bos]
    )
    return inner


def _write_tokenizer(folder: Path, words: _Words) -> dict[str, int]:
    """Write tokenizer.json and tokenizer_config.json; the ids of all tokens, by token."""
    gemma = words.tokenizer_class == "GemmaTokenizer"
    inner = _gemma_level(words) if gemma else _byte_level(words)
    inner.save(str(folder / "tokenizer.json"))
    ids = inner.get_vocab()
    added = {
        str(ids[token]): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for token in words.tokens
    }
    settings: dict[str, Any] = {
        "tokenizer_class": words.tokenizer_class,
        "added_tokens_decoder": added,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 32768,
        **words.roles,
    }
    if gemma:
        settings |= {"add_bos_token": True, "add_eos_token": False}
    if words.named:
        settings["extra_special_tokens"] = words.named
    _write_json(folder / "tokenizer_config.json", settings)
    return ids


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _cut_text(text: Config, ids: dict[str, int], **more: Any) -> None:
    """Four layers of width 64; a vocabulary rounded up to eights, so that it is wider than the tokenizer, as real."""
    text.update(
        hidden_size=WIDTH,
        intermediate_size=96,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        vocab_size=-(-len(ids) // 8) * 8,
        max_position_embeddings=4096,
        **more,
    )
    if "head_dim" in text:
        text["head_dim"] = HEAD_DIM


def _token_ids(config: Config, ids: dict[str, int], **tokens: str) -> None:
    config.update({key: ids[token] for key, token in tokens.items()})


def _cut_vision(config: Config, size: int | list[int]) -> None:
    config["vision_config"].update(
        hidden_size=VISION_WIDTH,
        intermediate_size=48,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=size,
    )


def _cut_internvl(config: Config, ids: dict[str, int]) -> None:
    """4 x 4 patches a tile, shuffled into 4 tokens."""
    _cut_text(config["text_config"], ids)
    _token_ids(config["text_config"], ids, bos_token_id="<|endoftext|>", eos_token_id="<|im_end|>")
    _token_ids(config, ids, image_token_id="<IMG_CONTEXT>")
    config["image_seq_length"] = 4
    _cut_vision(config, [56, 56])


def _cut_qwen_common(config: Config, text: Config, ids: dict[str, int], sections: list[int]) -> None:
    """M-RoPE's three sections fill half of a head: 64 become 8."""
    _cut_text(text, ids)
    text["rope_scaling"]["mrope_section"] = sections
    _token_ids(text, ids, bos_token_id="<|endoftext|>", eos_token_id="<|im_end|>")
    _token_ids(
        config,
        ids,
        image_token_id="<|image_pad|>",
        video_token_id="<|video_pad|>",
        vision_start_token_id="<|vision_start|>",
        vision_end_token_id="<|vision_end|>",
    )
    config["vision_config"].update(hidden_size=VISION_WIDTH, intermediate_size=48, num_heads=2, out_hidden_size=WIDTH)


def _cut_qwen2_5_vl(config: Config, ids: dict[str, int]) -> None:
    """Windows of 2 x 2 merged cells in grids of up to 3 x 3, so that windows do reorder; the last block sees all."""
    _cut_qwen_common(config, config, ids, [2, 3, 3])
    config["max_window_layers"] = LAYERS
    config["vision_config"].update(depth=3, window_size=56, fullatt_block_indexes=[2])


def _cut_qwen3_vl(config: Config, ids: dict[str, int]) -> None:
    """Deepstack leaves after each of three blocks; a 6 x 6 position table, interpolated to the real grid."""
    _cut_qwen_common(config, config["text_config"], ids, [4, 2, 2])
    config["vision_config"].update(depth=4, deepstack_visual_indexes=[0, 1, 2], num_position_embeddings=36)


def _cut_llava_onevision(config: Config, ids: dict[str, int]) -> None:
    """6 x 6 patches a frame, pooled to 3 x 3 in videos."""
    _cut_text(config["text_config"], ids)
    _token_ids(config["text_config"], ids, bos_token_id="<|endoftext|>", eos_token_id="<|im_end|>")
    _token_ids(config, ids, image_token_index="<image>", video_token_index="<video>")
    config["image_grid_pinpoints"] = _LLAVA_GRIDS
    _cut_vision(config, 84)


def _cut_smolvlm(config: Config, ids: dict[str, int]) -> None:
    """4 x 4 patches of 16 px, shuffled into 4 tokens."""
    _cut_text(config["text_config"], ids)
    _token_ids(
        config["text_config"],
        ids,
        bos_token_id="<|im_start|>",
        eos_token_id="<end_of_utterance>",
        pad_token_id="<|im_end|>",
    )
    _token_ids(config, ids, image_token_id="<image>", pad_token_id="<|im_end|>")
    config["scale_factor"] = 2
    _cut_vision(config, 64)


def _cut_idefics3(config: Config, ids: dict[str, int]) -> None:
    """4 x 4 patches of 14 px, shuffled into 4 tokens."""
    _cut_text(config["text_config"], ids)
    _token_ids(
        config["text_config"],
        ids,
        bos_token_id="<|begin_of_text|>",
        eos_token_id="<|end_of_text|>",
        pad_token_id="<|pad|>",
    )
    _token_ids(config, ids, image_token_id="<image>", pad_token_id="<|pad|>")
    _cut_vision(config, 56)


def _cut_gemma3(config: Config, ids: dict[str, int]) -> None:
    """4 x 4 patches pooled to 4 tokens; one layer in four sees all, the others 32 tokens back."""
    _cut_text(
        config["text_config"], ids, sliding_window=32, sliding_window_pattern=LAYERS, query_pre_attn_scalar=HEAD_DIM
    )
    _token_ids(
        config,
        ids,
        boi_token_index="<start_of_image>",
        eoi_token_index="<end_of_image>",
        image_token_index="<image_soft_token>",
    )
    config["eos_token_id"] = [ids["<eos>"], ids["<end_of_turn>"]]
    config["mm_tokens_per_image"] = 4
    _cut_vision(config, 56)


_CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_QWEN_ROLES = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
_QWEN_VISION = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
_TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
_LLAVA_GRIDS = [[84 * rows, 84 * columns] for rows in range(1, 7) for columns in range(1, 7)]

_INTERNVL_WORDS = _Words(
    "Qwen2Tokenizer",
    (*_CHATML, "<img>", "</img>", "<IMG_CONTEXT>", "<video>"),
    _QWEN_ROLES,
    {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    },
)
_QWEN_WORDS = _Words("Qwen2Tokenizer", (*_CHATML, *_QWEN_VISION), _QWEN_ROLES)
_LLAVA_WORDS = _Words(
    "Qwen2Tokenizer",
    (*_CHATML, "<image>", "<video>"),
    _QWEN_ROLES,
    {"image_token": "<image>", "video_token": "<video>"},
)
_SMOLVLM_WORDS = _Words(
    "GPT2Tokenizer",
    (*_CHATML, "<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", *_TILES),
    {
        "bos_token": "<|im_start|>",
        "eos_token": "<end_of_utterance>",
        "pad_token": "<|im_end|>",
        "unk_token": "<|endoftext|>",
    },
    {
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "image_token": "<image>",
        "end_of_utterance_token": "<end_of_utterance>",
    },
)
_IDEFICS3_WORDS = _Words(
    "PreTrainedTokenizerFast",
    (
        *("<|begin_of_text|>", "<|end_of_text|>", "<|pad|>", "<fake_token_around_image>", "<image>"),
        *("<end_of_utterance>", "<global-img>", *_TILES),
    ),
    {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "pad_token": "<|pad|>"},
)
_GEMMA_WORDS = _Words(
    "GemmaTokenizer",
    (
        *("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"),
        *("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
    ),
    {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"},
    {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
)


def _square(side: int) -> dict[str, int]:
    return {"height": side, "width": side}


_INTERNVL_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_STEPS,
        **_IMAGENET,
        "image_processor_type": "GotOcr2ImageProcessorFast",
        "processor_class": "InternVLProcessor",
        "crop_to_patches": False,
        "min_patches": 1,
        "max_patches": 12,
        "resample": _BICUBIC,
        "size": _square(56),
    },
    "video_preprocessor_config.json": {
        **_STEPS,
        **_IMAGENET,
        "video_processor_type": "InternVLVideoProcessor",
        "processor_class": "InternVLProcessor",
        "resample": _BICUBIC,
        "size": _square(56),
    },
    "processor_config.json": {"image_seq_length": 4, "processor_class": "InternVLProcessor"},
}
_QWEN2_5_FILES: dict[str, dict[str, Any]] = {
    # The real repository has no file for videos: this one serves both, and its limits are those of one frame.
    "preprocessor_config.json": {
        **_CLIP,
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
        "min_pixels": 28 * 28,
        "max_pixels": 84 * 84,
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
    },
}
_QWEN3_CELLS = {**_HALF, "patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
_QWEN3_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_QWEN3_CELLS,
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor",
        "size": {"longest_edge": 64 * 64, "shortest_edge": 32 * 32},
    },
    # The longest edge of videos is the pixels of all frames together: eight of 64 x 64.
    "video_preprocessor_config.json": {
        **_QWEN3_CELLS,
        "video_processor_type": "Qwen3VLVideoProcessor",
        "processor_class": "Qwen3VLProcessor",
        "size": {"longest_edge": 8 * 64 * 64, "shortest_edge": 32 * 32},
    },
}
_LLAVA_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "image_processor_type": "LlavaOnevisionImageProcessor",
        "processor_class": "LlavaOnevisionProcessor",
        "do_pad": True,
        "image_grid_pinpoints": _LLAVA_GRIDS,
        "resample": _BICUBIC,
        "size": _square(84),
    },
    "video_preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "video_processor_type": "LlavaOnevisionVideoProcessor",
        "processor_class": "LlavaOnevisionProcessor",
        "resample": _BICUBIC,
        "size": _square(84),
    },
    "processor_config.json": {
        "image_token": "<image>",
        "video_token": "<video>",
        "num_image_tokens": 36,
        "processor_class": "LlavaOnevisionProcessor",
        "vision_aspect_ratio": "anyres_max_9",
        "vision_feature_select_strategy": "full",
    },
}
_SMOLVLM_FILES: dict[str, dict[str, Any]] = {
    # Videos are read from here as well, through `video_sampling`.
    "preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "image_processor_type": "SmolVLMImageProcessor",
        "video_processor_type": "SmolVLMVideoProcessor",
        "processor_class": "SmolVLMProcessor",
        "do_image_splitting": True,
        "do_pad": True,
        "max_image_size": {"longest_edge": 64},
        "resample": _LANCZOS,
        "size": {"longest_edge": 256},
        "video_sampling": {"fps": 1, "max_frames": 64, "video_size": {"longest_edge": 64}},
    },
    "processor_config.json": {"image_seq_len": 4, "processor_class": "SmolVLMProcessor"},
}
_IDEFICS3_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "image_processor_type": "Idefics3ImageProcessor",
        "processor_class": "Idefics3Processor",
        "do_image_splitting": True,
        "do_pad": True,
        "max_image_size": {"longest_edge": 56},
        "resample": _LANCZOS,
        "size": {"longest_edge": 224},
    },
    "processor_config.json": {"image_seq_len": 4, "processor_class": "Idefics3Processor"},
}
_GEMMA_FILES: dict[str, dict[str, Any]] = {
    "preprocessor_config.json": {
        **_STEPS,
        **_HALF,
        "image_processor_type": "Gemma3ImageProcessor",
        "processor_class": "Gemma3Processor",
        "do_convert_rgb": None,
        "do_pan_and_scan": None,
        "image_seq_length": 4,
        "pan_and_scan_max_num_crops": None,
        "pan_and_scan_min_crop_size": None,
        "pan_and_scan_min_ratio_to_activate": None,
        "resample": _BILINEAR,
        "size": _square(56),
    },
    "processor_config.json": {"image_seq_length": 4, "processor_class": "Gemma3Processor"},
}

_INTERNVL_TURNS = _im_turns("{{ '<IMG_CONTEXT>\n' }}", "{{ '<video>\n' }}")
_TOYS: dict[str, _Toy] = {
    "internvl": _Toy(
        "OpenGVLab/InternVL3-1B-hf",
        _INTERNVL_WORDS,
        _INTERNVL_TURNS,
        _cut_internvl,
        ("<|im_end|>",),
        _INTERNVL_FILES,
    ),
    "internvl3_5": _Toy(
        "OpenGVLab/InternVL3_5-8B-HF",
        _INTERNVL_WORDS,
        _INTERNVL_TURNS,
        _cut_internvl,
        ("<|im_end|>",),
        _INTERNVL_FILES,
    ),
    "qwen2_5_vl": _Toy(
        "Qwen/Qwen2.5-VL-3B-Instruct",
        _QWEN_WORDS,
        _im_turns(*_QWEN_PADS, first=_QWEN_SYSTEM),
        _cut_qwen2_5_vl,
        ("<|im_end|>", "<|endoftext|>"),
        _QWEN2_5_FILES,
    ),
    "qwen3_vl": _Toy(
        "Qwen/Qwen3-VL-8B-Instruct",
        _QWEN_WORDS,
        _im_turns(*_QWEN_PADS),
        _cut_qwen3_vl,
        ("<|im_end|>", "<|endoftext|>"),
        _QWEN3_FILES,
    ),
    "llava_onevision": _Toy(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        _LLAVA_WORDS,
        _LLAVA_TURNS,
        _cut_llava_onevision,
        ("<|im_end|>",),
        _LLAVA_FILES,
    ),
    "smolvlm": _Toy(
        "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
        _SMOLVLM_WORDS,
        _colon_turns("<|im_start|>"),
        _cut_smolvlm,
        ("<end_of_utterance>",),
        _SMOLVLM_FILES,
    ),
    "gemma3": _Toy(
        "google/gemma-3-4b-it", _GEMMA_WORDS, _GEMMA_TURNS, _cut_gemma3, ("<eos>", "<end_of_turn>"), _GEMMA_FILES
    ),
    "idefics3": _Toy(
        "HuggingFaceM4/Idefics3-8B-Llama3",
        _IDEFICS3_WORDS,
        _colon_turns("<|begin_of_text|>"),
        _cut_idefics3,
        ("<end_of_utterance>", "<|end_of_text|>"),
        _IDEFICS3_FILES,
    ),
}

TOYS: tuple[str, ...] = tuple(_TOYS)


@torch.no_grad()
def _scatter(model: nn.Module, seed: int) -> None:
    """Give every parameter values of its own.

    Matrices get the scale that keeps activations near 1; vectors (norms, biases, layer scales) keep what they start
    from and vary around it, so that a test sees when one of them is left out or swapped with another.
    """
    random = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=random)
        if parameter.ndim == 1:
            parameter.add_(0.2 * noise)
        else:
            parameter.copy_(noise / parameter[0].numel() ** 0.5)


def toy_config(name: str, ids: dict[str, int]) -> Config:
    """The family's full config as a dictionary, cut to toy size for a tokenizer with these token ids."""
    config = deepcopy(FULL[_TOYS[name].checkpoint])
    _TOYS[name].cut(config, ids)
    return config


def write_toy(name: str, folder: Path, seed: int = 0, dtype: torch.dtype = torch.float32) -> Path:
    """Write the family's toy checkpoint into a folder, made where it is missing; the folder."""
    toy = _TOYS[name]
    folder.mkdir(parents=True, exist_ok=True)
    ids = _write_tokenizer(folder, toy.words)
    (folder / "chat_template.jinja").write_text(toy.template, encoding="utf-8")
    for file, content in toy.files.items():
        _write_json(folder / file, content)
    config = AutoConfig.for_model(**toy_config(name, ids))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config)
    _scatter(model, seed)
    roles = toy.words.roles
    model.generation_config = GenerationConfig(
        bos_token_id=ids[roles["bos_token"]] if "bos_token" in roles else None,
        eos_token_id=[ids[token] for token in toy.stop],
        pad_token_id=ids[roles["pad_token"]],
    )
    model.to(dtype).save_pretrained(folder)
    return folder


def write_full_size(checkpoint: str, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write a checkpoint at its real size with random weights, for the arithmetic and memory that it takes; the folder.

    Tokenizer and template are the toy's: the vocabulary is as large as the real one, but most of it is never written.
    """
    model_type = FULL[checkpoint]["model_type"]
    toy = next(toy for toy in _TOYS.values() if FULL[toy.checkpoint]["model_type"] == model_type)
    folder.mkdir(parents=True, exist_ok=True)
    ids = _write_tokenizer(folder, toy.words)
    (folder / "chat_template.jinja").write_text(toy.template, encoding="utf-8")
    config, cut = deepcopy(FULL[checkpoint]), deepcopy(FULL[toy.checkpoint])
    toy.cut(cut, ids)
    _take_token_ids(config, cut)
    side = config["vision_config"].get("image_size")
    side = side[0] if isinstance(side, list) else side
    for file, content in toy.files.items():
        _write_json(folder / file, _enlarged(content, side, config))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(**config), dtype=dtype)
    model.save_pretrained(folder)
    return folder


def _take_token_ids(config: Config, cut: Config) -> None:
    for key, value in cut.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            _take_token_ids(config[key], value)
        elif key.endswith(("_token_id", "_token_index")):
            config[key] = value


def _enlarged(content: dict[str, Any], side: int | None, config: Config) -> dict[str, Any]:
    """A toy's processor file with real sizes; families whose vision tower has no size of its own get real limits."""
    if side is None:
        limits = {"longest_edge": 16384 * 28 * 28, "shortest_edge": 56 * 56}
        return (
            content
            | {key: limits for key in ("size",) if key in content}
            | (
                {"min_pixels": limits["shortest_edge"], "max_pixels": limits["longest_edge"]}
                if "max_pixels" in content
                else {}
            )
        )
    larger = dict(content)
    if "height" in content.get("size", {}):
        larger["size"] = _square(side)
    for key in ("image_seq_length",):
        if key in content and key in config:
            larger[key] = config[key]
    return larger
