"""How a checkpoint is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hiprobe.errors import UsageError

Dtype = Literal["auto", "float32", "bfloat16", "float16"]
Quantization = Literal["8bit", "4bit"]


@dataclass(frozen=True)
class LoadOptions:
    """How a checkpoint is loaded and run. The embedded backbone, which is small, heeds none of it.

    Attributes
    ----------
    dtype : {"auto", "float32", "bfloat16", "float16"}
        ``auto``: bfloat16 on a GPU, float32 on a CPU.
    device : str, optional
        ``cpu``, ``cuda``, ``cuda:1``, ...; by default a GPU if there is one.
    device_map : str, optional
        ``auto`` spreads the model over what GPUs and memory there are; needs accelerate.
    quantize : {"8bit", "4bit"}, optional
        By bitsandbytes, on a GPU. Another backbone as far as probes are concerned: its hidden states differ.
    revision : str, optional
        Branch, tag or commit on the hub.
    offline : bool
        Never ask the network.
    trust_remote_code : bool
        Whether code that comes with the checkpoint may run, with all rights of the user.
    pixels : int, optional
        What a frame may have at most, for families that take more than one size; by default the family's own. A probe
        keeps what it was fitted with.

    Raises
    ------
    UsageError
        If a value is none of these, or two contradict each other.
    """

    dtype: Dtype = "auto"
    device: str | None = None
    device_map: str | None = None
    quantize: Quantization | None = None
    revision: str | None = None
    offline: bool = False
    trust_remote_code: bool = False
    pixels: int | None = None

    def __post_init__(self) -> None:
        if self.dtype not in get_args(Dtype):
            raise UsageError(f"dtype {self.dtype!r}: choose one of {', '.join(get_args(Dtype))}.")
        if self.quantize is not None and self.quantize not in get_args(Quantization):
            raise UsageError(f"quantize {self.quantize!r}: choose one of {', '.join(get_args(Quantization))}.")
        if self.device is not None and self.device_map is not None:
            raise UsageError("A device and a device map were given; give one of them.")
        if self.pixels is not None and self.pixels < 1:
            raise UsageError(f"pixels {self.pixels}: give how many a frame may have, such as 200704 (448 x 448).")
