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
    CHOICES,
    DEFAULT_PROMPT,
    EVENT_PROMPT,
    EXPLAIN_PROMPT,
    POOLINGS,
    VIEWS,
    Batch,
    Places,
    Pooling,
    Prompt,
    Reading,
    Site,
    States,
    View,
)
from hiprobe.backbones.registry import EMBEDDED, cache_folder, load_backbone
from hiprobe.backbones.views import NEEDS_CROP, read_view

__all__ = [
    "CHOICES",
    "DEFAULT_PROMPT",
    "EMBEDDED",
    "EVENT_PROMPT",
    "EXPLAIN_PROMPT",
    "NEEDS_CROP",
    "POOLINGS",
    "VIEWS",
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
    "View",
    "cache_folder",
    "load_backbone",
    "read_view",
]
