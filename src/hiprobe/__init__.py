"""HiProbe: finds what is abnormal in video by probing the hidden states of a frozen multimodal LLM.

::

    import hiprobe as hp

    backbone = hp.load_backbone("embedded")
    probe = hp.fit("labels.csv", backbone).probe
    probe.save("yard.probe")
    result = hp.Detector(probe, backbone).detect("night.mp4", explain=True)
    for item in result.events:
        print(item.event.start, item.event.end, item.event.peak, item.explanation.text)

The names below are imported when they are first used, so that ``import hiprobe`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from hiprobe.version import __version__

if TYPE_CHECKING:
    from hiprobe.backbones import Batch, LoadOptions, Reading, load_backbone
    from hiprobe.datasets import load_manifest
    from hiprobe.errors import HiProbeError
    from hiprobe.features import FeatureStore, Run, extract
    from hiprobe.localize import LocalizeSettings
    from hiprobe.pipeline import (
        Detection,
        Detector,
        FitNormalResult,
        FitResult,
        StandOut,
        calibrate,
        detect,
        evaluate_manifest,
        evaluate_scores,
        fit,
        fit_normal,
        stand_out,
    )
    from hiprobe.probes import StarterProbe, load_probe, load_starter, starter_probes
    from hiprobe.probing import LogisticProbe, OneClassProbe, Probe
    from hiprobe.report import write_report
    from hiprobe.sampling import Sampling
    from hiprobe.video import VideoRef

__all__ = [
    "Batch",
    "Detection",
    "Detector",
    "FeatureStore",
    "FitNormalResult",
    "FitResult",
    "HiProbeError",
    "LoadOptions",
    "LocalizeSettings",
    "LogisticProbe",
    "OneClassProbe",
    "Probe",
    "Reading",
    "Run",
    "Sampling",
    "StandOut",
    "StarterProbe",
    "VideoRef",
    "__version__",
    "calibrate",
    "detect",
    "evaluate_manifest",
    "evaluate_scores",
    "extract",
    "fit",
    "fit_normal",
    "load_backbone",
    "load_manifest",
    "load_probe",
    "load_starter",
    "stand_out",
    "starter_probes",
    "write_report",
]

_HOMES = {
    "Batch": "backbones",
    "Detection": "pipeline",
    "Detector": "pipeline",
    "FeatureStore": "features",
    "FitNormalResult": "pipeline",
    "FitResult": "pipeline",
    "HiProbeError": "errors",
    "LoadOptions": "backbones",
    "LocalizeSettings": "localize",
    "LogisticProbe": "probing",
    "OneClassProbe": "probing",
    "Probe": "probing",
    "Reading": "backbones",
    "Run": "features",
    "Sampling": "sampling",
    "StandOut": "pipeline",
    "StarterProbe": "probes",
    "VideoRef": "video",
    "calibrate": "pipeline",
    "detect": "pipeline",
    "evaluate_manifest": "pipeline",
    "evaluate_scores": "pipeline",
    "extract": "features",
    "fit": "pipeline",
    "fit_normal": "pipeline",
    "load_backbone": "backbones",
    "load_manifest": "datasets",
    "load_probe": "probes",
    "load_starter": "probes",
    "stand_out": "pipeline",
    "starter_probes": "probes",
    "write_report": "report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'hiprobe' has no attribute {name!r}")
    return getattr(importlib.import_module(f"hiprobe.{_HOMES[name]}"), name)
