"""``fusion``: a few layers together against the single best."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Fit, Rows, StudySettings, at_layer, by_dlsp, dlsp, joined, measure
from hiprobe.studies.result import StudyResult

_COUNTS = (2, 3, 5)


def fusion(corpus: Corpus, reader: Reader, settings: StudySettings) -> StudyResult:
    """Compare the mean of scores, and the concatenation of states, of the layers of the highest S with l* alone."""
    methods = [measure(corpus, "l* alone", lambda seed: at_layer(by_dlsp, seed), settings)]
    counts = [count for count in _COUNTS if count < len(corpus.layers)]
    for count in (*counts, len(corpus.layers)):
        name = f"mean of the scores of {'all' if count == len(corpus.layers) else count} layers"
        methods.append(measure(corpus, name, lambda seed, n=count: _mean(n, seed), settings))
    for count in counts:
        methods.append(measure(corpus, f"{count} layers joined", lambda seed, n=count: _joined(n, seed), settings))
    table, bars = comparison("Layers together", methods, methods[0])
    notes = (HOW, "Layers: those of the highest S on the fitting folds, in that order.")
    return StudyResult("fusion", (corpus.name,), (table,), (bars,), notes)


def _best(corpus: Corpus, rows: Rows, count: int) -> list[int]:
    return np.argsort(-dlsp(corpus, rows).combined, kind="stable")[:count].tolist()


def _mean(count: int, seed: int) -> Fit:
    def fit(corpus: Corpus, rows: Rows) -> Callable[[Corpus], FloatArray]:
        scorers = [at_layer(lambda *_, i=index: i, seed)(corpus, rows) for index in _best(corpus, rows, count)]
        return lambda other: np.mean([scorer(other) for scorer in scorers], axis=0)

    return fit


def _joined(count: int, seed: int) -> Fit:
    return lambda corpus, rows: joined(_best(corpus, rows, count), seed)(corpus, rows)
