"""From hidden states and a few labels to a probe: which layer to read, and how to score it.

::

    dlsp = probe_layers(states, labels, groups, layers=range(1, 31))     # (n, 30, D)
    fitted = fit_scorer(states[:, dlsp.layers.index(dlsp.layer)], labels, groups)
    LogisticProbe(reading, fitted.scorer, dlsp, ...).save("yard.probe")

Layers are decoder blocks, counted from 1: the embedding is not one.
"""

from hiprobe.probing.choice import fit_chosen
from hiprobe.probing.dlsp import DlspResult, probe_layers
from hiprobe.probing.familiar import Familiar, learn_familiar
from hiprobe.probing.folds import group_folds
from hiprobe.probing.formulas import SaliencySettings
from hiprobe.probing.kinds import UNKNOWN, EventKind, FittedKinds, KindScorer, fit_kinds
from hiprobe.probing.loading import read_probe
from hiprobe.probing.logistic_probe import CalibrationStats, LogisticProbe
from hiprobe.probing.one_class_probe import OneClassProbe, OneClassStats
from hiprobe.probing.oneclass import (
    METHODS,
    Gaussian,
    MemoryBank,
    OneClassMethod,
    TokenScorer,
    fit_models,
    token_scorer,
    view_values,
)
from hiprobe.probing.permuted import Permuted
from hiprobe.probing.probe import Card, Probe, check_alarms, check_backbone, check_same, threshold_of
from hiprobe.probing.saliency import Saliency, saliency
from hiprobe.probing.scorer import FittedScorer, Scorer, fit_scorer, out_of_fold_scores, scores_without_group
from hiprobe.probing.similar import CalibrationSegment, SegmentIndex, index_segments, kept_rows
from hiprobe.probing.stability import bootstrap_stability
from hiprobe.probing.validation import layer_auc, layer_silhouette

__all__ = [
    "METHODS",
    "UNKNOWN",
    "CalibrationSegment",
    "CalibrationStats",
    "Card",
    "DlspResult",
    "EventKind",
    "Familiar",
    "FittedKinds",
    "FittedScorer",
    "Gaussian",
    "KindScorer",
    "LogisticProbe",
    "MemoryBank",
    "OneClassMethod",
    "OneClassProbe",
    "OneClassStats",
    "Permuted",
    "Probe",
    "Saliency",
    "SaliencySettings",
    "Scorer",
    "SegmentIndex",
    "TokenScorer",
    "bootstrap_stability",
    "check_alarms",
    "check_backbone",
    "check_same",
    "fit_chosen",
    "fit_kinds",
    "fit_models",
    "fit_scorer",
    "group_folds",
    "index_segments",
    "kept_rows",
    "layer_auc",
    "layer_silhouette",
    "learn_familiar",
    "out_of_fold_scores",
    "probe_layers",
    "read_probe",
    "saliency",
    "scores_without_group",
    "threshold_of",
    "token_scorer",
    "view_values",
]
