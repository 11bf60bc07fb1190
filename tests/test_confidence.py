"""Confidence intervals: resamples against scikit-learn, seeds, what is undefined, and whether they cover the truth."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

import hiprobe.evaluation.confidence as module
from hiprobe.errors import UsageError
from hiprobe.evaluation import VideoScores, bootstrap, evaluate
from tests.test_evaluation import FRAMES, frames, video


def defined(labels: np.ndarray) -> bool:
    return bool(labels.any() and not labels.all())


@settings(max_examples=40, deadline=None)
@given(st.lists(FRAMES, min_size=2, max_size=5), st.integers(0, 1000), st.sampled_from([1, 2, 2048]))
def test_resamples_equal_scikit_learn_on_copies_of_the_videos(
    drawn: list[list[tuple[float, bool]]], seed: int, rows: int
) -> None:
    videos = [frames(str(i), np.array([s for s, _ in v]), np.array([x for _, x in v])) for i, v in enumerate(drawn)]
    counts = np.random.default_rng(seed).multinomial(len(videos), np.full(len(videos), 1 / len(videos)), 8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ROWS", rows)
        auc, ap, abnormal = module.pooled_resamples(videos, counts.astype(float))
    for i, row in enumerate(counts):
        copies = [v for v, count in zip(videos, row, strict=True) for _ in range(count)]
        scores, labels = np.concatenate([v.scores for v in copies]), np.concatenate([v.labels for v in copies])
        if defined(labels):
            assert auc[i] == pytest.approx(roc_auc_score(labels, scores))
            assert ap[i] == pytest.approx(average_precision_score(labels, scores))
        else:
            assert math.isnan(auc[i]) and math.isnan(ap[i])
        kept = np.concatenate([np.full(v.labels.size, v.labels.any()) for v in copies])
        if defined(labels[kept]):
            assert abnormal[i] == pytest.approx(roc_auc_score(labels[kept], scores[kept]))
        else:
            assert math.isnan(abnormal[i])


def simulated(rng: np.random.Generator, n: int, alarm_rate: float = 1.0) -> list[VideoScores]:
    """Return n videos of 100 s: scores N(1, 1) in 10-30 s of half of them, N(0, 1) elsewhere; alarms by chance."""
    videos = []
    for i in range(n):
        truth = ((10.0, 30.0),) if i % 2 else ()
        alarms = tuple((40.0 + 5 * k, 42.0 + 5 * k) for k in range(min(rng.poisson(alarm_rate), 12)))
        found = ((12.0, 31.0),) if truth and rng.random() < 0.6 else ()
        item = video(str(i), found + alarms, truth)
        videos.append(dataclasses.replace(item, scores=rng.normal(size=100) + item.labels))
    return videos


def test_intervals_hold_the_estimate_and_the_seed_decides() -> None:
    videos = simulated(np.random.default_rng(1), 30)
    report = evaluate(videos, n_resamples=300)
    found = report.bootstrap
    assert found is not None
    pairs = [
        (report.pooled_auc, found.pooled_auc),
        (report.pooled_ap, found.pooled_ap),
        (report.abnormal_videos_auc, found.abnormal_videos_auc),
        (report.within_video.mean, found.within_video_auc),
        (report.false_alarms_per_hour, found.false_alarms_per_hour),
        *zip((item.f1 for item in report.events), found.f1, strict=True),
    ]
    assert len(pairs) == 8
    for value, interval in pairs:
        assert value is not None and interval is not None
        assert interval.low < value < interval.high and interval.level == 0.95 and interval.n_undefined == 0
    assert bootstrap(videos, (0.1, 0.3, 0.5), 300) == found
    assert bootstrap(videos, (0.1, 0.3, 0.5), 300, seed=1) != found
    wide, narrow = bootstrap(videos, (), 300, level=0.99).pooled_auc, bootstrap(videos, (), 300, level=0.5).pooled_auc
    assert wide is not None and narrow is not None and wide.low < narrow.low < narrow.high < wide.high
    restored = json.loads(json.dumps(dataclasses.asdict(report), allow_nan=False))
    assert restored["bootstrap"]["pooled_auc"]["low"] == found.pooled_auc.low  # type: ignore[union-attr]


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    true_auc = 0.5 * (1 + math.erf(0.5))  # P(N(1, 1) > N(0, 1)) = Phi(1 / sqrt 2)
    true_alarms = 3600 / 90  # one a video on average, each with 100 s or 80 s of normal time
    covered = np.zeros(2)
    for trial in range(40):
        found = bootstrap(simulated(rng, 24), (), 100, seed=trial)
        assert found.pooled_auc and found.false_alarms_per_hour
        covered += [
            found.pooled_auc.low <= true_auc <= found.pooled_auc.high,
            found.false_alarms_per_hour.low <= true_alarms <= found.false_alarms_per_hour.high,
        ]
    assert (covered / 40 >= 0.85).all()


def test_resamples_without_a_value_are_counted_and_too_many_leave_no_interval() -> None:
    rng = np.random.default_rng(0)
    normal = [frames(f"n{i}", rng.random(20), np.zeros(20)) for i in range(3)]
    abnormal = [frames(f"a{i}", rng.random(20), np.ones(20)) for i in range(3)]
    found = bootstrap([*normal, *abnormal], (), 400)
    assert found.pooled_auc is not None
    # All from one kind: 2 of 2**6 on average.
    assert 2 < found.pooled_auc.n_undefined < 30
    assert found.abnormal_videos_auc is found.within_video_auc is None

    mixed = video("mixed", None, ((10, 20),), scores=rng.random(100))  # type: ignore[arg-type]
    within = bootstrap([*normal, mixed], (), 400)
    assert within.within_video_auc is not None and 80 < within.within_video_auc.n_undefined < 170  # (3/4)**4 = 32%

    one_kind = [video(str(i), (), ((0, 100),)) for i in range(4)] + [video("n", (), ())]
    assert bootstrap(one_kind, (), 400).pooled_auc is not None  # (4/5)**5 = 33%
    # Two alike and one other make too few: only shares over a half leave no interval.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "MOST_UNDEFINED", 0.2)
        refused = bootstrap(one_kind, (), 400)
    assert refused.pooled_auc is None
    assert any("pooled AUC has no confidence interval: it is undefined in" in note for note in refused.notes)


def test_one_video_has_no_interval_and_few_are_warned_of() -> None:
    rng = np.random.default_rng(0)
    one = evaluate([video("a", ((10, 12),), ((10, 20),), scores=rng.random(100))], n_resamples=10)
    assert one.bootstrap is not None and one.bootstrap.pooled_auc is None and one.pooled_auc is not None
    assert sum("one video is given" in note for note in one.notes) == 1
    few = evaluate(simulated(rng, 4), n_resamples=10)
    assert any("over 4 videos are too narrow" in note for note in few.notes)
    assert not any("too narrow" in note for note in evaluate(simulated(rng, 12), n_resamples=10).notes)


def test_videos_of_one_group_are_drawn_together() -> None:
    rng = np.random.default_rng(3)
    alone = simulated(rng, 12)
    # Copies of a video tell nothing new: as one group, they leave the interval where it was.
    copies = [dataclasses.replace(one, name=f"{one.name}/{k}", group=f"g{one.name}") for one in alone for k in range(3)]
    found, expected = bootstrap(copies, (0.3,), 200), bootstrap(alone, (0.3,), 200)
    assert (found.n_groups, expected.n_groups) == (12, 12)
    assert found.pooled_auc == expected.pooled_auc and found.f1 == expected.f1
    apart = bootstrap([dataclasses.replace(one, group="") for one in copies], (), 200)
    assert apart.n_groups == 36 and apart.pooled_auc and found.pooled_auc
    assert apart.pooled_auc.high - apart.pooled_auc.low < found.pooled_auc.high - found.pooled_auc.low
    report = evaluate(copies, n_resamples=10)
    assert any("draw 12 groups of the manifest" in note for note in report.notes)
    assert any("over 4 groups of videos are too narrow" in note for note in evaluate(copies[:12], n_resamples=10).notes)
    assert not any("groups of the manifest" in note for note in evaluate(alone, n_resamples=10).notes)


def test_a_group_named_as_a_video_is_another_group() -> None:
    videos = simulated(np.random.default_rng(4), 4)
    mixed = [dataclasses.replace(videos[0], group="1"), *videos[1:]]
    assert bootstrap(mixed, (), 10).n_groups == 4


def test_one_group_has_no_interval() -> None:
    videos = [dataclasses.replace(one, group="yard") for one in simulated(np.random.default_rng(5), 12)]
    report = evaluate(videos, n_resamples=10)
    assert report.pooled_auc is not None and report.bootstrap is not None and report.bootstrap.pooled_auc is None
    assert sum("all 12 videos are of one group" in note for note in report.notes) == 1
    assert not any("too narrow" in note for note in report.notes)


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="0 resamples"):
        bootstrap([video()], (), 0)
    with pytest.raises(UsageError, match="-1 resamples"):
        evaluate([video()], n_resamples=-1)
    with pytest.raises(UsageError, match="level of 95"):
        bootstrap([video()], (), 10, level=95)
