"""Copies to a device that nobody waits for: a GPU goes on computing while they are made."""

from __future__ import annotations

import torch


def to_device(tensor: torch.Tensor, device: torch.device, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Return a tensor on a device, in a type if one is given; from main memory the copy is only begun."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()  # the device fetches it by itself from pinned memory alone
    return tensor.to(device, dtype, non_blocking=True)
