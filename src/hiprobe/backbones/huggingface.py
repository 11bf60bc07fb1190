"""A backbone over any multimodal LLM that transformers loads with ``AutoModelForImageTextToText``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel

from hiprobe.backbones.base import (
    FRAME_INTERVAL,
    BackboneInfo,
    check_own_size,
    check_reading,
    check_segment,
    token_grid,
)
from hiprobe.backbones.context import check_context, context_length
from hiprobe.backbones.families import Family, Prepared
from hiprobe.backbones.families.base import Features
from hiprobe.backbones.frames import FrameCache
from hiprobe.backbones.hooks import HeadReader, LayerReader
from hiprobe.backbones.motion import departure
from hiprobe.backbones.pooling import pool_layers, visual_states
from hiprobe.backbones.preparing import Preparer, Raw, Steps, placed
from hiprobe.backbones.reading import Batch, Places, Pooling, Prompt, Reading, States
from hiprobe.backbones.sites import (
    at_places,
    by_head,
    by_step,
    mean_and_change,
    mean_and_motion,
    of_tokens,
    vision_blocks,
)
from hiprobe.errors import BackboneError, UsageError


class HuggingFaceBackbone:
    """Reads hidden states of, and generates text with, a transformers model. Meets the Backbone protocol.

    The model runs its own forward pass on inputs that its family prepares, so that merging, positions and masks are the
    library's; reading it stops after the deepest block that is asked for.

    Parameters
    ----------
    model : PreTrainedModel
        Complete, or cut to ``info.depth`` decoder blocks.
    family : Family
        Of the model's checkpoint.
    info : BackboneInfo
        The facts.
    load_all : callable, optional
        Loads the complete model, for the first text that is generated after a cut one was read.
    complete : callable, optional
        Completes the cut model instead, which takes less time; returns None where it cannot.

    Raises
    ------
    BackboneError
        If the model's decoder blocks cannot be found.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        family: Family,
        info: BackboneInfo,
        load_all: Callable[[], PreTrainedModel] | None = None,
        complete: Callable[[PreTrainedModel], PreTrainedModel | None] = lambda _: None,
    ) -> None:
        # Any: transformers' annotations cover neither its models' parts nor what they take.
        self._model: Any = model.eval().requires_grad_(False)
        self._family, self._prepare = family, Preparer(family)
        self._info = info
        decoder_blocks(model)  # what cannot be probed is told at once
        self._load_all, self._complete_cut = load_all, complete
        self.frames: FrameCache[str] = FrameCache()
        """What is known of the last frames."""

    @property
    def info(self) -> BackboneInfo:
        """The facts of this backbone."""
        return self._info

    @property
    def family(self) -> Family:
        """How frames enter this model."""
        return self._family

    @property
    def model(self) -> Any:
        """The model itself."""
        return self._model

    def load(self) -> None:
        """See :meth:`hiprobe.backbones.base.Backbone.load`: an instance is ready."""

    @torch.inference_mode()
    def read(self, batch: Batch, reading: Reading) -> States:
        """See :meth:`hiprobe.backbones.base.Backbone.read`; a model that was cut gives only what is left.

        Raises
        ------
        UsageError
            If frames are to have another size than the family's, or places are asked for and tokens make no grid.
        """
        check_own_size(self.info, reading)
        check_reading(self.info, batch, reading)
        prepared = self.prepare(batch.frames, reading.wording, batch.seconds)
        if reading.site != "decoder":
            read = {"vision": self._vision, "projector": self._projector, "heads": self._heads}[reading.site]
            # One by one: the states of all patches in all blocks are large.
            found = torch.cat([read(item) for item in prepared])
            return States(at_places(found, reading, self.info.name))
        size = batch.frames.shape[2:4]
        parts = [self._read_decoder(part, reading, size) for part in _same_lengths(prepared)]
        values = np.concatenate([part.values for part in parts])
        laid_out = [part.places.states for part in parts if part.places is not None]
        return States(values, Places(np.concatenate(laid_out)) if laid_out else None)

    def _read_decoder(self, prepared: Sequence[Prepared], reading: Reading, size: tuple[int, int]) -> States:
        """Read decoder blocks of prepared segments that are of one length in tokens, and of frames of one size."""
        layers = reading.layers
        states, embeddings = self._run(prepared, layers)
        if reading.pooling in ("tokens", "steps"):
            found = [self._by_place(states[layer], prepared[0], size) for layer in layers]
            return States(of_tokens(torch.stack(found, dim=1).numpy(), reading, self.info.name))
        values = self._pooled(prepared, states, embeddings, layers, reading.pooling)
        if not reading.places:
            return States(values)
        tokens = self._by_place(states[reading.layer], prepared[0], size)
        grid = token_grid(self.info, tokens.shape[2], size)
        return States(values, Places(tokens.unflatten(2, grid).numpy()))

    def _by_place(self, states: torch.Tensor, like: Prepared, size: tuple[int, int]) -> torch.Tensor:
        """Return the visual tokens (B, steps, P, D) among states (B, N, D), in the order of the picture."""
        tokens = visual_states(states, like.visual).float().cpu()
        return self._family.rows(tokens.unflatten(1, (like.steps, -1)), size)

    def _vision(self, item: Prepared) -> torch.Tensor:
        blocks = vision_blocks(self._model)
        layers = range(1, len(blocks) + 1)
        with LayerReader(blocks, layers) as reader:
            self._model(**self.inputs([item]), use_cache=False)
        steps = [by_step(reader.states.get(layer), item.steps, self.info.name) for layer in layers]
        return torch.stack([mean_and_change(tokens[None]) for tokens in steps], dim=1)

    def _projector(self, item: Prepared) -> torch.Tensor:
        embeddings = self._run([item], [1])[1]
        tokens = visual_states(embeddings, item.visual).float()
        return mean_and_motion(tokens, departure(tokens.unflatten(1, (item.steps, -1))).flatten(1))

    def _heads(self, item: Prepared) -> torch.Tensor:
        with HeadReader(decoder_blocks(self._model)) as reader:
            self._model(**self._encoded([item]), use_cache=False)
        return by_head(reader.states, self._model.config.get_text_config(decoder=True).num_attention_heads)

    @torch.inference_mode()
    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        """See :meth:`hiprobe.backbones.base.Backbone.generate`; a model that was cut is first completed.

        Raises
        ------
        UsageError
            If the model is cut and cannot be completed.
        """
        check_segment(self.info, batch)
        self._complete()
        inputs = self.inputs(self.prepare(batch.frames, Prompt(prompt), batch.seconds))
        tokenizer, limit = self._family.tokenizer, context_length(self._family.config)
        if limit is not None:  # and where nothing is left of it, one token more than it was made for
            max_new_tokens = max(1, min(max_new_tokens, limit - inputs["input_ids"].shape[1]))
        output = self._model.generate(
            **inputs, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )
        said = output[0, inputs["input_ids"].shape[1] :]
        return str(tokenizer.decode(said, skip_special_tokens=True)).strip()

    def _complete(self) -> None:
        if self.info.depth is None:
            return
        if self._load_all is None:
            raise UsageError(
                f"{self.info.name} was loaded up to layer {self.info.depth} only and generates no text; load all of it."
            )
        completed = self._complete_cut(self._model)
        self._model = None  # or memory would have to hold both
        self._model = (completed or self._load_all()).eval().requires_grad_(False)
        self._info = replace(self.info, depth=None)

    def prepare(
        self, frames: NDArray[np.uint8], prompt: Prompt | str, seconds: Sequence[float] | None = None
    ) -> list[Prepared]:
        """Prepare B segments, frames (B, K, H, W, 3), of so many seconds, each for itself.

        Raises
        ------
        BackboneError
            If the family does not find as many visual tokens in every step of time.
        UsageError
            If a segment and its prompt are longer than the model's context.
        """
        if seconds is None:
            seconds = [frames.shape[1] * FRAME_INTERVAL] * len(frames)
        prepared = [
            # A K-th of 1.9999999999999998 s must not be taken for less than a K-th of 2 s.
            self._prepare(segment, round(length / len(segment), 6), Prompt.of(prompt))
            for segment, length in zip(frames, seconds, strict=True)
        ]
        tokens, steps = int(prepared[0].visual.sum()), prepared[0].steps
        if not tokens or tokens % steps:
            raise BackboneError(
                f"{self.info.name}: {tokens} visual tokens were found for {steps} frames or steps of time, so that it "
                f"cannot be told which are of which; its tokenizer is damaged, or {self._family.config.model_type!r} "
                "needs a family of its own (docs/models.md)."
            )
        longest = int(np.argmax([item.inputs["input_ids"].shape[1] for item in prepared]))
        check_context(
            self.info.name,
            context_length(self._family.config),
            frames.shape[1],
            prepared[longest].inputs["input_ids"].shape[1],
            lambda count: (
                self._prepare(frames[longest, :count], round(seconds[longest] / frames.shape[1], 6), Prompt.of(prompt))
                .inputs["input_ids"]
                .shape[1]
            ),
        )
        return prepared

    @torch.inference_mode()
    def embeddings(self, prepared: Sequence[Prepared]) -> torch.Tensor:
        """Return what the first decoder block is given, (B, N, D): visual tokens before any attention of the LLM."""
        return self._run(prepared, [1])[1]

    def read_prepared(
        self, prepared: Sequence[Prepared], layers: Sequence[int], pooling: Pooling
    ) -> NDArray[np.float32]:
        """Read hidden states, float32 (B, layers, D), of prepared segments that are of one length in tokens."""
        return self._pooled(prepared, *self._run(prepared, layers), layers, pooling)

    def _pooled(
        self,
        prepared: Sequence[Prepared],
        states: dict[int, torch.Tensor],
        embeddings: torch.Tensor,
        layers: Sequence[int],
        pooling: Pooling,
    ) -> NDArray[np.float32]:
        visual, motion = prepared[0].visual, None
        if pooling == "motion":
            tokens = visual_states(embeddings, visual).float()
            motion = departure(tokens.unflatten(1, (prepared[0].steps, -1))).flatten(1)
        return pool_layers(states, layers, visual, motion, pooling, self.info.name)

    def _run(self, prepared: Sequence[Prepared], layers: Sequence[int]) -> tuple[dict[int, torch.Tensor], torch.Tensor]:
        with LayerReader(decoder_blocks(self._model), layers) as reader:
            self._model(**self._encoded(prepared), use_cache=False)
        if reader.embeddings is None or len(reader.states) < len(layers):
            raise BackboneError(
                f"The decoder blocks of {self.info.name} did not run in its forward pass; this architecture "
                f"({type(self._model).__name__}) cannot be probed."
            )
        return reader.states, reader.embeddings

    def _encoded(self, prepared: Sequence[Prepared]) -> dict[str, Any]:
        """Return the inputs of segments, with pixels encoded where each step of time is encoded by itself."""
        steps = Steps(self._family, prepared)
        if not steps.keys:
            return self.inputs(prepared)

        def encode(places: list[int]) -> Features:
            return self._family.encode(self._model, steps.units(places, *self._place))

        features = self.frames.features(steps.keys, encode, steps.form)
        return self.inputs(prepared, pixels=False) | {
            "mm_encoder_outputs": {self._family.modality: self._family.encoded(features, len(prepared))}
        }

    def inputs(self, prepared: Sequence[Prepared], pixels: bool = True) -> dict[str, torch.Tensor]:
        """Return what the model takes for segments, concatenated; without pixels where these are encoded already."""
        names = [name for name in prepared[0].inputs if pixels or not name.startswith("pixel_")]
        inputs = placed({name: torch.cat([item.inputs[name] for item in prepared]) for name in names}, *self._place)
        raw = [item.pixel_inputs(*self._place) for item in prepared if pixels and isinstance(item, Raw)]
        return inputs | {name: torch.cat([more[name] for more in raw]) for name in (raw[0] if raw else ())}

    @property
    def _place(self) -> tuple[torch.device, torch.dtype]:
        return self._model.device, self._model.dtype


def decoder_blocks(model: PreTrainedModel) -> nn.ModuleList:
    """Return the decoder blocks of a model's language model. Raises BackboneError if they cannot be found."""
    blocks = getattr(model.get_decoder(), "layers", None)
    if not isinstance(blocks, nn.ModuleList):
        raise BackboneError(f"{type(model).__name__} keeps its decoder blocks where HiProbe does not find them.")
    return blocks


def _same_lengths(prepared: Sequence[Prepared]) -> list[list[Prepared]]:
    """Divide segments into batches that need no padding: as one where all are of one length, else one by one."""
    lengths = {item.inputs["input_ids"].shape[1] for item in prepared}
    return [list(prepared)] if len(lengths) == 1 else [[item] for item in prepared]
