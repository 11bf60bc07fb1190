"""The self-test on a checkpoint of real size with random weights: what it takes in seconds and memory.

    python -m benchmarks.full_size OpenGVLab/InternVL3-8B-hf --dtype bfloat16 [--work bench-out]

Weights' values change neither the arithmetic nor the memory, so that no download is needed. Writes the checkpoint to
``--work``, once, and leaves it there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from hiprobe.backbones import LoadOptions
from hiprobe.backbones.checking import check_checkpoint
from tests.families.configs import FULL
from tests.families.toys import write_full_size


def full_size_folder(checkpoint: str, work: Path, dtype: str) -> Path:
    """Return the folder of a checkpoint of real size in ``work``, written there if it is not yet."""
    folder = work / f"{checkpoint.rpartition('/')[2]}-{dtype}"
    if not (folder / "generation_config.json").exists():
        write_full_size(checkpoint, folder, getattr(torch, dtype))
    return folder


def main() -> None:
    """Write the checkpoint, and print what each check found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", choices=sorted(FULL))
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for the checkpoint")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--frames", type=int, default=8)
    options = parser.parse_args()
    folder = full_size_folder(options.checkpoint, options.work, options.dtype)
    loading = LoadOptions(dtype=options.dtype)
    for finding in check_checkpoint(str(folder), loading, print, options.frames):
        print(finding, flush=True)


if __name__ == "__main__":
    main()
