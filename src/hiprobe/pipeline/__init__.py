"""The verbs: ``fit`` makes a probe of labelled videos, ``detect`` finds events, ``evaluate`` measures them."""

from hiprobe.pipeline.detect import DetectedEvent, Detection, SegmentScore, detect, detect_all
from hiprobe.pipeline.evaluate import evaluate_manifest, evaluate_scores
from hiprobe.pipeline.fit import DEFAULT_PROMPT, FitResult, fit

__all__ = [
    "DEFAULT_PROMPT",
    "DetectedEvent",
    "Detection",
    "FitResult",
    "SegmentScore",
    "detect",
    "detect_all",
    "evaluate_manifest",
    "evaluate_scores",
    "fit",
]
