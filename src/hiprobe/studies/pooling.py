"""``pooling``: how the hidden states of a segment's tokens become one vector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hiprobe.backbones import POOLINGS
from hiprobe.datasets import Manifest
from hiprobe.pipeline import DEFAULT_PROMPT
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import StudySettings, at_layer, by_dlsp, measure
from hiprobe.studies.result import StudyResult


def pooling(manifest: Manifest, reader: Reader, settings: StudySettings) -> StudyResult:
    """Compare the poolings and their concatenations, each at the layer that DLSP picks for it."""
    ways = [(DEFAULT_PROMPT, name) for name in POOLINGS]
    read = dict(zip(POOLINGS, reader.read_together(manifest, ways), strict=True))  # type: ignore[arg-type]
    corpora = dict(read)
    for first, second in (("last", "visual"), ("last", "motion")):
        corpora[f"{first} and {second}"] = _joined(read[first], read[second])
    corpora["all three"] = _joined(*read.values())
    methods = [
        measure(corpus, name, lambda seed: at_layer(by_dlsp, seed), settings) for name, corpus in corpora.items()
    ]
    table, bars = comparison("Poolings", methods, methods[0])
    return StudyResult("pooling", (read["last"].name,), (table,), (bars,), (HOW,))


def _joined(*corpora: Corpus) -> Corpus:
    """Concatenate the vectors of several readings of the same videos."""
    features = tuple(
        replace(items[0], states=np.concatenate([item.states for item in items], axis=2))
        for items in zip(*(corpus.features for corpus in corpora), strict=True)
    )
    return replace(corpora[0], features=features)
