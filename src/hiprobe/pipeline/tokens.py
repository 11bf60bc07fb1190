"""What is made of the states of a segment's tokens, read segment by segment through the ordinary engine.

The states of all tokens of a video are too large to keep. What fitting and detection need of them is small: a
sample, or a score. So :class:`TokenReading` stands in for the backbone, and its "hidden states" are what is made of
the tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Backbone, Pooling, TokenBackbone, TokenSite
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from hiprobe.probing import OneClassProbe

Measure = Callable[[int, NDArray[np.float32]], NDArray[np.floating]]
"""Makes (B, width) of a layer's number and its token states (B, steps, P, D)."""

SAMPLED_FLOATS = 24_576
"""Numbers of tokens' states that are kept of a segment and layer to fit models to: 64 tokens of width 384."""


class TokenReading:
    """A backbone whose hidden states are what ``measure`` makes of its tokens' states. Meets the Backbone protocol.

    Parameters
    ----------
    backbone : Backbone
        One that gives token states.
    measure : callable
        See :data:`Measure`.
    width : int
        How many numbers it makes.
    identity : str
        Tells this reading from others, so that stored features are never taken for another's.
    alter : callable, optional
        Changes frames (B, K, H, W, 3) before they are read.

    Raises
    ------
    UsageError
        If the backbone gives no token states.
    """

    def __init__(
        self,
        backbone: Backbone,
        measure: Measure,
        width: int,
        identity: str,
        alter: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None,
    ) -> None:
        site = token_site(backbone)
        fingerprint = hashlib.sha256(f"{backbone.info.fingerprint} {site} {identity}".encode()).hexdigest()
        self.info = replace(backbone.info, fingerprint=fingerprint, width=width, frame_size=site.frame_size)
        self._backbone = backbone
        self._measure = measure
        self._alter = alter

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
        """Return what is made of the tokens at each layer: (B, layers, width). Nothing is pooled."""
        if not isinstance(self._backbone, TokenBackbone):
            raise UsageError(f"The {self.info.name} backbone gives no states of single tokens; use another.")
        shown = frames if self._alter is None else self._alter(frames)
        states = self._backbone.token_states(shown, prompt, layers, seconds)
        if states.shape[2] < 2:
            raise UsageError("One-class probes need two steps of time in a segment; give more frames a segment.")
        found = [self._measure(layer, states[:, index]) for index, layer in enumerate(layers)]
        return np.stack(found, axis=1).astype(np.float32)

    def generate(
        self, frames: NDArray[np.uint8], prompt: str, max_new_tokens: int, seconds: float | None = None
    ) -> str:
        """Let the backbone answer."""
        return self._backbone.generate(frames, prompt, max_new_tokens, seconds)


def token_site(backbone: Backbone) -> TokenSite:
    """Return where a backbone's token states are read. Raises UsageError if it gives none."""
    if backbone.info.tokens is None:
        raise UsageError(
            f"The {backbone.info.name} backbone gives no states of single tokens, which one-class probes need; use "
            "another, or label anomalies and fit without --normal-only."
        )
    return backbone.info.tokens


def sampling_reading(backbone: Backbone, seed: int) -> TokenReading:
    """Return the reading that keeps some tokens of each segment, and how each differs from the step before.

    A row holds, token by token, its state (D) and the difference (D); :func:`sampled_views` divides them again.
    """
    width = token_site(backbone).width
    count = max(1, SAMPLED_FLOATS // width)

    def sample(_layer: int, tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = []
        for segment in tokens:
            steps, places = segment.shape[:2]
            # Drawn by the content, so that it does not depend on how segments fall into batches.
            random = np.random.default_rng([seed, int(np.abs(segment[0, 0, :4] * 1e4).sum())])
            step, place = random.integers(1, steps, count), random.integers(0, places, count)
            now = segment[step, place]
            rows.append(np.concatenate([now, now - segment[step - 1, place]], axis=1).ravel())
        return np.stack(rows)

    return TokenReading(backbone, sample, count * 2 * width, f"sample {seed}")


def sampled_views(states: NDArray[np.float32], width: int) -> dict[str, NDArray[np.float32]]:
    """Divide rows of :func:`sampling_reading` at one layer, (n, ...), into the tokens (m, D) of each view."""
    pairs = states.reshape(-1, 2, width)
    return {"appearance": pairs[:, 0], "motion": pairs[:, 1]}


def scoring_reading(backbone: Backbone, probe: OneClassProbe) -> TokenReading:
    """Return the reading that gives each segment's score, one number, at the probe's layer."""

    def score(_layer: int, tokens: NDArray[np.float32]) -> NDArray[np.floating]:
        return probe.scorer.scores(tokens)[:, None]

    return TokenReading(backbone, score, 1, f"score {probe.identity}")
