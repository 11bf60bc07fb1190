"""Several ways to read the same segments, in one pass of the videos."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Backbone, Pooling

Way = tuple[str, Pooling]
"""A prompt and a pooling."""


class Together:
    """A backbone that reads each segment in several ways, one after the other. Meets the Backbone protocol.

    Its layers are those of the first way, then those of the second, and so on. The backbone still knows the frames of a
    batch when it reads them another way, so that they are decoded and go through the vision tower once for all.

    Parameters
    ----------
    backbone : Backbone
    ways : sequence of Way
    """

    def __init__(self, backbone: Backbone, ways: Sequence[Way]) -> None:
        identity = hashlib.sha256(repr((backbone.info.fingerprint, *ways)).encode()).hexdigest()
        self.info = replace(backbone.info, fingerprint=identity, layers=len(ways) * backbone.info.layers)
        self._backbone = backbone
        self._ways = ways

    def load(self) -> None:
        """See :meth:`hiprobe.backbones.base.Backbone.load`."""
        self._backbone.load()

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """Return hidden states (B, layers, D); the ways stand for ``prompt`` and ``pooling``."""
        every = range(1, self._backbone.info.layers + 1)
        found = [
            self._backbone.hidden_states(frames, prompt, every, pooling, seconds) for prompt, pooling in self._ways
        ]
        return np.concatenate(found, axis=1)[:, [layer - 1 for layer in layers]]

    def generate(
        self, frames: NDArray[np.uint8], prompt: str, max_new_tokens: int, seconds: float | None = None
    ) -> str:
        """Let the backbone answer."""
        return self._backbone.generate(frames, prompt, max_new_tokens, seconds)
