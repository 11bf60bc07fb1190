"""What happens in a segment, read from patch features over time: a small transformer with one slot per question.

The projector's streams carry what the vision tower saw; they do not say whether two people hug or fight. The observer
does: it joins patches of neighbouring places and frames into *tubelets*, compares them in space and time, and gives one
*slot* per question (what kind of event, how many people, ...) whose answers are words of the language model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

OBSERVED_FRAMES = 8
"""Frames that the observer looks at; of more or fewer, the nearest ones in time are taken."""

SIDE = 2
"""Patches (in each direction) and frames that make up a tubelet."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What the observer makes of B segments.

    Attributes
    ----------
    cells : Tensor of shape (B, cells, W)
        What is at each place of the picture, over the whole segment, row by row.
    people : Tensor of shape (B, cells)
        The logarithm of how many people each place is expected to hold.
    states : Tensor of shape (B, slots, 2 * W)
        What each slot holds, beside the largest of the cells.
    logits : list of Tensor of shape (B, answers)
        For each slot, how strongly it gives each of its answers.
    """

    cells: torch.Tensor
    people: torch.Tensor
    states: torch.Tensor
    logits: list[torch.Tensor]


class Observer(nn.Module):
    """See the module. ``config`` is a :class:`~hiprobe.backbones.embedded.motion_internvl.MotionInternVLConfig`."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        vision, width = config.vision_config, config.observer_width
        rows, columns = (s // p for s, p in zip(vision.image_size, vision.patch_size, strict=True))
        cells, reduced = (rows // SIDE) * (columns // SIDE), sum(config.reduced_widths)
        wide = [vision.hidden_size] * len(config.observed_blocks)
        self.blocks: list[int] = list(config.observed_blocks)
        # Directions of largest variance over generated clips, and what is there on average: measured, not trained.
        self.averages = nn.ParameterList(nn.Parameter(torch.zeros(w), requires_grad=False) for w in wide)
        self.directions = nn.ParameterList(
            nn.Parameter(torch.zeros(r, w), requires_grad=False)
            for r, w in zip(config.reduced_widths, wide, strict=True)
        )
        self.scene = nn.Sequential(nn.BatchNorm1d(reduced, affine=False), nn.Linear(reduced, width))
        wide_tubelet = reduced * (SIDE**2 + 2)
        self.tubelet = nn.Sequential(
            nn.BatchNorm1d(wide_tubelet, affine=False),
            nn.Linear(wide_tubelet, 2 * width),
            nn.GELU(),
            nn.Dropout(0.2),
            nn.Linear(2 * width, width),
        )
        self.places = nn.Parameter(torch.randn(cells, width) * 0.02)
        self.moments = nn.Parameter(torch.randn(OBSERVED_FRAMES // SIDE, 1, width) * 0.02)
        self.slots = nn.Parameter(torch.randn(len(config.slots), width) * 0.02)
        self.over_time = nn.ModuleList(_block(width, config.observer_heads, 0.0) for _ in range(config.observer_depth))
        self.over_space = nn.ModuleList(_block(width, config.observer_heads, 0.1) for _ in range(config.observer_depth))
        self.norm = nn.LayerNorm(width)
        self.people = nn.Linear(width, 1)
        self.answers = nn.ModuleList(nn.Linear(5 * width + 1, size) for size in config.slots)

    def reduce(self, features: Mapping[int, torch.Tensor]) -> torch.Tensor:
        """Reduce patch features (B, K, rows, columns, C) of blocks to (B, K, rows, columns, reduced)."""
        parts = zip(self.blocks, self.averages, self.directions, strict=True)
        return torch.cat([(features[b] - average) @ directions.T for b, average, directions in parts], dim=-1)

    def forward(self, reduced: torch.Tensor, dropped: torch.Tensor | None = None) -> Observation:
        """Observe reduced features (B, K, rows, columns, reduced).

        Parameters
        ----------
        reduced : Tensor
            What :meth:`reduce` returned.
        dropped : BoolTensor of shape (B, moments, cells), optional
            Tubelets to leave out, in training.
        """
        batch, count = reduced.shape[:2]
        if count != OBSERVED_FRAMES:
            nearest = torch.linspace(0, count - 1, OBSERVED_FRAMES, device=reduced.device).round().long()
            reduced = reduced[:, nearest]
        # What is everywhere and always is the camera's and the place's: it is told once, and taken off the patches.
        average = reduced.mean(dim=(1, 2, 3))
        joined = tubelets_of(reduced - average[:, None, None, None])
        tubelets = self.tubelet(joined.flatten(0, 2)).unflatten(0, joined.shape[:3])
        if dropped is not None:
            tubelets = tubelets.masked_fill(dropped[..., None], 0.0)
        mixed = (tubelets + self.places + self.moments).flatten(1, 2)
        mixed = torch.cat([mixed, self.scene(average)[:, None]], dim=1)
        for block in self.over_time:
            mixed = block(mixed)
        cells = mixed[:, :-1].unflatten(1, (len(self.moments), -1)).mean(dim=1)
        mixed = torch.cat([self.slots.expand(batch, -1, -1), mixed[:, -1:], cells], dim=1)
        for block in self.over_space:
            mixed = block(mixed)
        mixed = self.norm(mixed)
        slots, scene, cells = mixed.split([len(self.slots), 1, mixed.shape[1] - len(self.slots) - 1], dim=1)
        states = torch.cat([slots, cells.amax(dim=1, keepdim=True).expand_as(slots)], dim=-1)
        people = self.people(cells)[..., 0].clamp(max=3.0)
        count = people.exp().sum(dim=1, keepdim=True)
        # Short ways for what needs no comparison: where it is, that something moves, how many people there are in all.
        parts = (scene[:, 0], tubelets.mean(dim=(1, 2)), tubelets.amax(dim=(1, 2)), count.log1p())
        short = torch.cat(parts, dim=-1)
        logits = [answer(torch.cat([states[:, i], short], dim=-1)) for i, answer in enumerate(self.answers)]
        return Observation(cells, people, states, logits)


def tubelets_of(patches: torch.Tensor) -> torch.Tensor:
    """Join patches (B, K, rows, columns, C) to tubelets (B, K / SIDE, cells, (SIDE**2 + 2) * C).

    A tubelet holds each of its patches averaged over its frames, and the mean and the largest, over its patches, of how
    much they change from frame to frame. The change is given as such, since a small network is slow to find it.
    """
    frames = patches.shape[1]
    steps = patches.diff(dim=1).abs()
    steps = torch.cat([steps, steps[:, -1:]], dim=1)

    def squares(maps: torch.Tensor) -> torch.Tensor:
        maps = maps.unflatten(1, (frames // SIDE, SIDE)).mean(dim=2)
        maps = maps.unflatten(2, (-1, SIDE)).unflatten(4, (-1, SIDE)).transpose(3, 4)
        return maps.flatten(4, 5).flatten(2, 3)  # (B, moments, cells, SIDE**2, C)

    there, moved = squares(patches), squares(steps)
    return torch.cat([there.flatten(3), moved.mean(dim=3), moved.amax(dim=3)], dim=-1)


def _block(width: int, heads: int, dropout: float) -> nn.Module:
    return nn.TransformerEncoderLayer(
        width, heads, 4 * width, dropout, nn.functional.gelu, batch_first=True, norm_first=True
    )
