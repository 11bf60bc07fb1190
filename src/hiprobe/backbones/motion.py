"""How far things depart from their own mean over a segment: the weights of ``motion`` pooling."""

from __future__ import annotations

import torch

_ROUNDING = 256
"""Rounding steps, relative to the vector, up to which a departure is taken for rounding and not for motion."""


def departure(features: torch.Tensor) -> torch.Tensor:
    """Return the distance of features (B, K, ..., C) from their mean over the K frames: (B, K, ...), at least 0.

    What stands still departs by rounding only; that is returned as exactly 0.
    """
    mean = features.mean(dim=1, keepdim=True)
    distance = (features - mean).norm(dim=-1)
    floor = _ROUNDING * torch.finfo(features.dtype).eps * mean.norm(dim=-1)
    return torch.where(distance > floor, distance, torch.zeros_like(distance))
