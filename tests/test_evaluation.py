"""Metrics against scikit-learn and against brute force; what is undefined is None and named."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from hiprobe.errors import UndefinedMetricError, UsageError
from hiprobe.evaluation import (
    DetectionDelay,
    VideoScores,
    abnormal_videos_auc,
    bootstrap,
    detection_delay,
    evaluate,
    event_scores,
    false_alarms_per_hour,
    interval_labels,
    pooled_ap,
    pooled_auc,
    within_video_auc,
)

Spans = tuple[tuple[float, float], ...]


def video(name: str = "a", events: Spans = (), truth: Spans = (), duration: float = 100.0, **change: Any) -> Any:
    times = np.arange(0, duration, 1.0)
    fields: dict[str, Any] = {
        "name": name,
        "frame_times": times,
        "scores": np.zeros(times.size),
        "labels": interval_labels(times, truth),
        "duration": duration,
        "events": events,
        "truth": truth,
    }
    return VideoScores(**(fields | change))


def frames(name: str, scores: Any, labels: Any) -> VideoScores:
    return VideoScores(name, np.arange(len(scores), dtype=float), scores, labels, float(len(scores)), (), ())


def brute_auc(scores: np.ndarray, labels: np.ndarray) -> float:
    wins = [(a > n) + 0.5 * (a == n) for a in scores[labels] for n in scores[~labels]]
    return float(np.mean(wins))


FRAMES = st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.9]), st.booleans()), min_size=1, max_size=12)


@settings(deadline=None)  # scikit-learn on a busy machine
@given(st.lists(FRAMES, min_size=1, max_size=4))
def test_frame_metrics_match_their_definitions(drawn: list[list[tuple[float, bool]]]) -> None:
    videos = [frames(str(i), np.array([s for s, _ in v]), np.array([x for _, x in v])) for i, v in enumerate(drawn)]
    scores = np.concatenate([v.scores for v in videos])
    labels = np.concatenate([v.labels for v in videos])
    if labels.all() or not labels.any():
        for metric in (pooled_auc, pooled_ap):
            with pytest.raises(UndefinedMetricError, match="undefined: all"):
                metric(videos)
    else:
        assert pooled_auc(videos) == pytest.approx(roc_auc_score(labels, scores))
        assert pooled_auc(videos) == pytest.approx(brute_auc(scores, labels))
        assert pooled_ap(videos) == pytest.approx(average_precision_score(labels, scores))

    kept = np.concatenate([np.full(v.labels.size, v.labels.any()) for v in videos])
    if labels[kept].all() or not labels.any():
        with pytest.raises(UndefinedMetricError, match="abnormal-videos-only AUC is undefined"):
            abnormal_videos_auc(videos)
    else:
        assert abnormal_videos_auc(videos) == pytest.approx(roc_auc_score(labels[kept], scores[kept]))

    within = within_video_auc(videos)
    expected = {v.name: brute_auc(v.scores, v.labels) for v in videos if v.labels.any() and not v.labels.all()}
    assert within.per_video == pytest.approx(expected)
    assert set(within.undefined) == {v.name for v in videos} - set(expected)
    if expected:
        assert within.mean == pytest.approx(np.mean(list(expected.values())))
    else:
        assert within.mean is None


def test_within_video_auc_counts_videos_not_frames() -> None:
    long = frames("long", np.r_[np.ones(50), np.zeros(50)], np.r_[np.ones(50), np.zeros(50)])
    short = frames("short", np.array([0.0, 1.0]), np.array([1, 0]))
    assert within_video_auc([long, short]).mean == 0.5


SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 15)).map(lambda p: (float(p[0]), float(p[0] + p[1]))),
    max_size=4,
).map(tuple)


def iou(a: tuple[float, float], b: tuple[float, float]) -> float:
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (a[1] - a[0] + b[1] - b[0] - shared)


def brute_matches(events: Spans, truth: Spans, threshold: float) -> int:
    few, many = sorted((events, truth), key=len)
    return max(
        sum(iou(a, b) >= threshold for a, b in zip(few, order, strict=True))
        for order in itertools.permutations(many, len(few))
    )


@given(st.lists(st.tuples(SPANS, SPANS), min_size=1, max_size=3), st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_event_scores_match_brute_force(drawn: list[tuple[Spans, Spans]], threshold: float) -> None:
    videos = [video(str(i), events, truth) for i, (events, truth) in enumerate(drawn)]
    result = event_scores(videos, threshold)
    predicted, truth = sum(len(e) for e, _ in drawn), sum(len(t) for _, t in drawn)
    matched = sum(brute_matches(e, t, threshold) for e, t in drawn)
    assert (result.n_predicted, result.n_truth, result.n_matched) == (predicted, truth, matched)
    assert result.precision == (matched / predicted if predicted else None)
    assert result.recall == (matched / truth if truth else None)
    assert result.f1 == (2 * matched / (predicted + truth) if predicted + truth else None)


def test_events_match_within_their_video_only() -> None:
    result = event_scores([video("a", events=((0, 10),)), video("b", truth=((0, 10),))])
    assert result.n_matched == 0


def test_matching_is_the_largest_not_the_greediest() -> None:
    # Best IoU first would pair the second event with the first interval, and leave two unmatched.
    result = event_scores([video(events=((0, 10), (4, 14)), truth=((3, 13), (9, 19)))], iou=0.3)
    assert result.n_matched == 2


@pytest.mark.parametrize("threshold", [0, -0.1, 1.1, math.nan])
def test_iou_is_validated(threshold: float) -> None:
    with pytest.raises(UsageError, match="iou"):
        event_scores([video()], threshold)


def test_event_metrics_of_a_case_worked_by_hand() -> None:
    # Video a, 100 s. True: 10-20, 40-60, 80-90. Predicted: 12-22 (IoU 8/12 with the first), 50-80 (shares 10 of 40-60's
    # 20 s: 10/40), 95-100 (nothing). Video b, 100 s, normal. Predicted: 0-5.
    videos = [
        video("a", events=((12, 22), (50, 80), (95, 100)), truth=((10, 20), (40, 60), (80, 90))),
        video("b", events=((0, 5),)),
    ]
    loose, middle, strict = (event_scores(videos, iou) for iou in (0.1, 0.3, 0.5))
    assert (loose.n_matched, loose.precision, loose.recall, loose.f1) == (2, 2 / 4, 2 / 3, 4 / 7)
    assert (middle.n_matched, middle.precision, middle.recall, middle.f1) == (1, 1 / 4, 1 / 3, 2 / 7)
    assert (strict.n_matched, strict.precision, strict.recall, strict.f1) == (1, 1 / 4, 1 / 3, 2 / 7)
    assert event_scores(videos, 0.67).n_matched == 0 and event_scores(videos, 0.25).n_matched == 2
    # 95-100 and b's overlap nothing true; 100 - 40 and 100 s are normal.
    assert false_alarms_per_hour(videos) == pytest.approx(2 / (160 / 3600))
    # Found 2 s and 10 s after their start; 80-90 only touches 50-80, and is missed.
    delay = detection_delay(videos)
    assert (delay.median, delay.mean, delay.n_found, delay.n_missed) == (6, 6, 2, 1)


def test_delay_is_from_the_earliest_alarm_within_and_never_negative() -> None:
    early = video("early", events=((5, 12), (15, 16)), truth=((10, 20),))  # on when it starts
    late = video("late", events=((17, 30), (18.5, 19)), truth=((10, 20), (18, 40)))  # 7 s; on when the second starts
    slow = video("slow", events=((50, 51),), truth=((10, 90),))
    assert detection_delay([early]) == DetectionDelay(0, 0, 1, 0)
    assert detection_delay([late, slow]) == DetectionDelay(7, 47 / 3, 3, 0)
    assert detection_delay([video("other", events=((0, 9),)), video("missed", truth=((0, 9),))]) == DetectionDelay(
        None, None, 0, 1
    )


def test_scores_without_events_leave_event_metrics_undefined() -> None:
    rng = np.random.default_rng(0)
    videos = [video(name, None, ((10, 20),), scores=rng.random(100)) for name in "ab"]  # type: ignore[arg-type]
    for metric in (event_scores, false_alarms_per_hour, detection_delay):
        with pytest.raises(UndefinedMetricError, match="a has scores but no events; give a threshold"):
            metric(videos)
    report = evaluate(videos, n_resamples=20)
    assert report.events == () and report.false_alarms_per_hour is report.delay is None
    assert report.pooled_auc is not None and report.bootstrap is not None
    assert report.bootstrap.f1 == () and report.bootstrap.false_alarms_per_hour is None
    assert sum("no events" in note for note in report.notes) == 1


@given(st.lists(st.tuples(SPANS, SPANS), min_size=1, max_size=3))
def test_false_alarms_match_a_count_second_by_second(drawn: list[tuple[Spans, Spans]]) -> None:
    videos = [video(str(i), events, truth, duration=40.0) for i, (events, truth) in enumerate(drawn)]
    alarms, normal = 0, 0
    for events, truth in drawn:
        abnormal = {second for start, end in truth for second in range(int(start), int(end))}
        alarms += sum(not abnormal & set(range(int(start), int(end))) for start, end in events)
        normal += 40 - len(abnormal)
    assert false_alarms_per_hour(videos) == pytest.approx(alarms * 3600 / normal)


def test_truth_past_the_end_takes_no_normal_time() -> None:
    assert false_alarms_per_hour([video(events=((0, 5),), truth=((50, 100.05),))]) == 3600 / 50


def test_false_alarms_are_none_without_normal_time() -> None:
    # Truth in two overlapping parts, the second a little past the end, as annotations are.
    assert false_alarms_per_hour([video(events=((0, 5),), truth=((0, 60), (50, 100.05)))]) is None


def test_interval_labels_are_half_open_and_read_every_interval() -> None:
    labels = interval_labels([0, 1, 2, 3, 4, 5], [(4, 5), (1, 3), (2, 3)])
    assert labels.tolist() == [False, True, True, False, True, False]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"scores": np.zeros(3)}, "of one length"),
        ({"labels": np.zeros((100, 1))}, "of one length"),
        ({"frame_times": [], "scores": [], "labels": []}, "at least 1"),
        ({"scores": np.full(100, math.nan)}, "NaN"),
        ({"frame_times": np.zeros(100)}, "ascend"),
        ({"labels": np.full(100, 2)}, "labels"),
        ({"duration": 0.0}, "duration"),
        ({"events": ((5.0, 5.0),)}, "events has the interval"),
        ({"truth": ((-1.0, 5.0),)}, "truth has the interval"),
        ({"truth": ((5.0, 101.0),)}, "truth has the interval"),
    ],
)
def test_video_scores_are_validated(change: dict[str, Any], match: str) -> None:
    with pytest.raises(UsageError, match=match) as error:
        VideoScores(**({f.name: getattr(video(), f.name) for f in dataclasses.fields(VideoScores)} | change))
    assert str(error.value).startswith("a: ")


METRICS = [
    pooled_auc,
    pooled_ap,
    abnormal_videos_auc,
    within_video_auc,
    event_scores,
    false_alarms_per_hour,
    detection_delay,
    bootstrap,
]


@pytest.mark.parametrize("metric", METRICS)
def test_no_video_and_two_of_one_name_are_errors(metric: Any) -> None:
    with pytest.raises(UsageError, match="no video"):
        metric([])
    with pytest.raises(UsageError, match="named 'a'"):
        metric([video("a"), video("a")])


def test_evaluate_puts_all_metrics_together() -> None:
    rng = np.random.default_rng(0)
    videos = [
        video("x", ((10, 20),), ((12, 22),), scores=rng.random(100)),
        video("y", ((50, 60),), (), scores=rng.random(100)),
    ]
    report = evaluate(videos, (0.5, 0.1, 0.5))
    assert (report.n_videos, report.n_frames, report.n_abnormal_frames, report.duration) == (2, 200, 10, 200)
    assert report.pooled_auc == pooled_auc(videos)
    assert report.pooled_ap == pooled_ap(videos)
    assert report.within_video == within_video_auc(videos)
    assert report.abnormal_videos_auc == abnormal_videos_auc(videos)
    assert report.events == (event_scores(videos, 0.5), event_scores(videos, 0.1))
    assert report.delay == detection_delay(videos)
    assert report.bootstrap is None
    assert report.false_alarms_per_hour == pytest.approx(3600 / 190)
    assert len(report.notes) == 1 and "1 of 2 videos" in report.notes[0]
    restored = json.loads(json.dumps(dataclasses.asdict(report), allow_nan=False))
    assert restored["within_video"]["undefined"] == ["y"]
    assert [item["iou"] for item in restored["events"]] == [0.5, 0.1]
    assert [item.iou for item in evaluate(videos).events] == [0.1, 0.3, 0.5]
    for wrong in ((), (0.3, 1.5)):
        with pytest.raises(UsageError, match=r"IoU|iou"):
            evaluate(videos, wrong)


def test_evaluate_says_none_and_why() -> None:
    report = evaluate([video("normal", duration=50.0)])
    assert report.pooled_auc is report.pooled_ap is report.within_video.mean is None
    assert report.abnormal_videos_auc is report.delay.median is report.delay.mean is None  # type: ignore[union-attr]
    for events in report.events:
        assert events.precision is events.recall is events.f1 is None
    assert report.false_alarms_per_hour == 0
    notes = "\n".join(report.notes)
    for said in ("pooled AUC", "pooled AP", "abnormal-videos-only", "within-video AUC", "precision", "recall", "F1"):
        assert notes.count(said) == 1
    assert "all 50 frames are normal" in notes and "detection delay" in notes

    abnormal = evaluate([video("abnormal", truth=((0, 100),))])
    assert abnormal.false_alarms_per_hour is None
    assert abnormal.events[0].f1 == 0 and (abnormal.delay.n_found, abnormal.delay.n_missed) == (0, 1)  # type: ignore[union-attr]
    assert any("false alarms per hour" in note for note in abnormal.notes)
    assert any("frames are abnormal; add normal" in note for note in abnormal.notes)
