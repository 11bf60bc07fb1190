"""Hidden states on disk, one safetensors file per video, and the engine that makes them.

::

    store = FeatureStore(cache_folder() / "features")
    spec = FeatureSpec.for_backbone(backbone.info, Sampling(), prompt)
    features = extract("night.mp4", backbone, spec, store)
    features.states                                    # (segments, layers, D) float32
"""

from hiprobe.features.engine import (
    Failure,
    Progress,
    extract,
    extract_all,
    extract_each,
    raise_failures,
    stored_features,
)
from hiprobe.features.store import Features, FeatureSpec, FeatureStore

__all__ = [
    "Failure",
    "FeatureSpec",
    "FeatureStore",
    "Features",
    "Progress",
    "extract",
    "extract_all",
    "extract_each",
    "raise_failures",
    "stored_features",
]
