"""Whether refits from a few labels make probes better on clips that nobody labelled.

    python -m benchmarks.refit DATA [--work bench-out] [--draws 20]

DATA as for ``benchmarks.real_footage``. A reviewer labels a number of clips from end to end; the probe is refitted as
``hiprobe serve`` does it and scores the segments of other clips, before and after. Clips to label are drawn at random,
again until both classes are among them.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import hidden_states
from benchmarks.real_footage import read_videos
from hiprobe.backbones import load_backbone
from hiprobe.datasets import partly_covered, segment_labels
from hiprobe.errors import CalibrationError
from hiprobe.localize import calibrated_threshold
from hiprobe.pipeline.refit import raised_threshold
from hiprobe.probes import load_starter
from hiprobe.probing import Scorer, fit_scorer
from hiprobe.probing.adaptation import STRENGTH, adapt_scorer

STRENGTHS = (1e-5, STRENGTH, 1e-3)
LABELLED = (2, 4, 8, 16)
LAYER = 1
"""That of the starter probe `walkway-vehicles`."""


@dataclass(frozen=True, eq=False)
class Clip:
    """The hidden states of a clip at the probe's layer, (n, D), what its segments are, and where it comes from."""

    name: str
    states: NDArray[np.float32]
    abnormal: NDArray[np.bool_]
    group: str


Clips = list[Clip]
Split = Callable[[np.random.Generator], tuple[Scorer, float, Clips, Clips]]
"""Draws a probe's scorer and threshold, clips that may be labelled, and clips to test on."""


def main() -> None:
    """Print a table per question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with surv_fight/ and ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for hidden states")
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    fights, walkway = (_read(options.data / name, options.work) for name in ("surv_fight", "ucsd_ped2"))
    questions: dict[str, Split] = {
        "Fights: fitted on a third of the sources, labels of another, tested on the last": lambda r: _thirds(fights, r),
        "Fights, from the starter probe `walkway-vehicles`: labels of half the sources, tested on the others": (
            lambda r: _starter("walkway-vehicles", *_halves(fights, r))
        ),
        "Ped2: fitted on 2 clips with events and 3 without, labels of 12 others, tested on the last 11": (
            lambda r: _walkway(walkway, r)
        ),
        "Ped2, from a probe of all fights: labels of half the clips, tested on the others": (
            lambda r: (*_fitted(fights, [clip.group for clip in fights]), *_halves(walkway, r))
        ),
    }
    for title, split in questions.items():
        _table(title, split, options.draws)


def _read(folder: Path, work: Path) -> Clips:
    videos = [video for split in read_videos(folder).values() for video in split]
    features = hidden_states(videos, load_backbone(report=print), work, ("last",))["last"]
    # The clips of Ped2 are of one camera.
    alone = len({video.group for video in videos}) == 1
    return [
        Clip(
            video.path.stem,
            found.at(LAYER)[known],
            segment_labels(video, found.starts, found.ends)[known],
            video.path.stem if alone else video.group,
        )
        for video, found in zip(videos, features, strict=True)
        for known in [~partly_covered(video, found.starts, found.ends)]
    ]


def _parts(clips: Clips, number: int, random: np.random.Generator) -> list[Clips]:
    """Cut clips into parts by group, each with both classes."""
    names = sorted({clip.group for clip in clips})
    while True:
        parts = [
            [clip for clip in clips if clip.group in set(part)]
            for part in np.array_split(random.permutation(names), number)
        ]
        if all(_both(part) for part in parts):
            return parts


def _halves(clips: Clips, random: np.random.Generator) -> tuple[Clips, Clips]:
    first, second = _parts(clips, 2, random)
    return first, second


def _thirds(clips: Clips, random: np.random.Generator) -> tuple[Scorer, float, Clips, Clips]:
    while True:
        first, second, third = _parts(clips, 3, random)
        try:
            return *_fitted(first, [clip.group for clip in first]), second, third
        except CalibrationError:  # a class of one source
            continue


def _walkway(clips: Clips, random: np.random.Generator) -> tuple[Scorer, float, Clips, Clips]:
    with_event = random.permutation([index for index, clip in enumerate(clips) if clip.abnormal.any()])
    without = random.permutation([index for index, clip in enumerate(clips) if not clip.abnormal.any()])

    def pick(*indices: NDArray[np.intp]) -> Clips:
        return [clips[index] for index in np.concatenate(indices)]

    first = pick(with_event[:2], without[:3])
    scorer, threshold = _fitted(first, [clip.name for clip in first])
    return scorer, threshold, pick(with_event[2:7], without[3:10]), pick(with_event[7:], without[10:])


def _starter(name: str, pool: Clips, test: Clips) -> tuple[Scorer, float, Clips, Clips]:
    probe = load_starter(name)
    return probe.scorer, probe.calibrated_threshold, pool, test


def _fitted(clips: Clips, groups: Sequence[str]) -> tuple[Scorer, float]:
    states, labels = _joined(clips)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of folds that are small
        found = fit_scorer(states, labels, np.repeat(groups, [len(clip.states) for clip in clips]))
    return found.scorer, calibrated_threshold(found.out_of_fold, labels)


@dataclass(frozen=True)
class Draw:
    """One reviewer: AUC on unseen clips, shares of their segments over the threshold.

    Attributes
    ----------
    before, alone : float
        AUC of the probe as it was, and of a fit to the labels alone; NaN where that is not possible.
    refits : tuple of float
        AUC of the refit at each strength.
    kept : float
        AUC of the refit at the strength that ships; of the probe as it was where cross-validation, which the reviewer
        sees, says that the refit is no better.
    normal, abnormal : tuple of float
        Shares of normal and of abnormal segments over the threshold: before, after, and after by the raised threshold.
    told, offered : bool
        Whether labels are enough to tell if the refit is better, and whether its cross-validated AUC rises.
    """

    before: float
    refits: tuple[float, ...]
    kept: float
    alone: float
    normal: tuple[float, float, float]
    abnormal: tuple[float, float, float]
    told: bool
    offered: bool


def _table(title: str, split: Split, draws: int) -> None:
    print(f"\n{title}\n")
    heads = ["labelled clips", "before", *(f"refit, {strength:g}" for strength in STRENGTHS), "worse"]
    heads += ["kept by cross-validation", "labels alone", "normal over the threshold, raised", "abnormal over it"]
    heads.append("AUC rises, of those told")
    print(f"| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|")
    for number in LABELLED:
        rows = [_draw(split, number, np.random.default_rng(seed)) for seed in range(draws)]
        after = np.array([row.refits for row in rows])
        before = np.array([row.before for row in rows])
        alone = [row.alone for row in rows if np.isfinite(row.alone)]
        normal, abnormal = (np.mean([getattr(row, name) for row in rows], axis=0) for name in ("normal", "abnormal"))
        cells = [f"{number}", f"{before.mean():.3f}", *(f"{auc:.3f}" for auc in after.mean(axis=0))]
        cells.append(f"{(after[:, STRENGTHS.index(STRENGTH)] < before).sum()} of {draws}")
        cells.append(f"{np.mean([row.kept for row in rows]):.3f}")
        cells.append(f"{np.mean(alone):.3f} ({len(alone)} of {draws})" if alone else "not possible")
        cells += [f"{old:.2f} to {new:.2f}, {raised:.2f}" for old, new, raised in (normal, abnormal)]
        cells.append(f"{sum(row.offered for row in rows)} of {sum(row.told for row in rows)}")
        print(f"| {' | '.join(cells)} |", flush=True)


def _draw(split: Split, number: int, random: np.random.Generator) -> Draw:
    scorer, threshold, pool, test = split(random)
    while not _both(labelled := [pool[index] for index in random.permutation(len(pool))[:number]]):
        pass
    states, labels = _joined(labelled)
    names = np.repeat([clip.name for clip in labelled], [len(clip.states) for clip in labelled])
    unseen, truth = _joined(test)
    refits = [adapt_scorer(scorer, states, labels, names, threshold, strength) for strength in STRENGTHS]
    ships = refits[STRENGTHS.index(STRENGTH)]
    worse = ships.auc_after is not None and ships.auc_after <= ships.auc_before
    try:
        alone = _fitted(labelled, [clip.name for clip in labelled])[0]
    except CalibrationError:
        alone = None
    raised = threshold
    if ships.out_of_fold is not None:
        normal = ~labels
        raised = raised_threshold(threshold, scorer.scores(states)[normal], ships.out_of_fold[normal])
    over = [scorer.scores(unseen) > threshold, ships.scorer.scores(unseen) > threshold]
    over.append(ships.scorer.scores(unseen) > raised)

    def auc(found: Scorer) -> float:
        return float(roc_auc_score(truth, found.scores(unseen)))

    def shares(rows: NDArray[np.bool_]) -> tuple[float, float, float]:
        before, after, raised_after = (float(passed[rows].mean()) for passed in over)
        return before, after, raised_after

    return Draw(
        auc(scorer),
        tuple(auc(refit.scorer) for refit in refits),
        auc(scorer if worse else ships.scorer),
        auc(alone) if alone else float("nan"),
        shares(~truth),
        shares(truth),
        told=ships.auc_after is not None,
        offered=ships.auc_after is not None and ships.auc_after > ships.auc_before,
    )


def _joined(clips: Clips) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    states = np.concatenate([clip.states for clip in clips]).astype(np.float64)
    return states, np.concatenate([clip.abnormal for clip in clips])


def _both(clips: Clips) -> bool:
    abnormal = np.concatenate([clip.abnormal for clip in clips])
    return bool(abnormal.any() and not abnormal.all())


if __name__ == "__main__":
    main()
