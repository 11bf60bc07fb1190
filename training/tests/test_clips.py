"""The clips that the projector is trained on: scripts, ground truth and wording; nothing is rendered."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from hiprobe_training.scenes import brawls
from hiprobe_training.scenes.bodies import draw_body
from hiprobe_training.scenes.captions import PROMPTS, answers, called_abnormal, caption, count_people, named_events
from hiprobe_training.scenes.clips import Clip, draw_clip
from hiprobe_training.scenes.facts import EVENT_KINDS, Facts, PersonFact
from hiprobe_training.scenes.incidents import fall
from hiprobe_training.scenes.meshes import Array
from hiprobe_training.scenes.motions import ROWS
from hiprobe_training.scenes.people import place_person
from hiprobe_training.scenes.scene import Figure, Scene
from hiprobe_training.scenes.stage import Place

pytest.importorskip("pybullet_data", reason="the motion capture comes with pybullet")
from hiprobe_training.scenes.world import Camera


@cache
def clip(seed: int, event: str | None) -> Clip:
    return draw_clip(seed, event)


def open_scene(duration: float = 2.4) -> Scene:
    camera = Camera(np.array([0.0, -9.0, 3.5]), np.array([0.0, 0.0, 0.8]), 45.0, 320, 240)
    place = Place("plaza", ("in a square",), (), lambda _: camera, np.zeros((0, 4)), (-12.0, 12.0, -6.0, 12.0))
    return Scene(place, duration)


def links(figure: Figure, t: float) -> Array:
    return place_person(figure.script.state(t), figure.body.scale)[0]


def poses(drawn: Clip) -> list[Array]:
    times = np.linspace(0, drawn.stage.duration, 4)
    return [np.concatenate(prop.pose(float(t)), axis=1) for prop in drawn.stage.props if prop.pose for t in times]


@pytest.mark.parametrize("seed", range(4))
def test_a_seed_gives_the_same_clip_again(seed: int) -> None:
    one, two = draw_clip(seed), draw_clip(seed)
    assert one.facts == two.facts
    assert one.stage.sensor == two.stage.sensor
    assert one.stage.duration == two.stage.duration
    for a, b in zip(poses(one), poses(two), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("seed", range(4))
def test_with_and_without_the_event_place_camera_and_bystanders_are_the_same(seed: int) -> None:
    calm, fight = clip(seed, None), clip(seed, "fight")
    assert calm.event is None and fight.event == "fight"
    assert calm.stage.sensor == fight.stage.sensor
    assert calm.stage.duration == fight.stage.duration
    np.testing.assert_array_equal(calm.stage.place.camera(0.5).eye, fight.stage.place.camera(0.5).eye)
    np.testing.assert_array_equal(calm.stage.place.blocks, fight.stage.place.blocks)
    known = {figure.body: figure for figure in calm.bystanders}
    for figure in fight.bystanders:  # whoever stood in the fight's way is left out
        np.testing.assert_array_equal(links(figure, 1.0), links(known[figure.body], 1.0))


@pytest.mark.parametrize("event", [*EVENT_KINDS, None])
def test_every_kind_can_be_drawn_and_moves_without_a_break(event: str | None) -> None:
    for seed in range(3):
        drawn = clip(seed, event)
        assert drawn.event == event == drawn.facts.event
        assert 1.6 <= drawn.stage.duration <= 3.0
        for prop in drawn.stage.props:
            assert prop.pose is not None
            for t in np.linspace(0, drawn.stage.duration, 5):
                positions, rotations = prop.pose(float(t))
                assert len(positions) == len(prop.parts)
                assert np.isfinite(positions).all()
                np.testing.assert_allclose(np.linalg.norm(rotations, axis=1), 1.0, atol=1e-6)
        for puffs in drawn.stage.puffs:
            centres, radii, colours = puffs.at(1.0)
            assert np.isfinite(centres).all() and (radii >= 0).all() and ((colours >= 0) & (colours <= 1)).all()


def test_an_unknown_event_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown event"):
        draw_clip(0, "flood")


def test_smoke_fire_and_left_things_are_in_the_picture() -> None:
    for event in ("smoke", "fire"):
        assert clip(1, event).stage.puffs
        assert any(puffs.glow for puffs in clip(1, event).stage.puffs) == (event == "fire")
    assert not clip(1, None).stage.puffs


@pytest.mark.parametrize(("name", "build", "weight"), brawls.BRAWLS)
def test_fighters_are_within_reach_of_each_other(name: str, build: brawls.Brawl, weight: float) -> None:
    for seed in range(4):
        figures = build(open_scene(), np.random.default_rng(seed), np.zeros(2), 0.0)
        gaps = []
        for t in np.linspace(0.2, 1.4, 7):
            spots = [links(figure, float(t)).mean(0)[:2] for figure in figures]
            gaps.append(min(float(np.linalg.norm(a - b)) for k, a in enumerate(spots) for b in spots[:k]))
        assert np.median(gaps) < 1.3, (name, gaps)


def test_who_fell_lies_low_at_the_end() -> None:
    for seed in range(12):
        scene = open_scene()
        incident = fall(scene, np.random.default_rng(seed), np.zeros(2))
        figure = incident.figures[0]
        assert links(figure, scene.duration)[ROWS["neck"], 2] < 0.75 * figure.body.scale
        if incident.detail == "collapse":
            assert links(figure, 0.0)[ROWS["neck"], 2] > 0.9 * figure.body.scale


def test_bodies_range_from_children_to_tall_adults() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_body(rng) for _ in range(300)]
    scales = [body.scale for body in drawn]
    assert min(scales) < 0.75 and max(scales) > 1.15
    assert len({body.colour for body in drawn}) >= 10
    assert any(body.vest for body in drawn) and any(body.shorts for body in drawn)


def test_captions_name_their_event_and_only_it() -> None:
    for event in EVENT_KINDS:
        for seed in range(3):
            rng = np.random.default_rng(seed)
            texts = [caption(clip(seed, event).facts, rng) for _ in range(30)]
            assert len(set(texts)) > 15
            for text in texts:
                assert named_events(text) == {event}, text


def test_captions_of_normal_clips_name_no_event() -> None:
    rng = np.random.default_rng(0)
    for seed in range(25):
        for _ in range(10):
            text = caption(clip(seed, None).facts, rng)
            assert named_events(text) == set(), text
            assert any(word in text.lower() for word in ("normal", "unusual", "ordinary", "usual", "calm")), text


def crowd(count: int) -> Facts:
    actions = ("walk", "talk", "stand", "phone")
    people = tuple(PersonFact("red", "person", actions[k % 4], "middle", k % 2 == 0) for k in range(count))
    return Facts("plaza", ("in a square",), False, False, False, False, people, (), None, "", "middle")


def test_a_count_that_a_caption_states_is_read_back() -> None:
    rng, stated = np.random.default_rng(0), 0
    for k in range(200):
        facts = crowd(k % 11)
        found = count_people(caption(facts, rng))
        if found is not None:
            assert found == facts.n_people
            stated += 1
    assert stated > 130


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Two people walk by.", 2), ("One man stands there.", 1), ("Nobody is in the street.", 0),
        ("A crowd of seven gathers.", 7), ("A large crowd is in the square.", None), ("A man in red walks.", 1),
        ("The street is empty.", 0), ("12 people are here.", 12), ("A fight with people shouting.", None),
        ("A cart where people walk.", None),
    ],
)  # fmt: skip
def test_counts_in_foreign_sentences(text: str, count: int | None) -> None:
    assert count_people(text) == count


@pytest.mark.parametrize(
    ("text", "events"),
    [
        ("Two men are fighting in a car park.", {"fight"}), ("No, nobody is fighting.", set()),
        ("A man fell down and does not run.", {"fall"}), ("They carry a carton to the parked cars.", set()),
        ("A van drives over the square.", {"car"}), ("There is no smoke, but something burns.", {"fire"}),
        ("Everything is normal.", set()), ("A golf cart drives by.", {"cart"}),
    ],
)  # fmt: skip
def test_events_in_foreign_sentences(text: str, events: set[str]) -> None:
    assert named_events(text) == events


def test_answers_agree_with_the_event() -> None:
    for event in (*EVENT_KINDS, None):
        for seed in range(3):
            pairs = answers(clip(seed, event).facts, np.random.default_rng(seed))
            assert [question for question, _ in pairs[:2]] == list(PROMPTS)
            first, second = pairs[0][1], pairs[1][1]
            assert first.startswith("Yes, " if event else "No, ")
            expected = {event} if event else set()
            assert named_events(first) == named_events(second) == expected
            assert all(named_events(answer) <= expected for _, answer in pairs)


@pytest.mark.parametrize(
    ("text", "abnormal"),
    [
        ("Two people are in a shop, and nothing is unusual.", False),
        ("There is nothing abnormal. One person is walking.", False),
        ("Nothing out of the ordinary happens.", False),
        ("A person is walking, which is unusual.", True),
        ("This is not normal here.", True),
        ("People fight in a hall.", True),
        ("No fight is seen; all is normal.", False),
    ],
)
def test_a_text_calls_a_clip_abnormal_or_not(text: str, abnormal: bool) -> None:
    assert called_abnormal(text) == abnormal


def test_every_answer_to_our_own_prompts_says_whether_its_clip_is_abnormal() -> None:
    rng = np.random.default_rng(0)
    for event in (None, *EVENT_KINDS):
        facts = clip(1, event).facts
        for _ in range(10):
            for prompt, text in answers(facts, rng)[:2]:
                assert called_abnormal(text) == (event is not None), (prompt, text)


def test_clips_of_one_camera_share_all_but_who_is_there() -> None:
    one, two = (draw_clip(seed, None, camera=300_000_005) for seed in (1, 2))
    assert (
        one.stage.sensor == two.stage.sensor
        and one.stage.duration == two.stage.duration
        and one.facts.place == two.facts.place
    )
    views = [clip.stage.place.camera(0.0) for clip in (one, two)]
    assert np.array_equal(views[0].eye, views[1].eye) and views[0].width == views[1].width
    assert [str(f) for f in one.facts.people] != [str(f) for f in two.facts.people]
