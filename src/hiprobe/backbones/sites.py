"""What is read of a segment beside the outputs of the decoder's blocks; see :data:`hiprobe.backbones.reading.Site`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hiprobe.backbones.pooling import pool
from hiprobe.backbones.reading import Reading
from hiprobe.errors import BackboneError, UsageError

_LISTS = ("layer", "layers", "blocks")
"""What vision towers call the list of their blocks."""


def at_places(found: torch.Tensor, reading: Reading, name: str) -> NDArray[np.float32]:
    """Return what is read at the places, (B, places, D) all there are, that a reading's layers name: (B, layers, D).

    Raises
    ------
    UsageError
        If there is no such place.
    BackboneError
        If a number of the backbone called ``name`` is not finite.
    """
    count, layers = found.shape[1], reading.layers or range(1, found.shape[1] + 1)
    if layers[-1] > count:
        raise UsageError(f"Places {list(layers)} of the site {reading.site}: the {name} backbone has {count}.")
    return finite(found.numpy()[:, [place - 1 for place in layers]], name, reading.site)


def finite(values: NDArray[np.float32], name: str, site: str) -> NDArray[np.float32]:
    """Return values as they are; BackboneError if one that the backbone called ``name`` gave is not finite."""
    if not np.isfinite(values).all():
        raise BackboneError(
            f"The {name} backbone gave states that are not finite ({site}); load it in float32 or bfloat16."
        )
    return values


def of_tokens(tokens: NDArray[np.float32], reading: Reading, name: str) -> NDArray[np.float32]:
    """Return the states of single tokens, (B, layers, steps, P, D), as a reading pools them.

    As they are; or of ``steps`` the means over the tokens of each step, joined: (B, layers, steps * D).

    Raises
    ------
    BackboneError
        If a number that the backbone called ``name`` gave is not finite.
    """
    if reading.pooling == "steps":
        tokens = tokens.mean(axis=3).reshape(*tokens.shape[:2], -1)
    return finite(tokens, name, "tokens")


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
