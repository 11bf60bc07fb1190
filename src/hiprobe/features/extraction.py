"""What is read of every segment of a video, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Batch, Reading, States


def as_read(states: States) -> NDArray[np.float32]:
    """Return the values of states, as they are."""
    return states.values


@dataclass(frozen=True, eq=False)
class Extraction:
    """What is read of segments, and what is kept of it: the vectors themselves, or what is made of single tokens.

    The states of all tokens of a video are too many to keep. What fitting and detection need of them is small: a
    sample, or a score.

    Attributes
    ----------
    reading : Reading
    keep : callable
        Makes what is kept, float32 (B, layers, W), of the :class:`States` of B segments; by default their values.
    name : str
        Tells what is kept from other things that are kept of the same reading; empty for the values.
    alter : callable, optional
        Changes frames, uint8 (B, K, H, W, 3), before they are read; ``name`` must tell that, too.
    observe : callable, optional
        Shown each batch and its states as they are read.
    """

    reading: Reading
    keep: Callable[[States], NDArray[np.float32]] = as_read
    name: str = ""
    alter: Callable[[NDArray[np.uint8]], NDArray[np.uint8]] | None = None
    observe: Callable[[Batch, States], None] | None = None

    @classmethod
    def of(cls, what: Reading | Extraction) -> Extraction:
        """Return a reading as the extraction of its values."""
        return what if isinstance(what, Extraction) else cls(what)
