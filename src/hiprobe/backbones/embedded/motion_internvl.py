"""InternVL with motion tokens: the architecture of the embedded backbone, registered with transformers.

Plain InternVL gives the language model every frame's patches. A small language model cannot compare them over
time, so here the vision side does: a segment's K frames become a few *streams* of tokens on one coarse grid, one
stream of what is there (the mean over time of a block's patch features) and others of what moves (the mean
absolute difference of consecutive frames, maximum over each cell, so that a small mover is not averaged away). To them
come the slots of an :class:`~hiprobe.backbones.embedded.observer.Observer`, which say what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageTextToText,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLModel,
)

from hiprobe.backbones.embedded.observer import Observation, Observer
from hiprobe.backbones.hooks import LayerReader
from hiprobe.backbones.motion import departure


@strict
class MotionInternVLConfig(InternVLConfig):
    """InternVL's configuration, and which streams of tokens a segment becomes.

    Attributes
    ----------
    appearance_blocks, motion_blocks : list of int
        Vision blocks, from 1, whose patch features feed one stream each.
    token_grid : int
        Side of the grid of cells; a stream has ``token_grid ** 2`` tokens.
    observed_blocks, reduced_widths : list of int
        Vision blocks that the observer reads, and to how many numbers each of their features is reduced.
    observer_width, observer_depth, observer_heads : int
        Of its transformer; it has ``observer_depth`` blocks over space and time and as many over space.
    slots : list of int
        For each question that the observer answers, how many answers there are; none without an observer.
    """

    model_type = "motion_internvl"

    appearance_blocks: list[int] = field(default_factory=lambda: [1])
    motion_blocks: list[int] = field(default_factory=lambda: [1])
    token_grid: int = 4
    observed_blocks: list[int] = field(default_factory=list)
    reduced_widths: list[int] = field(default_factory=list)
    observer_width: int = 256
    observer_depth: int = 2
    observer_heads: int = 4
    slots: list[int] = field(default_factory=list)

    @property
    def streams(self) -> int:
        """Number of streams."""
        return len(self.appearance_blocks) + len(self.motion_blocks)

    @property
    def visual_tokens(self) -> int:
        """Visual tokens per segment, whatever K."""
        return self.streams * self.token_grid**2 + len(self.slots)


@dataclass(frozen=True, eq=False)
class SegmentTokens:
    """Visual tokens (B, N, D) of B segments, and the motion (B, N) of the cells that they stand for."""

    tokens: torch.Tensor
    motion: torch.Tensor


SURENESS = 2.0
"""A slot's answers are said as if it were so much surer of them (its logits are multiplied): a language model that
hears a blend of two answers says neither."""


RULED_OUT = 30.0
"""Taken off the logit of an answer that does not fit whether there is an event at all."""


class StreamProjector(nn.Module):
    """From streams and the observer's slots to visual tokens.

    The linear maps carry the vision tower's features into the language model as they are; each stream is first brought
    to mean 0 and deviation 1 by two constants, measured on generated clips. A slot becomes one token: the mixture
    of its answers' words, weighted by how likely each is, and a linear map of its state.
    The first slot decides whether there is an event (its first answer: there is none); the others say what fits that.
    """

    def __init__(self, config: MotionInternVLConfig) -> None:
        super().__init__()
        vision: Any = config.vision_config
        text: Any = config.text_config
        target = text.hidden_size
        self.offsets = nn.Parameter(torch.zeros(config.streams), requires_grad=False)
        self.scales = nn.Parameter(torch.ones(config.streams), requires_grad=False)
        self.maps = nn.ModuleList(nn.Linear(vision.hidden_size, target, bias=False) for _ in range(config.streams))
        self.places = nn.Parameter(torch.zeros(config.visual_tokens, target))
        if config.slots:
            self.observer = Observer(config)
            self.words = nn.ParameterList(nn.Parameter(torch.zeros(size, target)) for size in config.slots)
            # Of each answer: 1 if it is only given of an event, -1 if only where there is none, 0 if of both.
            self.belongs = nn.ParameterList(
                nn.Parameter(torch.zeros(size), requires_grad=False) for size in config.slots
            )
            self.state = nn.Linear(2 * config.observer_width, target, bias=False)

    def forward(
        self, streams: Sequence[torch.Tensor], features: Mapping[int, torch.Tensor], with_slots: bool
    ) -> torch.Tensor:
        """Turn streams (B, cells, width) and patch features by block into visual tokens (B, tokens, D).

        Slots are given only for ``with_slots``, if there is an observer.
        """
        observer = getattr(self, "observer", None) if with_slots else None
        return self.tokens(streams, None if observer is None else observer(observer.reduce(features)))

    def tokens(self, streams: Sequence[torch.Tensor], observed: Observation | None) -> torch.Tensor:
        """Return the visual tokens (B, tokens, D): those of the streams; and one per slot if something is observed.

        The offsets of places, trained to make the language model talk, go with the slots.
        """
        found = [project((streams[i] - self.offsets[i]) / self.scales[i]) for i, project in enumerate(self.maps)]
        if observed is None:
            return torch.cat(found, dim=1)
        heard = zip(self.consistent(observed.logits), self.words, strict=True)
        said = [(SURENESS * logits).softmax(-1) @ words for logits, words in heard]
        found.append(torch.stack(said, dim=1) + self.state(observed.states))
        return torch.cat(found, dim=1) + self.places

    def presuming(self, observed: Observation) -> Observation:
        """Return the observation where it is known that there is an event: the answer that there is none is ruled out.

        Where that was the likeliest, the others stay in the order that they had.
        """
        first, *others = observed.logits
        none = nn.functional.one_hot(torch.zeros(len(first), dtype=torch.long), first.shape[1]).to(first)
        return replace(observed, logits=[first - RULED_OUT * none, *others])

    def consistent(self, logits: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """Rule out of each slot's logits (B, answers) what does not fit the first slot's likeliest answer."""
        calm = logits[0].argmax(dim=-1, keepdim=True) == 0
        unfit = [torch.where(calm, belongs, -belongs).clamp_min(0) for belongs in self.belongs]
        return [one - RULED_OUT * out for one, out in zip(logits, unfit, strict=True)]


class MotionInternVLModel(InternVLModel):
    """The vision tower, the stream projector and the language model."""

    config: Any  # MotionInternVLConfig

    def __init__(self, config: MotionInternVLConfig) -> None:
        super().__init__(config)
        self.multi_modal_projector = StreamProjector(config)
        self.post_init()

    def get_segment_tokens(self, pixel_values: torch.Tensor, with_slots: bool = False) -> SegmentTokens:
        """Turn pixel values (B, K, 3, H, W) into the visual tokens of B segments, with K of at least 1.

        Parameters
        ----------
        pixel_values : Tensor
            Normalised frames.
        with_slots : bool
            Whether the observer's slots are among the tokens.
        """
        return self.segment_tokens(self.block_features(pixel_values), with_slots)

    def segment_tokens(self, features: Mapping[int, torch.Tensor], with_slots: bool = False) -> SegmentTokens:
        """Turn patch features by block, as of :meth:`block_features`, into the visual tokens of B segments."""
        streams = self.streams(features)
        departures = []
        for block in self.config.appearance_blocks:
            moved = departure(features[block]).mean(dim=1).unsqueeze(-1)
            departures.append(self._cells(moved, nn.functional.adaptive_avg_pool2d)[..., 0])
        motion = torch.stack(departures).mean(dim=0).repeat(1, len(streams))
        tokens = self.multi_modal_projector(streams, features, with_slots)
        # A slot stands for no place.
        return SegmentTokens(tokens, nn.functional.pad(motion, (0, tokens.shape[1] - motion.shape[1])))

    def event_tokens(self, features: Mapping[int, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Turn patch features by block into the visual tokens of B segments that are known to hold an event.

        Returns
        -------
        Tensor of shape (B, N, D)
            The visual tokens.
        Tensor of shape (B, answers)
            How probable each kind of event is to the observer, and first that there is none: nothing is presumed here.
        """
        projector = self.multi_modal_projector
        observed = projector.observer(projector.observer.reduce(features))
        tokens = projector.tokens(self.streams(features), projector.presuming(observed))
        return tokens, observed.logits[0].softmax(dim=-1)

    def streams(self, features: Mapping[int, torch.Tensor]) -> list[torch.Tensor]:
        """Turn patch features (B, K, rows, columns, width) of blocks into streams (B, cells, width).

        An appearance stream holds what is there on average, normalised per cell. A motion stream holds the mean over
        time of the absolute differences of consecutive frames, the maximum over its cell, so that a small mover is not
        averaged away.
        """
        streams = []
        for block in self.config.appearance_blocks:
            mean = self._cells(features[block].mean(dim=1), nn.functional.adaptive_avg_pool2d)
            streams.append(nn.functional.layer_norm(mean, mean.shape[-1:]))
        for block in self.config.motion_blocks:
            # A single frame has no consecutive one: nothing has been seen to move.
            patches = features[block]
            steps = patches.diff(dim=1).abs() if patches.shape[1] > 1 else torch.zeros_like(patches)
            streams.append(self._cells(steps.mean(dim=1), nn.functional.adaptive_max_pool2d))
        return streams

    def block_features(self, pixel_values: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return the patch features (B, K, rows, columns, width) of every vision block that feeds a stream."""
        batch, frames = pixel_values.shape[:2]
        config, tower = self.config, self.vision_tower
        wanted = sorted({*config.appearance_blocks, *config.motion_blocks, *config.observed_blocks})
        with LayerReader(tower.encoder.layer, wanted) as reader:
            tower(pixel_values=pixel_values.flatten(0, 1))
        rows, columns = tower.embeddings.patch_embeddings.patch_shape
        # The first token is the class token.
        return {b: reader.states[b][:, 1:].reshape(batch, frames, rows, columns, -1) for b in wanted}

    def _cells(self, patches: torch.Tensor, pool: Callable[..., torch.Tensor]) -> torch.Tensor:
        """Pool patches (B, rows, columns, C) to the token grid: (B, cells, C)."""
        pooled = pool(patches.movedim(-1, 1), self.config.token_grid)
        return pooled.flatten(2).transpose(1, 2)


class MotionInternVLForConditionalGeneration(InternVLForConditionalGeneration):
    """:class:`MotionInternVLModel` under a language-model head."""

    config: Any
    config_class = MotionInternVLConfig

    def __init__(self, config: MotionInternVLConfig) -> None:
        super().__init__(config)
        self.model = MotionInternVLModel(config)
        self.post_init()


AutoConfig.register(MotionInternVLConfig.model_type, MotionInternVLConfig)
AutoModelForImageTextToText.register(MotionInternVLConfig, MotionInternVLForConditionalGeneration)
