"""InternVL with motion tokens: the architecture of the embedded backbone, registered with transformers.

Plain InternVL gives the language model every frame's patches. A small language model cannot compare them over
time, so here the vision side does: a segment's K frames become a few *streams* of tokens on one coarse grid, one
stream of what is there (the mean over time of a block's patch features) and others of what moves (the mean
absolute difference of consecutive frames, maximum over each cell, so that a small mover is not averaged away).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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

from hiprobe.backbones.motion import departure


@strict
class MotionInternVLConfig(InternVLConfig):
    """InternVL's configuration, and which streams of tokens a segment becomes.

    Attributes
    ----------
    appearance_blocks, motion_blocks : list of int
        Vision blocks, from 1, whose patch features feed one stream each.
    motion_offsets, motion_scales : list of float
        One per motion stream: differences enter as ``(difference - offset) / scale``.
    token_grid : int
        Side of the grid of cells; a stream has ``token_grid ** 2`` tokens.
    """

    model_type = "motion_internvl"

    appearance_blocks: list[int] = field(default_factory=lambda: [1])
    motion_blocks: list[int] = field(default_factory=lambda: [1])
    motion_offsets: list[float] = field(default_factory=lambda: [0.0])
    motion_scales: list[float] = field(default_factory=lambda: [1.0])
    token_grid: int = 4

    @property
    def streams(self) -> int:
        """Number of streams."""
        return len(self.appearance_blocks) + len(self.motion_blocks)

    @property
    def visual_tokens(self) -> int:
        """Visual tokens per segment, whatever K."""
        return self.streams * self.token_grid**2


@dataclass(frozen=True, eq=False)
class SegmentTokens:
    """Visual tokens (B, N, D) of B segments, and the motion (B, N) of the cells that they stand for."""

    tokens: torch.Tensor
    motion: torch.Tensor


class StreamProjector(nn.Module):
    """One linear map per stream, from the vision tower's width into the language model's embedding space."""

    def __init__(self, config: MotionInternVLConfig) -> None:
        super().__init__()
        vision: Any = config.vision_config
        text: Any = config.text_config
        maps = (nn.Linear(vision.hidden_size, text.hidden_size, bias=False) for _ in range(config.streams))
        self.maps = nn.ModuleList(maps)

    def forward(self, streams: list[torch.Tensor]) -> torch.Tensor:
        """Map streams of shape (B, cells, width) each and put them in a row: (B, streams * cells, D)."""
        return torch.cat([project(stream) for project, stream in zip(self.maps, streams, strict=True)], dim=1)


class MotionInternVLModel(InternVLModel):
    """The vision tower, the stream projector and the language model."""

    config: Any  # MotionInternVLConfig

    def __init__(self, config: MotionInternVLConfig) -> None:
        super().__init__(config)
        self.multi_modal_projector = StreamProjector(config)
        self.post_init()

    def get_segment_tokens(self, pixel_values: torch.Tensor) -> SegmentTokens:
        """Turn pixel values (B, K, 3, H, W) into the visual tokens of B segments, with K of at least 1."""
        config = self.config
        features = self.block_features(pixel_values)
        streams, departures = [], []
        for block in config.appearance_blocks:
            patches = features[block]
            cells = self._cells(patches.mean(dim=1), nn.functional.adaptive_avg_pool2d)
            streams.append(nn.functional.layer_norm(cells, cells.shape[-1:]))
            moved = departure(patches).mean(dim=1).unsqueeze(-1)
            departures.append(self._cells(moved, nn.functional.adaptive_avg_pool2d)[..., 0])
        for block, offset, scale in zip(config.motion_blocks, config.motion_offsets, config.motion_scales, strict=True):
            streams.append((self._differences(features[block]) - offset) / scale)
        motion = torch.stack(departures).mean(dim=0).repeat(1, len(streams))
        return SegmentTokens(self.multi_modal_projector(streams), motion)

    def raw_motion(self, pixel_values: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return each motion block's differences (B, cells, width) before offset and scale."""
        features = self.block_features(pixel_values)
        return {block: self._differences(features[block]) for block in self.config.motion_blocks}

    def _differences(self, patches: torch.Tensor) -> torch.Tensor:
        """Turn patches (B, K, rows, columns, width) into what changes in each cell: (B, cells, width)."""
        # A single frame has no consecutive one: nothing has been seen to move, and the mean is of nothing.
        steps = patches.diff(dim=1).abs().sum(dim=1) / max(1, patches.shape[1] - 1)
        return self._cells(steps, nn.functional.adaptive_max_pool2d)

    def block_features(self, pixel_values: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return the patch features (B, K, rows, columns, width) of every vision block that feeds a stream."""
        batch, frames = pixel_values.shape[:2]
        output = self.vision_tower(pixel_values=pixel_values.flatten(0, 1), output_hidden_states=True)
        rows, columns = self.vision_tower.embeddings.patch_embeddings.patch_shape
        wanted = {*self.config.appearance_blocks, *self.config.motion_blocks}
        # Entry 0 is the embedding; the first token is the class token.
        return {b: output.hidden_states[b][:, 1:].reshape(batch, frames, rows, columns, -1) for b in wanted}

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
