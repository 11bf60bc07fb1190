"""Refits: their threshold, their quality on the labels, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.errors import CalibrationError
from hiprobe.features import Features
from hiprobe.localize import LocalizeSettings
from hiprobe.pipeline import RefitResult, refit
from hiprobe.pipeline.refit import TOO_FEW, Quality, raised_threshold
from hiprobe.probing import LogisticProbe, Scorer
from hiprobe.video import VideoInfo
from tests.test_probing_probe_file import make_probe

D = 6
SCORES = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=40).map(np.array)


def probe(weights: np.ndarray, threshold: float = 0.5) -> LogisticProbe:
    scorer = Scorer(np.zeros(D), np.ones(D), weights, 0.0, 1.0)
    settings = LocalizeSettings(sigma=0, min_duration=0)
    return make_probe(scorer=scorer, localize=settings, calibrated_threshold=threshold)


def clip(given: LogisticProbe, states: np.ndarray) -> Features:
    n = len(states)
    info = VideoInfo(
        path=Path("clip.mp4"), duration=n + 1.0, fps=10.0, width=8, height=8, n_frames=10 * n + 10, start_pts=0.0
    )
    starts = np.arange(float(n))
    return Features(info, "", given.reading, starts, starts + 2, states[:, None].astype(np.float32))


def labelled(given: LogisticProbe, n: int, seed: int, gap: float = 3.0) -> tuple[list[Features], list[np.ndarray]]:
    """Return clips of 12 segments; four of each are abnormal, and differ in their first feature; two are unlabelled."""
    random = np.random.default_rng(seed)
    verdict = np.array([0, 0, 0, 1, 1, 1, 1, 0, 0, 0, -1, -1], np.int8)
    states = [random.normal(size=(12, D)) + gap * np.outer(verdict == 1, np.eye(D)[0]) for _ in range(n)]
    return [clip(given, one) for one in states], [verdict] * n


@given(SCORES, SCORES, st.floats(0.01, 0.99))
def test_the_threshold_rises_until_normal_segments_pass_it_as_often_as_before(
    before: np.ndarray, after: np.ndarray, threshold: float
) -> None:
    found = raised_threshold(threshold, before, after)
    share = (before > threshold).mean()
    assert found >= threshold
    assert (after > found).mean() <= share
    if found > threshold:  # no higher than it must
        lower = np.nextafter(found, 0)
        assert (after > lower).mean() > share


def test_without_normal_segments_the_threshold_stays() -> None:
    assert raised_threshold(0.3, np.empty(0), np.empty(0)) == 0.3


def test_a_refit_that_turns_a_probe_around_is_better_and_says_so() -> None:
    # It calls what is normal abnormal, though hardly: a few labels are enough.
    given = probe(np.eye(D)[0] * -0.0005, threshold=0.5)
    found = refit(given, *labelled(given, 8, seed=1), "a test")
    assert (found.n_segments, found.n_abnormal, found.n_events) == (80, 32, 8)
    assert found.before and found.after and found.better
    assert found.after.auc > 0.9 > 0.3 > found.before.auc
    assert found.after.false_alarms <= found.before.false_alarms
    assert found.verdict.startswith("On your labels this refit finds ")
    assert found.probe.calibrated_threshold >= given.calibrated_threshold
    assert found.after.auc == found.scorer.auc_after


def test_where_nothing_is_to_be_gained_a_refit_is_no_better() -> None:
    given = probe(np.eye(D)[0] * 3.0)
    clips, verdicts = labelled(given, 8, seed=2)
    # It is right already, on each of them: there is nothing to be gained.
    sure = [
        replace(one, states=np.where(v == 1, 2.0, -2.0)[:, None, None] * np.eye(D, dtype=np.float32)[0])
        for one, v in zip(clips, verdicts, strict=True)
    ]
    found = refit(given, sure, verdicts, "a test")
    assert found.before and found.before.auc == 1 and not found.better
    assert found.verdict.startswith("On your labels this refit is no better: it finds 8 of 8, as many false alarms")


def test_labels_of_one_video_do_not_tell() -> None:
    given = probe(np.eye(D)[0])
    found = refit(given, *labelled(given, 1, seed=3), "a test")
    assert found.before is found.after is None and not found.better and found.verdict == TOO_FEW
    assert found.probe.calibrated_threshold == given.calibrated_threshold
    with pytest.raises(CalibrationError, match="No segment is labelled"):
        refit(given, labelled(given, 1, seed=3)[0], [np.full(12, -1, np.int8)], "a test")


@pytest.mark.parametrize(
    ("before", "after", "better", "said"),
    [
        (Quality(0.7, 1, 3), Quality(0.8, 2, 2), True, "finds 2 of 3 (before: 1), one false alarm fewer; AUC 0.700 to"),
        (Quality(0.7, 1, 3), Quality(0.7, 1, 0), True, "finds 1 of 3, 3 false alarms fewer; AUC 0.700 to 0.700."),
        (Quality(0.7, 1, 3), Quality(0.7, 1, 3), False, "is no better: it finds 1 of 3, as many false alarms; AUC"),
        (Quality(0.7, 1, 3), Quality(0.6, 3, 3), False, "is no better: it finds 3 of 3 (before: 1), as many"),
        (
            Quality(0.7, 1, 3),
            Quality(0.9, 2, 5),
            False,
            "is no better: it finds 2 of 3 (before: 1), 2 false alarms more",
        ),
    ],
)
def test_better_is_what_loses_nothing_and_gains_something(
    before: Quality, after: Quality, better: bool, said: str
) -> None:
    given = probe(np.eye(D)[0])
    adapted = refit(given, *labelled(given, 1, seed=3), "a test").scorer
    found = RefitResult(given, adapted, 10, 5, 3, before, after)
    assert found.better == better and said in found.verdict
