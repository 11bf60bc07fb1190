"""The verbs: ``fit`` and ``fit_normal`` make a probe, ``detect`` finds events, ``evaluate`` measures them."""

from hiprobe.pipeline.detect import DetectedEvent, Detection, SegmentScore, detect, detect_all
from hiprobe.pipeline.evaluate import evaluate_manifest, evaluate_scores
from hiprobe.pipeline.fit import DEFAULT_PROMPT, FitResult, fit
from hiprobe.pipeline.fit_normal import FitNormalResult, fit_normal

__all__ = [
    "DEFAULT_PROMPT",
    "DetectedEvent",
    "Detection",
    "FitNormalResult",
    "FitResult",
    "SegmentScore",
    "detect",
    "detect_all",
    "evaluate_manifest",
    "evaluate_scores",
    "fit",
    "fit_normal",
]
