"""``transfer``: fit on one set of videos, measure on another; choose the depth on one backbone, read another there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hiprobe.errors import UsageError
from hiprobe.studies.compare import comparison
from hiprobe.studies.corpus import Corpus
from hiprobe.studies.protocol import (
    Bootstrap,
    Choose,
    Rows,
    StudySettings,
    at_layer,
    band,
    by_dlsp,
    held_out_scores,
    measure,
)
from hiprobe.studies.result import Line, Plot, StudyResult, Table, ranged


def transfer(corpora: Mapping[str, Sequence[Corpus]], settings: StudySettings) -> StudyResult:
    """For each backbone, fit layer and scorer on each corpus, and score every other, whose labels are not looked at.

    With several backbones, each is also read at the relative depth that DLSP picks on another.

    Raises
    ------
    UsageError
        If there is only one corpus and only one backbone.
    """
    names = tuple(corpus.name for corpus in next(iter(corpora.values())))
    if len(names) < 2 and len(corpora) < 2:
        raise UsageError(
            f"transfer got {', '.join(names)} and one backbone: give two or more manifests, or two or more models."
        )
    tables, plots, notes = [], [], []
    if len(names) > 1:
        for backbone, read in corpora.items():
            table, plot = _videos(read, f" ({backbone})" if len(corpora) > 1 else "", settings)
            tables.append(table)
            plots.append(plot)
        notes.append(
            "Off the diagonal no label of the column is used: layer by DLSP and scorer are of the row. On it: "
            "cross-validation by group. Intervals: 95%, bootstrap over groups of the column."
        )
    if len(corpora) > 1:
        for index, name in enumerate(names):
            of_name = {backbone: read[index] for backbone, read in corpora.items()}
            for backbone in corpora:
                table, plot = _depths(f"Depth on {name} ({backbone})", backbone, of_name, settings)
                tables.append(table)
                plots.append(plot)
        notes.append(
            "A scorer cannot leave its backbone: others have hidden states of other sizes. The choice of a layer can, "
            "as a depth l*/L: 'A at the depth of B' reads A at the layer nearest to the depth that DLSP picks on B, in "
            "cross-validation by group, both on the same fitting folds."
        )
    return StudyResult("transfer", names, tuple(tables), tuple(plots), tuple(notes))


def _videos(corpora: Sequence[Corpus], of: str, settings: StudySettings) -> tuple[Table, Plot]:
    names = tuple(corpus.name for corpus in corpora)
    fit, aucs, rows = at_layer(by_dlsp, settings.seed), [], []
    for source in corpora:
        everything = np.arange(len(source.labels))
        layer, score = source.layers[by_dlsp(source, everything)], fit(source, everything)
        row, cells = [], []
        for target in corpora:
            scores = held_out_scores(source, fit, settings.seed) if target is source else score(target)
            row.append(target.auc(scores))
            cells.append(ranged(row[-1], band(Bootstrap(target, settings.draws, settings.seed).aucs(scores))))
        aucs.append(Line(source.name, tuple(row)))
        rows.append((source.name, layer, *cells))
    title = f"Frame AUC, fitted on the row and measured on the column{of}"
    table = Table(title, ("fitted on", "l*", *names), tuple(rows))
    return table, Plot(f"Transfer: frame AUC{of}", "measured on", "fitted on", names, tuple(aucs), "matrix")


def _depths(title: str, backbone: str, corpora: Mapping[str, Corpus], settings: StudySettings) -> tuple[Table, Plot]:
    """Compare a backbone at its own l* with itself at the depths of the others."""
    corpus, methods, layers = corpora[backbone], [], []
    rules: dict[str, Choose] = {backbone: by_dlsp}
    for other in (other for other in corpora if other != backbone):
        rules[f"{backbone} at the depth of {other}"] = _at_depth_of(corpora[other])
    for name, rule in rules.items():
        methods.append(measure(corpus, name, lambda seed, rule=rule: at_layer(rule, seed), settings))
        chosen = corpus.layers[rule(corpus, np.arange(len(corpus.labels)))]
        layers.append(f"{chosen} of {len(corpus.layers)}")
    return comparison(title, methods, methods[0], {"layer, on all videos": layers})


def _at_depth_of(other: Corpus) -> Choose:
    def choose(corpus: Corpus, rows: Rows) -> int:
        depth = other.layers[by_dlsp(other, rows)] / len(other.layers)
        return max(1, round(depth * len(corpus.layers))) - 1

    return choose
