"""The verbs: ``fit`` and ``fit_normal`` make a probe, ``refit`` adapts it, a ``Detector`` and ``evaluate`` use it."""

from hiprobe.pipeline.calibrate import calibrate
from hiprobe.pipeline.detection import DetectedEvent, Detection, Provenance, SegmentScore, Timings
from hiprobe.pipeline.detector import Detector, detect, detect_together
from hiprobe.pipeline.evaluate import evaluate_manifest, evaluate_scores
from hiprobe.pipeline.fit import FitResult, fit
from hiprobe.pipeline.fit_normal import FitNormalResult, fit_normal
from hiprobe.pipeline.refit import RefitResult, refit
from hiprobe.pipeline.stand_out import StandOut, stand_out

__all__ = [
    "DetectedEvent",
    "Detection",
    "Detector",
    "FitNormalResult",
    "FitResult",
    "Provenance",
    "RefitResult",
    "SegmentScore",
    "StandOut",
    "Timings",
    "calibrate",
    "detect",
    "detect_together",
    "evaluate_manifest",
    "evaluate_scores",
    "fit",
    "fit_normal",
    "refit",
    "stand_out",
]
