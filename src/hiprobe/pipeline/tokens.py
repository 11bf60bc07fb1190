"""A sample of the tokens of normal video: the states of all of them are too many to keep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import BackboneInfo, Reading, States
from hiprobe.errors import UsageError
from hiprobe.features import Extraction
from hiprobe.probing.oneclass import two_steps

SAMPLED_FLOATS = 24_576
"""Numbers of tokens' states that are kept of a segment and layer to fit models to: 64 tokens of width 384."""


def token_width(info: BackboneInfo) -> int:
    """Return D, the size of a token's state. Raises UsageError if a backbone with these facts gives none."""
    _ = info.token_reading()
    assert info.tokens is not None
    return info.tokens.width


def sample_tokens(reading: Reading, width: int, seed: int, count: int | None = None) -> Extraction:
    """Return what keeps some tokens of each segment, and how each differs from the step before.

    A row holds, token by token, its state (D) and the difference (D); :func:`sampled_views` divides them again.

    Parameters
    ----------
    reading : Reading
        Of tokens.
    width : int
        D.
    seed : int
        Of the draw.
    count : int, optional
        Tokens of a segment; by default as many as ``SAMPLED_FLOATS`` allows.
    """
    name = f"sample {seed}" if count is None else f"sample {seed} of {count}"
    count = count or max(1, SAMPLED_FLOATS // width)

    def of_layer(tokens: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = []
        for segment in tokens:
            steps, places = segment.shape[:2]
            # Drawn by the content, so that it does not depend on how segments fall into batches.
            random = np.random.default_rng([seed, int(np.abs(segment[0, 0, :4] * 1e4).sum())])
            step, place = random.integers(1, steps, count), random.integers(0, places, count)
            now = segment[step, place]
            rows.append(np.concatenate([now, now - segment[step - 1, place]], axis=1).ravel())
        return np.stack(rows)

    def sample(states: States) -> NDArray[np.float32]:
        tokens = two_steps(states.values)
        if tokens.shape[-1] != width:
            raise UsageError(
                f"Token states have width {tokens.shape[-1]}, and {width} was said; name the right reading."
            )
        return np.stack([of_layer(tokens[:, index]) for index in range(tokens.shape[1])], axis=1)

    return Extraction(reading, sample, name)


def sampled_views(rows: NDArray[np.float32], width: int) -> dict[str, NDArray[np.float32]]:
    """Divide rows of :func:`sample_tokens` at one layer, (n, ...), into the tokens (m, D) of each view."""
    pairs = rows.reshape(-1, 2, width)
    return {"appearance": pairs[:, 0], "motion": pairs[:, 1]}
