"""Each frame goes through the vision tower once, though overlapping segments share it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

AT_ONCE = 8
"""Frames that are encoded together: on a CPU, what more of them need was measured not to fit in its caches."""

Encode = Callable[[NDArray[np.uint8]], Mapping[int, torch.Tensor]]
"""From frames (1, N, H, W, 3) to features (1, N, ...) by vision block."""


class FrameCache:
    """Features of the last frames that were seen, found by the pixels themselves.

    A frame that is encoded in other company may differ from before by rounding; one that is found again does not.

    Parameters
    ----------
    encode : callable
        What computes the features of frames that are not known.
    size : int
        How many frames are kept: the longest unused go first. The frames of one call may be more.
    """

    def __init__(self, encode: Encode, size: int) -> None:
        self._encode = encode
        self._size = size
        self._known: OrderedDict[bytes, dict[int, torch.Tensor]] = OrderedDict()
        self.encoded = 0
        """How many frames were really encoded."""

    def features(self, frames: NDArray[np.uint8]) -> dict[int, torch.Tensor]:
        """Return the features (B, K, ...) of frames (B, K, H, W, 3) by vision block."""
        batch, count = frames.shape[:2]
        flat = np.ascontiguousarray(frames.reshape(batch * count, *frames.shape[2:]))
        keys = [hashlib.blake2b(frame, digest_size=16).digest() for frame in flat]
        places = {key: place for place, key in enumerate(keys) if key not in self._known}
        new = list(places)
        for start in range(0, len(new), AT_ONCE):
            part = new[start : start + AT_ONCE]
            found = self._encode(flat[[places[key] for key in part]][None])
            self.encoded += len(part)
            for place, key in enumerate(part):
                # Cloned: a view would keep the features of all the frames that were encoded with it.
                self._known[key] = {block: value[0, place].clone() for block, value in found.items()}
        for key in keys:
            self._known.move_to_end(key)
        rows = [self._known[key] for key in keys]
        while len(self._known) > self._size:
            self._known.popitem(last=False)
        return {block: torch.stack([row[block] for row in rows]).unflatten(0, (batch, count)) for block in rows[0]}
