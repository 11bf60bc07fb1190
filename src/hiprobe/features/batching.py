"""How many segments go through the backbone at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hiprobe.backbones.memory import PeakMemory, free_memory, is_out_of_memory, release_memory
from hiprobe.errors import BackboneError

Item = TypeVar("Item")
Row = TypeVar("Row")

_LARGEST_ON_CPU, _LARGEST = 4, 32

SHARE = 0.5
"""Share of the free memory that a forward pass may take unless a budget is given."""


def largest_batch(device: str) -> int:
    """Return how many segments one forward pass takes at most: on a CPU more than 4 were measured to be no faster."""
    return _LARGEST_ON_CPU if device == "cpu" else _LARGEST


class Batches:
    """Runs a function on batches of a size that fits in memory.

    One item is run first, and by what it took the size is set. Should memory run out nevertheless, the batch is run
    in halves, and the size stays at what went through.

    Parameters
    ----------
    device : str
        Where the function runs: ``cpu``, ``cuda``, ``cuda:1``, ...
    budget : int, optional
        Bytes that one batch may take; by default half of what is free when the first one is run.
    """

    def __init__(self, device: str, budget: int | None = None) -> None:
        self._device = device
        self._budget = budget
        self._measured = False
        self.size = 1
        """Items in the next batch."""

    def run(self, function: Callable[[Sequence[Item]], list[Row]], items: Sequence[Item]) -> list[Row]:
        """Return what ``function`` makes of ``items``, one row each.

        Raises
        ------
        BackboneError
            If memory does not suffice for a single item.
        """
        if not self._measured:
            return self._first(function, items)
        return self._halving(function, items)

    def _first(self, function: Callable[[Sequence[Item]], list[Row]], items: Sequence[Item]) -> list[Row]:
        budget = self._budget or int(SHARE * free_memory(self._device))
        with PeakMemory(self._device) as peak:
            rows = self._halving(function, items)
        self._measured = True
        self.size = max(1, min(largest_batch(self._device), budget // max(1, peak.bytes // len(items))))
        return rows

    def _halving(self, function: Callable[[Sequence[Item]], list[Row]], items: Sequence[Item]) -> list[Row]:
        try:
            return function(items)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            if len(items) == 1:
                raise BackboneError(
                    f"Memory on {self._device} does not suffice for a single segment; take fewer frames a segment, a "
                    "smaller model, or a device with more."
                ) from error
        # Outside the handler: the error's traceback would keep the batch's tensors alive.
        release_memory(self._device)
        half = len(items) // 2
        self.size = min(self.size, max(1, half))
        return self._halving(function, items[:half]) + self._halving(function, items[half:])
