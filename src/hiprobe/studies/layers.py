"""``layers``: what each layer is worth, by every measure there is, with bootstrap bands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from hiprobe.arrays import FloatArray
from hiprobe.probing import DlspResult, probe_layers, saliency
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import StudySettings, band, layer_curve
from hiprobe.studies.result import Line, Plot, StudyResult, Table

DRAWS = 100
"""Resamples of the saliency metrics, each a pass over all segments."""

_HIGHEST = {"D_KL": np.inf, "LDR": np.inf, "H": 1.0, "S": 1.0}
"""The most that a metric can be; the least is 0."""


def layers(corpus: Corpus, reader: Reader, settings: StudySettings) -> StudyResult:
    """Measure D_KL, LDR, H, S, silhouette and AUC of each layer; draw them, and maps of four layers."""
    states, labels, groups = (values[corpus.known] for values in (corpus.states, corpus.labels, corpus.groups))
    found = probe_layers(states, labels, groups, corpus.layers, seed=settings.seed)
    salient = saliency(states, labels, layers=corpus.layers)  # S of all three metrics, noise or not
    metrics = {"D_KL": found.d_kl, "LDR": found.ldr, "H": found.entropy, "S": salient.combined}
    resampled = _resampled(corpus, settings.seed)
    auc, auc_bands = layer_curve(corpus, settings)
    best = int(np.argmax(auc))
    table = Table(
        "Each layer",
        ("layer", *metrics, "chosen in bootstraps", "silhouette", "segment AUC", "frame AUC"),
        tuple(
            (layer, *(float(values[i]) for values in metrics.values()), float(found.stability[i]),
             float(found.silhouette[i]), float(found.cv_auc[i]), auc[i])
            for i, layer in enumerate(corpus.layers)
        ),
    )  # fmt: skip
    tables, chance = _by_chance(corpus, found)
    plots = [
        _curve(corpus, name, values, _bands(values, resampled[name], _HIGHEST[name]), salient.layer)
        for name, values in metrics.items()
    ]
    for index, name in enumerate(("D_KL", "LDR")):
        plots[index] = replace(plots[index], lines=(*plots[index].lines, *chance.get(name, ())))
    plots.append(_curve(corpus, "silhouette", found.silhouette, None, salient.layer))
    plots.append(_curve(corpus, "frame AUC", np.array(auc), auc_bands, salient.layer))
    if found.permuted is not None:
        discriminants = _curve(corpus, "AUC of discriminants", found.permuted.auc, None, salient.layer)
        plots.append(replace(discriminants, lines=(*discriminants.lines, *chance["AUC"])))
    shown = dict.fromkeys((corpus.layers[0], salient.layer, corpus.layers[best], corpus.layers[-1]))
    plots += [plot for layer in shown for plot in _maps(corpus, layer, settings.seed)]
    notes = (
        f"l* by DLSP is layer {salient.layer}, where frame AUC is {auc[salient.best]:.3f}; by cross-validated AUC of "
        f"segments, as fit chooses, it is layer {found.layer}, with {auc[corpus.layers.index(found.layer)]:.3f}; the "
        "highest, "
        f"{auc[best]:.3f}, is at layer {corpus.layers[best]}; the last layer has {auc[-1]:.3f}. The peak is "
        "seen on the "
        "very videos that it is read off, so it flatters; the dlsp study chooses within the fitting folds.",
        "D_KL, LDR, H and S are of all labelled segments; bands: 95% of resamples of groups, moved so that their mean "
        "is the number, as a resample repeats segments, which lowers H and raises D_KL and LDR. Frame AUC: held-out "
        f"videos, cross-validated by group, C chosen within the fitting folds, mean of {settings.repeats} repeats.",
        *found.notes,
    )
    return StudyResult("layers", (corpus.name,), (table, *tables), tuple(plots), notes)


def _by_chance(corpus: Corpus, found: DlspResult) -> tuple[tuple[Table, ...], dict[str, tuple[Line, ...]]]:
    """Return a table of each layer under labels by chance, and a line with a band for each metric."""
    chance = found.permuted
    if chance is None:
        return (), {}
    lines = {
        name: (Line("labels by chance", *(tuple(of[index].tolist()) for of in (chance.mean, chance.low, chance.high))),)
        for index, name in enumerate(("D_KL", "LDR", "AUC"))
    }
    rows = tuple(
        (layer, float(chance.auc[i]), *(f"{chance.mean[m, i]:.3f} ({chance.low[m, i]:.3f} to {chance.high[m, i]:.3f})"
         for m in (2, 0, 1)), float(chance.chosen[i]))
        for i, layer in enumerate(corpus.layers)
    )  # fmt: skip
    head = ("layer", "AUC of discriminants", "AUC by chance", "D_KL by chance", "LDR by chance", "chosen by chance")
    return (Table("Each layer under labels by chance: mean and 95%", head, rows),), lines


def _resampled(corpus: Corpus, seed: int) -> dict[str, FloatArray]:
    """Return each saliency metric in resamples of groups: (draws, layers)."""
    random = np.random.default_rng(seed)
    names = np.unique(corpus.groups)
    members = {name: np.flatnonzero(corpus.groups == name) for name in names}
    curves: dict[str, list[FloatArray]] = {"D_KL": [], "LDR": [], "H": [], "S": []}
    while len(curves["S"]) < DRAWS:
        rows = np.concatenate([members[name] for name in random.choice(names, len(names))])
        if min(corpus.labels[rows].sum(), (~corpus.labels[rows]).sum()) < 2:
            continue
        found = saliency(corpus.states[rows], corpus.labels[rows], layers=corpus.layers)
        for name, values in zip(curves, (found.d_kl, found.ldr, found.entropy, found.combined), strict=True):
            curves[name].append(values)
    return {name: np.stack(values) for name, values in curves.items()}


def _bands(values: FloatArray, resampled: FloatArray, highest: float) -> list[tuple[float, float]]:
    """Return the interval of each layer: how resamples (draws, layers) spread, around what there is (layers,).

    A resample repeats segments, so it differs from what it is drawn from as no other videos would: the entropy of what
    repeats is smaller, and Gaussians that are fitted to less lie further apart. Its mean departure is that bias, and is
    taken off.
    """
    moved = (resampled - resampled.mean(axis=0) + values).clip(0, highest)
    return [band(column) for column in moved.T]


def _curve(corpus: Corpus, name: str, values: FloatArray, bands: list[tuple[float, float]] | None, mark: int) -> Plot:
    low, high = zip(*bands, strict=True) if bands else (None, None)
    line = Line(name, tuple(float(value) for value in values), low, high)
    return Plot(name, "layer", name, corpus.layers, (line,), mark=float(mark))


def _maps(corpus: Corpus, layer: int, seed: int) -> list[Plot]:
    """Draw the segments at a layer in two dimensions, by PCA and by t-SNE of its first 30 components."""
    states = corpus.states[:, corpus.layers.index(layer)].astype(np.float64)
    states = (states - states.mean(axis=0)) / np.maximum(states.std(axis=0), 1e-12)
    components = PCA(min(30, *states.shape), random_state=seed).fit_transform(states)
    perplexity = min(30.0, (len(states) - 1) / 3)
    near = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(components)
    plots = []
    for name, points in (("PCA", components[:, :2]), ("t-SNE", near)):
        lines = tuple(
            Line(kind, y=tuple(points[rows, 1].tolist()), low=tuple(points[rows, 0].tolist()))
            for kind, rows in (("normal", ~corpus.labels), ("abnormal", corpus.labels))
        )
        plots.append(Plot(f"{name}, layer {layer}", "", "", (), lines, "points"))
    return plots
