"""Evidence: a sentence of measurements, that says no more than was measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.explain import AnomalyMap, evidence
from hiprobe.explain.evidence import place_of, rarity
from hiprobe.localize import Event
from hiprobe.probing import CalibrationSegment, EventKind

EVENT = Event(2.0, 4.0, 3.0, 0.9, 0.8)


def test_the_sentence_holds_what_was_measured_in_order() -> None:
    said = evidence(
        EventKind("fight", 0.81),
        1 / 9,
        20.0,
        "in the lower left",
        (CalibrationSegment("day3.mp4", 62.5, 64.5, "fight"),),
    )
    assert said == (
        "Fight (81%); ordinary footage reaches such a score about once in 9 hours; in the lower left of the picture; "
        "most like day3.mp4 at 1:02 (fight)."
    )


def test_what_is_not_known_is_left_out() -> None:
    assert evidence() == ""
    assert evidence(place="at the top") == "At the top of the picture."
    assert evidence(EventKind("unknown", 0.3)) == "Kind unknown."


@pytest.mark.parametrize(
    ("rate", "hours", "said"),
    [
        (75.2, 10, "about 75 times an hour"),
        (1.0, 10, "about once in 60 minutes"),
        (0.5, 10, "about once in 2 hours"),
        (0.01, 1000, "about once in 4 days"),
        (0.01, None, "about once in 4 days"),
    ],
)
def test_rarity_is_said_in_fitting_units(rate: float, hours: float | None, said: str) -> None:
    assert rarity(rate, hours) == f"ordinary footage reaches such a score {said}"


@given(rate=st.floats(0, 100), hours=st.floats(0, 1000))
def test_no_claim_goes_beyond_the_footage(rate: float, hours: float) -> None:
    assert ("never" in rarity(rate, hours)) == (rate * hours < 1 - 1e-9)


def test_of_too_little_footage_its_length_is_said() -> None:
    assert rarity(0.001, 0.7) == "ordinary footage never reached such a score (there are 42 minutes of it)"
    with pytest.raises(ValueError, match="at least 0"):
        rarity(-1.0)


@pytest.mark.parametrize(
    ("row", "column", "said"),
    [
        (0, 0, "in the upper left"),
        (8, 0, "in the lower left"),
        (8, 11, "in the lower right"),
        (4, 5, "in the middle"),
        (4, 11, "at the right"),
        (0, 5, "at the top"),
    ],
)
def test_the_place_is_where_the_map_is_hottest(row: int, column: int, said: str) -> None:
    maps = np.random.default_rng(0).uniform(0, 0.2, (4, 9, 12)).astype(np.float32)
    maps[2:, row, column] = 3.0
    maps[0, 4, 4] = 90.0  # before the event
    assert place_of(AnomalyMap(np.array([0.0, 2.0, 3.0, 3.5]), maps), EVENT) == said


def test_no_place_is_claimed_without_one() -> None:
    times, flat = np.array([2.5, 3.5]), np.ones((2, 4, 4), np.float32)
    assert place_of(None, EVENT) == place_of(AnomalyMap(times, flat), EVENT) == ""
    half = flat.copy()
    half[:, :2] = 5.0
    assert place_of(AnomalyMap(times, half - half.mean()), EVENT) == ""  # half of the picture
    hot = np.zeros((2, 4, 4), np.float32)
    hot[:, 0, 0] = 1.0
    assert place_of(AnomalyMap(times + 60, hot), EVENT) == ""  # of another time
