"""From hidden states and a few labels to a probe: which layer to read, and how to score it.

::

    dlsp = probe_layers(states, labels, groups, layers=range(1, 31))     # (n, 30, D)
    fitted = fit_scorer(states[:, dlsp.layers.index(dlsp.layer)], labels, groups)
    Probe(..., layer=dlsp.layer, scorer=fitted.scorer, dlsp=dlsp).save("yard.probe")

Layers are decoder blocks, counted from 1: the embedding is not one.
"""

from hiprobe.probing.context import CalibrationStats, ProbeContext
from hiprobe.probing.dlsp import DlspResult, probe_layers
from hiprobe.probing.folds import group_folds
from hiprobe.probing.formulas import SaliencySettings
from hiprobe.probing.oneclass import (
    KINDS,
    Gaussian,
    MemoryBank,
    OneClassKind,
    TokenScorer,
    fit_models,
    token_scorer,
    view_values,
)
from hiprobe.probing.oneclass_probe import AnyProbe, OneClassProbe, OneClassStats, read_probe
from hiprobe.probing.probe_file import Probe
from hiprobe.probing.saliency import Saliency, saliency
from hiprobe.probing.scorer import FittedScorer, Scorer, fit_scorer, out_of_fold_scores
from hiprobe.probing.similar import CalibrationSegment, SegmentIndex, index_segments, kept_rows
from hiprobe.probing.stability import bootstrap_stability
from hiprobe.probing.validation import layer_auc, layer_silhouette

__all__ = [
    "KINDS",
    "AnyProbe",
    "CalibrationSegment",
    "CalibrationStats",
    "DlspResult",
    "FittedScorer",
    "Gaussian",
    "MemoryBank",
    "OneClassKind",
    "OneClassProbe",
    "OneClassStats",
    "Probe",
    "ProbeContext",
    "Saliency",
    "SaliencySettings",
    "Scorer",
    "SegmentIndex",
    "TokenScorer",
    "bootstrap_stability",
    "fit_models",
    "fit_scorer",
    "group_folds",
    "index_segments",
    "kept_rows",
    "layer_auc",
    "layer_silhouette",
    "out_of_fold_scores",
    "probe_layers",
    "read_probe",
    "saliency",
    "token_scorer",
    "view_values",
]
