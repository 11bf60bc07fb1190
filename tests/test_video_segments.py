"""Segments and sample times: arithmetic, checked on worked examples and as properties."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiprobe.errors import UsageError
from hiprobe.video import Sampling, Segment, plan_segments, sample_times


def spans(duration: float, sampling: Sampling) -> list[tuple[float, float]]:
    return [(round(s.start, 6), round(s.end, 6)) for s in plan_segments(duration, sampling)]


@pytest.mark.parametrize(
    ("duration", "expected"),
    [
        (2.0, [(0, 2)]),
        (2.0000001, [(0, 2)]),
        (2.002, [(0, 2.002)]),  # 60 frames at 29.97 fps are one segment, not two
        (1.9999, [(0, 1.9999)]),
        (0.04, [(0, 0.04)]),
        (3.0, [(0, 2), (1, 3)]),
        (3.5, [(0, 2), (1, 3), (1.5, 3.5)]),
        (2.5, [(0, 2), (0.5, 2.5)]),
    ],
)
def test_plan_of_known_durations(duration, expected):
    assert spans(duration, Sampling()) == [(a, pytest.approx(b, abs=1e-6)) for a, b in expected]


def test_plan_without_overlap_and_float_noise():
    assert spans(0.9, Sampling(length=0.3, stride=0.3)) == [(0, 0.3), (0.3, 0.6), (0.6, 0.9)]
    assert len(plan_segments(0.1 * 3 + 0.6, Sampling(length=0.3, stride=0.3))) == 3


def test_indices_and_centres():
    segments = plan_segments(3.5, Sampling())
    assert [segment.index for segment in segments] == [0, 1, 2]
    assert [segment.centre for segment in segments] == [1.0, 2.0, 2.5]


samplings = st.builds(
    lambda length, share, frames: Sampling(length, max(length * share, 1e-3), frames),
    st.floats(0.05, 20),
    st.floats(0.1, 1),
    st.integers(1, 32),
)


@settings(deadline=None)
@given(st.floats(0.01, 50), samplings)
def test_plan_covers_every_instant_without_near_duplicates(lengths, sampling):
    duration = lengths * sampling.length
    segments = plan_segments(duration, sampling)
    slack = max(1e-3, 0.02 * sampling.stride) + 1e-9
    assert segments[0].start == 0
    assert segments[-1].end == duration
    assert [segment.index for segment in segments] == list(range(len(segments)))
    for segment in segments:
        assert 0 < segment.end - segment.start <= sampling.length + slack
        if len(segments) > 1:
            assert segment.end - segment.start >= sampling.length - 1e-9
    for before, after in pairwise(segments):
        assert after.start <= before.end + 1e-9, "an instant lies between two segments"
        assert after.start - before.start >= min(slack, sampling.stride) - 1e-6, "near-duplicates"
        assert after.start - before.start <= sampling.stride + 1e-9


@given(st.floats(0, 1e5), st.floats(0.01, 100), st.integers(1, 64))
def test_sample_times_are_centres_of_equal_parts(start, length, frames):
    segment = Segment(0, start, start + length)
    times = sample_times(segment, frames)
    assert times.dtype == np.float64
    assert times.shape == (frames,)
    assert times[0] - segment.start == pytest.approx(length / frames / 2, abs=1e-9)
    assert segment.end - times[-1] == pytest.approx(length / frames / 2, abs=1e-9)
    assert np.allclose(np.diff(times), length / frames, atol=1e-9)


def test_sample_times_of_a_known_segment():
    assert sample_times(Segment(0, 10.0, 12.0), 4).tolist() == [10.25, 10.75, 11.25, 11.75]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"length": 0}, "length"),
        ({"length": math.nan}, "length"),
        ({"length": "2"}, "length"),
        ({"stride": -1}, "stride"),
        ({"stride": math.inf}, "stride"),
        ({"frames": 0}, "frames"),
        ({"frames": 2.5}, "frames"),
        ({"frames": True}, "frames"),
        ({"length": 1, "stride": 1.5}, "without a segment"),
    ],
)
def test_sampling_refuses_bad_values(values, words):
    with pytest.raises(UsageError, match=words):
        Sampling(**values)


@pytest.mark.parametrize("duration", [0, -1, math.nan, math.inf])
def test_plan_refuses_bad_durations(duration):
    with pytest.raises(UsageError, match="duration"):
        plan_segments(duration, Sampling())
