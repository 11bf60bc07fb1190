"""What a reading says, how readings differ, and which of them a backbone can execute."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, get_args

import numpy as np
import pytest

from hiprobe.backbones import BackboneInfo, Batch, Pooling, Prompt, Reading, Site, TokenSource
from hiprobe.backbones.base import check_own_size, check_reading, check_segment
from hiprobe.errors import UsageError
from hiprobe.video import SampledSegment, Sampling, Segment
from tests.fakes import FakeBackbone, FakePlacedBackbone, FakeTokenBackbone

READING = Reading("a" * 64, (2, 3), "last", "What?", name="mine")
SITES: tuple[Site, ...] = get_args(Site)
OWN: dict[str, set[str]] = {
    "decoder": {"last", "visual", "motion"},
    "vision": {"pair"},
    "projector": {"pair"},
    "heads": {"last"},
}
"""What exists at each site of any backbone."""
TOKENS = {"steps", "tokens"}

OTHER: dict[str, Any] = {
    "backbone": "b" * 64,
    "prompt": "Why?",
    "system": "Be brief.",
    "site": "vision",
    "frame_size": (28, 42),
    "sampling": Sampling(length=4.0),
    "view": "crop",
    "pixels": 50_176,
}


def info_of(site: Site | None) -> BackboneInfo:
    """The facts of a backbone of 4 layers with single tokens at a site."""
    tokens = None if site is None else TokenSource(site, (1, 2), 8, (24, 24))
    return replace(FakePlacedBackbone().info, tokens=tokens)


def batch_of(info: BackboneInfo, reading: Reading, segments: int = 2) -> Batch:
    return Batch(np.zeros((segments, 3, *info.shown_size(reading), 3), np.uint8))


def check(info: BackboneInfo, reading: Reading) -> None:
    check_reading(info, batch_of(info, reading), reading)


@pytest.mark.parametrize("name", OTHER)
def test_each_fact_that_differs_is_a_phrase(name: str) -> None:
    (phrase,) = READING.differences(replace(READING, **{name: OTHER[name]}))
    mine = READING.sampling.length if name == "sampling" else getattr(READING, name)
    theirs = 4.0 if name == "sampling" else OTHER[name]
    assert f"probe has {mine!r}" in phrase and f"at hand is {theirs!r}" in phrase


def test_a_backbone_is_named_where_it_differs_and_only_there() -> None:
    other = replace(READING, backbone="b" * 64, name="theirs")
    assert READING.differences(other) == [
        f"backbone fingerprint: probe has '{'a' * 64}' (mine), at hand is '{'b' * 64}' (theirs)"
    ]
    assert READING.differences(replace(READING, name="theirs")) == []


def test_layers_pooling_and_places_are_not_differences() -> None:
    assert READING.differences(replace(READING, layers=(1,), pooling="visual", places=True)) == []


def test_no_field_of_a_reading_is_forgotten() -> None:
    compared = {*OTHER, "layers", "pooling", "places", "name"}
    assert {item.name for item in fields(Reading)} == compared


def test_several_differences_are_several_phrases() -> None:
    phrases = READING.differences(replace(READING, **OTHER))
    assert len(phrases) == len(OTHER)
    assert {phrase.partition(":")[0] for phrase in phrases} == {
        "backbone fingerprint",
        "prompt",
        "system message",
        "site",
        "frame size",
        "segment length in seconds",
        "part of the picture",
        "pixels of a frame",
    }


def test_values_are_found_again_whether_or_not_places_were_told() -> None:
    placed = replace(READING, places=True)
    assert placed != READING and placed.kept == READING.kept == READING


def test_a_name_does_not_make_another_reading() -> None:
    assert replace(READING, name="theirs") == READING and hash(replace(READING, name="theirs")) == hash(READING)


def test_the_wording_is_prompt_and_system_message() -> None:
    assert READING.wording == Prompt("What?") == Prompt.of("What?")
    system = replace(READING, system="Be brief.").wording
    assert system == Prompt("What?", "Be brief.") and Prompt.of(system) is system


def test_the_layer_is_that_of_a_reading_of_one() -> None:
    assert replace(READING, layers=(3,)).layer == 3
    for layers in ((), (2, 3)):
        with pytest.raises(UsageError, match="one layer is asked for"):
            _ = replace(READING, layers=layers).layer


def test_the_reading_of_a_backbone_is_every_layer_pooled_as_serves_it_best() -> None:
    info = FakeBackbone().info
    reading = info.reading(Sampling(length=4.0), "Why?")
    expected = Reading(info.fingerprint, (1, 2, 3, 4), "visual", "Why?", Sampling(length=4.0))
    assert reading == expected and reading.name == "fake"
    assert info.reading(pooling="motion").pooling == "motion"


def test_the_reading_of_tokens_is_that_of_their_source() -> None:
    info = info_of("vision")
    reading = info.token_reading(prompt="Why?")
    assert reading == Reading(info.fingerprint, (1, 2), "tokens", "Why?", site="vision")
    with pytest.raises(UsageError, match="no states of single tokens, which one-class probes need"):
        info_of(None).token_reading()


def test_frames_are_shown_in_the_size_of_what_is_read_unless_one_is_given() -> None:
    info = info_of("vision")
    for reading, size in ((info.reading(), (12, 16)), (info.token_reading(), (24, 24))):
        assert info.shown_size(reading) == size
        assert info.shown_size(replace(reading, pooling="steps")) == (24, 24)
        assert info.shown_size(replace(reading, frame_size=(28, 42))) == (28, 42)
    assert info_of(None).shown_size(info.token_reading()) == (12, 16)


def test_a_batch_of_segments_keeps_their_frames_and_lengths() -> None:
    frames = np.arange(2 * 3 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 4, 3)
    borders = [(0.0, 2.0), (2.0, 3.5)]
    items = [SampledSegment(Segment(0, *border), np.zeros(3), own) for border, own in zip(borders, frames, strict=True)]
    batch = Batch.of(items)
    assert np.array_equal(batch.frames, frames) and batch.seconds == [2.0, 1.5] and len(batch) == 2


@pytest.mark.parametrize("pooling", get_args(Pooling))
@pytest.mark.parametrize("site", SITES)
@pytest.mark.parametrize("source", [None, "decoder", "vision"])
def test_every_pooling_exists_at_its_sites_alone(source: Site | None, site: Site, pooling: Pooling) -> None:
    info = info_of(source)
    reading = replace(info.reading(pooling=pooling), site=site)
    if pooling in OWN[site] | (TOKENS if source == site else set()):
        check(info, reading)
        return
    message = (
        f"no states of single tokens at the site {site}"
        if pooling in TOKENS and source != site
        else (f"Pooling '{pooling}' at the site {site}: choose one of ")
    )
    with pytest.raises(UsageError, match=message):
        check(info, reading)


def test_sites_and_poolings_that_nobody_has_are_refused() -> None:
    info = info_of("vision")
    with pytest.raises(UsageError, match="Site 'nose': choose one of decoder, vision, projector, heads"):
        check(info, replace(info.reading(), site="nose"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Pooling 'max' at the site vision: choose one of pair, steps, tokens"):
        check(info, replace(info.reading(pooling="max"), site="vision"))  # type: ignore[arg-type]


@pytest.mark.parametrize("layers", [(), (0,), (5,), (2, 1), (2, 2), (-1, 2)])
def test_decoder_layers_ascend_between_the_first_and_the_last(layers: tuple[int, ...]) -> None:
    info = info_of(None)
    check(info, replace(info.reading(), layers=(1, 4)))
    with pytest.raises(UsageError, match="decoder blocks between 1 and 4"):
        check(info, replace(info.reading(), layers=layers))
    with pytest.raises(UsageError, match="between 1 and 3, up to which it was loaded of 4"):
        check(replace(info, depth=3), replace(info.reading(), layers=(4,)))


@pytest.mark.parametrize("site", [site for site in SITES if site != "decoder"])
def test_beside_the_decoder_none_stand_for_all_layers_and_their_number_is_not_the_decoders(site: Site) -> None:
    info = info_of(None)
    reading = replace(info.reading(pooling="last" if site == "heads" else "pair"), site=site)
    for layers in ((), (1, 99)):
        check(info, replace(reading, layers=layers))
    for layers in ((0,), (2, 1), (2, 2)):
        with pytest.raises(UsageError, match=f"of the site {site}: give them ascending from 1"):
            check(info, replace(reading, layers=layers))


def test_frames_of_another_shape_or_type_are_refused() -> None:
    info = info_of("vision")
    reading, frames = info.reading(), np.zeros((2, 3, 12, 16, 3), np.uint8)
    check_reading(info, Batch(frames, [2.0, 1.5]), reading)
    for wrong in (frames[0], frames.astype(float), frames[..., :2], frames[:, :, :, 1:]):
        with pytest.raises(UsageError, match=r"takes uint8 \(B, K, 12, 16, 3\)"):
            check_reading(info, Batch(wrong), reading)
    with pytest.raises(UsageError, match=r"takes uint8 \(B, K, 24, 24, 3\)"):
        check_reading(info, Batch(frames), info.token_reading())
    with pytest.raises(UsageError, match="2 segments and the lengths of 1"):
        check_reading(info, Batch(frames, [2.0]), reading)


def test_places_are_told_of_one_decoder_block_by_who_tells_them() -> None:
    info = info_of("decoder")
    one = replace(info.reading(), layers=(2,), places=True)
    for pooling in ("last", "visual", "motion"):
        check(info, replace(one, pooling=pooling))
    with pytest.raises(UsageError, match="does not tell places apart"):
        check(replace(info, places=False), one)
    elsewhere: list[dict[str, Any]] = [
        {"layers": (1, 2)},
        {"pooling": "tokens"},
        {"pooling": "steps"},
        {"site": "vision", "pooling": "pair"},
        {"site": "heads", "pooling": "last"},
    ]
    for changed in elsewhere:
        with pytest.raises(UsageError, match="they are told of one decoder block, with a pooling of last, visual"):
            check(info, replace(one, **changed))


def test_another_size_than_the_language_models_is_told() -> None:
    info = info_of("vision")
    check_own_size(info, info.reading())
    check_own_size(info, replace(info.reading(), frame_size=info.frame_size))
    with pytest.raises(UsageError, match="Frames of 42x28 pixels at the site decoder: the fake backbone takes 16x12"):
        check_own_size(info, replace(info.reading(), frame_size=(28, 42)))


def test_text_is_generated_about_one_segment() -> None:
    info = info_of("vision")
    check_segment(info, batch_of(info, info.reading(), 1))
    with pytest.raises(UsageError, match="A batch of 2 segments: text is generated about one at a time"):
        check_segment(info, batch_of(info, info.reading(), 2))
    with pytest.raises(UsageError, match="takes uint8"):
        check_segment(info, batch_of(info, info.token_reading(), 1))


def test_a_mean_of_steps_is_that_of_their_tokens() -> None:
    backbone = FakeTokenBackbone()
    reading = backbone.info.token_reading()
    batch = Batch(np.random.default_rng(0).integers(0, 256, (2, 3, 12, 16, 3), dtype=np.uint8))
    tokens = backbone.read(batch, reading).values
    steps = backbone.read(batch, replace(reading, pooling="steps")).values
    assert tokens.shape == (2, 2, 3, 12, 4) and steps.shape == (2, 2, 3 * 4)
    for step in range(3):
        np.testing.assert_allclose(steps[..., 4 * step : 4 * step + 4], tokens[:, :, step].mean(2), rtol=1e-6)
