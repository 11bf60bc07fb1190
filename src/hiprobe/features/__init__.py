"""Hidden states on disk, one safetensors file per video, and the engine that makes them.

::

    run = Run(FeatureStore(cache_folder() / "features"))
    features = extract("night.mp4", backbone, backbone.info.reading(), run)
    features.states                                    # (segments, layers, D) float32
"""

from hiprobe.features.extract import (
    extract,
    extract_all,
    extract_each,
    extract_each_together,
    extract_together,
    stored_features,
)
from hiprobe.features.extraction import Extraction
from hiprobe.features.looks import Look, look_at, read_looks
from hiprobe.features.run import Failure, Progress, ProgressReport, Run, raise_failures
from hiprobe.features.store import Features, FeatureStore

__all__ = [
    "Extraction",
    "Failure",
    "FeatureStore",
    "Features",
    "Look",
    "Progress",
    "ProgressReport",
    "Run",
    "extract",
    "extract_all",
    "extract_each",
    "extract_each_together",
    "extract_together",
    "look_at",
    "raise_failures",
    "read_looks",
    "stored_features",
]
