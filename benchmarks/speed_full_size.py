"""The model stage of detection at full size: against the naive way, and against what the machine's products allow.

    python -m benchmarks.speed_full_size OpenGVLab/InternVL3-8B-hf --dtype bfloat16 [--work bench-out]

Runs on a GPU where there is one. The checkpoint is of real size with random weights, written to ``--work`` once: their
values change neither the arithmetic nor the memory. The whole model and one cut to two thirds of its layers are held at
once, as both ways take turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.full_size import full_size_folder
from hiprobe.backbones import Batch, LoadOptions, Prompt, Reading
from hiprobe.backbones.base import FRAME_INTERVAL
from hiprobe.backbones.huggingface import HuggingFaceBackbone, decoder_blocks
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.backbones.sites import vision_blocks
from hiprobe.features.batching import largest_batch
from hiprobe.files import write_text
from tests.families.configs import FULL

PROMPT = "What happens in this video?"


@dataclass(frozen=True)
class Load:
    """What is run: so many segments of so many frames, half of which the next segment shares."""

    segments: int
    batch: int
    frames: int = 8
    rounds: int = 3
    product: int = 2048
    """Side of the square matrices whose product tells what the machine can do."""


def last(backbone: HuggingFaceBackbone, layer: int) -> Reading:
    """The last prompt token's state at one layer."""
    return replace(backbone.info.reading(prompt=PROMPT, pooling="last"), layers=(layer,))


@torch.inference_mode()
def naive(backbone: HuggingFaceBackbone, segments: np.ndarray, layer: int) -> np.ndarray:
    """One segment at a time through the whole model, all layers by the library's own output, one token; (n, D)."""
    states = []
    for frames in segments:
        output = backbone.model.generate(
            **backbone.inputs([backbone.family.prepare(frames, FRAME_INTERVAL, Prompt(PROMPT))]),
            max_new_tokens=1,
            do_sample=False,
            output_hidden_states=True,
            return_dict_in_generate=True,
        )
        states.append(output.hidden_states[0][layer][0, -1].float().cpu().numpy())
    return np.stack(states)


def ours(backbone: HuggingFaceBackbone, segments: np.ndarray, layer: int, batch: int) -> np.ndarray:
    """In batches, as `detect` reads them, with nothing remembered from before; (n, D)."""
    backbone.frames.clear()
    parts = [segments[start : start + batch] for start in range(0, len(segments), batch)]
    return np.concatenate([backbone.read(Batch(part), last(backbone, layer)).values[:, 0] for part in parts])


def needed_flops(backbone: HuggingFaceBackbone, segments: np.ndarray, layer: int) -> float:
    """Count the real pass: the first segment, and a second, with which each further one goes."""
    backbone.frames.clear()
    counts = []
    for frames in segments[:2]:
        # The counter knows attention on every device only as the products that it is made of.
        with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
            backbone.read(Batch(frames[None]), last(backbone, layer))
        counts.append(counter.get_total_flops())
    return counts[0] + (len(segments) - 1) * counts[-1]


@contextmanager
def compiled(blocks: Sequence[nn.Module]) -> Iterator[None]:
    """Compile the forward passes of blocks; hooks stay outside, and the blocks are as before afterwards."""
    for block in blocks:
        block.forward = torch.compile(block.forward)
    try:
        yield
    finally:
        for block in blocks:
            del block.forward


def seconds(run: Callable[[], Any], repeat: int = 1) -> float:
    """Return what a call takes, from an idle GPU to an idle GPU."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    began = time.perf_counter()
    for _ in range(repeat):
        run()
    wait()
    return (time.perf_counter() - began) / repeat


def measure(folder: Path, options: LoadOptions, load: Load) -> dict[str, Any]:
    """Print as Markdown, and return, what each way takes in turn, round by round; medians.

    ``ours_compiled`` holds an ``error`` in place of figures if the blocks cannot be compiled.
    """
    whole = load_checkpoint(str(folder), options)
    layer = max(1, whole.info.layers * 2 // 3)
    cut = load_checkpoint(str(folder), options, layer)
    device, dtype, half = cut.model.device, cut.model.dtype, max(1, load.frames // 2)
    shape = (half * (load.segments - 1) + load.frames, *cut.info.frame_size, 3)
    video = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    segments = np.stack([video[half * i : half * i + load.frames] for i in range(load.segments)])
    blocks = [*decoder_blocks(cut.model), *vision_blocks(cut.model)]
    a, b = (torch.rand(load.product, load.product, device=device, dtype=dtype) for _ in range(2))

    def by_processor() -> None:
        cut.frames.clear()
        for start in range(0, len(segments), load.batch):
            part = segments[start : start + load.batch]
            prepared = [cut.family.prepare(frames, FRAME_INTERVAL, Prompt(PROMPT)) for frames in part]
            cut.read_prepared(prepared, [layer], "last")

    def run_compiled() -> np.ndarray:
        with compiled(blocks):
            return ours(cut, segments, layer, load.batch)

    ways: dict[str, Callable[[], Any]] = {
        "naive": lambda: naive(whole, segments, layer),
        "ours": lambda: ours(cut, segments, layer, load.batch),
        "ours_compiled": run_compiled,
        "ours_prepared_by_processor": by_processor,
    }
    # The first run of each warms up, and shows that all compute the same.
    naive_states, our_states = ways["naive"](), ways["ours"]()
    by_processor()
    torch.mm(a, b)
    largest = np.abs(naive_states).max()
    result: dict[str, Any] = {"difference": float(np.abs(our_states - naive_states).max() / largest)}
    try:
        compiled_difference = float(np.abs(run_compiled() - our_states).max() / largest)
    except Exception as error:  # whatever a compiler may say, the other rows stand
        del ways["ours_compiled"]
        result["ours_compiled"] = {"error": f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"}
    else:
        result["compiled_difference"] = compiled_difference
    times: dict[str, list[float]] = {name: [] for name in ["product", *ways]}
    for _ in range(load.rounds):
        times["product"].append(seconds(lambda: torch.mm(a, b), 10))
        for name, run in ways.items():
            times[name].append(seconds(run))
    middle = {name: float(np.median(taken)) for name, taken in times.items()}
    flops, machine = needed_flops(cut, segments, layer), 2 * load.product**3 / middle["product"]
    for name in ways:
        rate = flops / middle[name]
        result[name] = {
            "segments_per_second": load.segments / middle[name],
            "times_naive": middle["naive"] / middle[name],
            "times_naive_by_round": [n / own for n, own in zip(times["naive"], times[name], strict=True)],
            "share_of_machine": None if name == "naive" else rate / machine,
        }
    result |= {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads",
        "dtype": str(dtype).removeprefix("torch."),
        "layer": layer,
        "layers": whole.info.layers,
        "tokens": cut.prepare(segments[:1], PROMPT)[0].visual.numel(),
        "gflop_per_segment": flops / load.segments / 1e9,
        "machine_gflops": machine / 1e9,
    }
    show(result, [*ways] if "ours_compiled" in ways else [*ways, "ours_compiled"])
    return result


def show(result: dict[str, Any], ways: Sequence[str]) -> None:
    """Print what was measured as Markdown."""
    print(
        f"\n{result['device']}, {result['dtype']}: layer {result['layer']} of {result['layers']}, {result['tokens']} "
        f"tokens and {result['gflop_per_segment']:.4g} GFLOP a segment; products at {result['machine_gflops']:.4g} "
        f"GFLOP/s. Largest difference of ours from naive: {result['difference']:.1e} of the largest state"
        + (
            f"; of compiled from ours: {found:.1e}."
            if (found := result.get("compiled_difference")) is not None
            else "."
        )
    )
    print(
        "\n| way | segments per second | times naive (by round) | share of products' rate |\n| --- | --- | --- | --- |"
    )
    for name in ways:
        row, label = result[name], name.replace("_", " ")
        if "error" in row:
            print(f"| {label} | failed: {row['error']} | | |")
            continue
        rounds = ", ".join(f"{ratio:.2f}" for ratio in row["times_naive_by_round"])
        share = "" if row["share_of_machine"] is None else f"{row['share_of_machine']:.0%}"
        print(f"| {label} | {row['segments_per_second']:.4g} | {row['times_naive']:.2f} ({rounds}) | {share} |")
    print("\nThe bars, on a GPU: ours at least 5 times naive, at 50% of the rate of products or more.")


def main() -> None:
    """Write the checkpoint, measure, and write the numbers to ``--work``."""
    gpu = torch.cuda.is_available()
    batch = largest_batch("cuda" if gpu else "cpu")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", choices=sorted(FULL))
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for checkpoint and numbers")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--segments", type=int, default=4 * batch)
    parser.add_argument("--batch", type=int, default=batch, help="segments that go through the model at once")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--product", type=int, default=8192 if gpu else 2048, help="side of the matrices multiplied")
    given = parser.parse_args()
    folder = full_size_folder(given.checkpoint, given.work, given.dtype)
    load = Load(given.segments, given.batch, given.frames, given.rounds, given.product)
    result = measure(folder, LoadOptions(dtype=given.dtype), load)
    write_text(given.work / f"speed-{folder.name}.json", json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
