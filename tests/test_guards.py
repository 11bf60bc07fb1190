"""Guards: what cannot be judged is told, and raises no events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hiprobe.features import Features, FeatureStore, Look, Run, extract, look_at
from hiprobe.localize import find_events
from hiprobe.pipeline import Detector, evaluate_manifest, fit
from hiprobe.pipeline.guards import FROZEN, Verdict, blind, learn_pictures, stretches
from hiprobe.probing import LogisticProbe, learn_familiar
from hiprobe.report import detection_json
from hiprobe.report.files import parse_detection
from hiprobe.video import Sampling, VideoInfo
from tests.fakes import FakeBackbone, write_calibration
from tests.videos import write_video

SIZE = (64, 96)
Image = NDArray[np.uint8]


class WideBackbone(FakeBackbone):
    """Is shown frames that are large enough to be looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, frame_size=SIZE)


def place(index: int, level: float = 90) -> Image:
    """A picture of a place with sensor noise; ``index`` is of the frame."""
    coarse = np.random.default_rng(0).normal(0, 1, (9, 13))
    smooth = np.kron(coarse, np.ones((8, 8)))[: SIZE[0], : SIZE[1]]
    for axis in (0, 1):
        smooth = sum(np.roll(smooth, shift, axis) for shift in range(-3, 4)) / 7
    noise = np.random.default_rng(index).normal(0, 2, SIZE)
    return np.clip(level + 60 * smooth + noise, 0, 255)[..., None].repeat(3, 2).astype(np.uint8)


def bars(_: int) -> Image:
    colours = np.array([[191, 191, 191], [191, 191, 0], [0, 191, 191], [0, 191, 0], [191, 0, 191], [191, 0, 0]])
    return colours[np.arange(SIZE[1]) * 6 // SIZE[1]][None].repeat(SIZE[0], 0).astype(np.uint8)


def snow(index: int) -> Image:
    return np.random.default_rng(index).integers(0, 256, (*SIZE, 1)).repeat(3, 2).astype(np.uint8)


def flat(level: int) -> Callable[[int], Image]:
    return lambda _: np.full((*SIZE, 3), level, np.uint8)


def blurred(index: int) -> Image:
    ramp = np.linspace(20, 200, SIZE[1])[None, :, None] + np.linspace(0, 40, SIZE[0])[:, None, None]
    return np.repeat(ramp + index % 3, 3, 2).astype(np.uint8)


SPOILED = {
    "black": flat(0),
    "of one colour": flat(120),
    "noise": snow,
    "bars": bars,
    "burnt out": lambda index: np.clip(place(index).astype(int) + 200, 0, 255).astype(np.uint8),
    "no detail": blurred,
    "No pixel changes": lambda _: place(0),
}


def features(looks: NDArray[np.float32], sampling: Sampling = Sampling()) -> Features:  # noqa: B008
    count = len(looks)
    starts = np.arange(count, dtype=np.float64) * sampling.stride
    ends = starts + sampling.length
    duration = float(starts[-1] + sampling.length)
    info = VideoInfo(Path("a.mp4"), 0.0, duration, round(10 * duration), 96, 64, 10.0)
    states = np.zeros((count, 4, 6), np.float32)
    return Features(info, "", FakeBackbone().info.reading(sampling), starts, ends, states, "", looks)


def looks_of(picture: Callable[[int], Image], count: int = 8) -> NDArray[np.float32]:
    return np.stack([look_at(np.stack([picture(8 * row + k) for k in range(8)])) for row in range(count)])


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_picture_is_noticed_and_named(name: str) -> None:
    verdicts = blind(features(looks_of(SPOILED[name])))
    assert all(verdict is not None and name in verdict.sentence for verdict in verdicts)


@pytest.mark.parametrize("level", [30, 90, 200])
def test_a_still_place_with_sensor_noise_is_not_blind(level: float) -> None:
    assert blind(features(looks_of(lambda index: place(index, level)))) == (None,) * 8


def test_a_picture_that_stands_still_for_a_moment_is_not_frozen() -> None:
    looks = looks_of(place, 12)
    still = looks_of(SPOILED["No pixel changes"], 12)
    short, long = looks.copy(), looks.copy()
    short[3:6], long[3:8] = still[3:6], still[3:8]  # 4 s and 6 s
    assert 4 < FROZEN < 6
    assert blind(features(short)) == (None,) * 12
    assert [verdict is not None for verdict in blind(features(long))] == [3 <= row < 8 for row in range(12)]


def test_frames_that_are_too_small_say_nothing() -> None:
    look = look_at(np.zeros((8, 12, 16, 3), np.uint8))
    assert np.isnan(look).all()
    assert blind(features(np.stack([look] * 3))) == (None,) * 3


def test_looks_are_those_of_the_pixels() -> None:
    look = look_at(np.stack([np.full((*SIZE, 3), level, np.uint8) for level in (10, 30)]))
    assert look[Look.BRIGHTNESS] == 20 and look[Look.DARKEST] == 10 and look[Look.CHANGE] == look[Look.MOVED] == 20
    assert look[Look.FLATTEST] == look[Look.COLOUR] == look[Look.BURNT] == 0 and look[Look.BANDED] == 1


@settings(deadline=None)
@given(st.lists(st.sampled_from([None, "a", "b"]), min_size=1, max_size=30), st.sampled_from([1.0, 0.7, 2.0]))
def test_what_is_unjudged_is_what_no_judged_segment_covers(reasons: list[str | None], stride: float) -> None:
    item = features(np.zeros((len(reasons), len(Look)), np.float32), Sampling(2.0, stride))
    found = stretches(item, tuple(None if reason is None else Verdict("blind", reason) for reason in reasons))
    times = np.arange(0, item.video.duration, 0.05) + 0.013
    inside = sum((stretch.start <= times) & (times < stretch.end) for stretch in found)
    covered = np.zeros(len(times), bool)
    for start, end, reason in zip(item.starts, item.ends, reasons, strict=True):
        if reason is None:
            covered |= (times >= start) & (times < end)
    np.testing.assert_array_equal(inside, (~covered).astype(int))
    assert [stretch.start for stretch in found] == sorted(stretch.start for stretch in found)


def test_events_end_where_a_stretch_without_them_begins() -> None:
    centres, scores = np.arange(10) + 0.5, np.array([0, 0, 1, 1, 1, 1, 1, 0, 0, 0])
    (whole,) = find_events(scores, centres, 10, 0.5, 0, 5)
    first, second = find_events(scores, centres, 10, 0.5, 0, 5, [(3, 4.2)])
    assert (first.start, first.end, second.start, second.end) == (whole.start, 3, 4.2, whole.end)
    assert first.peak == second.peak == 1 and first.peak_time == 2.5
    assert find_events(scores, centres, 10, 0.5, 0, 5, [(0, 10)]) == ()
    (rest,) = find_events(scores, centres, 10, 0.5, 0, 5, [(2.2, 10)])
    assert (rest.start, rest.end, rest.peak_time) == (2.0, 2.2, 2.2) and rest.peak == pytest.approx(0.7)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> LogisticProbe:
    folder = tmp_path_factory.mktemp("calibration")
    return replace(fit(write_calibration(folder), FakeBackbone()).probe)


def test_a_signal_that_is_lost_raises_no_event(probe: LogisticProbe, tmp_path: Path) -> None:
    # White noise is far brighter than the dark place: without a guard, it is an event.
    images = [snow(index) if 80 <= index < 120 else place(index, 40) for index in range(200)]
    video = write_video(tmp_path / "lost.mp4", 200, fps=10, images=images, size=SIZE, options={"crf": "10"})
    run, backbone = Run(FeatureStore(tmp_path / "store")), WideBackbone()
    detector = Detector(probe, backbone, run=run)
    found = detector.detect(video)
    (lost,) = found.unjudged
    assert (lost.start, lost.end, lost.reason) == (8.0, 12.0, "blind") and "noise" in lost.sentence
    assert not found.events and max(segment.score for segment in found.segments) > found.threshold
    assert max(segment.smoothed for segment in found.segments) < found.threshold
    assert parse_detection(detection_json(found)).unjudged == found.unjudged
    # The looks are kept with the features; features without are looked at again.
    kept = extract(video, backbone, probe.extraction, run)
    assert kept.looks is not None and detector.detect(video).unjudged == found.unjudged
    assert run.store is not None
    run.store.save(replace(kept, looks=None))
    assert extract(video, backbone, probe.extraction, run).looks is None
    assert detector.detect(video).unjudged == found.unjudged


def test_a_probe_knows_the_pictures_that_it_learned_from(tmp_path: Path) -> None:
    looks, groups = looks_of(place, 12), np.repeat(["a", "b", "c"], 4)
    familiar = learn_familiar(looks, groups)
    assert familiar is not None and familiar.limit == 1
    assert familiar.sentences(looks) == (None,) * 12
    # A thing that is bright and large changes the picture less than the light does.
    assert familiar.sentences(looks_of(with_something)) == (None,) * 8
    spoiled = {
        "darker": lambda index: (place(index) * 0.2).astype(np.uint8),
        "brighter": lambda index: (place(index) * 0.3 + 178).astype(np.uint8),
        "noisier": lambda index: np.clip(place(index) + np.random.default_rng(index).normal(0, 30, (*SIZE, 1)), 0, 255),
        "blurred": lambda index: gaussian_filter(place(index), (1.5, 1.5, 0)),
        "colourful": lambda index: (place(index) * np.array([0.3, 1, 1])).astype(np.uint8),
    }
    for word, picture in spoiled.items():
        found = familiar.sentences(looks_of(lambda index, picture=picture: picture(index).astype(np.uint8)))
        assert all(sentence is not None and word in sentence for sentence in found), word
    assert learn_familiar(np.full_like(looks, np.nan), groups) is None
    assert familiar.sentences(np.full_like(looks, np.nan)) == (None,) * 12


def with_something(index: int) -> Image:
    image = place(index)
    image[20:50, 8 * (index % 8) : 8 * (index % 8) + 24] = 230
    return image


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(0, 2**32 - 1))
def test_the_more_groups_differ_the_further_the_limit(groups: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    looks = np.abs(random.normal(100, 20, (groups * 5, len(Look)))).astype(np.float32)
    names = np.repeat(np.arange(groups), 5)
    near, far = looks.copy(), looks.copy()
    far[names == 0, Look.COLOUR] += 255
    a, b = learn_familiar(near, names), learn_familiar(far, names)
    assert a is not None and b is not None and b.limit > 255 / 30 - 5 > a.limit >= 1
    assert a.sentences(near) == b.sentences(far) == (None,) * len(looks)


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> LogisticProbe:
    """Of a place where something appears; each clip is a group."""
    folder = tmp_path_factory.mktemp("placed")
    rows = ["path,label,start,end,group"]
    for number in range(4):
        images = [(with_something if 40 <= i < 80 else place)(1000 * number + i) for i in range(120)]
        write_video(folder / f"{number}.mp4", 120, fps=10, images=images, size=SIZE, options={"crf": "10"})
        rows.append(f"{number}.mp4,thing,4,8,{number}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return fit(folder / "labels.csv", WideBackbone()).probe


def test_a_darkened_clip_is_told_and_raises_no_event(placed: LogisticProbe, tmp_path: Path) -> None:
    def clip(name: str, light: float) -> Path:
        images = [((with_something if 60 <= i < 90 else place)(i) * light).astype(np.uint8) for i in range(150)]
        return write_video(tmp_path / name, 150, fps=10, images=images, size=SIZE, options={"crf": "10"})

    clear, dark = clip("clear.mp4", 1), clip("dark.mp4", 0.2)
    placed.save(tmp_path / "place.probe")
    probe = LogisticProbe.load(tmp_path / "place.probe")
    assert probe.familiar == placed.familiar is not None
    detector = Detector(probe, WideBackbone())
    assert detector.detect(clear).unjudged == ()
    found = detector.detect(dark)
    assert [(s.start, s.end, s.reason) for s in found.unjudged] == [(0, 15, "unlike")] and not found.events
    assert "darker" in found.unjudged[0].sentence
    # A probe of an earlier release knows of no pictures, and its file names none.
    replace(placed, familiar=None).save(tmp_path / "old.probe")
    assert b"familiar" not in (tmp_path / "old.probe").read_bytes()
    assert Detector(LogisticProbe.load(tmp_path / "old.probe"), WideBackbone()).detect(dark).unjudged == ()


def test_evaluation_says_how_much_was_not_judged(placed: LogisticProbe, tmp_path: Path) -> None:
    images = [snow(i) if i >= 60 else place(i) for i in range(120)]
    write_video(tmp_path / "lost.mp4", 120, fps=10, images=images, size=SIZE, options={"crf": "10"})
    (tmp_path / "labels.csv").write_text("path,label\nlost.mp4,normal\n")
    report = evaluate_manifest(tmp_path / "labels.csv", placed, WideBackbone())
    assert any(note.startswith("6.0 of 12.0 s, in 1 of 1 videos, could not be judged") for note in report.notes)


def test_a_calibration_clip_that_shows_nothing_is_told(placed: LogisticProbe, tmp_path: Path) -> None:
    black = replace(features(looks_of(flat(0), 3)), identity="black")
    familiar, notes = learn_pictures([black, features(looks_of(place, 5))], ["a"] * 3 + ["b"] * 5)
    assert notes == ("3 of 8 calibration segments show nothing (black, frozen, without detail).",)
    assert familiar is not None and familiar.ranges["brightness"][0] > -3
    assert learn_pictures([black], ["a"] * 3)[0] is None
    assert learn_pictures([replace(black, looks=None)], ["a"] * 3) == (None, ())
