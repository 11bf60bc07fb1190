"""How much memory a device has free, how much a forward pass takes, and whether one ran out of it."""

from __future__ import annotations

import sys
from types import TracebackType

import psutil


def free_memory(device: str) -> int:
    """Return the bytes that are free on ``device``: ``cpu``, ``cuda``, ``cuda:1``, ..."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


class PeakMemory:
    """Context manager that measures by how many bytes the memory in use rises inside the block, at most.

    On a CPU this is the rise of the process's peak, so it is 0 where more was used before; ``bytes`` is a lower bound
    then. On Windows, which tells no such peak, it is always 0.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._before = 0
        self.bytes = 0

    def __enter__(self) -> PeakMemory:
        if self._device.startswith("cuda"):
            import torch

            torch.cuda.reset_peak_memory_stats(self._device)
            self._before = torch.cuda.memory_allocated(self._device)
        else:
            self._before = max(_peak_of_process(), psutil.Process().memory_info().rss)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._device.startswith("cuda"):
            import torch

            after = torch.cuda.max_memory_allocated(self._device)
        else:
            after = _peak_of_process()
        self.bytes = max(0, after - self._before)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a GPU or a CPU."""
    if isinstance(error, MemoryError):
        return True
    # torch's own class for GPUs is a RuntimeError too; its CPU allocator raises a plain one.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def release_memory(device: str) -> None:
    """Give back what torch keeps of a GPU's memory after running out of it."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.empty_cache()


def _peak_of_process() -> int:
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
