"""Reading a backbone in one line, as tests do it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Backbone, Batch, Pooling, States


def states_of(
    backbone: Backbone,
    frames: NDArray[np.uint8],
    prompt: str,
    layers: Iterable[int],
    pooling: str,
    **more: Any,
) -> States:
    """Read segments (B, K, H, W, 3) at some layers; ``more`` is what else is set of the reading."""
    every = backbone.info.reading(prompt=prompt, pooling=cast(Pooling, pooling))
    return backbone.read(Batch(frames), replace(every, layers=tuple(layers), **more))


def values_of(
    backbone: Backbone,
    frames: NDArray[np.uint8],
    prompt: str,
    layers: Iterable[int],
    pooling: str,
    **more: Any,
) -> NDArray[np.float32]:
    """Read segments as :func:`states_of` does; only the values."""
    return states_of(backbone, frames, prompt, layers, pooling, **more).values
