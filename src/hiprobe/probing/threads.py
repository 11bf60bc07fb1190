"""As many threads as there are cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from joblib import cpu_count
from threadpoolctl import threadpool_limits

Run = Callable[..., Iterator[Any]]
"""As ``map`` of one function over one sequence."""


@contextmanager
def threads() -> Iterator[Run]:
    """Give a ``map`` that runs in threads, while linear algebra keeps to one thread in each of them.

    Its own threads would compete with these, and their number would show in the last digits of results.
    """
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cpu_count()) as pool:
        yield pool.map
