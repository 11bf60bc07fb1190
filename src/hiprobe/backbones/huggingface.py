"""A backbone over any multimodal LLM that transformers loads with ``AutoModelForImageTextToText``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel

from hiprobe.backbones.base import (
    FRAME_INTERVAL,
    BackboneInfo,
    PlacedStates,
    Pooling,
    Site,
    TokenSite,
    check_request,
    token_grid,
)
from hiprobe.backbones.checkpoint import find_checkpoint, read_config
from hiprobe.backbones.deferred import Deferred
from hiprobe.backbones.families import Family, Prepared, find_family
from hiprobe.backbones.families.base import Features
from hiprobe.backbones.fingerprint import checkpoint_fingerprint
from hiprobe.backbones.frames import FrameCache
from hiprobe.backbones.hooks import HeadReader, LayerReader
from hiprobe.backbones.loading import check_placing, complete_model, load_config, load_model
from hiprobe.backbones.motion import departure
from hiprobe.backbones.options import LoadOptions
from hiprobe.backbones.pooling import pool_layers, visual_states
from hiprobe.backbones.preparing import Preparer, Raw, Steps, placed
from hiprobe.backbones.sites import by_head, by_step, mean_and_change, mean_and_motion, vision_blocks
from hiprobe.errors import BackboneError, UsageError


class HuggingFaceBackbone:
    """Reads hidden states of, and generates text with, a transformers model. Meets the Backbone protocol.

    The model runs its own forward pass on inputs that its family prepares, so that merging, positions and masks are the
    library's; reading it stops after the deepest block that is asked for.

    Parameters
    ----------
    model : PreTrainedModel
        Whole, or cut to ``info.depth`` decoder blocks.
    family : Family
        Of the model's checkpoint.
    info : BackboneInfo
        The facts.
    whole : callable, optional
        Loads the whole model, for the first text that is generated after a cut one was read.
    grow : callable, optional
        Makes the whole model of the cut one instead, which takes less time; None where it cannot.

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
        whole: Callable[[], PreTrainedModel] | None = None,
        grow: Callable[[PreTrainedModel], PreTrainedModel | None] = lambda _: None,
    ) -> None:
        # Any: transformers' annotations cover neither its models' parts nor what they take.
        self._model: Any = model.eval().requires_grad_(False)
        self._family, self._prepare = family, Preparer(family)
        self._info = info
        decoder_blocks(model)  # what cannot be probed is told at once
        self._whole, self._grow = whole, grow
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
    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`hiprobe.backbones.base.Backbone.hidden_states`."""
        check_request(self.info, frames, layers, pooling)
        prepared = self.prepare(frames, prompt, seconds)
        return np.concatenate([self.read(batch, layers, pooling) for batch in _same_lengths(prepared)])

    @torch.inference_mode()
    def token_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`hiprobe.backbones.base.TokenBackbone.token_states`: visual tokens in decoder blocks."""
        check_request(self.info, frames, layers, "visual")
        rows = []
        for batch in _same_lengths(self.prepare(frames, prompt, seconds)):
            states, _ = self._run(batch, layers)
            visual, steps = batch[0].visual, batch[0].steps
            found = [visual_states(states[layer], visual).float().cpu() for layer in layers]
            rows.append(torch.stack(found, dim=1).unflatten(2, (steps, -1)))
        return torch.cat(rows).numpy()

    @torch.inference_mode()
    def placed_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layer: int,
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> PlacedStates:
        """See :meth:`hiprobe.backbones.base.PlacedBackbone.placed_states`: every family lays tokens out row by row.

        Raises
        ------
        UsageError
            If a frame's tokens make no grid.
        """
        check_request(self.info, frames, [layer], pooling)
        pooled, placed = [], []
        for batch in _same_lengths(self.prepare(frames, prompt, seconds)):
            states, embeddings = self._run(batch, [layer])
            visual, steps = batch[0].visual, batch[0].steps
            tokens = visual_states(states[layer], visual).float().cpu()
            grid = token_grid(self.info, tokens.shape[1] // steps, self.info.frame_size)
            placed.append(tokens.unflatten(1, (steps, *grid)))
            pooled.append(self._pooled(batch, states, embeddings, [layer], pooling)[:, 0])
        return PlacedStates(np.concatenate(pooled), torch.cat(placed).numpy())

    @torch.inference_mode()
    def site_states(
        self, frames: NDArray[np.uint8], prompt: str, site: Site, seconds: Sequence[float] | None = None
    ) -> NDArray[np.float32]:
        """See :meth:`hiprobe.backbones.base.SiteBackbone.site_states`; a model that was cut gives only what is left."""
        check_request(self.info, frames, [1], "visual")
        read = {"vision": self._vision, "projector": self._projector, "heads": self._heads}[site]
        # One by one: the states of all patches in all blocks are large.
        return torch.cat([read(item) for item in self.prepare(frames, prompt, seconds)]).numpy()

    def _vision(self, item: Prepared) -> torch.Tensor:
        blocks = vision_blocks(self._model)
        layers = range(1, len(blocks) + 1)
        with LayerReader(blocks, layers) as reader:
            self._model(**self._inputs([item]), use_cache=False)
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
    def generate(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        max_new_tokens: int,
        seconds: float | None = None,
    ) -> str:
        """See :meth:`hiprobe.backbones.base.Backbone.generate`; a model that was cut is first made whole.

        Raises
        ------
        UsageError
            If the model is cut and cannot be loaded whole.
        """
        self._complete()
        check_request(self.info, frames[None], [1], "visual")
        prepared = self.prepare(frames[None], prompt, None if seconds is None else [seconds])
        inputs = self._inputs(prepared)
        tokenizer = self._family.tokenizer
        output = self._model.generate(
            **inputs, max_new_tokens=max_new_tokens, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )
        said = output[0, inputs["input_ids"].shape[1] :]
        return str(tokenizer.decode(said, skip_special_tokens=True)).strip()

    def _complete(self) -> None:
        if self.info.depth is None:
            return
        if self._whole is None:
            raise UsageError(
                f"{self.info.name} was loaded up to layer {self.info.depth} only and generates no text; load it whole."
            )
        whole = self._grow(self._model)
        self._model = None  # or memory would have to hold both
        self._model = (whole or self._whole()).eval().requires_grad_(False)
        self._info = replace(self.info, depth=None)

    def prepare(self, frames: NDArray[np.uint8], prompt: str, seconds: Sequence[float] | None = None) -> list[Prepared]:
        """Prepare B segments, frames (B, K, H, W, 3), of so many seconds, each for itself.

        Raises
        ------
        BackboneError
            If the family does not find as many visual tokens in every step of time.
        """
        if seconds is None:
            seconds = [frames.shape[1] * FRAME_INTERVAL] * len(frames)
        prepared = [
            # A K-th of 1.9999999999999998 s must not be taken for less than a K-th of 2 s.
            self._prepare(segment, round(length / len(segment), 6), prompt)
            for segment, length in zip(frames, seconds, strict=True)
        ]
        tokens, steps = int(prepared[0].visual.sum()), prepared[0].steps
        if not tokens or tokens % steps:
            raise BackboneError(
                f"{self.info.name}: {tokens} visual tokens were found for {steps} frames or steps of time, so that it "
                f"cannot be told which are of which; its tokenizer is damaged, or {self._family.config.model_type!r} "
                "needs a family of its own (docs/models.md)."
            )
        return prepared

    @torch.inference_mode()
    def embeddings(self, prepared: Sequence[Prepared]) -> torch.Tensor:
        """Return what the first decoder block is given, (B, N, D): visual tokens before any attention of the LLM."""
        return self._run(prepared, [1])[1]

    def read(self, prepared: Sequence[Prepared], layers: Sequence[int], pooling: Pooling) -> NDArray[np.float32]:
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
            return self._inputs(prepared)

        def encode(places: list[int]) -> Features:
            return self._family.encode(self._model, steps.units(places, *self._place))

        features = self.frames.features(steps.keys, encode)
        return self._inputs(prepared, pixels=False) | {
            "mm_encoder_outputs": {self._family.modality: self._family.encoded(features, len(prepared))}
        }

    def _inputs(self, prepared: Sequence[Prepared], pixels: bool = True) -> dict[str, torch.Tensor]:
        """Concatenate the inputs of segments, without their pixels where these are encoded already."""
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


def load_checkpoint(
    name: str, options: LoadOptions, depth: int | None = None, report: Callable[[str], None] = lambda _: None
) -> HuggingFaceBackbone:
    """Load a checkpoint, or its first ``depth`` decoder blocks alone; parameters and errors are open_checkpoint's."""
    loaded = open_checkpoint(name, options, depth, report).loaded
    assert isinstance(loaded, HuggingFaceBackbone)
    return loaded


def open_checkpoint(
    name: str, options: LoadOptions, depth: int | None = None, report: Callable[[str], None] = lambda _: None
) -> Deferred:
    """Open a checkpoint; its model, or the first ``depth`` decoder blocks alone, are loaded when it first runs.

    Parameters
    ----------
    name : str
        A folder, or the hub's ID.
    options : LoadOptions
        How.
    depth : int, optional
        Leave out the blocks above, the final norm and the LM head, until text is to be generated. States of the blocks
        that are loaded are the same.
    report : callable
        Told in a sentence what takes time, and of risks.

    Raises
    ------
    UsageError
        If the name, the depth or an option is wrong.
    BackboneError
        If it cannot be fetched, or its configuration or processors not read. Loading raises this too, if the weights
        do not fit or the model cannot be probed.
    """
    if options.trust_remote_code:
        report(f"warning: code that comes with {name} may run with all your rights (--trust-remote-code)")
    folder = find_checkpoint(name, options, report)
    config = load_config(folder, options)
    family = find_family(read_config(folder)["model_type"])(folder, config, options.trust_remote_code)
    text = config.get_text_config(decoder=True)
    if depth is not None and not 1 <= depth <= text.num_hidden_layers:
        raise UsageError(f"{name} has {text.num_hidden_layers} decoder blocks; it cannot be cut to {depth}.")
    cut = None if depth == text.num_hidden_layers else depth
    reading = family.reading() | ({"quantize": options.quantize} if options.quantize else {})
    info = BackboneInfo(
        name=name if not Path(name).is_dir() else Path(name).name,
        fingerprint=checkpoint_fingerprint(folder, reading),
        layers=text.num_hidden_layers,
        width=text.hidden_size,
        frame_size=family.size(),
        pooling="last",
        tokens_per_frame=family.tokens_per_frame(),
        depth=cut,
        device=str(check_placing(options)),
        memory=None if options.batch_memory is None else int(options.batch_memory * 1e9),
        tokens=TokenSite("decoder", _quarters(text.num_hidden_layers), text.hidden_size, family.size()),
    )

    def load(depth: int | None) -> HuggingFaceBackbone:
        report(f"loading {name}" + (f" up to layer {depth} of {info.layers}" if depth else ""))
        model = load_model(folder, options, depth)
        whole, grow = partial(load_model, folder, options), partial(complete_model, folder=folder, options=options)
        return HuggingFaceBackbone(model, family, replace(info, depth=depth), whole, grow)

    return Deferred(info, lambda: load(cut), lambda: load(None))


def _quarters(depth: int) -> tuple[int, ...]:
    """Return the blocks at a quarter, half and three quarters of the depth, and the last."""
    return tuple(sorted({max(1, round(depth * share)) for share in (0.25, 0.5, 0.75, 1)}))


def _same_lengths(prepared: Sequence[Prepared]) -> list[list[Prepared]]:
    """Divide segments into batches that need no padding: as one where all are of one length, else one by one."""
    lengths = {item.inputs["input_ids"].shape[1] for item in prepared}
    return [list(prepared)] if len(lengths) == 1 else [[item] for item in prepared]
