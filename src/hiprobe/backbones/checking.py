"""The self-test of a checkpoint: what a user runs first on a model that this project has never seen."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hiprobe.backbones.base import FRAME_INTERVAL
from hiprobe.backbones.checkpoint import find_checkpoint
from hiprobe.backbones.huggingface import HuggingFaceBackbone
from hiprobe.backbones.native import native_ids
from hiprobe.backbones.opening import load_checkpoint
from hiprobe.backbones.options import LoadOptions
from hiprobe.backbones.reading import Batch, Pooling, Prompt
from hiprobe.errors import BackboneError
from hiprobe.sampling import Sampling

FRAMES = Sampling().frames
"""As many as detection shows of a segment."""
_PROMPT = "What happens in this video?"
_WORDS = 8
"""Tokens of text that are compared."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    name : str
        What was checked.
    passed : bool or None
        None for what is only told, a time for instance.
    detail : str
        The figures.
    """

    name: str
    passed: bool | None
    detail: str

    def __str__(self) -> str:
        """Return it as one line."""
        mark = {True: "ok", False: "FAILED", None: "--"}[self.passed]
        return f"{mark:6} {self.name}: {self.detail}"


def check_checkpoint(
    name: str, options: LoadOptions, report: Callable[[str], None] = lambda _: None, frames: int = FRAMES
) -> Iterator[Finding]:
    """Load a checkpoint and yield, one by one, whether its hidden states can be relied on.

    Random pictures are shown to it: what is checked is not whether the model is good, but whether it is read rightly.

    Parameters
    ----------
    name : str
        A folder, or the hub's ID.
    options : LoadOptions
        How it is loaded.
    report : callable
        Told in a sentence what takes time.
    frames : int
        K.

    Raises
    ------
    UsageError
        If the name or an option is wrong.
    BackboneError
        If it cannot be loaded, or its frames cannot be prepared.
    """
    find_checkpoint(name, options, report, complete=True)
    began = time.perf_counter()
    complete = load_checkpoint(name, options, report=report)
    info = complete.info
    dtype = str(complete.model.dtype).removeprefix("torch.")
    yield Finding(
        "loads",
        None,
        f"{time.perf_counter() - began:.1f} s; family {complete.family.name}, frames enter as {complete.family.way}; "
        f"{info.layers} layers of width {info.width}, {dtype} on {complete.model.device}",
    )
    size = info.shown_size(info.reading(Sampling(frames=frames)))
    pictures = np.random.default_rng(0).integers(0, 256, (2, frames, *size, 3), dtype=np.uint8)
    together = _read(complete, pictures, info.every_layer, "visual")
    yield _shapes(complete, together)
    yield _hooks(complete, pictures)
    yield _visual_tokens(complete, pictures)
    yield _native(complete, frames, options)
    single = [_read(complete, pictures[i : i + 1], info.every_layer, "visual") for i in range(len(pictures))]
    difference = float(np.abs(together - np.concatenate(single)).max() / np.abs(together).max())
    yield Finding("batch equals singles", difference <= _tolerance(complete), f"largest difference {difference:.1e}")
    said = complete.generate(Batch(pictures[:1]), _PROMPT, _WORDS)
    yield Finding("generates text", None, repr(said))
    depth = max(1, info.layers * 2 // 3)
    expected, seconds = _timed(complete, pictures, depth)
    every = _timed(complete, pictures, info.layers)[1]
    del complete
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    cut = load_checkpoint(name, options, depth, lambda line: None if line.startswith("note: ") else report(line))
    found, cut_seconds = _timed(cut, pictures, depth)
    difference = float(np.abs(found - expected).max() / np.abs(expected).max())
    same = cut.info.fingerprint == info.fingerprint
    yield Finding(
        f"cut to {depth} layers equals whole",
        same and difference <= _tolerance(cut),
        f"largest difference {difference:.1e} of the largest state; fingerprint {'the same' if same else 'another'}",
    )
    again = cut.generate(Batch(pictures[:1]), _PROMPT, _WORDS)  # which completes it
    detail = "the same" if again == said else f"{again!r}, the whole one {said!r}"
    yield Finding("completed model says what the whole one says", again == said, detail)
    memory = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB of process memory at most"
    if torch.cuda.is_available():
        memory += f", {torch.cuda.max_memory_allocated() / 1e9:.1f} GB of GPU memory at most"
    yield Finding(
        "seconds per segment",
        None,
        f"{every:.2f} to layer {info.layers}, {seconds:.2f} stopped at {depth}, {cut_seconds:.2f} cut to {depth} "
        f"({frames} frames); {memory}",
    )


def _read(
    backbone: HuggingFaceBackbone, pictures: NDArray[np.uint8], layers: tuple[int, ...], pooling: Pooling
) -> NDArray[np.float32]:
    reading = replace(backbone.info.reading(prompt=_PROMPT, pooling=pooling), layers=layers)
    return backbone.read(Batch(pictures), reading).values


def _shapes(backbone: HuggingFaceBackbone, states: NDArray[np.float32]) -> Finding:
    info = backbone.info
    right = states.shape == (len(states), info.layers, info.width)
    differ = bool(np.abs(states[0] - states[1]).max() > 0)
    detail = f"{states.shape}, all finite" + ("" if differ else "; two segments give the same states")
    return Finding("shapes", right and differ, detail)


@torch.inference_mode()
def _hooks(backbone: HuggingFaceBackbone, pictures: NDArray[np.uint8]) -> Finding:
    prepared = backbone.prepare(pictures[:1], _PROMPT)
    inputs = backbone.inputs(prepared)
    output = backbone.model(**inputs, output_hidden_states=True, use_cache=False).hidden_states
    layers = range(1, backbone.info.layers)
    states = backbone.read_prepared(prepared, layers, "last")[0]
    different = [
        layer
        for layer, state in zip(layers, states, strict=True)
        if not np.array_equal(state, output[layer][0, -1].float().cpu().numpy())
    ]
    detail = f"differ at layers {different}" if different else f"layers 1 to {layers[-1]} equal output_hidden_states"
    return Finding("hooks", not different, detail)


def _visual_tokens(backbone: HuggingFaceBackbone, pictures: NDArray[np.uint8]) -> Finding:
    """Change one frame: exactly the tokens of its step may change before attention, and states before them may not."""
    before = backbone.prepare(pictures[:1], _PROMPT)
    changed = pictures[:1].copy()
    changed[:, -1] = 255 - changed[:, -1]
    after = backbone.prepare(changed, _PROMPT)
    rows = [backbone.embeddings(item)[0].float().cpu() for item in (before, after)]
    moved = (rows[0] != rows[1]).any(dim=1)
    visual, steps = before[0].visual, before[0].steps
    places = visual.nonzero()[:, 0].reshape(steps, -1)
    expected = torch.zeros_like(visual)
    expected[places[-1]] = True
    per_frame = visual.sum().item() / pictures.shape[1]
    detail = f"{int(visual.sum())} in {steps} steps, {per_frame:g} a frame"
    if not torch.equal(moved, expected):
        own = int(moved[places[-1]].sum())
        detail += f"; changing the last frame changes {int(moved.sum())} tokens, {own} of its own"
    return Finding("visual tokens", torch.equal(moved, expected), detail)


def _native(backbone: HuggingFaceBackbone, frames: int, options: LoadOptions) -> Finding:
    """Compare the prompt's ids with those of the checkpoint's own processor, where that can be built."""
    name = "ids equal its own processor's"
    # In the family's own size: no processor cuts the frames of a video into tiles.
    segment = np.random.default_rng(0).integers(0, 256, (frames, *backbone.family.size(), 3), dtype=np.uint8)
    own = backbone.family.prepare(segment, FRAME_INTERVAL, Prompt(_PROMPT)).inputs["input_ids"][0].tolist()
    folder = Path(backbone.model.config.name_or_path)
    try:
        native = native_ids(backbone.family, folder, segment, FRAME_INTERVAL, _PROMPT, options.trust_remote_code)
    except BackboneError as error:
        return Finding(name, None, f"not compared: {error}")
    if own == native:
        return Finding(name, True, f"all {len(own)}")
    first = next((at for at, pair in enumerate(zip(own, native, strict=False)) if len(set(pair)) > 1), len(own))
    words = [backbone.family.tokenizer.decode(ids[first : first + 3]) for ids in (own, native)]
    return Finding(name, False, f"{len(own)}, its own {len(native)}; from token {first}: {words[0]!r}, {words[1]!r}")


def _timed(backbone: HuggingFaceBackbone, pictures: NDArray[np.uint8], layer: int) -> tuple[NDArray[np.float32], float]:
    """Return the states of a layer, and the seconds that a segment took."""
    began = time.perf_counter()
    states = _read(backbone, pictures[:1], (layer,), "last")
    return states, time.perf_counter() - began


def _tolerance(backbone: HuggingFaceBackbone) -> float:
    """Return the largest difference that rounding explains, relative to the largest state."""
    return 1e-4 if backbone.model.dtype == torch.float32 else 5e-2
