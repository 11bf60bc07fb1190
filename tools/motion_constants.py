"""Measure the two constants of each motion stream of the embedded backbone on the bundled sample clips.

    python -m tools.motion_constants

prints, for every motion block, the mean of the stream's raw differences (the offset) and the mean over features of
their standard deviation (the scale), for a new ``Recipe`` in ``hiprobe/backbones/embedded/assembly.py``. The recipe in
force was measured on the first set of samples, eight cameras with 16 clips, and is kept: to every probe, a new one is
another backbone.
"""

from __future__ import annotations

from typing import Any

import torch

from hiprobe.backbones.embedded.assembly import embedded_folder
from hiprobe.backbones.embedded.motion_internvl import MotionInternVLForConditionalGeneration
from hiprobe.backbones.internvl import normalise
from hiprobe.backbones.registry import cache_folder
from hiprobe.datasets import load_manifest
from hiprobe.samples import SAMPLE_LABELS
from hiprobe.video import Sampling, iter_segments, open_video


@torch.inference_mode()
def main() -> None:
    """Print one line per motion block."""
    model: Any = MotionInternVLForConditionalGeneration.from_pretrained(embedded_folder(cache_folder(), print))
    inner = model.model
    size = tuple(model.config.vision_config.image_size)
    differences: dict[int, list[torch.Tensor]] = {block: [] for block in model.config.motion_blocks}
    for video in load_manifest(SAMPLE_LABELS).videos:
        for sampled in iter_segments(open_video(video.path), Sampling(stride=2.0), size):
            pixels = normalise(sampled.frames, model.lm_head.weight)[None]
            for block, found in inner.raw_motion(pixels).items():
                differences[block].append(found)
    for block, found in differences.items():
        values = torch.cat(found).flatten(0, 1)
        print(f"block {block}: offset {values.mean():.4f}, scale {values.std(dim=0).mean():.4f}")


if __name__ == "__main__":
    main()
