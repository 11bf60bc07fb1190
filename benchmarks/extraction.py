"""Hidden states, and the vision tower's own features, of many labelled videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import DEFAULT_PROMPT, Backbone, Batch, Pooling, States
from hiprobe.backbones.embedded.backbone import EmbeddedBackbone
from hiprobe.backbones.embedded.recipe import RECIPE
from hiprobe.datasets import LabelledVideo
from hiprobe.features import (
    Extraction,
    Features,
    FeatureStore,
    Progress,
    Run,
    extract_all,
    extract_together,
    raise_failures,
)
from hiprobe.video import Sampling, VideoRef, iter_segments

BATCH = 4

REMEDY = "a benchmark leaves no video out:"

WITH_SLOTS = "streams and slots"
"""Tells states of what text is generated from, in the store, from those that probes read."""

FoundStates = dict[Pooling, list[Features]]
"""The features of every video, for each pooling."""


def kept_run(work: Path) -> Run:
    """Return the run that keeps hidden states under ``work``."""

    def report(progress: Progress) -> None:
        if progress.segment == progress.segments and progress.index % 20 == 0:
            print(f"  {progress.index + 1}/{progress.videos} videos", flush=True)

    return Run(FeatureStore(work / "features"), report)


def hidden_states(
    videos: Sequence[LabelledVideo], backbone: Backbone, work: Path, poolings: Sequence[Pooling]
) -> FoundStates:
    """Return the features of every video at every layer, kept under ``work``; a failed video is an error."""
    readings = [backbone.info.reading(pooling=pooling) for pooling in poolings]
    found, failures = extract_together([video.video for video in videos], backbone, readings, kept_run(work))
    raise_failures(failures, REMEDY)
    return {pooling: [items[index] for items in found] for index, pooling in enumerate(poolings)}


def states_with_slots(
    videos: Sequence[LabelledVideo], backbone: EmbeddedBackbone, work: Path, poolings: Sequence[Pooling]
) -> FoundStates:
    """The same of what text is generated from: the streams that probes read, and the observer's slots beside them."""
    store = FeatureStore(work / "features")
    found = [_with_slots(video.video, backbone, store, poolings) for video in videos]
    return {pooling: [items[pooling] for items in found] for pooling in poolings}


def _with_slots(
    ref: VideoRef, backbone: EmbeddedBackbone, store: FeatureStore, poolings: Sequence[Pooling]
) -> dict[Pooling, Features]:
    info, identity, known = backbone.info, ref.identity(), {}
    for pooling in poolings:
        features = store.find(ref.path, identity, info.reading(pooling=pooling), WITH_SLOTS)
        if features is not None:
            known[pooling] = features
    if len(known) == len(poolings):
        return known
    video = ref.open()
    segments = list(iter_segments(video, Sampling(), info.frame_size))
    starts = np.array([item.segment.start for item in segments])
    ends = np.array([item.segment.end for item in segments])
    parts = []
    for first in range(0, len(segments), BATCH):
        visual = backbone.tokens_with_slots(Batch.of(segments[first : first + BATCH]).frames)
        parts.append(backbone.read_tokens(visual, DEFAULT_PROMPT, info.every_layer, poolings))
    for pooling in poolings:
        states = np.concatenate([part[pooling] for part in parts])
        known[pooling] = Features(video.info, identity, info.reading(pooling=pooling), starts, ends, states, WITH_SLOTS)
        store.save(known[pooling])
    return known


def vision_features(videos: Sequence[LabelledVideo], backbone: Backbone, work: Path) -> NDArray[np.float32]:
    """Return the vision tower's own features of every segment, (n, 2 * width), without the language model.

    Mean over frames and patches of the appearance block, beside the mean over patches of the mean absolute
    difference of consecutive frames.
    """
    info = backbone.info
    reading = replace(info.token_reading(), layers=RECIPE.appearance_blocks[:1], frame_size=info.frame_size)
    extraction = Extraction(reading, _mean_and_difference, "mean and mean difference")
    features, failures = extract_all([video.video for video in videos], backbone, extraction, kept_run(work))
    raise_failures(failures, REMEDY)
    return np.concatenate([item.states[:, 0] for item in features])


def _mean_and_difference(states: States) -> NDArray[np.float32]:
    tokens = states.values
    difference = np.abs(np.diff(tokens, axis=2)).mean(axis=(2, 3))
    return np.concatenate([tokens.mean(axis=(2, 3)), difference], axis=-1)
