"""``pooling``: how the hidden states of a segment's tokens become one vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hiprobe.arrays import FloatArray
from hiprobe.backbones import POOLINGS
from hiprobe.datasets import Manifest
from hiprobe.probing import fit_scorer
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Choose, Fit, Measured, Rows, StudySettings, at_layer, by_dlsp, measure
from hiprobe.studies.result import StudyResult

_SITES = {"vision": "patch tokens of the vision tower", "decoder": "visual tokens in the decoder"}
"""What tokens are read at each site."""


def pooling(manifest: Manifest, reader: Reader, settings: StudySettings) -> StudyResult:
    """Compare the poolings, their concatenations, and vectors of single frames, each at the layer that DLSP picks."""
    ways = [reader.backbone.info.reading(pooling=name) for name in POOLINGS]
    read: dict[str, Corpus] = dict(zip(POOLINGS, reader.read_together(manifest, ways), strict=True))
    corpora = dict(read)
    for first, second in (("last", "visual"), ("last", "motion")):
        corpora[f"{first} and {second}"] = _joined(read[first], read[second])
    corpora["all three"] = _joined(*read.values())
    methods = [
        measure(corpus, name, lambda seed: at_layer(by_dlsp, seed), settings) for name, corpus in corpora.items()
    ]
    name, site = reader.backbone.info.name, reader.backbone.info.tokens
    if site is None:
        note = f"Per frame: left out, as the {name} backbone gives no states of single tokens."
    else:
        methods += _per_frame(*reader.read_steps(manifest), site.site, settings)
        note = (
            f"Per frame: the mean over the tokens of each step of time of a segment, {_SITES[site.site]}, blocks "
            f"{', '.join(map(str, site.layers))}, of which DLSP picks one by the mean over steps. Joined: one vector "
            "of all steps. One by one, highest: a scorer of single steps, each with the label of its segment, whose "
            "score is the mean, or the highest, of its steps' scores."
        )
    table, bars = comparison("Poolings", methods, methods[0])
    return StudyResult("pooling", (read["last"].name,), (table,), (bars,), (HOW, note))


def _joined(*corpora: Corpus) -> Corpus:
    """Concatenate the vectors of several readings of the same videos."""
    features = tuple(
        replace(items[0], states=np.concatenate([item.states for item in items], axis=2))
        for items in zip(*(corpus.features for corpus in corpora), strict=True)
    )
    return replace(corpora[0], features=features)


def _per_frame(read: Corpus, steps: int, site: str, settings: StudySettings) -> list[Measured]:
    """Measure what is made of steps read one by one, and of their mean, without which the site would be compared."""
    averaged = [replace(item, states=_steps(item.states, steps).mean(axis=2)) for item in read.features]
    mean = replace(read, features=tuple(averaged))

    def layer(_: Corpus, rows: Rows) -> int:
        return by_dlsp(mean, rows)

    def one_by_one(together: Callable[..., FloatArray]) -> Callable[[int], Fit]:
        return lambda seed: _one_by_one(layer, steps, together, seed)

    return [
        measure(mean, f"mean of frames ({site})", lambda seed: at_layer(layer, seed), settings),
        measure(read, f"per frame, joined ({site})", lambda seed: at_layer(layer, seed), settings),
        measure(read, f"per frame, one by one ({site})", one_by_one(np.mean), settings),
        measure(read, f"per frame, highest ({site})", one_by_one(np.max), settings),
    ]


def _one_by_one(choose: Choose, steps: int, together: Callable[..., FloatArray], seed: int) -> Fit:
    """Fit a scorer to single steps, and score a segment by what is made of its steps' scores."""

    def fit(corpus: Corpus, rows: Rows) -> Callable[[Corpus], FloatArray]:
        index = choose(corpus, rows)
        labels, groups = (np.repeat(of_segments[rows], steps) for of_segments in (corpus.labels, corpus.groups))
        single = _steps(corpus.states[rows, index], steps)
        scorer = fit_scorer(single.reshape(len(labels), -1), labels, groups, seed=seed).scorer

        def score(other: Corpus) -> FloatArray:
            every = _steps(other.states[:, index], steps)
            return together(scorer.scores(every.reshape(-1, every.shape[-1])).reshape(-1, steps), axis=1)

        return score

    return fit


def _steps(states: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """Divide vectors (..., steps * D) of all steps: (..., steps, D)."""
    return states.reshape(*states.shape[:-1], steps, -1)
