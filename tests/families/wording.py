"""Small tokenizers and chat templates that carry each family's special tokens and wording."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

_EACH_PART = (
    "{%- if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
    "{% if part.type == 'image' %}IMAGE{% elif part.type == 'video' %}VIDEO{% else %}{{ part.text }}{% endif %}"
    "{% endfor %}{% endif -%}"
)


def _parts(image: str, video: str) -> str:
    """The Jinja loop that writes a message's parts in their order."""
    return _EACH_PART.replace("IMAGE", image).replace("VIDEO", video)


def im_turns(image: str, video: str, first: str = "") -> str:
    """Qwen's way to write turns: a line with the role, the parts, an end mark."""
    return (
        first
        + "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
        + _parts(image, video)
        + "{{ '<|im_end|>\n' }}{% endfor %}"
        + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif -%}"
    )


def colon_turns(start: str) -> str:
    """Idefics' way: no space after the colon where the message opens with a picture."""
    return (
        start + "{%- for m in messages %}{{ m.role | capitalize }}"
        "{{ ':' if m.content is not string and m.content[0].type == 'image' else ': ' }}"
        + _parts("<image>", "<video>")
        + "{{ '<end_of_utterance>\n' }}{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif -%}"
    )


def _pictures_first(kind: str) -> str:
    return "{% for part in m.content if part.type == '" + kind + "' %}<" + kind + ">{% endfor %}"


QWEN_PADS = ("<|vision_start|><|image_pad|><|vision_end|>", "<|vision_start|><|video_pad|><|vision_end|>")
QWEN_SYSTEM = (
    "{%- if messages[0].role != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif -%}"
)
LLAVA_TURNS = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + ' ' }}"
    + _pictures_first("image")
    + _pictures_first("video")
    + "{% for part in m.content if part.type == 'text' %}{{ '\n' + part.text }}{% endfor %}"
    "{{ '<|im_end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif -%}"
)
GEMMA_TURNS = (
    "{{- bos_token }}{%- for m in messages %}"
    "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}"
    + _parts("<start_of_image>", "<start_of_image>")
    + "{{ '<end_of_turn>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif -%}"
)


@dataclass(frozen=True)
class Words:
    """A family's tokenizer: `tokens` follow the 256 byte symbols, `named` are the attributes processors read."""

    tokenizer_class: str
    tokens: tuple[str, ...]
    roles: dict[str, str]
    named: dict[str, str] = field(default_factory=dict)


def _byte_symbols() -> list[str]:
    """ByteLevel's 256 symbols in a fixed order, so that ids do not change from run to run."""
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _byte_level(words: Words) -> Tokenizer:
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


def _gemma_level(words: Words) -> Tokenizer:
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


def write_tokenizer(folder: Path, words: Words) -> dict[str, int]:
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
    write_json(folder / "tokenizer_config.json", settings)
    return ids


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_QWEN_ROLES = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
_QWEN_VISION = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
_TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))

INTERNVL_WORDS = Words(
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
QWEN_WORDS = Words("Qwen2Tokenizer", (*_CHATML, *_QWEN_VISION), _QWEN_ROLES)
LLAVA_WORDS = Words(
    "Qwen2Tokenizer",
    (*_CHATML, "<image>", "<video>"),
    _QWEN_ROLES,
    {"image_token": "<image>", "video_token": "<video>"},
)
SMOLVLM_WORDS = Words(
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
IDEFICS3_WORDS = Words(
    "PreTrainedTokenizerFast",
    (
        *("<|begin_of_text|>", "<|end_of_text|>", "<|pad|>", "<fake_token_around_image>", "<image>"),
        *("<end_of_utterance>", "<global-img>", *_TILES),
    ),
    {"bos_token": "<|begin_of_text|>", "eos_token": "<|end_of_text|>", "pad_token": "<|pad|>"},
)
GEMMA_WORDS = Words(
    "GemmaTokenizer",
    (
        *("<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"),
        *("<start_of_image>", "<end_of_image>", "<image_soft_token>"),
    ),
    {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"},
    {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"},
)

INTERNVL_TURNS = im_turns("{{ '<IMG_CONTEXT>\n' }}", "{{ '<video>\n' }}")
