"""Smoothing, thresholds and events, against their definitions written out the slow way."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.errors import CalibrationError, UsageError
from hiprobe.localize import (
    LocalizeSettings,
    adaptive_threshold,
    calibrated_threshold,
    find_events,
    frame_scores,
    smooth,
)

# Scores from few values make ties, plateaus and touches of the threshold common.
SCORE = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, allow_subnormal=False))
SIGMA = st.sampled_from([0.0, 0.3, 1.0, 4.0, 100.0])


@st.composite
def curves(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, float]:
    """Scores, uneven segment centres and a duration that holds them."""
    scores = draw(st.lists(SCORE, min_size=1, max_size=25))
    gaps = draw(st.lists(st.floats(0.1, 3), min_size=len(scores), max_size=len(scores)))
    centres = np.cumsum(gaps)
    return np.array(scores), centres, float(centres[-1] + draw(st.floats(0, 2)))


@given(curves(), SIGMA)
def test_smooth_is_the_weighted_mean_over_true_time_differences(curve: Any, sigma: float) -> None:
    scores, centres, _ = curve
    expected = []
    for centre, score in zip(centres, scores, strict=True):
        distance = np.abs(centres - centre)
        if sigma == 0:
            expected.append(score)
            continue
        weights = np.where(distance <= 4 * sigma, np.exp(-((distance / sigma) ** 2) / 2), 0)
        expected.append((weights * scores).sum() / weights.sum())
    np.testing.assert_allclose(smooth(scores, centres, sigma), expected, atol=1e-12)


@given(curves(), SIGMA)
def test_smooth_stays_in_range(curve: Any, sigma: float) -> None:
    scores, centres, _ = curve
    smoothed = smooth(scores, centres, sigma)
    assert smoothed.shape == scores.shape
    assert scores.min() <= smoothed.min() and smoothed.max() <= scores.max()


@given(curves(), SIGMA, st.floats(0, 1))
def test_a_constant_curve_stays_constant_and_yields_no_adaptive_event(curve: Any, sigma: float, level: float) -> None:
    _, centres, duration = curve
    smoothed = smooth(np.full(centres.shape, level), centres, sigma)
    assert (smoothed == level).all()
    assert find_events(smoothed, centres, duration, adaptive_threshold(smoothed), 0, 0) == ()


def test_smooth_uses_seconds_not_indices() -> None:
    smoothed = smooth([0, 1, 0], [0.0, 1.0, 1.5], sigma=1.0)
    assert smoothed[2] > smoothed[0]


def test_smooth_ends_at_four_sigma() -> None:
    assert smooth([0, 1], [0, 4.0], sigma=1.0)[0] > 0
    assert smooth([0, 1], [0, 4.001], sigma=1.0)[0] == 0


def test_smooth_returns_a_copy() -> None:
    scores = np.array([0.0, 1.0])
    smooth(scores, [0, 1], 0)[0] = 5
    assert scores[0] == 0


@pytest.mark.parametrize(
    ("scores", "centres", "sigma", "match"),
    [
        ([0.1, math.nan], [0, 1], 1, r"scores\[1\] is nan"),
        ([0.1, 0.2], [0, math.inf], 1, r"centres\[1\] is inf"),
        ([], [], 1, "shape"),
        ([[0.1]], [0], 1, "shape"),
        ([0.1, 0.2], [0], 1, "2 scores but 1 centres"),
        ([0.1, 0.2], [1, 1], 1, "does not come after"),
        ([0.1, 0.2], [1, 0], 1, "does not come after"),
        ([0.1, 0.2], [0, 1], -1, "sigma"),
        ([0.1, 0.2], [0, 1], math.nan, "sigma"),
    ],
)
def test_smooth_refuses(scores: Any, centres: Any, sigma: float, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        smooth(scores, centres, sigma)


@given(st.lists(SCORE, min_size=1), st.floats(-3, 3))
def test_adaptive_threshold_is_mean_plus_kappa_std(scores: list[float], kappa: float) -> None:
    assert adaptive_threshold(scores, kappa) == pytest.approx(np.mean(scores) + kappa * np.std(scores))


def test_adaptive_threshold_refuses() -> None:
    with pytest.raises(UsageError, match="kappa"):
        adaptive_threshold([0.1], math.nan)
    with pytest.raises(UsageError, match="nan"):
        adaptive_threshold([math.nan])


RATE = st.one_of(st.sampled_from([0, 0.05, 0.29, 0.5]), st.floats(0, 1, exclude_max=True))


@given(st.lists(st.tuples(SCORE, st.booleans()), min_size=1, max_size=60), RATE)
def test_calibrated_threshold_is_the_smallest_that_keeps_the_rate(pairs: list[tuple[float, bool]], rate: float) -> None:
    scores, labels = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    normal = scores[~labels]
    if not normal.size:
        with pytest.raises(CalibrationError, match="normal"):
            calibrated_threshold(scores, labels, rate)
        return
    threshold = calibrated_threshold(scores, labels, rate)
    assert (normal > threshold).sum() / normal.size <= rate
    assert (normal > np.nextafter(threshold, -1)).sum() / normal.size > rate


def test_calibrated_threshold_of_a_known_case() -> None:
    scores = np.arange(100) / 100
    labels = np.zeros(100)
    assert calibrated_threshold(scores, labels, 0.05) == 0.94
    assert calibrated_threshold(scores, labels, 0.29) == 0.70  # although 0.29 * 100 < 29 in floating point
    assert calibrated_threshold(scores, labels, 0) == 0.99


@pytest.mark.parametrize(
    ("labels", "rate", "match"),
    [
        ([0], 0.05, "labels"),
        ([0, 2], 0.05, "labels"),
        ([0, 1], 1, "max_false_alarm_rate"),
        ([0, 1], -0.1, "max_false_alarm_rate"),
        ([0, 1], math.nan, "max_false_alarm_rate"),
    ],
)
def test_calibrated_threshold_refuses(labels: Any, rate: float, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        calibrated_threshold([0.1, 0.2], labels, rate)


@given(curves(), SCORE, st.floats(0, 3), st.floats(0, 3))
def test_events_are_sorted_disjoint_inside_and_long_enough(
    curve: Any, threshold: float, min_duration: float, merge_gap: float
) -> None:
    scores, centres, duration = curve
    events = find_events(scores, centres, duration, threshold, min_duration, merge_gap)
    for event in events:
        assert 0 <= event.start < event.end <= duration
        assert event.end - event.start >= min(min_duration, duration)
        assert event.start <= event.peak_time <= event.end
        assert event.peak > threshold
        assert event.mean <= event.peak
        assert event.peak == frame_scores(scores, centres, [event.peak_time])[0]
    for before, after in pairwise(events):
        assert after.start - before.end > merge_gap


@given(curves(), SCORE)
def test_time_is_in_an_event_exactly_where_the_curve_is_over(curve: Any, threshold: float) -> None:
    scores, centres, duration = curve
    events = find_events(scores, centres, duration, threshold, 0, 0)
    times = np.union1d(np.linspace(0, duration, 301), centres)
    curve_values = frame_scores(scores, centres, times)
    inside = np.zeros(times.shape, dtype=bool)
    for event in events:
        inside |= (event.start <= times) & (times <= event.end)
    # Borders, and curves that graze the threshold, are only as sharp as floating point.
    clear = np.abs(curve_values - threshold) > 1e-9
    assert (inside == (curve_values > threshold))[clear].all()


@given(curves(), SCORE, st.floats(0, 2))
def test_mean_and_peak_match_dense_sampling(curve: Any, threshold: float, merge_gap: float) -> None:
    scores, centres, duration = curve
    for event in find_events(scores, centres, duration, threshold, 0.05, merge_gap):
        edges = np.linspace(event.start, event.end, 4001)
        samples = frame_scores(scores, centres, (edges[1:] + edges[:-1]) / 2)
        assert event.mean == pytest.approx(samples.mean(), abs=2e-3)
        assert samples.max() <= event.peak + 1e-12
        inside = scores[(centres >= event.start) & (centres <= event.end)]
        assert event.peak == inside.max()


def test_a_triangle_by_hand() -> None:
    (event,) = find_events([0, 1, 0], [1, 3, 5], 6.0, 0.5, 0.5, 1.0)
    assert (event.start, event.end, event.peak_time, event.peak) == (2, 4, 3, 1)
    assert event.mean == pytest.approx(0.75)


def test_the_curve_is_held_to_both_ends_of_the_video() -> None:
    first, last = find_events([1, 0, 0, 1], [1, 3, 5, 7], 8.0, 0.5, 0, 0)
    assert (first.start, first.end, first.peak_time) == (0, 2, 1)
    assert (last.start, last.end, last.peak_time) == (6, 8, 7)
    assert first.mean == pytest.approx((1 * 1 + 0.75 * 1) / 2)


def test_merging_comes_before_dropping() -> None:
    scores, centres = [0, 1, 0, 1, 0], [0, 1, 2, 3, 4]
    # Two events of 1 s, 1 s apart: too short alone, long enough together.
    assert find_events(scores, centres, 4.0, 0.5, 2.0, merge_gap=0.9) == ()
    (event,) = find_events(scores, centres, 4.0, 0.5, 2.0, merge_gap=1.0)
    assert (event.start, event.end, event.peak_time) == (0.5, 3.5, 1)
    assert event.mean == pytest.approx((0.75 + 0.25 + 0.75) / 3)


def test_touching_the_threshold_from_above_does_not_split_an_event() -> None:
    assert len(find_events([1, 0.5, 1], [0, 1, 2], 2.0, 0.5, 0, 0)) == 1


def test_at_the_threshold_is_not_over_it() -> None:
    assert find_events([0.5, 0.5], [0, 1], 2.0, 0.5, 0, 0) == ()


@pytest.mark.parametrize("duration", [0.2, 10.0])
def test_one_segment_is_a_constant_curve(duration: float) -> None:
    (event,) = find_events([0.9], [0.1], duration, 0.5, 0.5, 1.0)
    assert (event.start, event.end, event.peak_time, event.peak) == (0, duration, 0.1, 0.9)
    assert event.mean == pytest.approx(0.9)
    assert find_events([0.4], [0.1], duration, 0.5, 0.5, 1.0) == ()


def test_an_excursion_too_thin_for_floating_point_time_is_no_event() -> None:
    centres = np.array([0, 1, 2]) + 1e6
    assert find_events([0, np.nextafter(0.5, 1), 0], centres, 2e6, 0.5, 0, 0) == ()


def test_infinite_thresholds_take_none_or_all() -> None:
    assert find_events([0, 1], [0, 1], 2.0, math.inf, 0, 0) == ()
    (event,) = find_events([0, 1], [0, 1], 2.0, -math.inf, 0, 0)
    assert (event.start, event.end) == (0, 2)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": math.nan}, "duration"),
        ({"duration": 0.5}, "outside the video"),
        ({"centres": [-1, 1]}, "outside the video"),
        ({"threshold": math.nan}, "threshold"),
        ({"min_duration": -1}, "min_duration"),
        ({"merge_gap": math.nan}, "merge_gap"),
        ({"smoothed": [math.nan, 1]}, "nan"),
    ],
)
def test_find_events_refuses(change: dict[str, Any], match: str) -> None:
    good = {
        "smoothed": [0, 1],
        "centres": [0, 1],
        "duration": 2.0,
        "threshold": 0.5,
        "min_duration": 0,
        "merge_gap": 0,
    }
    with pytest.raises(UsageError, match=match):
        find_events(**(good | change))


def test_frame_scores_follow_true_timestamps() -> None:
    scores = frame_scores([0, 1], [1, 3], [0, 1, 1.5, 2.9, 3, 9])
    np.testing.assert_allclose(scores, [0, 0, 0.25, 0.95, 1, 1])


@pytest.mark.parametrize(
    "change",
    [
        {"sigma": -1.0},
        {"sigma": math.nan},
        {"threshold": "fixed"},
        {"kappa": math.inf},
        {"min_duration": -0.1},
        {"merge_gap": math.inf},
    ],
)
def test_settings_are_validated(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(change))):
        LocalizeSettings(**change)
