"""What detection costs against the naive way, and what fitting costs on features that are there.

    python -m benchmarks.speed VIDEO [--work bench-out] [--only detection|fit]

Ratios are of runs in turn in one process: absolute times on shared machines are noisy.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hiprobe.backbones import load_backbone
from hiprobe.backbones.embedded.backbone import VisualTokens
from hiprobe.backbones.embedded.vision import normalise
from hiprobe.features.engine import BATCH
from hiprobe.files import write_text
from hiprobe.pipeline import DEFAULT_PROMPT
from hiprobe.probes import DEFAULT_STARTER, load_starter
from hiprobe.probing import fit_scorer, probe_layers
from hiprobe.video import SampledSegment, Sampling, iter_segments, open_video

ROUNDS = 3

GROUP = 50
"""Segments of one source."""


@torch.inference_mode()
def naive(backbone: Any, segments: list[SampledSegment], layer: int) -> np.ndarray:
    """One segment at a time, all layers through the library's own output, and one generated token; (n, D)."""
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


def ours(backbone: Any, segments: list[SampledSegment], layer: int) -> np.ndarray:
    """As `detect` reads them; (n, D)."""
    batches = [segments[i : i + BATCH] for i in range(0, len(segments), BATCH)]
    frames = (np.stack([item.frames for item in batch]) for batch in batches)
    return np.concatenate([backbone.hidden_states(f, DEFAULT_PROMPT, [layer], "last")[:, 0] for f in frames])


def seconds(run: Callable[[], Any]) -> float:
    """Return how long a call took."""
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def measure_detection(video: Path) -> dict[str, float]:
    """Print and return segments per second of both ways, in turn, at the starter probe's layer."""
    layer = load_starter(DEFAULT_STARTER).layer
    first = load_backbone(report=print)
    size = first.info.frame_size
    segments = list(iter_segments(open_video(video), Sampling(), size))
    difference = np.abs(naive(first, segments[:4], layer) - ours(first, segments[:4], layer)).max()
    times: dict[str, list[float]] = {"naive": [], "ours": []}
    for _ in range(ROUNDS):
        times["naive"].append(seconds(lambda: naive(first, segments, layer)))
        fresh = load_backbone()  # nothing of the last round is remembered
        times["ours"].append(seconds(lambda backbone=fresh: ours(backbone, segments, layer)))
    rates = {name: len(segments) / float(np.median(taken)) for name, taken in times.items()}
    ratios = sorted(a / b for a, b in zip(times["naive"], times["ours"], strict=True))
    print(f"\n{len(segments)} segments of 8 frames, layer {layer}; largest difference of states {difference:.1e}\n")
    print("| way | segments per second |\n| --- | --- |")
    print("\n".join(f"| {name} | {rate:.2f} |" for name, rate in rates.items()))
    print(f"\nratio {np.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f} in {ROUNDS} rounds)")
    return rates | {"ratio": float(np.median(ratios)), "layer": layer, "difference": float(difference)}


def plain_states(segments: int, layers: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Independent normal numbers, and labels by chance: easy for any optimiser."""
    random = np.random.default_rng(0)
    states = random.normal(size=(segments, layers, width)).astype(np.float32)
    labels = random.random(segments) < 0.3
    states[labels] += 0.05
    return states, labels


def correlated_states(segments: int, layers: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """States as language models have them: few directions hold most, some features are hundreds of times larger.

    Groups differ from each other more than classes do, and an event is a stretch of a group.
    """
    random = np.random.default_rng(1)
    group = np.arange(segments) // GROUP
    first, length = random.integers(0, GROUP // 2, (2, group.max() + 1))[:, group]
    labels = (np.arange(segments) % GROUP >= first) & (np.arange(segments) % GROUP < first + length)
    rank = width // 3
    basis = np.linalg.qr(random.normal(size=(width, rank)))[0].T / np.arange(1, rank + 1)[:, None] ** 0.8
    source = random.normal(size=(group.max() + 1, rank))[group]
    states = np.empty((segments, layers, width), dtype=np.float32)
    for layer in range(layers):
        hidden = source + random.normal(size=(segments, rank))
        hidden[labels] += 0.2 * random.normal(size=rank) * (1 + 0.5 * source[labels, :1])
        states[:, layer] = (
            20 * hidden @ basis + 0.02 * random.normal(size=(segments, width)) + random.normal(size=width)
        )
    states[..., [3, width // 2, width - 1]] *= 400
    return states, labels


def fit_seconds(states: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """Return the seconds of DLSP, and those of the scorer at the middle layer."""
    layers = states.shape[1]
    dlsp = seconds(lambda: probe_layers(states, labels, groups, range(1, layers + 1)))
    return dlsp, seconds(lambda: fit_scorer(states[:, layers // 2], labels, groups))


def measure_fit(segments: int = 10_000, layers: int = 30, width: int = 576) -> dict[str, float]:
    """Print and return the seconds that a fit takes on states that are there, and a refit at a kept layer."""
    groups = np.arange(segments) // GROUP
    taken: dict[str, float] = {}
    print(f"\n{segments} segments x {layers} layers x {width}, {GROUP} segments a group, median of {ROUNDS}, seconds\n")
    print("| states | DLSP | scorer: all of a refit | fit |\n| --- | --- | --- | --- |")
    for kind, make in {"independent": plain_states, "correlated": correlated_states}.items():
        states, labels = make(segments, layers, width)
        rounds = np.array([fit_seconds(states, labels, groups) for _ in range(ROUNDS)])
        dlsp, scorer = np.median(rounds, axis=0)
        print(f"| {kind} | {dlsp:.2f} | {scorer:.2f} | {np.median(rounds.sum(axis=1)):.2f} |", flush=True)
        taken |= {f"{kind}-dlsp": float(dlsp), f"{kind}-refit": float(scorer)}
    return taken


def main() -> None:
    """Measure, print Markdown, and write the numbers to ``--work``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, help="any video of some seconds")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for the numbers")
    parser.add_argument("--only", choices=["detection", "fit"], help="one of them")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    measures = {"detection": lambda: measure_detection(options.video), "fit": measure_fit}
    for name, measure in measures.items():
        if options.only in (None, name):
            write_text(options.work / f"speed-{name}.json", json.dumps(measure(), indent=2) + "\n")


if __name__ == "__main__":
    main()
