"""Work that runs ahead in a thread, so far and no further."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Generic, TypeVar

Item = TypeVar("Item")

_PATIENCE = 0.05
"""Seconds after which a thread that waits for room looks whether it is still wanted."""


class _End:
    """What the thread hands over last: the error that it ended with, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Prefetch(Generic[Item]):
    """Context manager that runs a generator in a thread, up to ``size`` items ahead of whoever takes them.

    Its errors are raised where the items are taken, after those that came before. Leaving the block, by an interrupt
    too, ends the thread at its next item and waits for it; the generator is closed there.

    Parameters
    ----------
    items : callable
        Returns the generator; called in the thread.
    size : int
        How many items wait at most.
    """

    def __init__(self, items: Callable[[], Generator[Item, None, None]], size: int) -> None:
        self._items = items
        self._queue: queue.Queue[Item | _End] = queue.Queue(size)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hiprobe-prefetch", daemon=True)

    def __enter__(self) -> Iterator[Item]:
        self._thread.start()
        return self._taken()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        end = _End(None)
        try:
            with closing(self._items()) as items:
                for item in items:
                    if not self._put(item):
                        return
        except BaseException as error:  # handed over, whatever it is
            end = _End(error)
        self._put(end)

    def _put(self, item: Item | _End) -> bool:
        """Wait for room; return whether the item is still wanted."""
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue
            return True
        return False

    def _taken(self) -> Iterator[Item]:
        while True:
            item = self._queue.get()
            if not isinstance(item, _End):
                yield item
            elif item.error is not None:
                raise item.error
            else:
                return
