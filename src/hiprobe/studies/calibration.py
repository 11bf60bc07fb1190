"""``calibration``: how good a probe is that was fitted on few labelled videos."""

from __future__ import annotations

import numpy as np

from hiprobe.arrays import FloatArray
from hiprobe.errors import CalibrationError, UndefinedMetricError
from hiprobe.probing import group_folds
from hiprobe.studies.corpus import Corpus, Reader, frame_auc
from hiprobe.studies.protocol import Rows, StudySettings, at_layer, band, by_dlsp
from hiprobe.studies.result import Line, Plot, StudyResult, Table

_SIZES = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Labelled videos of each class; 2 is the least that can be cross-validated."""

_FEWEST_DRAWS = 12


def calibration_size(corpus: Corpus, reader: Reader, settings: StudySettings) -> StudyResult:
    """Draw calibration sets of more and more videos, fit on each, and measure on videos that are always held out."""
    draws = max(_FEWEST_DRAWS, settings.repeats)
    found: dict[int, list[float]] = {}
    undefined = 0
    for draw in range(draws):
        random = np.random.default_rng([settings.seed, draw])
        # A third of the videos is never drawn from, another third each time.
        folds = group_folds(corpus.labels, corpus.groups, 3, settings.seed + draw)
        fitting, held_out = folds[draw % len(folds)]  # two where a class is in two groups only
        kinds = [_videos(corpus, fitting, abnormal) for abnormal in (False, True)]
        order = [random.permutation(videos) for videos in kinds]
        for size in (size for size in _SIZES if size <= max(map(len, order))):
            chosen = np.concatenate([videos[:size] for videos in order])
            rows = np.flatnonzero(np.isin(corpus.video_of, chosen))
            try:
                auc = _auc(corpus, at_layer(by_dlsp)(corpus, rows)(corpus), held_out)
            except (CalibrationError, UndefinedMetricError):
                undefined += 1  # the videos drawn are of one group, or what is held out is of one class
                continue
            found.setdefault(size, []).append(auc)
    if not found:
        raise CalibrationError(
            f"{corpus.name}: no draw of its videos could be fitted and measured; add groups of either class."
        )
    sizes = sorted(found)
    share = [2 * size / len(corpus.videos) for size in sizes]
    bands = [band(np.array(found[size])) for size in sizes]
    means = [float(np.mean(found[size])) for size in sizes]
    table = Table(
        "Frame AUC by the number of labelled videos",
        ("videos of each class, at most", "share of the corpus, at most", "frame AUC", "95% of draws", "draws"),
        tuple(
            (size, f"{min(1.0, part):.1%}", mean, f"{low:.3f} to {high:.3f}", len(found[size]))
            for size, part, mean, (low, high) in zip(sizes, share, means, bands, strict=True)
        ),
    )
    low, high = zip(*bands, strict=True)
    line = Line("frame AUC", tuple(means), low, high)
    plot = Plot("Calibration size", "labelled videos of each class", "frame AUC", tuple(sizes), (line,), log_x=True)
    notes = (
        f"{draws} draws; each holds out a third of the videos, whole groups, and fits on some of the others: layer by "
        "DLSP, scorer and C on the videos drawn alone. Bands hold 95% of the draws. Where a class has fewer "
        "videos than the size, all of it is taken.",
        *([f"{undefined} fits had no number: one group was drawn, or one class held out."] if undefined else []),
    )
    return StudyResult("calibration", (corpus.name,), (table,), (plot,), notes)


def _videos(corpus: Corpus, rows: Rows, abnormal: bool) -> np.ndarray:
    """Return the indices of the videos among the segments with, or without, anything abnormal."""
    return np.array([v for v in np.unique(corpus.video_of[rows]) if corpus.videos[v].is_abnormal == abnormal])


def _auc(corpus: Corpus, scores: FloatArray, held_out: Rows) -> float:
    frames, videos = corpus.frame_scores(scores), np.unique(corpus.video_of[held_out])
    return frame_auc(
        np.concatenate([corpus.truth[video] for video in videos]), np.concatenate([frames[video] for video in videos])
    )
