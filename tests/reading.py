"""Reading a backbone in one line, as tests do it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Backbone, Batch, Pooling, States


def states_of(
    backbone: Backbone,
    frames: NDArray[np.uint8],
    prompt: str,
    layers: Iterable[int],
    pooling: Pooling,
    **more: Any,
) -> States:
    """Read segments (B, K, H, W, 3) at some layers; ``more`` is what else is set of the reading."""
    reading = replace(backbone.info.reading(prompt=prompt, pooling=pooling), layers=tuple(layers), **more)
    return backbone.read(Batch(frames), reading)


def values_of(
    backbone: Backbone,
    frames: NDArray[np.uint8],
    prompt: str,
    layers: Iterable[int],
    pooling: Pooling,
    **more: Any,
) -> NDArray[np.float32]:
    """Read segments as :func:`states_of` does; only the values."""
    return states_of(backbone, frames, prompt, layers, pooling, **more).values
