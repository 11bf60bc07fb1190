"""The frozen multimodal LLMs whose hidden states are read.

::

    backbone = load_backbone("embedded")
    reading = backbone.info.reading(pooling="motion")
    states = backbone.read(Batch(frames), reading).values       # (B, layers, D)

Layer l is decoder block l = 1..L; ``hidden_states[0]`` of transformers is the embedding, not a layer.
"""

from hiprobe.backbones.base import Backbone, BackboneInfo, TokenSource
from hiprobe.backbones.options import LoadOptions
from hiprobe.backbones.reading import (
    DEFAULT_PROMPT,
    POOLINGS,
    Batch,
    Places,
    Pooling,
    Prompt,
    Reading,
    Site,
    States,
)
from hiprobe.backbones.registry import EMBEDDED, cache_folder, load_backbone

__all__ = [
    "DEFAULT_PROMPT",
    "EMBEDDED",
    "POOLINGS",
    "Backbone",
    "BackboneInfo",
    "Batch",
    "LoadOptions",
    "Places",
    "Pooling",
    "Prompt",
    "Reading",
    "Site",
    "States",
    "TokenSource",
    "cache_folder",
    "load_backbone",
]
