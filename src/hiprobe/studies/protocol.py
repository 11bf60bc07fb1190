"""How studies measure: what is scored was never fitted on, and layers are chosen within what is fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiprobe.arrays import FloatArray
from hiprobe.errors import UndefinedMetricError, UsageError
from hiprobe.evaluation.confidence import pair_table
from hiprobe.probing import Saliency, fit_scorer, group_folds, layer_auc, saliency
from hiprobe.studies.corpus import Corpus

Rows = NDArray[np.intp]
"""Indices of segments."""

Choose = Callable[[Corpus, Rows], int]
"""From the segments to fit on, the index of the layer to read."""

Fit = Callable[[Corpus, Rows], Callable[[Corpus], FloatArray]]
"""From the segments to fit on, a function that scores all segments (n,) of a corpus."""


@dataclass(frozen=True)
class StudySettings:
    """What studies have in common.

    Parameters
    ----------
    seed : int
        Of folds, resamples and draws.
    repeats : int
        How often a cross-validation, or a draw of a calibration set, is repeated with another seed.
    draws : int
        Resamples of a bootstrap over groups.
    texts : int
        Videos of each class that ``prompts`` has described, at most; 0 for none.

    Raises
    ------
    UsageError
        If ``texts`` is less than 0.
    """

    seed: int = 0
    repeats: int = 3
    draws: int = 500
    texts: int = 12

    def __post_init__(self) -> None:
        if self.texts < 0:
            raise UsageError(f"Texts of {self.texts} videos of each class; give 0 or more.")

    @property
    def seeds(self) -> range:
        """The seeds of the repeats."""
        return range(self.seed, self.seed + self.repeats)


def held_out_scores(corpus: Corpus, fit: Fit, seed: int = 0) -> FloatArray:
    """Score every segment (n,) by what was fitted on the other folds, whole groups held out.

    As in ``hiprobe fit``, segments that an event covers in part are not fitted to. They are scored all the same.
    """
    scores = np.empty(len(corpus.labels))
    for fitting, held_out in group_folds(corpus.labels, corpus.groups, seed=seed):
        scores[held_out] = fit(corpus, fitting[corpus.known[fitting]])(corpus)[held_out]
    return scores


def at_layer(choose: Choose, seed: int = 0) -> Fit:
    """Fit as ``hiprobe fit`` does, at the layer that ``choose`` picks."""

    def fit(corpus: Corpus, rows: Rows) -> Callable[[Corpus], FloatArray]:
        index = choose(corpus, rows)
        labels, groups = corpus.labels[rows], corpus.groups[rows]
        scorer = fit_scorer(corpus.states[rows, index], labels, groups, seed=seed).scorer
        return lambda other: scorer.scores(other.states[:, index])

    return fit


def joined(layers: Sequence[int], seed: int = 0) -> Fit:
    """Fit on the states of several layers, given by their indices, joined to one vector."""

    def states(corpus: Corpus) -> FloatArray:
        return corpus.states[:, layers].reshape(len(corpus.labels), -1).astype(np.float64)

    def fit(corpus: Corpus, rows: Rows) -> Callable[[Corpus], FloatArray]:
        scorer = fit_scorer(states(corpus)[rows], corpus.labels[rows], corpus.groups[rows], seed=seed).scorer
        return lambda other: scorer.scores(states(other))

    return fit


def by_dlsp(corpus: Corpus, rows: Rows) -> int:
    """Pick the layer of the highest S."""
    return dlsp(corpus, rows).best


def dlsp(corpus: Corpus, rows: Rows) -> Saliency:
    """Return the saliency of each layer on some segments."""
    return saliency(corpus.states[rows], corpus.labels[rows], layers=corpus.layers)


class Resamples:
    """Resamples of groups of videos, the same ones for every method, so that differences can be told.

    Parameters
    ----------
    name : str
        Of the corpus.
    groups : sequence of str
        Of each video.
    truth : iterable of ndarray of shape (frames,)
        Whether each frame is abnormal, for every video.
    draws : int
        Resamples; those without frames of both classes are left out.
    seed : int

    Raises
    ------
    UndefinedMetricError
        If no resample holds both classes.
    """

    def __init__(
        self, name: str, groups: Sequence[str], truth: Iterable[NDArray[np.bool_]], draws: int, seed: int
    ) -> None:
        self._truth = list(truth)
        names, group_of_video = np.unique(groups, return_inverse=True)
        equal = np.full(len(names), 1 / len(names))
        drawn = np.random.default_rng(seed).multinomial(len(names), equal, size=draws)[:, group_of_video].astype(float)
        abnormal = drawn @ [part.sum() for part in self._truth]
        normal = drawn @ [(~part).sum() for part in self._truth]
        usable = (abnormal > 0) & (normal > 0)
        if not usable.any():
            raise UndefinedMetricError(f"{name}: no resample of its groups holds both classes; add videos.")
        self._drawn = drawn[usable]
        self._pairs = (abnormal * normal)[usable]

    def frame_aucs(self, scores: Iterable[FloatArray]) -> FloatArray:
        """Return the pooled AUC in each resample of the scores of all frames, (frames,) a video."""
        parts = list(zip(scores, self._truth, strict=True))
        abnormal, normal = ([np.sort(part[truth == kind]) for part, truth in parts] for kind in (True, False))
        right = pair_table(abnormal, normal)
        return ((self._drawn @ right) * self._drawn).sum(axis=1) / self._pairs


class Bootstrap(Resamples):
    """Resamples of a corpus's groups; parameters and errors are those of :class:`Resamples`."""

    def __init__(self, corpus: Corpus, draws: int, seed: int) -> None:
        super().__init__(corpus.name, [video.group for video in corpus.videos], corpus.truth, draws, seed)
        self._corpus = corpus

    def aucs(self, scores: FloatArray) -> FloatArray:
        """Return the pooled frame AUC of scores (n,) of segments in each resample."""
        return self.frame_aucs(self._corpus.frame_scores(scores))

    def mean_aucs(self, scores: Sequence[FloatArray]) -> FloatArray:
        """Return the AUC in each resample, as the mean over repeats."""
        return np.mean([self.aucs(each) for each in scores], axis=0)


def band(values: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Return the interval that holds a share ``level`` of values, the same share cut off at either end."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Measured:
    """A method's scores in every repeat of the cross-validation, and its AUC: pooled over frames, mean of repeats."""

    name: str
    scores: tuple[FloatArray, ...]
    auc: float
    resampled: FloatArray

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval by bootstrap over groups."""
        return band(self.resampled)


def measure(corpus: Corpus, name: str, fit: Callable[[int], Fit], settings: StudySettings) -> Measured:
    """Cross-validate a method, given as a function of the seed, and resample its AUC."""
    return measured(corpus, name, [held_out_scores(corpus, fit(seed), seed) for seed in settings.seeds], settings)


def measured(corpus: Corpus, name: str, scores: Sequence[FloatArray], settings: StudySettings) -> Measured:
    """Put together what is known about held-out scores, one array (n,) a repeat."""
    auc = float(np.mean([corpus.auc(each) for each in scores]))
    resampled = Bootstrap(corpus, settings.draws, settings.seed).mean_aucs(scores)
    return Measured(name, tuple(scores), auc, resampled)


def layer_curve(corpus: Corpus, settings: StudySettings) -> tuple[list[float], list[tuple[float, float]]]:
    """Return the frame AUC of each layer, held out and mean of the repeats, and its 95% interval."""
    resamples = Bootstrap(corpus, settings.draws, settings.seed)
    aucs, bands = [], []
    for index in range(len(corpus.layers)):
        fit = at_layer(lambda *_, chosen=index: chosen)
        scores = [held_out_scores(corpus, fit, seed) for seed in settings.seeds]
        aucs.append(float(np.mean([corpus.auc(each) for each in scores])))
        bands.append(band(resamples.mean_aucs(scores)))
    return aucs, bands


def by_auc(corpus: Corpus, rows: Rows) -> int:
    """Pick the layer of the highest cross-validated segment AUC."""
    return int(np.argmax(layer_auc(corpus.states[rows], corpus.labels[rows], corpus.groups[rows])))
