"""The embedded backbone: DINOv2-S and SmolLM2-135M in the InternVL architecture, with motion tokens."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from hiprobe.backbones.base import BackboneInfo, check_own_size, check_reading, check_segment
from hiprobe.backbones.embedded.fused import fuse
from hiprobe.backbones.embedded.language import IMAGE_TOKEN
from hiprobe.backbones.embedded.motion_internvl import MotionInternVLForConditionalGeneration
from hiprobe.backbones.embedded.recipe import INFO, NAME
from hiprobe.backbones.embedded.vision import normalise
from hiprobe.backbones.frames import FrameCache, frame_key
from hiprobe.backbones.hooks import HeadReader, LayerReader
from hiprobe.backbones.pooling import pool_layers
from hiprobe.backbones.prompts import check_prompt
from hiprobe.backbones.reading import EVENT_PROMPT, EXPLAIN_PROMPT, Batch, Places, Pooling, Prompt, Reading, States
from hiprobe.backbones.sites import at_places, by_head, mean_and_change, mean_and_motion, of_tokens
from hiprobe.errors import BackboneError, UsageError

SURE = 0.92
"""How probable a kind of event must be for it to be named; how it was chosen is in docs/measured/texts.md."""

NOT_SURE = "It is not clear what happens here."
"""Said of an event instead of a kind that is not sure."""


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


class EmbeddedBackbone:
    """The default backbone, loaded from an assembled folder. Meets the Backbone protocol.

    Its frames enter in a way of its own, as tokens of a segment and not of frames, so it is no family.

    Parameters
    ----------
    folder : Path
        What :func:`hiprobe.backbones.embedded.assembly.embedded_folder` returns.

    Raises
    ------
    BackboneError
        If the folder does not hold the model.
    """

    def __init__(self, folder: Path) -> None:
        quiet = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity(logging.ERROR)
        transformers_logging.disable_progress_bar()
        try:
            model: Any = MotionInternVLForConditionalGeneration.from_pretrained(folder, local_files_only=True)
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:
            raise BackboneError(
                f"{folder}: the embedded backbone cannot be loaded ({error}); delete this folder and run again to "
                "assemble it anew."
            ) from error
        finally:
            transformers_logging.set_verbosity(quiet)
            transformers_logging.enable_progress_bar()
        text = model.config.text_config
        self._model = model.eval().requires_grad_(False)
        fuse(model.model.vision_tower)
        self._tokenizer = tokenizer
        self.frames: FrameCache[int] = FrameCache()
        """What is known of the last frames."""
        self._patches: dict[tuple[int, ...], FrameCache[int]] = {}  # by (height, width, *layers)
        self._info = replace(
            INFO,
            layers=text.num_hidden_layers,
            width=text.hidden_size,
            frame_size=tuple(model.config.vision_config.image_size),
        )

    @property
    def info(self) -> BackboneInfo:
        """The facts of this backbone."""
        return self._info

    @property
    def model(self) -> Any:
        """The model itself."""
        return self._model

    @property
    def tokenizer(self) -> Any:
        """What turns words into tokens."""
        return self._tokenizer

    def visual_tokens(self, frames: NDArray[np.uint8]) -> VisualTokens:
        """Turn frames, uint8 (B, K, H, W, 3), into what probes read: the streams alone, as many whatever K is.

        With the observer's slots beside them probes were measured to be worse; see docs/measurements.md.
        """
        return self._tokens(frames, with_slots=False)

    def tokens_with_slots(self, frames: NDArray[np.uint8]) -> VisualTokens:
        """Turn frames into what text is generated from: the streams, and the slots if there is an observer."""
        return self._tokens(frames, with_slots=True)

    def load(self) -> None:
        """See :meth:`hiprobe.backbones.base.Backbone.load`: an instance is ready."""

    @torch.inference_mode()
    def read(self, batch: Batch, reading: Reading) -> States:
        """See :meth:`hiprobe.backbones.base.Backbone.read`; this model is not told how long segments are.

        At the site ``vision`` frames may be of any size in whole patches.
        """
        if reading.site != "vision":
            check_own_size(self.info, reading)
        check_reading(self.info, batch, reading)
        if reading.pooling in ("tokens", "steps"):
            return States(of_tokens(self._patch_tokens(batch.frames, reading.layers), reading, NAME))
        if reading.site != "decoder":
            return States(at_places(self._read_site(batch.frames, reading), reading, NAME))
        visual = self.visual_tokens(batch.frames)
        states, placeholders = self._states(visual, reading.wording, reading.layers)
        pooling = "last" if reading.pooling == "observed" else reading.pooling
        values = pool_layers(states, reading.layers, placeholders, visual.motion, pooling, NAME)
        if reading.pooling == "observed":
            observed = np.repeat(self.observed(batch.frames)[:, None], len(reading.layers), axis=1)
            values = np.concatenate([values, observed], axis=-1)
        if not reading.places:
            return States(values)
        return States(values, self._places(batch.frames, states[reading.layer][:, placeholders]))

    def _places(self, frames: NDArray[np.uint8], tokens: torch.Tensor) -> Places:
        """Lay the states of visual tokens (B, N, D) out: they stand for all frames, so there is one step.

        States are the mean over the streams, and the motion is that of patches.
        """
        config = self._model.config
        cells = tokens.unflatten(1, (config.streams, config.token_grid, config.token_grid))
        moved = self._patches_of(frames)[min(config.motion_blocks)].diff(dim=1).norm(dim=-1)
        # Before the first frame there is none: what moves in it is what moves from it to the second.
        moved = torch.cat([moved[:, :1], moved], dim=1) if frames.shape[1] > 1 else None
        return Places(cells.mean(dim=1)[:, None].numpy(), None if moved is None else moved.numpy())

    def _patch_tokens(self, frames: NDArray[np.uint8], layers: Sequence[int]) -> NDArray[np.float32]:
        """Return the patch tokens of vision blocks, (B, layers, K, patches, D).

        The position table is resampled to the size of the frames.
        """
        tower = self._model.model.vision_tower
        if not layers or layers[-1] > len(tower.encoder.layer):
            raise UsageError(f"Vision blocks {list(layers)}: give blocks between 1 and {len(tower.encoder.layer)}.")
        batch, count = frames.shape[:2]
        flat = frames.reshape(batch * count, *frames.shape[2:])

        def encode(places: list[int]) -> dict[int, torch.Tensor]:
            with LayerReader(tower.encoder.layer, layers) as reader:
                tower(pixel_values=normalise(flat[places], self._model.get_input_embeddings().weight))
            return {layer: reader.states[layer][:, 1:] for layer in layers}  # the first is the class token

        cache = self._patches.setdefault((*frames.shape[2:4], *layers), FrameCache())
        found = cache.features([frame_key([frame]) for frame in flat], encode)
        return torch.stack([found[layer].unflatten(0, (batch, count)) for layer in layers], dim=1).numpy()

    def _read_site(self, frames: NDArray[np.uint8], reading: Reading) -> torch.Tensor:
        """Read every place of a site beside the decoder's blocks: (B, places, width)."""
        if reading.site == "vision":
            blocks = range(1, len(self._model.model.vision_tower.encoder.layer) + 1)
            tokens = torch.from_numpy(self._patch_tokens(frames, blocks))
            return torch.stack([mean_and_change(tokens[:, index]) for index in range(len(blocks))], dim=1)
        visual = self.visual_tokens(frames)
        if reading.site == "projector":
            return mean_and_motion(visual.embeddings, visual.motion)
        ids = self.prompt_ids(reading.wording, visual.embeddings.shape[1])
        language = self._model.model.language_model
        with HeadReader(language.layers) as reader:
            language(inputs_embeds=self._embed(ids, visual), use_cache=False)
        return by_head(reader.states, language.config.num_attention_heads)

    @torch.inference_mode()
    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        """See :meth:`hiprobe.backbones.base.Backbone.generate`."""
        check_segment(self.info, batch)
        if prompt == EVENT_PROMPT and self._model.config.slots:
            return self.describe_events(batch.frames, max_new_tokens)[0]
        return self.say(self.tokens_with_slots(batch.frames), prompt, max_new_tokens)[0]

    @torch.inference_mode()
    def event_kinds(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return how probable the observer finds each kind of event in segments, (B, answers); the first is none."""
        return self._model.model.event_tokens(self._patches_of(frames))[1].numpy()

    @torch.inference_mode()
    def observed(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the mean state of the observer's slots, float32 (B, W), of segments, uint8 (B, K, H, W, 3)."""
        observer = self._model.model.multi_modal_projector.observer
        return observer(observer.reduce(self._patches_of(frames))).states.mean(dim=1).numpy()

    @torch.inference_mode()
    def describe_events(self, frames: NDArray[np.uint8], max_new_tokens: int, sure: float = SURE) -> list[str]:
        """Say what happens in segments that are known to hold an event, uint8 (B, K, H, W, 3).

        The language model is asked as it was in training; that there is an event is told to it by the slots. No text is
        generated where the observer finds no kind of event as probable as ``sure``: :data:`NOT_SURE` is said.
        """
        tokens, probable = self._model.model.event_tokens(self._patches_of(frames))
        named = probable[:, 1:].amax(dim=1) >= sure
        texts = [NOT_SURE] * len(frames)
        if named.any():
            visual = VisualTokens(tokens[named], tokens.new_zeros(int(named.sum()), tokens.shape[1]))
            said = self.say(visual, EXPLAIN_PROMPT, max_new_tokens)
            for place, text in zip(named.nonzero()[:, 0].tolist(), said, strict=True):
                texts[place] = text
        return texts

    @torch.inference_mode()
    def read_tokens(
        self, visual: VisualTokens, prompt: str, layers: Sequence[int], poolings: Sequence[Pooling]
    ) -> dict[Pooling, NDArray[np.float32]]:
        """Read hidden states of segments whose visual tokens are known already, pooled in several ways at once.

        Parameters
        ----------
        visual : VisualTokens
            What :meth:`visual_tokens` returned for B segments.
        prompt : str
            The text that follows the frames.
        layers : sequence of int
            Decoder blocks, 1..L, ascending.
        poolings : sequence of str
            See :data:`hiprobe.backbones.reading.Pooling`.

        Returns
        -------
        dict
            For each pooling, float32 (B, layers, D).

        Raises
        ------
        BackboneError
            If a hidden state is not finite.
        """
        states, places = self._states(visual, Prompt(prompt), layers)
        return {p: pool_layers(states, layers, places, visual.motion, p, NAME) for p in poolings}

    def _states(
        self, visual: VisualTokens, prompt: Prompt, layers: Sequence[int]
    ) -> tuple[dict[int, torch.Tensor], torch.Tensor]:
        """Return the states (B, N, D) of all tokens at each layer, and which of them, bool (N,), are visual."""
        ids = self.prompt_ids(prompt, visual.embeddings.shape[1])
        language = self._model.model.language_model
        with LayerReader(language.layers, layers) as reader:
            language(inputs_embeds=self._embed(ids, visual), use_cache=False)
        return reader.states, torch.eq(ids, self._model.config.image_token_id)

    @torch.inference_mode()
    def say(self, visual: VisualTokens, prompt: str, max_new_tokens: int) -> list[str]:
        """Answer ``prompt`` about each of the segments that the visual tokens stand for, greedily, in one pass."""
        embeddings = self._embed(self.prompt_ids(prompt, visual.embeddings.shape[1]), visual)
        output = self._model.generate(
            inputs_embeds=embeddings,
            attention_mask=torch.ones(embeddings.shape[:2], dtype=torch.long),
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=self._tokenizer.pad_token_id,
        )
        return [str(self._tokenizer.decode(row, skip_special_tokens=True)).strip() for row in output]

    def prompt_ids(self, prompt: Prompt | str, tokens: int) -> torch.Tensor:
        """Return the token ids (N,) of the whole prompt, with so many placeholders for visual tokens."""
        words = Prompt.of(prompt)
        check_prompt(self._tokenizer, words)
        turns = [{"role": "user", "content": f"{IMAGE_TOKEN * tokens}\n{words.text}"}]
        if words.system is not None:
            turns.insert(0, {"role": "system", "content": words.system})
        text = self._tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        ids = self._tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        return torch.as_tensor(ids)[0]

    @torch.inference_mode()
    def _tokens(self, frames: NDArray[np.uint8], with_slots: bool) -> VisualTokens:
        segment = self._model.model.segment_tokens(self._patches_of(frames), with_slots)
        return VisualTokens(segment.tokens, segment.motion)

    def _patches_of(self, frames: NDArray[np.uint8]) -> dict[int, torch.Tensor]:
        """Return the patch features (B, K, rows, columns, width) of vision blocks; those of known frames are kept."""
        flat = frames.reshape(-1, *frames.shape[2:])

        def encode(places: list[int]) -> dict[int, torch.Tensor]:
            pixels = normalise(flat[places][None], self._model.get_input_embeddings().weight)
            return {block: value[0] for block, value in self._model.model.block_features(pixels).items()}

        features = self.frames.features([frame_key([frame]) for frame in flat], encode)
        return {block: value.unflatten(0, frames.shape[:2]) for block, value in features.items()}

    def _embed(self, ids: torch.Tensor, visual: VisualTokens) -> torch.Tensor:
        """Return the embeddings (B, N, D) of the prompt, with visual tokens in their places."""
        embeddings = self._model.get_input_embeddings()(ids).repeat(len(visual.embeddings), 1, 1)
        embeddings[:, torch.eq(ids, self._model.config.image_token_id)] = visual.embeddings.to(embeddings.dtype)
        return embeddings
