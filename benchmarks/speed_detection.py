"""The model stage of detection: against the naive way, and against what the machine's matrix products allow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from hiprobe.backbones import DEFAULT_PROMPT, Backbone, Batch, load_backbone
from hiprobe.backbones.embedded.assembly import embedded_folder
from hiprobe.backbones.embedded.backbone import VisualTokens
from hiprobe.backbones.embedded.motion_internvl import MotionInternVLForConditionalGeneration
from hiprobe.backbones.embedded.vision import normalise
from hiprobe.backbones.registry import cache_folder
from hiprobe.features.batching import largest_batch
from hiprobe.probes import DEFAULT_STARTER, load_starter
from hiprobe.video import SampledSegment, Sampling, iter_segments, open_video

ROUNDS = 3
PRODUCT = 2048
"""Side of the square matrices whose product tells what the machine can do."""


@torch.inference_mode()
def naive(backbone: Any, segments: list[SampledSegment], layer: int) -> np.ndarray:
    """One segment at a time, all layers through the library's own output, and one generated token; (n, D).

    ``backbone`` holds the library's own model, with nothing fused.
    """
    model, states = backbone._model, []
    for item in segments:
        pixels = normalise(item.frames[None], model.get_input_embeddings().weight)
        visual = model.model.get_segment_tokens(pixels)
        ids = backbone.prompt_ids(DEFAULT_PROMPT, visual.tokens.shape[1])
        embeddings = backbone._embed(ids, VisualTokens(visual.tokens, visual.motion))
        output = model.generate(
            inputs_embeds=embeddings,
            attention_mask=torch.ones(embeddings.shape[:2], dtype=torch.long),
            max_new_tokens=1,
            do_sample=False,
            output_hidden_states=True,
            return_dict_in_generate=True,
        )
        states.append(output.hidden_states[0][layer][0, -1].numpy())
    return np.stack(states)


def ours(backbone: Backbone, segments: list[SampledSegment], layer: int) -> np.ndarray:
    """One batch as `detect` reads it; (n, D)."""
    reading = replace(backbone.info.reading(pooling="last"), layers=(layer,))
    return backbone.read(Batch.of(segments), reading).values[:, 0]


def needed_flops(backbone: Any, frames: int, segments: int, layer: int) -> float:
    """Count from the configuration what so many new frames and segments need, up to a layer.

    A product of (a, b) and (b, c) is 2abc. Softmax, norms and all else that is not a matrix product are left out.
    """
    config = backbone._model.config
    vision, text = config.vision_config, config.text_config
    width, side = vision.hidden_size, vision.image_size[0] // vision.patch_size[0]
    patches, tokens = side**2, side**2 + 1
    embed = 2 * patches * 3 * vision.patch_size[0] ** 2 * width
    block = 8 * tokens * width**2 + 4 * tokens * width * vision.intermediate_size + 4 * tokens**2 * width
    length = len(backbone.prompt_ids(DEFAULT_PROMPT, config.streams * config.token_grid**2))
    keys = text.num_key_value_heads * text.hidden_size // text.num_attention_heads
    attention = 4 * length * text.hidden_size * (text.hidden_size + keys) + 4 * length**2 * text.hidden_size
    decoder = attention + 6 * length * text.hidden_size * text.intermediate_size
    project = 2 * config.streams * config.token_grid**2 * width * text.hidden_size
    return frames * (embed + vision.num_hidden_layers * block) + segments * (project + layer * decoder)


def timed(run: Callable[..., Any], *values: Any) -> tuple[float, Any]:
    """Return how many seconds a call took, and what it returned."""
    began = time.perf_counter()
    found = run(*values)
    return time.perf_counter() - began, found


def measure_detection(video: Path) -> dict[str, Any]:
    """Print and return, at the starter probe's layer: the speed of both ways, and the share of the machine's own.

    Both ways and a matrix product take turns, batch by batch, so that what else the machine does falls on all alike;
    what each takes is the sum over batches of the median over rounds.
    """
    layer = load_starter(DEFAULT_STARTER).layer
    size = largest_batch("cpu")
    slow: Any = load_backbone(report=print).loaded
    plain: Any = MotionInternVLForConditionalGeneration.from_pretrained(embedded_folder(cache_folder()))
    slow._model = plain.eval()
    segments = list(iter_segments(open_video(video), Sampling(), slow.info.frame_size))
    batches = [segments[i : i + size] for i in range(0, len(segments), size)]
    a, b = torch.rand(PRODUCT, PRODUCT), torch.rand(PRODUCT, PRODUCT)
    times: dict[str, list[list[float]]] = {"naive": [], "ours": [], "product": []}
    encoded, differences = 0, []
    for _ in range(ROUNDS):
        fast: Any = load_backbone().loaded  # nothing of the last round is remembered
        rows: dict[str, list[float]] = {name: [] for name in times}
        for batch in batches:
            rows["product"].append(timed(torch.mm, a, b)[0])
            taken, theirs = timed(naive, slow, batch, layer)
            rows["naive"].append(taken)
            taken, mine = timed(ours, fast, batch, layer)
            rows["ours"].append(taken)
            differences.append(float(np.abs(theirs - mine).max()))
        for name, row in rows.items():
            times[name].append(row)
        encoded = fast.frames.encoded
    total = {name: float(np.median(taken, axis=0).sum()) for name, taken in times.items()}
    ratios = sorted(np.sum(times["naive"], axis=1) / np.sum(times["ours"], axis=1))
    flops = needed_flops(slow, encoded, len(segments), layer)
    # The counter knows attention only as the products that it is made of, and no product in place.
    in_place = {torch.ops.aten.addmm_: lambda _sum, a, b, **_: 2 * a[0] * a[1] * b[1]}
    with FlopCounterMode(display=False, custom_mapping=in_place) as counter, sdpa_kernel(SDPBackend.MATH):
        fresh = load_backbone().loaded
        for batch in batches:
            ours(fresh, batch, layer)
    machine = len(batches) * 2 * PRODUCT**3 / total["product"]
    result = {
        "segments": len(segments),
        "layer": layer,
        "frames_encoded": encoded,
        "largest_difference": max(differences),
        "naive_segments_per_second": len(segments) / total["naive"],
        "our_segments_per_second": len(segments) / total["ours"],
        "ratio": total["naive"] / total["ours"],
        "ratio_of_rounds": [float(ratio) for ratio in ratios],
        "gflop_per_segment": flops / len(segments) / 1e9,
        "counted_gflop_per_segment": counter.get_total_flops() / len(segments) / 1e9,
        "model_gflops": flops / total["ours"] / 1e9,
        "machine_gflops": machine / 1e9,
        "share_of_machine": flops / total["ours"] / machine,
    }
    print("| figure | value |\n| --- | --- |")
    for name, value in result.items():
        shown = ", ".join(f"{v:.2f}" for v in value) if isinstance(value, list) else f"{value:.4g}"
        print(f"| {name.replace('_', ' ')} | {shown} |")
    return result
