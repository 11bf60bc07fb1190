"""The checkpoint's own processor, as the authority on a prompt's ids; it needs torchvision in most families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoProcessor

from hiprobe.backbones.families import Family
from hiprobe.backbones.refusing import why
from hiprobe.errors import BackboneError


def native_ids(
    family: Family, folder: Path, frames: NDArray[np.uint8], interval: float, prompt: str, trust_remote_code: bool
) -> list[int]:
    """Return the ids among :func:`native_inputs`, with the same parameters and errors."""
    found = native_inputs(family, folder, frames, interval, prompt, trust_remote_code)
    return np.asarray(found["input_ids"]).reshape(-1).tolist()


def native_inputs(
    family: Family,
    folder: Path,
    frames: NDArray[np.uint8],
    interval: float,
    prompt: str,
    trust_remote_code: bool = False,
) -> dict[str, Any]:
    """Return what a checkpoint's own processor makes of a segment, frames (K, H, W, 3), and a prompt.

    Raises
    ------
    BackboneError
        If there is no such processor, or it cannot be built or used here.
    """
    how = family.native()
    if how is None:
        raise BackboneError(f"{family.name} names no processor of the checkpoint that prepares frames alike.")
    count = len(frames)
    shown = [{"type": "image", "image": frame} for frame in frames]
    times: dict[str, Any] = {}
    if how.part == "video":
        shown = [{"type": "video", "video": frames}]
        indices = list(range(count))
        metadata = {"total_num_frames": count, "fps": 1 / interval, "duration": count * interval}
        times = {"do_sample_frames": False, "video_metadata": [metadata | {"frames_indices": indices}]}
    turns = [{"role": "user", "content": [*shown, {"type": "text", "text": prompt}]}]
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=trust_remote_code)
        found = processor.apply_chat_template(
            turns,
            chat_template=how.template,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={**how.settings, **times},
        )
    # Processors raise whatever the code of their family does, and each release has other ways to be called.
    except Exception as error:
        raise BackboneError(f"{folder}: its own processor cannot be used here ({why(error)}).") from error
    return dict(found)
