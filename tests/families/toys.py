"""Toy checkpoints: the real class of each family from its real config cut small, with its processor files.

A folder holds what the hub's does, so the Auto classes read it. The processor files are written as text, not by
transformers, because some of their classes cannot be imported without torchvision.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, GenerationConfig

from hiprobe.backbones.huggingface import HuggingFaceBackbone
from tests.families import cuts, wording
from tests.families import processor_files as files
from tests.families.configs import FULL, Config
from tests.families.processor_files import square
from tests.families.wording import Words, write_json, write_tokenizer

PROMPT = "what happens"
FRAMES = 4


@dataclass(frozen=True)
class Toy:
    """What makes one family's folder: `cut` shrinks the full config in place, given the ids of the tokens."""

    checkpoint: str
    words: Words
    template: str
    cut: Callable[[Config, dict[str, int]], None]
    stop: tuple[str, ...]
    files: dict[str, dict[str, Any]]


_TOYS: dict[str, Toy] = {
    "internvl": Toy(
        "OpenGVLab/InternVL3-1B-hf",
        wording.INTERNVL_WORDS,
        wording.INTERNVL_TURNS,
        cuts.cut_internvl,
        ("<|im_end|>",),
        files.INTERNVL_FILES,
    ),
    "internvl3_5": Toy(
        "OpenGVLab/InternVL3_5-8B-HF",
        wording.INTERNVL_WORDS,
        wording.INTERNVL_TURNS,
        cuts.cut_internvl,
        ("<|im_end|>",),
        files.INTERNVL_FILES,
    ),
    "qwen2_5_vl": Toy(
        "Qwen/Qwen2.5-VL-3B-Instruct",
        wording.QWEN_WORDS,
        wording.im_turns(*wording.QWEN_PADS, first=wording.QWEN_SYSTEM),
        cuts.cut_qwen2_5_vl,
        ("<|im_end|>", "<|endoftext|>"),
        files.QWEN2_5_FILES,
    ),
    "qwen3_vl": Toy(
        "Qwen/Qwen3-VL-8B-Instruct",
        wording.QWEN_WORDS,
        wording.im_turns(*wording.QWEN_PADS),
        cuts.cut_qwen3_vl,
        ("<|im_end|>", "<|endoftext|>"),
        files.QWEN3_FILES,
    ),
    "llava_onevision": Toy(
        "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
        wording.LLAVA_WORDS,
        wording.LLAVA_TURNS,
        cuts.cut_llava_onevision,
        ("<|im_end|>",),
        files.LLAVA_FILES,
    ),
    "smolvlm": Toy(
        "HuggingFaceTB/SmolVLM2-256M-Video-Instruct",
        wording.SMOLVLM_WORDS,
        wording.colon_turns("<|im_start|>"),
        cuts.cut_smolvlm,
        ("<end_of_utterance>",),
        files.SMOLVLM_FILES,
    ),
    "gemma3": Toy(
        "google/gemma-3-4b-it",
        wording.GEMMA_WORDS,
        wording.GEMMA_TURNS,
        cuts.cut_gemma3,
        ("<eos>", "<end_of_turn>"),
        files.GEMMA_FILES,
    ),
    "idefics3": Toy(
        "HuggingFaceM4/Idefics3-8B-Llama3",
        wording.IDEFICS3_WORDS,
        wording.colon_turns("<|begin_of_text|>"),
        cuts.cut_idefics3,
        ("<end_of_utterance>", "<|end_of_text|>"),
        files.IDEFICS3_FILES,
    ),
}

TOYS: tuple[str, ...] = tuple(_TOYS)


@torch.no_grad()
def scatter(model: nn.Module, seed: int) -> None:
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


def toy_of(checkpoint: str) -> str:
    """The name of the toy that a checkpoint's configuration can be cut to."""
    config = FULL[checkpoint]
    same = [name for name, toy in _TOYS.items() if FULL[toy.checkpoint]["model_type"] == config["model_type"]]
    return same[0]


def toy_config(name: str, ids: dict[str, int], checkpoint: str | None = None) -> Config:
    """The family's full config as a dictionary, cut to toy size for a tokenizer with these token ids."""
    config = deepcopy(FULL[checkpoint or _TOYS[name].checkpoint])
    _TOYS[name].cut(config, ids)
    return config


def write_toy(
    name: str,
    folder: Path,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    checkpoint: str | None = None,
) -> Path:
    """Write the family's toy checkpoint into a folder, made where it is missing; the folder.

    By default of the configuration that the family's toy is cut from, or of another checkpoint's.
    """
    toy = _TOYS[name]
    folder.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer(folder, toy.words)
    (folder / "chat_template.jinja").write_text(toy.template, encoding="utf-8")
    for file, content in toy.files.items():
        write_json(folder / file, content)
    config = AutoConfig.for_model(**toy_config(name, ids, checkpoint))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForImageTextToText.from_config(config)
    scatter(model, seed)
    roles = toy.words.roles
    model.generation_config = GenerationConfig(
        bos_token_id=ids[roles["bos_token"]] if "bos_token" in roles else None,
        eos_token_id=[ids[token] for token in toy.stop],
        pad_token_id=ids[roles["pad_token"]],
    )
    model.to(dtype).save_pretrained(folder)
    return folder


def pictures(backbone: HuggingFaceBackbone, batch: int = 2, frames: int = FRAMES) -> NDArray[np.uint8]:
    """Frames of noise, of the size that a backbone takes."""
    return np.random.default_rng(0).integers(0, 256, (batch, frames, *backbone.info.frame_size, 3), dtype=np.uint8)


def altered(backbone: HuggingFaceBackbone, **methods: Any) -> HuggingFaceBackbone:
    """The same model with some methods of its family replaced."""
    own = backbone.family
    family = type("Altered", (type(own),), methods)(Path(backbone.model.config.name_or_path), own.config)
    return HuggingFaceBackbone(backbone.model, family, backbone.info)


def write_full_files(checkpoint: str, folder: Path) -> Config:
    """Write all of a checkpoint at its real size but the weights; its configuration.

    Tokenizer and template are the toy's: the vocabulary is as large as the real one, but most of it is never written.
    """
    model_type = FULL[checkpoint]["model_type"]
    toy = next(toy for toy in _TOYS.values() if FULL[toy.checkpoint]["model_type"] == model_type)
    folder.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer(folder, toy.words)
    (folder / "chat_template.jinja").write_text(toy.template, encoding="utf-8")
    config, cut = deepcopy(FULL[checkpoint]), deepcopy(FULL[toy.checkpoint])
    toy.cut(cut, ids)
    _take_token_ids(config, cut)
    for file, content in toy.files.items():
        write_json(folder / file, _enlarged(content, config))
    AutoConfig.for_model(**config).save_pretrained(folder)
    return config


def write_full_size(checkpoint: str, folder: Path, dtype: torch.dtype = torch.float32) -> Path:
    """Write a checkpoint at its real size with random weights, to see what it takes; the folder."""
    config = write_full_files(checkpoint, folder)
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


def _enlarged(content: dict[str, Any], config: Config) -> dict[str, Any]:
    """A toy's processor file with real sizes; where the vision tower has no size of its own, with real limits."""
    larger = dict(content)
    side = config["vision_config"].get("image_size")
    if side is None:
        pixels = {"longest_edge": 16384 * 28 * 28, "shortest_edge": 56 * 56}
        limits = {"size": pixels, "min_pixels": pixels["shortest_edge"], "max_pixels": pixels["longest_edge"]}
        return larger | {key: value for key, value in limits.items() if key in content}
    if "height" in content.get("size", {}):
        larger["size"] = square(side[0] if isinstance(side, list) else side)
    tokens = config.get("image_seq_length", config.get("mm_tokens_per_image"))
    if "image_seq_length" in content:
        larger["image_seq_length"] = tokens
    return larger
