"""How the hidden states of one segment's tokens become one vector at a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hiprobe.backbones.base import Pooling
from hiprobe.errors import BackboneError


def pool(states: torch.Tensor, visual: torch.Tensor, motion: torch.Tensor, pooling: Pooling) -> torch.Tensor:
    """Pool hidden states (B, N, D) to (B, D).

    Parameters
    ----------
    states : Tensor of shape (B, N, D)
        The outputs of one decoder block.
    visual : bool Tensor of shape (N,)
        Which of the N tokens stand for frames; V of them.
    motion : Tensor of shape (B, V)
        How far what each visual token stands for departs from its own mean over the segment; at least 0.
    pooling : {"last", "visual", "motion"}
        See :data:`hiprobe.backbones.base.Pooling`.
    """
    if pooling == "last":
        return states[:, -1]
    chosen = states[:, visual.to(states.device)]
    if pooling == "visual":
        return chosen.mean(dim=1)
    motion = motion.to(states.device)
    total = motion.sum(dim=1, keepdim=True)
    # Where nothing moves at all no token stands out: the weighted mean becomes the plain mean.
    even = torch.full_like(motion, 1 / motion.shape[1])
    weights = torch.where(total > 0, motion / total.clamp_min(torch.finfo(motion.dtype).tiny), even)
    return (chosen * weights[:, :, None].to(chosen.dtype)).sum(dim=1)


def pool_layers(
    states: Mapping[int, torch.Tensor],
    layers: Sequence[int],
    visual: torch.Tensor,
    motion: torch.Tensor,
    pooling: Pooling,
    name: str,
) -> NDArray[np.float32]:
    """Pool the states of several layers: float32 (B, layers, D).

    Raises
    ------
    BackboneError
        If a hidden state of the backbone called ``name`` is not finite.
    """
    # One by one to the CPU: with a device map, layers lie on different devices.
    pooled = torch.stack([pool(states[layer], visual, motion, pooling).float().cpu() for layer in layers], dim=1)
    found = pooled.numpy()
    if not np.isfinite(found).all():
        bad = [layer for i, layer in enumerate(layers) if not np.isfinite(found[:, i]).all()]
        raise BackboneError(
            f"The {name} backbone gave hidden states that are not finite at layers {bad}; "
            "load it in float32 or bfloat16."
        )
    return found
