"""Each frame goes through the vision tower once, though overlapping segments share it."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from hiprobe.backbones.transfer import to_device

AT_ONCE = 8
"""Frames that are encoded together: on a CPU, what more of them need was measured not to fit in its caches."""

KEPT_FRAMES = 64
"""Frames whose features are kept: those of a batch of overlapping segments and of the one before."""

Name = TypeVar("Name", int, str)


def frame_key(arrays: Iterable[NDArray[np.generic]]) -> bytes:
    """Return what stands for the values of arrays: the same for the same values alone."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.digest()


class FrameCache(Generic[Name]):
    """Features of the last frames that were seen, in memory that is taken once.

    A frame that is encoded in other company may differ from before by rounding; one that is found again does not.

    Parameters
    ----------
    size : int
        How many frames are kept: the longest unused go first. A call with more of them makes room for as many.
    """

    def __init__(self, size: int = KEPT_FRAMES) -> None:
        self._size = size
        self._slots: OrderedDict[bytes, int] = OrderedDict()
        self._kept: dict[Name, torch.Tensor] = {}
        self._form: Hashable = None
        self.encoded = 0
        """How many frames were really encoded."""

    @property
    def capacity(self) -> int:
        """How many frames there is room for."""
        return self._size

    def features(
        self,
        keys: Sequence[bytes],
        encode: Callable[[list[int]], Mapping[Name, torch.Tensor]],
        form: Hashable = None,
    ) -> dict[Name, torch.Tensor]:
        """Return the features of frames, by name, each (N, ...).

        Parameters
        ----------
        keys : sequence of bytes
            What stands for each of the N frames; see :func:`frame_key`.
        encode : callable
            Computes the features (n, ...) of the frames at n places among the N; of the same shapes in every call of
            one form.
        form : hashable
            Stands for the size of the frames. Those of another form are forgotten.
        """
        if form != self._form:
            self._form = form
            self.clear()
        places = {key: place for place, key in reversed(list(enumerate(keys)))}
        if len(places) > self._size:
            self._size = len(places)
            self.clear()
        for key in places.keys() & self._slots.keys():
            self._slots.move_to_end(key)
        new = [key for key in dict.fromkeys(keys) if key not in self._slots]
        for start in range(0, len(new), AT_ONCE):
            part = new[start : start + AT_ONCE]
            found = encode([places[key] for key in part])
            self.encoded += len(part)
            slots = [self._take(key) for key in part]
            for name, value in found.items():
                if name not in self._kept:
                    self._kept[name] = value.new_empty((self._size, *value.shape[1:]))
                self._kept[name][to_device(torch.tensor(slots), value.device)] = value
        wanted = torch.tensor([self._slots[key] for key in keys])
        return {name: kept[to_device(wanted, kept.device)] for name, kept in self._kept.items()}

    def clear(self) -> None:
        """Forget all frames."""
        self._slots.clear()
        self._kept.clear()

    def _take(self, key: bytes) -> int:
        """Give the frame a slot: a free one, or that of the frame that was not used for the longest time."""
        free = len(self._slots) < self._size
        slot = self._slots[key] = len(self._slots) if free else self._slots.popitem(last=False)[1]
        return slot
