"""Hidden states, and the vision tower's own features, of many labelled videos."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray

from hiprobe.backbones import Backbone, Pooling
from hiprobe.backbones.base import POOLINGS
from hiprobe.backbones.embedded.vision import normalise
from hiprobe.datasets import LabelledVideo
from hiprobe.features import Features, FeatureSpec, FeatureStore, Progress, extract_all, raise_failures
from hiprobe.files import atomic_path
from hiprobe.pipeline import DEFAULT_PROMPT
from hiprobe.video import Sampling, iter_segments, open_video


class Remembering:
    """An embedded backbone that runs once for all poolings, and remembers what it read of the same frames.

    Parameters
    ----------
    backbone : EmbeddedBackbone
        Whose states are read.
    with_slots : bool
        Whether the language model is given what it is given when it generates text.
    """

    def __init__(self, backbone: Any, with_slots: bool = False) -> None:
        self._backbone = backbone
        self._tokens = backbone.tokens_with_slots if with_slots else backbone.visual_tokens
        fingerprint = hashlib.sha256(f"with_slots {backbone.info.fingerprint}".encode()).hexdigest()
        self.info = replace(backbone.info, fingerprint=fingerprint) if with_slots else backbone.info
        self._read: dict[str, dict[Pooling, NDArray[np.float32]]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backbone, name)

    @torch.inference_mode()
    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        """As the backbone's own."""
        key = hashlib.sha256(frames.tobytes() + repr((frames.shape, prompt, tuple(layers))).encode()).hexdigest()
        if key not in self._read:
            visual = self._tokens(frames)
            self._read[key] = self._backbone.read(visual, prompt, layers, POOLINGS)
        return self._read[key][pooling]


def hidden_states(videos: Sequence[LabelledVideo], backbone: Backbone, work: Path, pooling: Pooling) -> list[Features]:
    """Return the features of every video at every layer, kept under ``work``; a failed video is an error."""

    def report(progress: Progress) -> None:
        if progress.segment == progress.segments and progress.video % 20 == 0:
            print(f"  {pooling}: {progress.video + 1}/{progress.videos} videos", flush=True)

    spec = FeatureSpec.for_backbone(backbone.info, Sampling(), DEFAULT_PROMPT, pooling)
    features, failures = extract_all(
        [video.path for video in videos], backbone, spec, FeatureStore(work / "features"), report=report
    )
    raise_failures(failures, "a benchmark leaves no video out:")
    return features


@torch.inference_mode()
def vision_features(videos: Sequence[LabelledVideo], backbone: Any, work: Path) -> NDArray[np.float32]:
    """Return the vision tower's own features of every segment, (n, 2 * width), without the language model.

    Mean over frames and patches of the appearance block, beside the mean over patches of the mean absolute
    difference of consecutive frames.
    """
    path = work / "vision.safetensors"
    if path.exists():
        return safetensors.numpy.load_file(path)["features"]
    model = backbone._model
    block = model.config.appearance_blocks[0]
    rows = []
    for video in videos:
        for item in iter_segments(open_video(video.path), Sampling(), backbone.info.frame_size):
            pixels = normalise(item.frames, model.lm_head.weight)[None]
            patches = model.model.block_features(pixels)[block][0]
            motion = patches.diff(dim=0).abs().mean(dim=(0, 1, 2))
            rows.append(torch.cat([patches.mean(dim=(0, 1, 2)), motion]).numpy())
    features = np.stack(rows)
    with atomic_path(path) as temporary:
        safetensors.numpy.save_file({"features": features}, temporary)
    return features
