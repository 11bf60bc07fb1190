"""What is read of a segment beside the outputs of the decoder's blocks; see :data:`hiprobe.backbones.base.Site`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from hiprobe.backbones.pooling import pool
from hiprobe.errors import BackboneError

_LISTS = ("layer", "layers", "blocks")
"""What vision towers call the list of their blocks."""


def mean_and_change(tokens: torch.Tensor) -> torch.Tensor:
    """Return (B, 2 D) of tokens (B, steps, P, D): their mean, and the mean of their deviation over the steps."""
    tokens = tokens.float()
    change = tokens.std(dim=1, correction=0).mean(dim=1)
    return torch.cat([tokens.mean(dim=(1, 2)), change], dim=-1).cpu()


def mean_and_motion(tokens: torch.Tensor, motion: torch.Tensor) -> torch.Tensor:
    """Return (B, 1, 2 D) of visual tokens (B, V, D): their mean, and that weighted by their motion (B, V)."""
    every = torch.ones(tokens.shape[1], dtype=torch.bool)
    pooled = [pool(tokens.float(), every, motion, pooling) for pooling in ("visual", "motion")]
    return torch.cat(pooled, dim=-1)[:, None].cpu()


def by_head(states: Mapping[int, torch.Tensor], heads: int) -> torch.Tensor:
    """Divide what blocks give their output projection, (B, heads * width) each: (B, blocks * heads, width)."""
    return torch.cat([states[layer].float().cpu().unflatten(1, (heads, -1)) for layer in sorted(states)], dim=1)


def by_step(states: torch.Tensor | None, steps: int, name: str) -> torch.Tensor:
    """Divide what a block of the vision tower made of a segment by steps of time: (steps, tokens, D).

    Raises
    ------
    BackboneError
        If the block did not run, or only on a part of the steps of the backbone called ``name``.
    """
    if states is None or states.shape[:-1].numel() % steps or (states.ndim == 3 and len(states) % steps):
        raise BackboneError(
            f"The vision tower of {name} does not take the frames of a segment together; read elsewhere."
        )
    return states.reshape(steps, -1, states.shape[-1])


def vision_blocks(model: Any) -> nn.ModuleList:
    """Return the blocks of a model's vision tower. Raises BackboneError if they cannot be found."""
    for path, module in model.get_encoder("image").named_modules():
        if isinstance(module, nn.ModuleList) and path.split(".")[-1] in _LISTS:
            return module
    raise BackboneError(
        f"{type(model).__name__} keeps the blocks of its vision tower where HiProbe does not find them."
    )
