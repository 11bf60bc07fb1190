"""How many alarms an hour a threshold gives: peaks, tails, intervals, and the dial of fit and detect."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import genpareto

from hiprobe.errors import CalibrationError, UsageError
from hiprobe.localize import AlarmRates, LocalizeSettings, OrdinaryScores, event_peaks, find_events, rate_text, smooth
from hiprobe.localize.events import count_events
from hiprobe.localize.tail import Tail

SETTINGS = LocalizeSettings()


def calm(hours: float, seed: int) -> OrdinaryScores:
    """Ordinary scores of so many hours, a segment a second, smoothed."""
    count = round(hours * 3600)
    centres = np.arange(1, count + 1, dtype=np.float64)
    return OrdinaryScores(smooth(np.random.default_rng(seed).normal(size=count), centres, 1.0), centres, count + 1.0)


def events_of(video: OrdinaryScores, threshold: float) -> int:
    rule = SETTINGS
    return len(find_events(video.smoothed, video.centres, video.duration, threshold, rule.min_duration, rule.merge_gap))


curves = st.lists(st.integers(0, 9), min_size=1, max_size=40).map(
    lambda values: OrdinaryScores(np.array(values) / 10, np.arange(1.0, len(values) + 1), len(values) + 1.0)
)


@given(curves, st.floats(-0.05, 1), st.floats(0, 3), st.floats(0, 3))
def test_events_are_counted_as_they_are_found(
    video: OrdinaryScores, threshold: float, shortest: float, gap: float
) -> None:
    rule = LocalizeSettings(min_duration=shortest, merge_gap=gap)
    found = find_events(video.smoothed, video.centres, video.duration, threshold, shortest, gap)
    assert count_events(video.smoothed, video.centres, video.duration, threshold, rule) == len(found)


@given(curves)
def test_no_more_events_are_over_a_threshold_than_peaks(video: OrdinaryScores) -> None:
    peaks = event_peaks(video, SETTINGS)
    assert (np.diff(peaks) <= 0).all() and peaks[0] <= video.smoothed.max()
    for threshold in np.unique(video.smoothed):
        assert events_of(video, threshold) <= (peaks > threshold).sum()


def test_two_bumps_that_detection_joins_are_one_peak() -> None:
    apart = np.array([0, 0, 0.8, 0, 0, 0, 0, 0.6, 0, 0])
    near = np.array([0, 0, 0.8, 0.1, 0.6, 0, 0, 0, 0, 0])
    centres = np.arange(1.0, 11)
    rule = LocalizeSettings(merge_gap=1.5)
    assert (event_peaks(OrdinaryScores(apart, centres, 11.0), rule) > 0).sum() == 2
    assert (event_peaks(OrdinaryScores(near, centres, 11.0), rule) > 0).sum() == 1


@pytest.mark.parametrize("per_hour", [20.0, 50.0])
def test_the_asked_rate_comes_on_new_footage(per_hour: float) -> None:
    alarms = AlarmRates.of([calm(0.5, seed) for seed in range(8)], SETTINGS)
    threshold = alarms.threshold_for(per_hour)
    assert alarms.counts(per_hour) and alarms.rate_at(threshold) == pytest.approx(per_hour, rel=0.1)
    new = sum(events_of(calm(1.0, seed), threshold) for seed in range(100, 104)) / 4
    assert new == pytest.approx(per_hour, rel=0.35)
    low, high = alarms.interval(threshold)
    assert low < new < high


def test_a_rate_that_footage_is_too_short_to_count_comes_of_the_tail() -> None:
    videos = [calm(0.25, 1), calm(0.25, 2)]
    alarms = AlarmRates.of(videos, SETTINGS)
    threshold = alarms.threshold_for(0.5)
    assert not alarms.counts(0.5) and sum(events_of(video, threshold) for video in videos) == 0
    assert threshold > alarms.threshold_for(2.0) == alarms.peaks[0]
    new = sum(events_of(calm(4.0, seed), threshold) for seed in range(100, 110)) / 40
    low, high = alarms.interval(threshold)
    assert low < new < high and 0.05 < new < 3


@given(
    st.lists(st.floats(0.01, 0.99), min_size=1, max_size=60),
    st.floats(0.02, 50),
    st.lists(st.floats(0.01, 200), min_size=2, max_size=5, unique=True),
    st.booleans(),
)
@settings(deadline=None, max_examples=50)
def test_more_alarms_take_a_lower_threshold(
    peaks: list[float], hours: float, rates: list[float], probabilities: bool
) -> None:
    alarms = AlarmRates(hours, tuple(sorted(peaks, reverse=True)), probabilities)
    thresholds = [alarms.threshold_for(rate) for rate in sorted(rates)]
    assert (np.diff(thresholds) <= 0).all() and np.isfinite(thresholds).all()
    reached = [alarms.rate_at(threshold) for threshold in thresholds]
    assert (np.diff(reached) >= 0).all()
    for threshold in thresholds:
        low, high = alarms.interval(threshold)
        assert 0 <= low <= high and high > 0
        assert not probabilities or threshold <= 1


def test_probabilities_near_one_have_a_tail_that_ends_there() -> None:
    peaks = 1 / (1 + np.exp(-np.random.default_rng(3).logistic(3, 1, 40)))
    alarms = AlarmRates(0.1, tuple(np.sort(peaks)[::-1].tolist()), probabilities=True)
    rare = alarms.threshold_for(0.05)
    assert alarms.peaks[0] < rare < 1 and alarms.rate_at(rare) == pytest.approx(0.05, rel=1e-6)
    assert alarms.rate_at(0.5) > 300


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.2])
def test_intervals_of_the_tail_hold_the_true_rate(shape: float) -> None:
    random, held, trials = np.random.default_rng(11), 0, 120
    for _ in range(trials):
        peaks = np.sort(genpareto.rvs(shape, size=max(random.poisson(60), 8), random_state=random))[::-1]
        alarms = AlarmRates(1.0, tuple(peaks.tolist()))
        threshold = alarms.threshold_for(0.3)
        low, high = alarms.interval(threshold)
        held += low <= 60 * genpareto.sf(threshold, shape) <= high
    assert held / trials > 0.88


def test_a_tail_needs_peaks_that_differ() -> None:
    assert Tail.of(np.ones(30)) is None and Tail.of(np.arange(5.0)[::-1]) is None
    flat = AlarmRates(1.0, (0.5,) * 30)
    assert flat.threshold_for(0.1) == 0.5
    assert flat.interval(0.5) == (0, pytest.approx(-math.log(0.025)))  # nothing was over it: exp(-rate) = 2.5%
    tail = Tail.of(np.linspace(3, 0, 41))
    assert tail is not None and tail.count == 20
    assert tail.count_over(tail.score_of(0.2)) == pytest.approx(0.2)


def test_what_is_no_footage_or_rate_is_refused() -> None:
    with pytest.raises(CalibrationError, match="No ordinary footage"):
        AlarmRates.of([], SETTINGS)
    for hours, peaks in ((0.0, (1.0,)), (1.0, ()), (math.nan, (1.0,))):
        with pytest.raises(UsageError, match="hours of footage"):
            AlarmRates(hours, peaks)
    with pytest.raises(UsageError, match="highest first"):
        AlarmRates(1.0, (1.0, 2.0))
    with pytest.raises(UsageError, match="from 0 to 1"):
        AlarmRates(1.0, (2.0, 1.0), probabilities=True)
    for rate in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(UsageError, match="over 0"):
            AlarmRates(1.0, (1.0,)).threshold_for(rate)
        with pytest.raises(UsageError, match="over 0"):
            LocalizeSettings(false_alarms=rate)
    for threshold in ("fixed", True, math.nan):
        with pytest.raises(UsageError, match="give a number"):
            LocalizeSettings(threshold=threshold)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="one of the two"):
        LocalizeSettings(threshold=0.5, false_alarms=1.0)


def test_rates_are_said_as_people_say_them() -> None:
    assert [rate_text(rate) for rate in (150, 3.21, 0.25, 0.01, 0)] == [
        "150 an hour",
        "3.2 an hour",
        "6 a day",
        "1.7 a week",
        "0 a week",
    ]


def test_asking_is_kept() -> None:
    alarms = AlarmRates(2.0, (1.0, 0.5))
    assert alarms.asking(1.0) == replace(alarms, asked=1.0) and alarms.asked is None


def test_events_that_hide_in_ordinary_footage_are_told_from_its_peaks() -> None:
    ordinary = np.sort(np.random.default_rng(4).exponential(size=100))[::-1]
    clean = AlarmRates(1.0, tuple(ordinary.tolist()))
    assert clean.standing_out() == math.inf and AlarmRates(1.0, (3.0, 1.0, 0.5)).standing_out() == math.inf
    two = AlarmRates(1.0, (40.0, 30.0, *clean.peaks))
    assert two.standing_out() == clean.peaks[0]
    assert two.up_to(two.standing_out()) == clean and clean.up_to(-1.0).peaks == clean.peaks[-1:]
