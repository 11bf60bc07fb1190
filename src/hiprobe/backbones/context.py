"""How many tokens a model takes, and how many frames that is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from hiprobe.errors import UsageError


def context_length(config: Any) -> int | None:
    """Return how many tokens a model was made for, as its configuration says; None if it does not."""
    return getattr(config.get_text_config(decoder=True), "max_position_embeddings", None)


def check_context(name: str, limit: int | None, frames: int, length: int, length_of: Callable[[int], int]) -> None:
    """Refuse a segment that is longer than the model's context.

    Parameters
    ----------
    name : str
        The backbone's.
    limit : int, optional
        Tokens that it takes; None: not known, and all is well.
    frames : int
        K.
    length : int
        Tokens of K frames and the prompt.
    length_of : callable
        Tells the tokens of another number of frames with the same prompt; asked only if these are too many.

    Raises
    ------
    UsageError
        If the tokens are more than the limit; it names the largest number of frames that fits.
    """
    if limit is None or length <= limit:
        return
    fitting = bisect_right(range(1, frames), limit, key=length_of)
    cure = (
        f"give --frames {fitting} or fewer to `hiprobe fit`"
        if fitting
        else "not even one frame fits, so shorten the prompt or take another model"
    )
    raise UsageError(f"{name}: {frames} frames and the prompt are {length} tokens, and it takes {limit}; {cure}.")
