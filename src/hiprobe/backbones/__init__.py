"""The frozen multimodal LLMs whose hidden states are read.

::

    backbone = load_backbone("embedded")
    states = backbone.hidden_states(frames, prompt, layers=[8, 20], pooling="motion")   # (B, 2, D)

Layer l is decoder block l = 1..L; ``hidden_states[0]`` of transformers is the embedding, not a layer.
"""

from hiprobe.backbones.base import (
    POOLINGS,
    Backbone,
    BackboneInfo,
    PlacedBackbone,
    PlacedStates,
    Pooling,
    Site,
    SiteBackbone,
    TokenBackbone,
    TokenSite,
)
from hiprobe.backbones.options import LoadOptions
from hiprobe.backbones.registry import EMBEDDED, cache_folder, load_backbone

__all__ = [
    "EMBEDDED",
    "POOLINGS",
    "Backbone",
    "BackboneInfo",
    "LoadOptions",
    "PlacedBackbone",
    "PlacedStates",
    "Pooling",
    "Site",
    "SiteBackbone",
    "TokenBackbone",
    "TokenSite",
    "cache_folder",
    "load_backbone",
]
