"""``localize``: smoothing, and the adaptive against the calibrated threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.evaluation import event_scores, false_alarms_per_hour
from hiprobe.localize import LocalizeSettings, adaptive_threshold, find_events, frame_scores
from hiprobe.localize.thresholds import calibrated_threshold
from hiprobe.pipeline.evaluate import beside_truth
from hiprobe.probing import group_folds
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import StudySettings, at_layer, by_dlsp
from hiprobe.studies.result import Cell, Line, Plot, StudyResult, Table

_SIGMAS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
_KAPPAS = (-0.5, 0.0, 0.2, 0.5, 1.0, 1.5, 2.0)
_IOU = 0.3

Threshold = Callable[[int, FloatArray], float]
"""From the index of a video and its smoothed scores, its threshold."""


def localization(corpus: Corpus, reader: Reader, settings: StudySettings) -> StudyResult:
    """Sweep sigma and kappa on held-out scores, and compare the calibrated threshold."""
    scores, of_fold = _scores(corpus, settings.seed)
    aucs = [corpus.auc(scores, sigma) for sigma in _SIGMAS]
    rows: list[tuple[Cell, ...]] = []
    for sigma in _SIGMAS:
        smoothed = corpus.smoothed(scores, sigma)
        fixed = _calibrated(corpus, of_fold, sigma)
        rows.append((f"calibrated, sigma {sigma:g} s", *_events(corpus, smoothed, lambda v, _, t=fixed: t[v])))
    sigma = LocalizeSettings().sigma
    smoothed = corpus.smoothed(scores, sigma)
    for kappa in _KAPPAS:
        found = _events(corpus, smoothed, lambda _, values, k=kappa: adaptive_threshold(values, k))
        rows.append((f"adaptive, kappa {kappa:g}, sigma {sigma:g} s", *found))
    head = ("threshold", f"event F1 at IoU {_IOU:g}", "precision", "recall", "false alarms an hour")
    tables = (
        Table("Smoothing", ("sigma, s", "frame AUC"), tuple(zip(_SIGMAS, aucs, strict=True))),
        Table("Events", head, tuple(rows)),
    )
    names = tuple(str(row[0]) for row in rows)
    plots = (
        Plot("Smoothing", "sigma, s", "frame AUC", _SIGMAS, (Line("frame AUC", tuple(aucs)),)),
        Plot("Events", f"F1 at IoU {_IOU:g}", "", names, (Line("F1", tuple(_number(r[1]) for r in rows)),), "bars"),
        Plot(
            "False alarms", "an hour of normal time", "", names, (Line("", tuple(_number(r[4]) for r in rows)),), "bars"
        ),
    )
    notes = (
        "One cross-validation by group: layer by DLSP and scorer from the fitting folds, scores of what is held "
        "out. The "
        "calibrated threshold of a fold comes from held-out scores of its fitting videos. False alarms are events that "
        "overlap no true one, an hour of normal time, of abnormal videos too.",
    )
    return StudyResult("localize", (corpus.name,), tables, plots, notes)


def _scores(corpus: Corpus, seed: int) -> tuple[FloatArray, list[tuple[np.ndarray, FloatArray, np.ndarray]]]:
    """Return held-out scores (n,), and by fold: its fitting segments, their own held-out scores, its held-out ones."""
    scores, folds, known = np.empty(len(corpus.labels)), [], corpus.known
    for fitting, held_out in group_folds(corpus.labels, corpus.groups, seed=seed):
        scores[held_out] = at_layer(by_dlsp, seed)(corpus, fitting[known[fitting]])(corpus)[held_out]
        inner = np.full(len(corpus.labels), np.nan)
        for near, far in group_folds(corpus.labels[fitting], corpus.groups[fitting], seed=seed):
            rows = fitting[near]
            inner[fitting[far]] = at_layer(by_dlsp, seed)(corpus, rows[known[rows]])(corpus)[fitting[far]]
        folds.append((fitting, inner, held_out))
    return scores, folds


def _calibrated(
    corpus: Corpus, folds: Sequence[tuple[np.ndarray, FloatArray, np.ndarray]], sigma: float
) -> dict[int, float]:
    """Return the calibrated threshold of each video: that of the fold in which it is held out."""
    thresholds = {}
    for fitting, inner, held_out in folds:
        # What is held out has no score here; whole videos are, so that smoothing mixes nothing in.
        smoothed = np.concatenate(corpus.smoothed(np.nan_to_num(inner), sigma))
        rows = fitting[corpus.known[fitting]]
        threshold = calibrated_threshold(smoothed[rows], corpus.labels[rows])
        thresholds |= {int(video): threshold for video in np.unique(corpus.video_of[held_out])}
    return thresholds


def _events(corpus: Corpus, smoothed: Sequence[FloatArray], threshold: Threshold) -> tuple[Cell, ...]:
    """Return F1, precision, recall and false alarms an hour."""
    rule, found = LocalizeSettings(), []
    for index, (video, item, values) in enumerate(zip(corpus.videos, corpus.features, smoothed, strict=True)):
        duration = item.video.duration
        events = find_events(
            values, item.centres, duration, threshold(index, values), rule.min_duration, rule.merge_gap
        )
        times = corpus.times[index]
        frames = frame_scores(values, item.centres, times)
        found.append(beside_truth(video, times, duration, frames, tuple((e.start, e.end) for e in events)))
    scored = event_scores(found, _IOU)
    return scored.f1, scored.precision, scored.recall, false_alarms_per_hour(found)


def _number(cell: Cell) -> float | None:
    return cell if isinstance(cell, float) else None
