"""How the hidden states of one segment's tokens become one vector at a layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from hiprobe.backbones.reading import Pooling
from hiprobe.backbones.transfer import to_device
from hiprobe.errors import BackboneError


def visual_states(states: torch.Tensor, visual: torch.Tensor) -> torch.Tensor:
    """Return the states (B, V, D), of states (B, N, D), of the V tokens that a mask (N,) in main memory marks."""
    # Chosen by their places, not by the mask: a GPU would have to stop and tell how many there are.
    return states[:, to_device(visual.nonzero()[:, 0], states.device)]


def pool(states: torch.Tensor, visual: torch.Tensor, motion: torch.Tensor | None, pooling: Pooling) -> torch.Tensor:
    """Pool hidden states (B, N, D) to (B, D).

    Parameters
    ----------
    states : Tensor of shape (B, N, D)
        The outputs of one decoder block.
    visual : bool Tensor of shape (N,)
        Which of the N tokens stand for frames; V of them.
    motion : Tensor of shape (B, V), optional
        How far what each visual token stands for departs from its own mean over the segment; at least 0. For the
        pooling ``motion`` alone.
    pooling : {"last", "visual", "motion"}
        See :data:`hiprobe.backbones.reading.Pooling`.
    """
    if pooling == "last":
        return states[:, -1]
    chosen = visual_states(states, visual)
    if pooling == "visual":
        return chosen.mean(dim=1)
    assert motion is not None
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
    motion: torch.Tensor | None,
    pooling: Pooling,
    name: str,
) -> NDArray[np.float32]:
    """Pool the states of several layers: float32 (B, layers, D).

    Raises
    ------
    BackboneError
        If a hidden state of the backbone called ``name`` is not finite.
    """
    pooled = [pool(states[layer], visual, motion, pooling).float() for layer in layers]
    # With a device map, layers lie on different devices. The one copy to the CPU is all that a GPU is waited for.
    found = torch.stack([state.to(pooled[0].device) for state in pooled], dim=1).cpu().numpy()
    if not np.isfinite(found).all():
        bad = [layer for i, layer in enumerate(layers) if not np.isfinite(found[:, i]).all()]
        raise BackboneError(
            f"The {name} backbone gave hidden states that are not finite at layers {bad}; "
            "load it in float32 or bfloat16."
        )
    return found
