"""Whether segments that an event covers by less than half should be fitted to as normal ones, or be left out.

    python -m benchmarks.partly_covered DATA [--work bench-out] [--seeds 3]

DATA as for ``benchmarks.real_footage``; of UCSD Ped2, as clips of fights are labelled as a whole. Scorer and
threshold come of the fitting clips, as in ``hiprobe fit``, and are measured on the others, by true frame times. The
layer is 1 for both, so that nothing but the segments differs.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.extraction import hidden_states
from benchmarks.real_footage import read_videos
from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.backbones import load_backbone
from hiprobe.datasets import LabelledVideo, partly_covered, segment_labels
from hiprobe.evaluation import detection_delay, pooled_auc
from hiprobe.evaluation.events import count_false_alarms, normal_seconds
from hiprobe.features import Features
from hiprobe.localize import LocalizeSettings, calibrated_threshold, find_events, frame_scores, smooth
from hiprobe.pipeline.evaluate import beside_truth
from hiprobe.probing import Scorer, fit_scorer, group_folds, scores_without_group

RULE = LocalizeSettings()
LAYER = 1


@dataclass(frozen=True, eq=False)
class Clip:
    """A clip: the hidden states (n, D) of its segments, what they are, and the times of its frames."""

    video: LabelledVideo
    features: Features
    states: FloatArray
    abnormal: BoolArray
    partly: BoolArray
    times: FloatArray


@dataclass(frozen=True)
class Fold:
    """What a scorer did on the clips held out.

    Attributes
    ----------
    threshold, auc : float
        AUC of frames.
    counts, of : tuple of float
        Abnormal and normal segments over the threshold, true events found, false alarms; of so many such segments,
        true events, and hours of normal time.
    """

    threshold: float
    auc: float
    counts: tuple[float, ...]
    of: tuple[float, ...]


def main() -> None:
    """Print a table per dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    clips = _read(options.data / "ucsd_ped2", options.work)
    partly, total = (sum(int(count(clip.partly)) for clip in clips) for count in (np.sum, np.size))
    print(f"\n{partly} of {total} segments are covered by less than half")
    fitted = [clip for clip in clips if not clip.abnormal.any()]
    tests = [clip for clip in clips if clip.abnormal.any()]
    split = [(fitted + tests[:4], tests[4:])]
    folds = [fold for seed in range(options.seeds) for fold in _folds(clips, seed)]
    _table("Cross-validation by clip", folds)
    _table("Fitted on the clips without an event and the first four with one", split)


def _table(title: str, folds: Sequence[tuple[Sequence[Clip], Sequence[Clip]]]) -> None:
    heads = ("these segments", "threshold", "abnormal segments over it", "normal ones", "frame AUC", "events found")
    print(f"\n{title}\n\n| {' | '.join((*heads, 'false alarms/h'))} |\n|{' --- |' * 7}")
    for told, left_out in (("count as normal", False), ("are left out", True)):
        found = [_measured(*_fitted(near, left_out), far) for near, far in folds]
        threshold, auc = (np.mean([getattr(fold, name) for fold in found]) for name in ("threshold", "auc"))
        counts, of = (np.sum([getattr(fold, name) for fold in found], axis=0) for name in ("counts", "of"))
        abnormal, normal, events, alarms = counts / of
        cells = f"{threshold:.3f} | {abnormal:.1%} | {normal:.1%} | {auc:.3f} | {events:.1%} | {alarms:.0f}"
        print(f"| {told} | {cells} |", flush=True)


def _read(folder: Path, work: Path) -> list[Clip]:
    videos = [video for split in read_videos(folder).values() for video in split]
    if len({video.group for video in videos}) == 1:  # the clips of Ped2 are of one camera
        videos = [replace(video, group=video.path.stem) for video in videos]
    found = hidden_states(videos, load_backbone(report=print), work, ("last",))["last"]
    return [
        Clip(
            video,
            item,
            item.at(LAYER).astype(np.float64),
            segment_labels(video, item.starts, item.ends),
            partly_covered(video, item.starts, item.ends),
            video.video.open().frame_times(),
        )
        for video, item in zip(videos, found, strict=True)
    ]


def _folds(clips: Sequence[Clip], seed: int) -> list[tuple[list[Clip], list[Clip]]]:
    """Return clips to fit on and clips to measure on, for each fold."""
    groups = [clip.video.group for clip in clips]
    folds = group_folds([clip.abnormal.any() for clip in clips], groups, seed=seed)
    return [([clips[i] for i in near], [clips[i] for i in far]) for near, far in folds]


def _fitted(clips: Sequence[Clip], left_out: bool) -> tuple[Scorer, float]:
    states, labels = (np.concatenate([getattr(clip, name) for clip in clips]) for name in ("states", "abnormal"))
    sizes = [len(clip.states) for clip in clips]
    groups = np.repeat([clip.video.group for clip in clips], sizes)
    known = ~np.concatenate([clip.partly for clip in clips]) if left_out else np.full(len(labels), True)
    fitted = fit_scorer(states[known], labels[known], groups[known])
    scores = np.empty(len(labels))
    scores[known] = fitted.out_of_fold
    if not known.all():
        scores[~known] = scores_without_group(states, labels, groups, known, fitted.C)
    parts = np.split(scores, np.cumsum(sizes)[:-1])
    smoothed = [smooth(part, clip.features.centres, RULE.sigma) for part, clip in zip(parts, clips, strict=True)]
    return fitted.scorer, calibrated_threshold(np.concatenate(smoothed)[known], labels[known])


def _measured(scorer: Scorer, threshold: float, clips: Sequence[Clip]) -> Fold:
    scored, over = [], []
    for clip in clips:
        centres, duration = clip.features.centres, clip.features.video.duration
        smoothed = smooth(scorer.scores(clip.states), centres, RULE.sigma)
        over.append(smoothed > threshold)
        events = find_events(smoothed, centres, duration, threshold, RULE.min_duration, RULE.merge_gap)
        frames, spans = frame_scores(smoothed, centres, clip.times), tuple((one.start, one.end) for one in events)
        scored.append(beside_truth(clip.video, clip.times, duration, frames, spans))
    passed = np.concatenate(over)
    abnormal, partly = (np.concatenate([getattr(clip, name) for clip in clips]) for name in ("abnormal", "partly"))
    delay = detection_delay(scored)
    classes = (abnormal, ~abnormal & ~partly)
    hours = sum(normal_seconds(video) for video in scored) / 3600
    return Fold(
        threshold,
        pooled_auc(scored),
        (*(passed[rows].sum() for rows in classes), delay.n_found, sum(count_false_alarms(video) for video in scored)),
        (*(rows.sum() for rows in classes), delay.n_found + delay.n_missed, hours),
    )


if __name__ == "__main__":
    main()
