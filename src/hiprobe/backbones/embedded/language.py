"""The language model: SmolLM2-135M-Instruct read out of a GGUF file, as a Hugging Face Llama.

The quantised tensors (Q4_1, Q8_0) are expanded to float32 by the ``gguf`` package. llama.cpp stores the rows of
the query and key matrices interleaved for its rotary embedding; they are put back in Hugging Face's order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, dequantize
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, PreTrainedTokenizerFast

IMAGE_TOKEN = "<IMG_CONTEXT>"
"""What stands for a visual token in the prompt, as in InternVL."""

_LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}

_CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class LanguageFile:
    """An open GGUF file of a Llama-architecture model."""

    def __init__(self, path: Path) -> None:
        self._reader = GGUFReader(path)

    def config(self) -> LlamaConfig:
        """Return the model's configuration, from the file's own header."""
        return LlamaConfig(
            vocab_size=len(self._field("tokenizer.ggml.tokens")),
            hidden_size=self._field("llama.embedding_length"),
            intermediate_size=self._field("llama.feed_forward_length"),
            num_hidden_layers=self._field("llama.block_count"),
            num_attention_heads=self._field("llama.attention.head_count"),
            num_key_value_heads=self._field("llama.attention.head_count_kv"),
            max_position_embeddings=self._field("llama.context_length"),
            rms_norm_eps=round(self._field("llama.attention.layer_norm_rms_epsilon"), 9),
            rope_parameters={"rope_type": "default", "rope_theta": self._field("llama.rope.freq_base")},
            bos_token_id=self._field("tokenizer.ggml.bos_token_id"),
            eos_token_id=self._field("tokenizer.ggml.eos_token_id"),
            pad_token_id=self._field("tokenizer.ggml.padding_token_id"),
            tie_word_embeddings=True,
        )

    def weights(self) -> dict[str, torch.Tensor]:
        """Return float32 weights under the names of ``LlamaModel`` (no LM head: it is tied to the embedding)."""
        heads = {
            "attn_q": self._field("llama.attention.head_count"),
            "attn_k": self._field("llama.attention.head_count_kv"),
        }
        weights = {}
        for tensor in self._reader.tensors:
            array = dequantize(tensor.data, tensor.tensor_type).astype(np.float32, copy=False)
            parts = tensor.name.split(".")
            if parts[0] == "blk":
                if parts[2] in heads:
                    array = _unpermute(array, heads[parts[2]])
                name = f"layers.{parts[1]}.{_LAYER_NAMES[parts[2]]}.weight"
            else:
                name = {"token_embd": "embed_tokens", "output_norm": "norm"}[parts[0]] + ".weight"
            weights[name] = torch.from_numpy(np.array(array))
        return weights

    def tokenizer(self, image_token: str, replaced: str) -> PreTrainedTokenizerFast:
        """Return the byte-level BPE tokenizer; the unused control token ``replaced`` becomes ``image_token``.

        The chat template is ChatML without the system message that the model's own template would put first:
        it costs 23 tokens a segment and says nothing about the video.
        """
        names = self._field("tokenizer.ggml.tokens")
        tokens = [image_token if name == replaced else name for name in names]
        kinds = self._field("tokenizer.ggml.token_type")
        merges = [tuple(pair.split(" ")) for pair in self._field("tokenizer.ggml.merges")]
        bpe = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
        # "smollm" in llama.cpp's list of pre-tokenizers: digits one by one, then GPT-2's byte-level split
        bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        bpe.decoder = decoders.ByteLevel()
        control = [token for token, kind in zip(tokens, kinds, strict=True) if kind == 3]
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=bpe,
            bos_token=tokens[self._field("tokenizer.ggml.bos_token_id")],
            eos_token=tokens[self._field("tokenizer.ggml.eos_token_id")],
            pad_token=tokens[self._field("tokenizer.ggml.padding_token_id")],
            unk_token=tokens[self._field("tokenizer.ggml.unknown_token_id")],
            additional_special_tokens=control,
            clean_up_tokenization_spaces=False,
        )
        tokenizer.chat_template = _CHATML
        return tokenizer

    def _field(self, name: str) -> Any:
        return self._reader.fields[name].contents()


def _unpermute(matrix: np.ndarray, heads: int) -> np.ndarray:
    """Undo llama.cpp's interleaving of the rotary halves: (rows, columns) -> (rows, columns)."""
    half = matrix.shape[0] // heads // 2
    return matrix.reshape(heads, half, 2, *matrix.shape[1:]).swapaxes(1, 2).reshape(matrix.shape)
