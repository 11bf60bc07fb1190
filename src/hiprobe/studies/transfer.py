"""``transfer``: fit on one set of videos, measure on another, for every ordered pair."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hiprobe.errors import UsageError
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Bootstrap, StudySettings, at_layer, band, by_dlsp, held_out_scores
from hiprobe.studies.result import Line, Plot, StudyResult, Table, ranged


def transfer(corpora: Sequence[Corpus], reader: Reader, settings: StudySettings) -> StudyResult:
    """Fit layer and scorer on each corpus, and score every other, whose labels are not looked at.

    Raises
    ------
    UsageError
        If there is only one corpus.
    """
    names = tuple(corpus.name for corpus in corpora)
    if len(corpora) < 2:
        raise UsageError(f"transfer got {', '.join(names)} alone: give two or more manifests.")
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
    table = Table("Frame AUC, fitted on the row and measured on the column", ("fitted on", "l*", *names), tuple(rows))
    plot = Plot("Transfer: frame AUC", "measured on", "fitted on", names, tuple(aucs), "matrix")
    notes = (
        "Off the diagonal no label of the column is used: layer by DLSP and scorer are of the row. On the diagonal: "
        "cross-validation by group. Intervals: 95%, bootstrap over groups of the column.",
    )
    return StudyResult("transfer", names, (table,), (plot,), notes)
