"""``dlsp``: the layer that DLSP picks against other ways of picking one, and each of its metrics alone and in pairs."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.probing import Saliency, SaliencySettings, fit_scorer, group_folds, layer_auc, probe_layers, saliency
from hiprobe.probing.formulas import Estimator, combine
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Measured, StudySettings, dlsp, measured
from hiprobe.studies.result import StudyResult, Table

ESTIMATORS: tuple[Estimator, ...] = ("held-out-lda", "multivariate")
"""Beside that of DLSP (S), ``per-feature``."""

_METRICS = ("D_KL", "LDR", "H")
_ORACLE = "oracle: the layer of the highest AUC on test"


def choice_of_layer(corpus: Corpus, reader: Reader, settings: StudySettings) -> StudyResult:
    """Compare rules that choose the layer within the fitting folds; the oracle alone looks at what is held out."""
    by_layer, chosen = _held_out(corpus, settings)
    methods, picked = [], []
    for name, choices in chosen.items():
        scores = [
            _pick(folds, rows, scored)
            for folds, rows, scored in zip(choices, _folds(corpus, settings), by_layer, strict=True)
        ]
        methods.append(measured(corpus, name, scores, settings))
        picked.append(_counted([corpus.layers[index] for folds in choices for index in folds]))
    oracle = _oracle(corpus, by_layer, settings)
    methods.append(oracle[0])
    picked.append(str(corpus.layers[oracle[1]]))
    table, bars = comparison("Ways to choose the layer", methods, methods[0], {"layers chosen": picked})
    notes = (
        HOW,
        f"'{_ORACLE}' is no method: it looks at the labels that are measured on. It says how much a better "
        "choice could bring at most.",
    )
    return StudyResult("dlsp", (corpus.name,), (table, _by_chance(corpus, settings)), (bars,), notes)


def _by_chance(corpus: Corpus, settings: StudySettings) -> Table:
    """Tell what is chosen where there is nothing to find."""
    ways: list[SaliencySettings] = [SaliencySettings(layer_by="auc")]
    estimators: tuple[Estimator, ...] = ("per-feature", *ESTIMATORS)
    ways += [SaliencySettings(layer_by="dlsp", estimator=estimator) for estimator in estimators]
    states, labels, groups = (values[corpus.known] for values in (corpus.states, corpus.labels, corpus.groups))
    rows = []
    for way in ways:
        found = probe_layers(states, labels, groups, corpus.layers, way, settings.seed)
        if (chance := found.permuted) is None:
            continue
        name = "highest AUC" if way.layer_by == "auc" else f"DLSP, {way.estimator}"
        most = int(np.argmax(chance.chosen))
        rows.append((name, found.layer, float(chance.auc[corpus.layers.index(found.layer)]), float(chance.best.mean()),
                     float(chance.chosen[0]), f"{corpus.layers[most]}: {chance.chosen[most]:.0%}"))  # fmt: skip
    head = ("method", "layer", "its AUC by discriminants", "AUC by chance", "first layer by chance", "most by chance")
    return Table("Under labels by chance, on all segments", head, tuple(rows))


def _folds(corpus: Corpus, settings: StudySettings) -> list[list[np.ndarray]]:
    """Return the segments held out in each fold, for every repeat."""
    return [[held for _, held in group_folds(corpus.labels, corpus.groups, seed=seed)] for seed in settings.seeds]


def _held_out(corpus: Corpus, settings: StudySettings) -> tuple[list[FloatArray], dict[str, list[list[int]]]]:
    """Return held-out scores at every layer, (layers, n) a repeat, and each rule's layer in each repeat and fold."""
    everything, chosen = [], {}
    for seed in settings.seeds:
        scores = np.empty((len(corpus.layers), len(corpus.labels)))
        picks: dict[str, list[int]] = {}
        for fitting, held_out in group_folds(corpus.labels, corpus.groups, seed=seed):
            fitting = fitting[corpus.known[fitting]]
            labels, groups, states = corpus.labels[fitting], corpus.groups[fitting], corpus.states[fitting]
            for index in range(len(corpus.layers)):
                scorer = fit_scorer(states[:, index], labels, groups, seed=seed).scorer
                scores[index, held_out] = scorer.scores(corpus.states[held_out, index])
            others = {}
            for estimator in ESTIMATORS:
                way = SaliencySettings(estimator=estimator)
                others[f"DLSP, {estimator}"] = saliency(states, labels, way, groups=groups).best
            found = _rules(dlsp(corpus, fitting), layer_auc(states, labels, groups)) | others
            for name, index in found.items():
                picks.setdefault(name, []).append(index)
        everything.append(scores)
        for name, indices in picks.items():
            chosen.setdefault(name, []).append(indices)
    return everything, chosen


def _rules(found: Saliency, auc: FloatArray) -> dict[str, int]:
    """Return the index of the layer that each rule picks."""
    count = len(found.layers)
    rules = {
        "DLSP (S)": found.best,
        "last layer": count - 1,
        "middle layer": count // 2,
        "highest AUC within the fitting folds": int(np.argmax(auc)),
    }
    for size in (1, 2):
        for metrics in combinations(range(len(_METRICS)), size):
            weights = tuple(float(index in metrics) for index in range(len(_METRICS)))
            combined, _ = combine(found.d_kl, found.ldr, found.entropy, SaliencySettings(weights=weights))  # type: ignore[arg-type]
            rules[" + ".join(_METRICS[index] for index in metrics)] = int(np.argmax(combined))
    return rules


def _pick(layers: list[int], held_out: list[np.ndarray], scores: FloatArray) -> FloatArray:
    """Put together the scores (n,) of each fold's own layer."""
    picked = np.empty(scores.shape[1])
    for index, rows in zip(layers, held_out, strict=True):
        picked[rows] = scores[index, rows]
    return picked


def _oracle(corpus: Corpus, by_layer: list[FloatArray], settings: StudySettings) -> tuple[Measured, int]:
    aucs = [np.mean([corpus.auc(scores[index]) for scores in by_layer]) for index in range(len(corpus.layers))]
    best = int(np.argmax(aucs))
    return measured(corpus, _ORACLE, [scores[best] for scores in by_layer], settings), best


def _counted(layers: list[int]) -> str:
    return ", ".join(f"{layer} x{count}" for layer, count in sorted(Counter(layers).items()))
