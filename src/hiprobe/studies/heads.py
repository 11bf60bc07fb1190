"""``heads``: a few steady attention heads against the output of one layer.

After the idea of HeadHunt-VAD: heads are scored on the calibration set, those are kept that score well however it is
drawn, and what they give at the last prompt token is joined. The estimators are ours.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.datasets import Manifest
from hiprobe.probing import group_folds, layer_auc, saliency
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Fit, Rows, StudySettings, at_layer, by_auc, by_dlsp, joined, measure
from hiprobe.studies.result import Line, Plot, StudyResult

_COUNTS = (1, 4, 16)

Score = Callable[[Corpus, Rows], FloatArray]
"""From segments, a number (heads,) for each head; higher is better."""


def heads(manifest: Manifest, reader: Reader, settings: StudySettings) -> StudyResult:
    """Compare the layer of DLSP with few heads, chosen by S or by AUC, less its deviation over parts of the labels."""
    decoder, read = reader.read(manifest), reader.read_site(manifest, "heads")
    methods = [
        measure(decoder, "l* by DLSP", lambda seed: at_layer(by_dlsp, seed), settings),
        measure(decoder, "layer by AUC", lambda seed: at_layer(by_auc, seed), settings),
    ]
    everything = np.arange(len(read.labels))
    a_block = len(read.layers) // len(decoder.layers)
    named = [""] * len(methods)
    for rule, score in {"S": _saliency, "AUC": _auc}.items():
        order = _order(read, everything, score, settings.seed)
        for count in (count for count in _COUNTS if count <= len(read.layers)):
            name = f"{count} head{'s' if count > 1 else ''} by {rule}"
            methods.append(measure(read, name, lambda seed, n=count, by=score: _joined(n, by, seed), settings))
            named.append(", ".join(f"{head // a_block + 1}.{head % a_block + 1}" for head in order[: min(count, 4)]))
    table, bars = comparison("Heads", methods, methods[0], {"best, on all videos": named})
    aucs = np.sort(_auc(read, everything).reshape(-1, a_block), axis=1)
    lines = (
        Line("best head of the block", tuple(aucs[:, -1].tolist())),
        Line("median head", tuple(np.median(aucs, axis=1).tolist())),
        Line("output of the block", tuple(_auc(decoder, everything).tolist())),
    )
    plots = (bars, Plot("Segment AUC, cross-validated", "layer", "segment AUC", decoder.layers, lines))
    notes = (
        HOW,
        f"{len(read.layers)} heads, {a_block} a block, read at the last prompt token before the output projection; "
        "3.2 is the second of block 3. Heads are scored within the fitting folds: by S across all heads, or by "
        "cross-validated segment AUC, each as mean less deviation over parts that lack a fifth of the groups. What the "
        "best give is joined. The curves look at all videos; a best head is the best of many, which flatters it.",
    )
    return StudyResult("heads", (decoder.name,), (table,), plots, notes)


def _saliency(corpus: Corpus, rows: Rows) -> FloatArray:
    return saliency(corpus.states[rows], corpus.labels[rows], layers=corpus.layers).combined


def _auc(corpus: Corpus, rows: Rows) -> FloatArray:
    return layer_auc(corpus.states[rows], corpus.labels[rows], corpus.groups[rows])


def _order(corpus: Corpus, rows: Rows, score: Score, seed: int) -> list[int]:
    """Return the heads, the best and steadiest first."""
    folds = group_folds(corpus.labels[rows], corpus.groups[rows], seed=seed)
    parts = [rows[near] for near, _ in folds if _in_two_groups(corpus, rows[near])]
    found = np.stack([score(corpus, part) for part in parts or [rows]])
    return np.argsort(found.std(axis=0) - found.mean(axis=0), kind="stable").tolist()


def _in_two_groups(corpus: Corpus, rows: Rows) -> bool:
    labels, groups = corpus.labels[rows], corpus.groups[rows]
    return all(len(np.unique(groups[members])) > 1 for members in (labels, ~labels))


def _joined(count: int, score: Score, seed: int) -> Fit:
    return lambda corpus, rows: joined(_order(corpus, rows, score, seed)[:count], seed)(corpus, rows)
