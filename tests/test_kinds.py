"""Kinds of events: told apart where they can be, unknown where they cannot, and never by what was fitted to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiprobe.errors import ProbeError, UsageError
from hiprobe.evaluation import VideoScores, interval_labels, kind_report
from hiprobe.evaluation.events import matched_pairs
from hiprobe.features import Run
from hiprobe.localize import LocalizeSettings
from hiprobe.pipeline import Detector, detect, detect_together, fit
from hiprobe.probing import UNKNOWN, EventKind, KindScorer, LogisticProbe, Scorer, fit_kinds
from hiprobe.probing.kinds import LEAST, UNRELIABLE, _least
from hiprobe.video import Sampling
from tests.fakes import BEST_LAYER, FakeBackbone, bright_video
from tests.test_probing_probe_file import STATS, make_probe, rewrite

WIDTH = 6


def events(kinds: list[str], clear: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return states (n, WIDTH), kinds, events and groups: three segments an event, and an event a group."""
    random = np.random.default_rng(seed)
    order = sorted(set(kinds))
    states = [clear * np.eye(WIDTH)[order.index(kind)] + random.normal(size=(3, WIDTH)) for kind in kinds]
    numbers = np.repeat(np.arange(len(kinds)), 3)
    return np.concatenate(states), np.repeat(kinds, 3), numbers, numbers.astype(str)


def test_kinds_that_differ_are_named_with_their_probability() -> None:
    fitted = fit_kinds(*events(["car", "fall", "fight"] * 8, 6.0))
    assert fitted.scorer is not None
    assert fitted.scorer.names == ("car", "fall", "fight")
    assert all(true == found.name for true, found in fitted.events)
    states, kinds, _, _ = events(["car", "fall", "fight"], 6.0, seed=1)
    for kind in fitted.scorer.names:
        found = fitted.scorer.kind(states[kinds == kind])
        assert found.name == kind and 0.8 < found.probability < 1


def test_kinds_that_do_not_differ_are_unknown_and_a_note_says_so() -> None:
    fitted = fit_kinds(*events(["car", "fall", "fight"] * 8, 0.0))
    assert fitted.scorer is not None and fitted.notes == (UNRELIABLE,)
    assert {found.name for _, found in fitted.events} == {UNKNOWN}
    assert fitted.scorer.kind(np.full((2, WIDTH), 9.0)).name == UNKNOWN


def test_a_few_right_names_show_nothing() -> None:
    probability, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, False])
    assert _least(probability, right) > 1
    assert _least(probability, np.ones(4, bool)) == 0.6


def test_kinds_are_told_by_the_columns_alone_that_are_given() -> None:
    states, kinds, numbers, groups = events(["car", "fall", "fight"] * 8, 6.0)
    noise = np.random.default_rng(5).normal(size=states.shape)
    columns = np.repeat([False, True], WIDTH)
    fitted = fit_kinds(np.hstack([noise, states]), kinds, numbers, groups, columns=columns)
    alone = fit_kinds(states, kinds, numbers, groups)
    assert fitted.scorer is not None and alone.scorer is not None
    assert not fitted.scorer.weights[:, :WIDTH].any()
    np.testing.assert_allclose(fitted.scorer.weights[:, WIDTH:], alone.scorer.weights)
    given_noise = fit_kinds(np.hstack([states, noise]), kinds, numbers, groups, columns=columns)
    assert {found.name for _, found in given_noise.events} == {UNKNOWN}


def test_an_event_between_two_kinds_is_unknown() -> None:
    fitted = fit_kinds(*events(["car", "fall", "fight"] * 8, 6.0))
    assert fitted.scorer is not None
    between = np.zeros((2, WIDTH))
    found = fitted.scorer.kind(between)
    assert found.name == UNKNOWN and found.probability < LEAST


def test_a_kind_of_one_group_is_never_named_and_a_note_names_it() -> None:
    states, kinds, numbers, groups = events(["car", "fall"] * 8 + ["fire"] * 3, 6.0)
    groups[kinds == "fire"] = "one"
    fitted = fit_kinds(states, kinds, numbers, groups)
    assert fitted.scorer is not None and fitted.scorer.names == ("car", "fall")
    (note,) = fitted.notes
    assert "fire" in note and "car" not in note
    assert "fire" not in {found.name for _, found in fitted.events}


def test_one_kind_has_nothing_to_be_told_from() -> None:
    assert fit_kinds(*events(["car"] * 6, 6.0)).scorer is None


def test_two_kinds_of_one_group_each_are_not_told_apart() -> None:
    states, kinds, numbers, _ = events(["car", "fall"] * 4, 6.0)
    fitted = fit_kinds(states, kinds, numbers, kinds)
    assert fitted.scorer is None and len(fitted.notes) == 2


@settings(max_examples=5, deadline=None)
@given(clear=st.floats(0, 4), seed=st.integers(0, 1000))
def test_of_the_calibration_events_that_are_named_so_many_are_right(clear: float, seed: int) -> None:
    fitted = fit_kinds(*events(["car", "fall", "fight"] * 5, clear, seed))
    named = [true == found.name for true, found in fitted.events if found.name != UNKNOWN]
    assert not named or np.mean(named) >= 0.8
    assert all(0 <= found.probability <= 1 for _, found in fitted.events)


def with_kinds(**changes: object) -> LogisticProbe:
    weights = np.random.default_rng(1).normal(size=(2, WIDTH))
    kinds = KindScorer(("fall", "fight"), weights, np.array([0.1, -0.2]), 0.9, -0.3, 0.6)
    return make_probe(kinds=replace(kinds, **changes))  # type: ignore[arg-type]


def test_a_probe_file_keeps_its_kinds(tmp_path: Path) -> None:
    probe = with_kinds()
    probe.save(tmp_path / "a.probe")
    back = LogisticProbe.load(tmp_path / "a.probe")
    states = np.random.default_rng(2).normal(size=(3, WIDTH))
    assert back.kinds is not None and probe.kinds is not None
    np.testing.assert_array_equal(back.kinds.weights, probe.kinds.weights)
    assert back.kind(states) == probe.kind(states)


def test_a_probe_file_without_kinds_does_not_mention_them(tmp_path: Path) -> None:
    make_probe().save(tmp_path / "a.probe")
    assert b'"kinds": null' not in (tmp_path / "a.probe").read_bytes()
    assert LogisticProbe.load(tmp_path / "a.probe").kind(np.zeros((1, WIDTH))) is None  # of two kinds, not told apart


@pytest.mark.parametrize("tensor", [None, np.zeros((3, WIDTH)), np.full((2, WIDTH), np.nan)])
def test_damaged_kinds_are_refused(tmp_path: Path, tensor: np.ndarray | None) -> None:
    path = tmp_path / "a.probe"
    with_kinds().save(path)

    def edit(tensors: dict[str, np.ndarray]) -> None:
        del tensors["kinds.weights"]
        if tensor is not None:
            tensors["kinds.weights"] = tensor

    rewrite(path, edit_tensors=edit)
    with pytest.raises(ProbeError, match="damaged"):
        LogisticProbe.load(path)


def test_kinds_of_other_lengths_are_refused() -> None:
    with pytest.raises(UsageError, match="as many kinds"):
        with_kinds(names=("fall",))


def test_a_probe_of_one_kind_names_it_with_its_own_score() -> None:
    probe = make_probe(calibration=replace(STATS, kinds=("fight",)))
    states = np.random.default_rng(0).normal(size=(4, WIDTH))
    assert probe.kind(states) == EventKind("fight", float(probe.score(states).mean()))


def test_detection_gives_each_event_its_kind(tmp_path: Path) -> None:
    rows = ["path,label,start,end"]
    for index in range(6):
        bright_video(tmp_path / f"dark{index}.mp4", 4, seed=index)
        bright_video(tmp_path / f"lamp{index}.mp4", 8, (2, 6), seed=index, level=120)
        bright_video(tmp_path / f"flash{index}.mp4", 8, (2, 6), seed=index, level=230)
        rows += [f"dark{index}.mp4,normal,,", f"lamp{index}.mp4,lamp,2,6", f"flash{index}.mp4,flash,2,6"]
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    backbone = FakeBackbone()
    fitted = fit(tmp_path / "labels.csv", backbone)
    assert fitted.kinds is not None and fitted.probe.kinds is fitted.kinds.scorer
    assert len(fitted.kinds.events) == 12
    for kind, level in (("lamp", 120), ("flash", 230)):
        video = bright_video(tmp_path / f"unseen-{kind}.mp4", 12, (4, 8), seed=77, level=level)
        scores = [segment.smoothed for segment in detect(video, fitted.probe, backbone).segments]
        # Between calm and event: so little footage sets a threshold so low that an event takes in the calm beside it.
        between = replace(fitted.probe.localize, threshold=(min(scores) + max(scores)) / 2)
        (event,) = detect(video, fitted.probe, backbone, localize=between).events
        assert event.kind is not None and event.kind.name == kind


def test_a_label_that_names_no_kind_is_none() -> None:
    probe = make_probe(calibration=replace(STATS, kinds=("abnormal",)))
    assert probe.kind(np.zeros((1, WIDTH))) is None


def linear_probe(layer: int, **changes: object) -> LogisticProbe:
    """Return a probe of the fake backbone that scores brightness: over 0.5 where a segment is bright."""
    reading = replace(FakeBackbone().info.reading(), layers=(layer,))
    scorer = Scorer(np.zeros(WIDTH), np.ones(WIDTH), np.ones(WIDTH), -25.0, 1.0)
    settings = LocalizeSettings(sigma=0.5, threshold="calibrated")
    return make_probe(reading=reading, scorer=scorer, localize=settings, calibrated_threshold=0.5, **changes)


def test_several_probes_detect_in_one_pass(tmp_path: Path) -> None:
    video = bright_video(tmp_path / "a.mp4", 8, (3, 6), level=230)
    backbone, run, found = FakeBackbone(), Run(), []
    one = linear_probe(BEST_LAYER, calibration=replace(STATS, kinds=("flash",)))
    other = linear_probe(1, calibration=replace(STATS, kinds=("flash",)))
    detectors = [Detector(one, backbone, run=run), Detector(other, backbone, run=run)]
    missing = tmp_path / "none.mp4"
    failures = detect_together(detectors, [video, missing], lambda number, item: found.append((number, item)))
    assert [str(failure.video) for failure in failures] == [str(missing)]
    assert [number for number, _ in found] == [0, 1]
    alone = Detector(one, FakeBackbone()).detect(video)
    assert found[0][1].segments == alone.segments and found[0][1].events == alone.events
    assert alone.events[0].kind is not None and alone.events[0].kind.name == "flash"
    assert found[1][1].provenance.reading.layer == 1


def test_probes_that_cut_videos_otherwise_run_one_after_the_other(tmp_path: Path) -> None:
    video = bright_video(tmp_path / "a.mp4", 8, (3, 6), level=230)
    one = linear_probe(BEST_LAYER)
    wide = replace(one, reading=replace(one.reading, sampling=Sampling(4.0, 2.0)))
    found = []
    backbone = FakeBackbone()
    assert not detect_together(
        [Detector(one, backbone), Detector(wide, backbone)], [video], lambda number, item: found.append((number, item))
    )
    assert [number for number, _ in found] == [0, 1]
    assert len(found[0][1].segments) > len(found[1][1].segments)


def scored(events: dict[tuple[float, float], str] | None, truth: dict[tuple[float, float], str]) -> VideoScores:
    times = np.arange(100.0)
    return VideoScores(
        f"{events}{truth}",
        times,
        times,
        interval_labels(times, tuple(truth)),
        100.0,
        tuple(events or ()),
        tuple(truth),
        event_kinds=tuple(events.values()) if events is not None else None,
        truth_kinds=tuple(truth.values()),
    )


def test_named_kinds_are_counted_against_true_ones() -> None:
    videos = [
        scored(
            {(0, 10): "car", (20, 30): "fall", (50, 60): "car"}, {(0, 10): "car", (21, 30): "fight", (80, 90): "car"}
        ),
        scored({(0, 10): UNKNOWN}, {(1, 10): "fight"}),
    ]
    report = kind_report(videos, 0.3)
    assert report is not None
    assert report.rows == ("car", "fight", "nothing")
    assert report.columns == ("car", "fall", UNKNOWN, "missed")
    assert report.confusion == ((1, 0, 0, 1), (0, 1, 1, 0), (1, 0, 0, 0))
    assert report.right == (1, 2)
    car, fall, fight = report.kinds
    assert (car.precision, car.recall) == (0.5, 0.5)
    assert (fall.precision, fall.recall) == (0.0, None)
    assert (fight.precision, fight.recall) == (None, 0.0)


def test_of_two_matchings_that_of_the_higher_ious_counts() -> None:
    video = scored({(0, 10): "car", (1, 11): "fall"}, {(1, 11): "fall", (0, 10): "car"})
    assert matched_pairs(video, 0.1) == [(0, 1), (1, 0)]


@given(st.data())
def test_every_event_is_counted_once(data: st.DataObject) -> None:
    kinds = st.sampled_from(["car", "fall", UNKNOWN])
    spans = st.builds(lambda a, b: (float(min(a, b)), float(max(a, b) + 1)), st.integers(0, 90), st.integers(0, 90))
    events, truth = (data.draw(st.dictionaries(spans, kinds, max_size=5)) for _ in range(2))
    truth = {span: kind.replace(UNKNOWN, "fight") for span, kind in truth.items()}
    report = kind_report([scored(events, truth)], 0.3)
    assert (report is None) == (not events)
    if report is not None:
        counts = np.array(report.confusion)
        assert counts[:-1].sum() == len(truth)
        assert counts[:, :-1].sum() == len(events)


def test_kinds_that_nothing_was_given_are_not_reported() -> None:
    assert kind_report([scored(None, {(0, 10): "car"})], 0.3) is None
