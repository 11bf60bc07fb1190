"""A contact sheet of generated clips.

python -m hiprobe_training.scenes.sheet --out sheet.png [--event fight] [--seed 0]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from hiprobe_training.scenes.captions import EVENT_WORDS, caption
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.seen import draw_seen
from hiprobe_training.scenes.sensor import expose

COLUMNS, MOMENTS, SIZE = 4, (0.2, 0.6), 224


def main() -> None:
    """Draw clips, two moments of each side by side, and print their captions."""
    parser = argparse.ArgumentParser(prog="python -m hiprobe_training.scenes.sheet", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the picture to write")
    parser.add_argument("--event", choices=[*EVENT_WORDS, "none"], help="one kind of event, or none; any without it")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    event = {None: "draw", "none": None}.get(options.event, options.event)
    shown = []
    with Renderer() as renderer:
        for seed in range(options.seed, options.seed + options.clips):
            clip, _ = draw_seen(seed, renderer, event)
            times = [moment * clip.stage.duration for moment in MOMENTS]
            shown.append(np.concatenate(list(expose(renderer.frames(clip.stage, times, SIZE), clip.stage.sensor)), 1))
            print(f"{seed}: {caption(clip.facts, np.random.default_rng(seed))}")
    shown += [np.zeros_like(shown[0])] * (-len(shown) % COLUMNS)
    rows = [np.concatenate(shown[i : i + COLUMNS], 1) for i in range(0, len(shown), COLUMNS)]
    Image.fromarray(np.concatenate(rows, 0)).save(options.out)


if __name__ == "__main__":
    main()
