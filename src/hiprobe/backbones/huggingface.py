"""A backbone over any transformers model with decoder blocks at ``model.language_model.layers``.

A family subclasses :class:`HuggingFaceBackbone` and says how frames become visual tokens.
"""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from hiprobe.backbones.base import BackboneInfo, Pooling, check_request
from hiprobe.backbones.hooks import LayerReader
from hiprobe.errors import BackboneError, UsageError

_SAMPLED_WEIGHTS = 64


@dataclass(frozen=True, eq=False)
class VisualTokens:
    """What the language model is given for the frames of B segments.

    Attributes
    ----------
    embeddings : Tensor of shape (B, N, D)
        One embedding per visual token, in the order of their placeholders.
    motion : Tensor of shape (B, N)
        How far what each token stands for departs from its own mean over the segment; at least 0.
    """

    embeddings: torch.Tensor
    motion: torch.Tensor


class HuggingFaceBackbone(ABC):
    """Reads hidden states of, and generates text with, a transformers model. Meets the Backbone protocol."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, info: BackboneInfo, image_token: str
    ) -> None:
        # Any: transformers' annotations cover neither its models' parts nor what a tokenizer returns.
        self._model: Any = model.eval().requires_grad_(False)
        self._tokenizer: Any = tokenizer
        self._image_token = image_token
        self._image_token_id: int = self._tokenizer.convert_tokens_to_ids(image_token)
        self._info = info

    @property
    def info(self) -> BackboneInfo:
        """The facts of this backbone."""
        return self._info

    @abstractmethod
    def visual_tokens(self, frames: NDArray[np.uint8]) -> VisualTokens:
        """Turn frames, uint8 (B, K, H, W, 3), into visual tokens."""

    def telling_tokens(self, frames: NDArray[np.uint8]) -> VisualTokens:
        """Turn frames into the visual tokens that text is generated from; the same, unless a backbone differs."""
        return self.visual_tokens(frames)

    @abstractmethod
    def visual_text(self, frames: int, tokens: int) -> str:
        """Return the text that stands for K frames in the prompt, with one placeholder for each of so many tokens."""

    @torch.inference_mode()
    def hidden_states(
        self, frames: NDArray[np.uint8], prompt: str, layers: Sequence[int], pooling: Pooling
    ) -> NDArray[np.float32]:
        """See :meth:`hiprobe.backbones.base.Backbone.hidden_states`."""
        check_request(self.info, frames, layers, pooling)
        return self.read(self.visual_tokens(frames), frames.shape[1], prompt, layers, [pooling])[pooling]

    @torch.inference_mode()
    def generate(self, frames: NDArray[np.uint8], prompt: str, max_new_tokens: int) -> str:
        """See :meth:`hiprobe.backbones.base.Backbone.generate`."""
        check_request(self.info, frames[None], [1], "visual")
        return self.say(self.telling_tokens(frames[None]), frames.shape[0], prompt, max_new_tokens)[0]

    @torch.inference_mode()
    def read(
        self, visual: VisualTokens, frames: int, prompt: str, layers: Sequence[int], poolings: Sequence[Pooling]
    ) -> dict[Pooling, NDArray[np.float32]]:
        """Read hidden states of segments whose visual tokens are known already, pooled in several ways at once.

        Parameters
        ----------
        visual : VisualTokens
            What :meth:`visual_tokens` returned for B segments of ``frames`` frames.
        frames : int
            K.
        prompt : str
            The text that follows the frames.
        layers : sequence of int
            Decoder blocks, 1..L, ascending.
        poolings : sequence of str
            See :data:`hiprobe.backbones.base.Pooling`.

        Returns
        -------
        dict
            For each pooling, float32 (B, layers, D).

        Raises
        ------
        BackboneError
            If a hidden state is not finite.
        """
        ids = self._prompt_ids(prompt, frames, visual)
        with LayerReader(self._model.model.language_model.layers, layers) as reader:
            self._model.model.language_model(inputs_embeds=self._embed(ids, visual), use_cache=False)
        places = self._places(ids)
        found: dict[Pooling, NDArray[np.float32]] = {}
        for pooling in poolings:
            pooled = [_pool(reader.states[layer], places, visual.motion, pooling) for layer in layers]
            states = torch.stack(pooled, dim=1).float().cpu().numpy()
            if not np.isfinite(states).all():
                bad = [layer for i, layer in enumerate(layers) if not np.isfinite(states[:, i]).all()]
                raise BackboneError(
                    f"The {self.info.name} backbone gave hidden states that are not finite at layers {bad}; "
                    "load it in float32 or bfloat16."
                )
            found[pooling] = states
        return found

    @torch.inference_mode()
    def say(self, visual: VisualTokens, frames: int, prompt: str, max_new_tokens: int) -> list[str]:
        """Answer ``prompt`` about each of the segments that the visual tokens stand for, greedily, in one pass."""
        embeddings = self._embed(self._prompt_ids(prompt, frames, visual), visual)
        output = self._model.generate(
            inputs_embeds=embeddings,
            attention_mask=torch.ones(embeddings.shape[:2], dtype=torch.long, device=embeddings.device),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        return [str(self._tokenizer.decode(row, skip_special_tokens=True)).strip() for row in output]

    def _prompt_ids(self, prompt: str, frames: int, visual: VisualTokens) -> torch.Tensor:
        """Return the token ids (N,) of the whole prompt, placeholders expanded."""
        special = [token for token in self._tokenizer.all_special_tokens if token in prompt]
        if special:
            raise UsageError(f"The prompt contains {special[0]!r}, a control token of the model; reword the prompt.")
        message = [{"role": "user", "content": f"{self.visual_text(frames, visual.embeddings.shape[1])}\n{prompt}"}]
        text = self._tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True)
        ids = self._tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        return torch.as_tensor(ids)[0].to(self._model.device)

    def _places(self, ids: torch.Tensor) -> torch.Tensor:
        """Return where in the prompt the visual tokens stand: bool (N,)."""
        return torch.eq(ids, self._image_token_id)

    def _embed(self, ids: torch.Tensor, visual: VisualTokens) -> torch.Tensor:
        """Return the embeddings (B, N, D) of the prompt, with visual tokens in their places."""
        places = self._places(ids)
        batch, count = visual.embeddings.shape[:2]
        if int(places.sum()) != count:
            raise BackboneError(
                f"The prompt holds {int(places.sum())} placeholders for {count} visual tokens; "
                "the model's configuration and its frames do not agree."
            )
        embeddings = self._model.get_input_embeddings()(ids).repeat(batch, 1, 1)
        embeddings[:, places] = visual.embeddings.to(embeddings.dtype)
        return embeddings


def _pool(states: torch.Tensor, places: torch.Tensor, motion: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Pool hidden states (B, N, D) to (B, D)."""
    if pooling == "last":
        return states[:, -1]
    visual = states[:, places]
    if pooling == "visual":
        return visual.mean(dim=1)
    total = motion.sum(dim=1, keepdim=True)
    # Where nothing moves at all no token stands out: the weighted mean becomes the plain mean.
    even = torch.full_like(motion, 1 / motion.shape[1])
    weights = torch.where(total > 0, motion / total.clamp_min(torch.finfo(motion.dtype).tiny), even)
    return (visual * weights[:, :, None].to(visual.dtype)).sum(dim=1)


def sampled_fingerprint(model: PreTrainedModel) -> str:
    """Return 64 hexadecimal digits over a model's configuration and 64 values of each of its weights."""
    config = {k: v for k, v in model.config.to_dict().items() if not k.startswith("_") and "dtype" not in k}
    digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
    for name, weight in sorted(model.state_dict().items()):
        flat = weight.flatten()
        index = torch.linspace(0, len(flat) - 1, min(_SAMPLED_WEIGHTS, len(flat))).long()
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        digest.update(flat[index.to(flat.device)].float().cpu().numpy().tobytes())
    return digest.hexdigest()
