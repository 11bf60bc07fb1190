"""The verbs: ``fit`` and ``fit_normal`` make a probe, ``refit`` adapts it, ``detect`` and ``evaluate`` use it."""

from hiprobe.pipeline.detect import DetectedEvent, Detection, SegmentScore, detect, detect_all
from hiprobe.pipeline.evaluate import evaluate_manifest, evaluate_scores
from hiprobe.pipeline.fit import DEFAULT_PROMPT, FitResult, fit
from hiprobe.pipeline.fit_normal import FitNormalResult, fit_normal
from hiprobe.pipeline.refit import RefitResult, refit

__all__ = [
    "DEFAULT_PROMPT",
    "DetectedEvent",
    "Detection",
    "FitNormalResult",
    "FitResult",
    "RefitResult",
    "SegmentScore",
    "detect",
    "detect_all",
    "evaluate_manifest",
    "evaluate_scores",
    "fit",
    "fit_normal",
    "refit",
]
