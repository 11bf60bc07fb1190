"""What models are given, against their own processors; and what the pixels of a frame cost.

    python -m benchmarks.native [--pixels]

For every suggested checkpoint a toy is built from its published configuration: the real classes, token names, the
template's structure and processor settings, cut to 4 layers of width 64 with random weights. Segments of 8 frames of
several sizes of video are prepared by HiProbe and by the checkpoint's own processor, which is told to leave the size of
frames alone, and the model runs on both. Where torchvision is absent most of those processors cannot be built, which is
said. ``--pixels`` prints instead how many tokens a segment has at full size, and what a decoder block holds of them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from hiprobe.backbones import Batch, LoadOptions, Prompt
from hiprobe.backbones.base import FRAME_INTERVAL
from hiprobe.backbones.catalogue import SUGGESTED, has_torchvision
from hiprobe.backbones.families import find_family
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.loading import load_config
from hiprobe.backbones.native import native_inputs
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.errors import BackboneError
from hiprobe.sampling import Sampling
from tests.families.toys import toy_of, write_full_files, write_toy

PROMPT = "What happens in this video?"
FRAMES = Sampling().frames
PICTURES = ((240, 320), (720, 1280), (1920, 1080))
"""(height, width) of the videos."""

BUDGETS = (100_352, 200_704, 401_408, 602_112, 1_204_224)
COSTLY = ("Qwen/Qwen2.5-VL-7B-Instruct", "Qwen/Qwen3-VL-8B-Instruct", "OpenGVLab/InternVL3-8B-hf")


def compare(folder: Path, checkpoint: str) -> list[str]:
    """Return the rows of one checkpoint, a video's size each."""
    write_toy(toy_of(checkpoint), folder, checkpoint=checkpoint)
    _allow_real_sizes(folder)
    backbone = load_checkpoint(str(folder), LoadOptions(dtype="float32"))
    rows, seen = [], set()
    for picture in PICTURES:
        size = backbone.info.shown_size(backbone.info.reading(), picture)
        if size not in seen:
            seen.add(size)
            shown = f"{picture[1]}x{picture[0]} | {size[1]}x{size[0]}"
            rows.append(f"| {checkpoint} | {shown} | {_row(backbone, folder, size)} |")
    return rows


def _allow_real_sizes(folder: Path) -> None:
    """Give a toy whose processor takes many sizes the limits of the published settings, in pixels."""
    for path in folder.glob("*preprocessor_config.json"):
        settings = json.loads(path.read_text(encoding="utf-8"))
        if "max_pixels" in settings:
            settings |= {"min_pixels": 56 * 56, "max_pixels": 12_845_056}
        elif "shortest_edge" in settings.get("size", {}):
            video = path.name.startswith("video")
            limits = (4096, 25_165_824) if video else (65_536, 16_777_216)
            settings["size"] = dict(zip(("shortest_edge", "longest_edge"), limits, strict=True))
        path.write_text(json.dumps(settings), encoding="utf-8")


@torch.inference_mode()
def _row(backbone: HuggingFaceBackbone, folder: Path, size: tuple[int, int]) -> str:
    frames = np.random.default_rng(0).integers(0, 256, (FRAMES, *size, 3), dtype=np.uint8)
    own = backbone.inputs(backbone.prepare(frames[None], PROMPT))
    began = time.perf_counter()
    reading = replace(backbone.info.reading(prompt=PROMPT, pooling="last"), layers=(backbone.info.layers - 1,))
    states = backbone.read(Batch(frames[None]), reading).values[0, 0]
    seconds = time.perf_counter() - began
    tokens = int(backbone.prepare(frames[None], PROMPT)[0].visual.sum())
    try:
        native = native_inputs(backbone.family, folder, frames, FRAME_INTERVAL, PROMPT)
    except BackboneError:
        return f"not built | | | | {tokens} | {seconds:.2f}"
    ids = torch.equal(own["input_ids"], native["input_ids"])
    grids = [name for name in own if "grid" in name or name.endswith("_ts")]
    pixels = [name for name in own if name.startswith("pixel_values")]
    same = all(name in native and torch.equal(own[name], torch.as_tensor(native[name])) for name in grids)
    off = max(_apart(own[name], native.get(name)) for name in pixels)
    given = {name: torch.as_tensor(value) for name, value in native.items() if name != "video_metadata"}
    output = backbone.model(**given, output_hidden_states=True, use_cache=False).hidden_states[backbone.info.layers - 1]
    apart = float(np.abs(output[0, -1].numpy() - states).max() / np.abs(states).max())
    shown = ("yes" if same else "NO") if grids else "none"
    return f"{'yes' if ids else 'NO'} | {_said(off)} | {shown} | {_said(apart)} | {tokens} | {seconds:.2f}"


def _apart(own: torch.Tensor, native: Any) -> float:
    if native is None or torch.as_tensor(native).numel() != own.numel():
        return float("inf")
    return float((own.flatten() - torch.as_tensor(native).flatten()).abs().max())


def _said(difference: float) -> str:
    return "yes" if difference == 0 else f"within {difference:.0e}" if difference < 1e-3 else f"NO: {difference:.1e}"


def costs(folder: Path, checkpoint: str) -> list[str]:
    """Return the rows of one checkpoint, pixels of a frame each: tokens of 8 frames of several videos, and memory."""
    config = write_full_files(checkpoint, folder)
    family = find_family(config["model_type"])(folder, load_config(folder, LoadOptions()))
    sizes, text = family.sizes(), load_config(folder, LoadOptions()).get_text_config(decoder=True)
    assert sizes is not None
    rows = []
    for budget in BUDGETS:
        counts = []
        for picture in PICTURES:
            frames = np.zeros((FRAMES, *sizes.of(picture, FRAMES, budget), 3), np.uint8)
            counts.append(int(family.prepare(frames, FRAME_INTERVAL, Prompt(PROMPT)).visual.sum()))
        # In bfloat16: the state, keys, values and queries, and the two halves of the MLP.
        width = 2 * (4 * text.hidden_size + 2 * text.intermediate_size)
        rows.append(
            f"| {checkpoint} | {budget} | {' | '.join(map(str, counts))} | {max(counts) * width / 1e6:.0f} MB |"
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", action="store_true", help="print what the pixels of a frame cost")
    pixels = parser.parse_args(arguments).pixels
    torch.set_num_threads(1)
    videos = " | ".join(f"{width}x{height}" for height, width in PICTURES)
    print(f"torchvision: {'yes' if has_torchvision() else 'no'}\n")
    print(
        f"| checkpoint | pixels | {videos} | one block |\n|{' --- |' * (len(PICTURES) + 3)}"
        if pixels
        else "| toy of | video | frames | ids equal | pixels equal | grids equal | states equal | tokens | seconds |\n|"
        + " --- |" * 9
    )
    for checkpoint in COSTLY if pixels else [item.checkpoint for item in SUGGESTED]:
        with TemporaryDirectory() as folder:
            for row in (costs if pixels else compare)(Path(folder), checkpoint):
                print(row, flush=True)


if __name__ == "__main__":
    main()
