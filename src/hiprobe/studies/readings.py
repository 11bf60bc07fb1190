"""Other ways to read segments through the ordinary engine: each stands in for the backbone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Backbone, Pooling, Site, SiteBackbone, TokenBackbone
from hiprobe.errors import BackboneError, UsageError
from hiprobe.pipeline import DEFAULT_PROMPT

Way = tuple[str, Pooling]
"""A prompt and a pooling."""


class _Reading:
    """What readings have in common: all but the hidden states is the backbone's."""

    def __init__(self, backbone: Backbone, identity: Sequence[object], layers: int, width: int) -> None:
        # Another fingerprint, so that stored features are never taken for another reading's.
        fingerprint = hashlib.sha256(repr((backbone.info.fingerprint, *identity)).encode()).hexdigest()
        self.info = replace(backbone.info, fingerprint=fingerprint, layers=layers, width=width)
        self._backbone = backbone

    def load(self) -> None:
        """See :meth:`hiprobe.backbones.base.Backbone.load`."""
        self._backbone.load()

    def generate(
        self, frames: NDArray[np.uint8], prompt: str, max_new_tokens: int, seconds: float | None = None
    ) -> str:
        """Let the backbone answer."""
        return self._backbone.generate(frames, prompt, max_new_tokens, seconds)


class Together(_Reading):
    """A backbone that reads each segment in several ways, one after the other. Meets the Backbone protocol.

    Its layers are those of the first way, then those of the second, and so on. The backbone still knows the frames of a
    batch when it reads them another way, so that they are decoded and go through the vision tower once for all.

    Parameters
    ----------
    backbone : Backbone
    ways : sequence of Way
    """

    def __init__(self, backbone: Backbone, ways: Sequence[Way]) -> None:
        super().__init__(backbone, ways, len(ways) * backbone.info.layers, backbone.info.width)
        self._ways = ways

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


class SiteReading(_Reading):
    """A backbone whose layers are the places of a site. Meets the Backbone protocol.

    Parameters
    ----------
    backbone : Backbone
    site : {"vision", "projector", "heads"}
        See :data:`hiprobe.backbones.base.Site`.

    Raises
    ------
    UsageError
        If the backbone is read at its decoder blocks only.
    """

    def __init__(self, backbone: Backbone, site: Site) -> None:
        if not isinstance(backbone, SiteBackbone):
            raise UsageError(f"The {backbone.info.name} backbone is read at its decoder blocks only; use another.")
        # How many places there are, and how wide, is known of a loaded model: a black segment tells.
        black = np.zeros((1, 2, *backbone.info.frame_size, 3), np.uint8)
        _, places, width = backbone.site_states(black, DEFAULT_PROMPT, site).shape
        super().__init__(backbone, ("site", site), places, width)
        self._read = backbone.site_states
        self._site: Site = site

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """Return what is read at some places, (B, layers, width); ``pooling`` has no meaning there."""
        found = self._read(frames, prompt, self._site, seconds)[:, [place - 1 for place in layers]]
        return _finite(found, self.info.name, self._site)


class StepReading(_Reading):
    """A backbone that gives a vector a step of time. Meets the Backbone protocol.

    Its layers are the blocks of ``info.tokens``, counted from 1, and a hidden state is the means over the tokens of
    each step, one after the other: (steps * D,).

    Parameters
    ----------
    backbone : Backbone
    frames : int
        K, as steps may be fewer than frames.

    Attributes
    ----------
    steps : int
        Steps of time into which K frames are divided.

    Raises
    ------
    UsageError
        If the backbone gives no states of single tokens.
    """

    def __init__(self, backbone: Backbone, frames: int) -> None:
        site = backbone.info.tokens
        if site is None or not isinstance(backbone, TokenBackbone):
            raise UsageError(f"The {backbone.info.name} backbone gives no states of single tokens; use another.")
        # How many steps there are is known of a loaded model: a black segment tells.
        black = np.zeros((1, frames, *site.frame_size, 3), np.uint8)
        self.steps = backbone.token_states(black, DEFAULT_PROMPT, site.layers[:1]).shape[2]
        super().__init__(backbone, ("steps", site), len(site.layers), self.steps * site.width)
        self.info = replace(self.info, frame_size=site.frame_size)
        self._read = backbone.token_states
        self._blocks = site.layers

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """Return the means of each step's tokens, (B, layers, steps * D); ``pooling`` has no meaning there."""
        states = self._read(frames, prompt, [self._blocks[layer - 1] for layer in layers], seconds)
        return _finite(states.mean(axis=3).reshape(*states.shape[:2], -1), self.info.name, "tokens")


def _finite(states: NDArray[np.float32], name: str, site: str) -> NDArray[np.float32]:
    if not np.isfinite(states).all():
        raise BackboneError(
            f"The {name} backbone gave states that are not finite ({site}); load it in float32 or bfloat16."
        )
    return states
