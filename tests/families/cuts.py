"""Full-size configurations cut to toy size, one function a family."""

from __future__ import annotations

from typing import Any

from tests.families.configs import Config
from tests.families.processor_files import LLAVA_GRIDS

WIDTH = 64
HEADS = 4
KV_HEADS = 2
LAYERS = 4
HEAD_DIM = WIDTH // HEADS
VISION_WIDTH = 32


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


def cut_internvl(config: Config, ids: dict[str, int]) -> None:
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


def cut_qwen2_5_vl(config: Config, ids: dict[str, int]) -> None:
    """Windows of 2 x 2 merged cells in grids of up to 3 x 3, so that windows do reorder; the last block sees all."""
    _cut_qwen_common(config, config, ids, [2, 3, 3])
    config["max_window_layers"] = LAYERS
    config["vision_config"].update(depth=3, window_size=56, fullatt_block_indexes=[2])


def cut_qwen3_vl(config: Config, ids: dict[str, int]) -> None:
    """Deepstack leaves after each of three blocks; a 6 x 6 position table, interpolated to the real grid."""
    _cut_qwen_common(config, config["text_config"], ids, [4, 2, 2])
    config["vision_config"].update(depth=4, deepstack_visual_indexes=[0, 1, 2], num_position_embeddings=36)


def cut_llava_onevision(config: Config, ids: dict[str, int]) -> None:
    """6 x 6 patches a frame, pooled to 3 x 3 in videos."""
    _cut_text(config["text_config"], ids)
    _token_ids(config["text_config"], ids, bos_token_id="<|endoftext|>", eos_token_id="<|im_end|>")
    _token_ids(config, ids, image_token_index="<image>", video_token_index="<video>")
    config["image_grid_pinpoints"] = LLAVA_GRIDS
    _cut_vision(config, 84)


def cut_smolvlm(config: Config, ids: dict[str, int]) -> None:
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


def cut_idefics3(config: Config, ids: dict[str, int]) -> None:
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


def cut_gemma3(config: Config, ids: dict[str, int]) -> None:
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
