"""What texts say of their events: denials, doubts, other kinds; in the words of several backbones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.explain import stance
from hiprobe.explain.checking import denies, is_unsure, named_kinds

DENIALS = [
    # The embedded backbone's own.
    "Two people are on a square, mostly walking, and nothing is unusual.",
    "Nobody is in a car park and nothing is unusual.",
    "No, everything is normal.",
    # In the manner of larger ones.
    "The video shows people walking on a sidewalk. There is nothing unusual about it.",
    "There doesn't appear to be anything unusual in this video.",
    "There doesn\u2019t seem to be anything out of the ordinary happening.",
    "I do not see anything unusual in the footage.",
    "The video does not show any unusual activity.",
    "People are walking in a park; no unusual behavior is observed.",
    "There are no signs of anything suspicious.",
    "There is no indication of any abnormal event.",
    "It is a typical day on a busy street, with pedestrians crossing.",
    "The scene appears to be completely normal, with people walking by.",
    "Everything looks normal.",
    "This is an ordinary street scene with people walking.",
    "Nothing happens in this video.",
    "Nothing of interest happens; the street stays empty.",
    "The footage is not unusual in any way.",
    "What happens in this video is not particularly unusual.",
    "A group of people walks by, without anything strange.",
    "Nothing in this video stands out.",
    "No anomalies are visible.",
    "Nothing unusual, but two people walk slowly.",
]

EVENTS = [
    "People are fighting on a square, which is unusual.",
    "A car drives where people walk, which is unusual.",
    "A man falls to the ground, and this is not normal for this place.",
    "Nothing is unusual until a man falls.",
    "A man collapses in front of a shop; nothing else is unusual.",
    "The scene looks normal at first, but then two men attack a third.",
    "In a typical street scene, two men are fighting.",
    "Something unusual happens: somebody rides a bicycle between people.",
    "An unusual event: a crowd runs away in panic.",
    "Somebody is lying motionless and nobody helps.",
]


@pytest.mark.parametrize("text", DENIALS)
def test_a_text_that_denies_the_event_is_found_out(text: str) -> None:
    assert denies(text) and stance(text) == stance(text, "fight") == "denies"


@pytest.mark.parametrize("text", EVENTS)
def test_a_text_that_tells_of_an_event_does_not_deny_it(text: str) -> None:
    assert not denies(text) and stance(text) == "fits"


@pytest.mark.parametrize(
    "text",
    [
        "It is not clear what is unusual here.",
        "The model is not sure what happens.",
        "I cannot determine what is happening in this video.",
        "It's unclear from the frames.",
    ],
)
def test_a_text_in_doubt_is_unsure(text: str) -> None:
    assert is_unsure(text) and not denies(text) and stance(text, "fight") == "unsure"
    assert not is_unsure(f"{text} A man seems to fall.")


@pytest.mark.parametrize(
    ("text", "kind", "fits"),
    [
        ("People are fighting on a square.", "fight", True),
        ("People are fighting on a square.", "Fighting", True),
        ("A man attacks another.", "Assault", True),
        ("People are fighting on a square.", "fall", False),
        ("Somebody has fallen and lies on the ground.", "fight", False),
        ("Two people fight until one falls.", "fall", True),
        ("A car drives where people walk.", "car", True),
        ("A van drives where people walk.", "RoadAccidents", False),
        ("A car crashes into a wall.", "RoadAccidents", True),
        ("Two men fight beside a parked car.", "car", False),
        ("Two men fight in a car park.", "fight", True),
        ("Somebody is running.", "run", True),
        ("A man steals a bag.", "shop_lifting", True),
        ("A man is juggling.", "juggling", True),
        ("Two people fight.", "juggling", False),
        ("Two people walk side by side.", "fight", True),  # names no kind: it may be poor, but says nothing else
        ("Two people fight.", "anomaly", True),
        ("Two people fight.", "unknown", True),
        ("Two people fight.", None, True),
        ("Smoke fills the hall.", "fire", True),
    ],
)
def test_another_kind_than_the_measured_one_contradicts(text: str, kind: str | None, fits: bool) -> None:
    assert stance(text, kind) == ("fits" if fits else "contradicts")


def test_what_is_denied_or_a_place_is_not_named() -> None:
    assert named_kinds("Nobody fights, a man runs near the fire hydrant in the car park.") == {"run"}
    assert named_kinds("They aren't fighting.") == frozenset()


@given(text=st.text(max_size=300), kind=st.none() | st.text(max_size=40))
def test_any_text_has_a_stance(text: str, kind: str | None) -> None:
    assert stance(text, kind) in ("fits", "denies", "unsure", "contradicts")
