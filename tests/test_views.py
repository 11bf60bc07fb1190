"""A closer look at what changes: where it lies, that it costs no second decoding, and how probes use it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.backbones import Batch, Reading, View, read_view
from hiprobe.backbones.views import observed_part
from hiprobe.errors import UsageError
from hiprobe.explain import MapKeeper
from hiprobe.features import FeatureStore, Run, extract, extract_together
from hiprobe.pipeline import Detector, fit
from hiprobe.probing import LogisticProbe
from hiprobe.video import Sampling, Segment, VideoRef, iter_segments, open_video, sample_segments
from hiprobe.video.closer import busiest_part, closer_size
from hiprobe.video.container import FileVideo
from tests.fakes import FakeBackbone, FakePlacedBackbone, write_calibration, yard_video

SIZE = (12, 16)


@given(st.integers(0, 30), st.integers(0, 50))
def test_the_part_holds_what_moves(top: int, left: int) -> None:
    frames = np.full((4, 40, 60, 3), 90, np.uint8)
    frames[::2, top : top + 6, left : left + 6] = 250
    rows, columns = busiest_part(frames, (20, 30))
    assert (rows.stop - rows.start, columns.stop - columns.start) == (20, 30)
    inside = frames[:, rows, columns]
    assert np.abs(np.diff(inside.astype(int), axis=0)).sum() == np.abs(np.diff(frames.astype(int), axis=0)).sum()


@pytest.mark.parametrize("frames", [1, 5])
def test_where_nothing_moves_the_part_is_the_middle(frames: int) -> None:
    still = np.random.default_rng(0).integers(0, 255, (1, 41, 61, 3)).astype(np.uint8).repeat(frames, 0)
    assert busiest_part(still, (21, 31)) == (slice(10, 31), slice(15, 46))


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_a_picture_is_resized_to_twice_the_part_and_keeps_its_proportions(height: int, width: int) -> None:
    rows, columns = closer_size(height, width, (168, 168))
    assert min(rows, columns) == 336
    assert rows / columns == pytest.approx(height / width, rel=0.01)


@pytest.mark.parametrize(("view", "expected"), [("whole", [0, 0, 0, 1, 1]), ("both", [0, 0, 0, 1, 1] * 2)])
def test_the_observers_part_of_a_reading_follows_the_state_in_each_view(view: View, expected: list[int]) -> None:
    reading = Reading("a" * 64, (1,), "observed", view=view)
    part = observed_part(reading, len(expected), 3)
    assert not isinstance(part, slice) and part.tolist() == [bool(one) for one in expected]
    assert observed_part(replace(reading, pooling="last"), 3, 3) == slice(None)


def test_crops_come_with_the_same_frames_in_the_same_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = open_video(yard_video(tmp_path / "yard.mp4", 4, mover=(0, 4)))
    passes = []
    real = FileVideo.pictures
    monkeypatch.setattr(FileVideo, "pictures", lambda self, *a: passes.append(1) or real(self, *a))
    plain = list(iter_segments(video, Sampling(), SIZE))
    closer = list(iter_segments(video, Sampling(), SIZE, crop=True))
    assert len(passes) == 2
    for one, other in zip(plain, closer, strict=True):
        assert one.crop is None and other.crop is not None
        assert np.array_equal(one.frames, other.frames)
        assert other.crop.shape == one.frames.shape and other.crop.dtype == np.uint8
        assert not np.array_equal(other.crop, other.frames)


def test_a_crop_needs_the_size_of_frames(tmp_path: Path) -> None:
    video = open_video(yard_video(tmp_path / "yard.mp4", 2))
    with pytest.raises(UsageError, match="size of frames"):
        sample_segments(video, [Segment(0, 0, 2)], 8, crop=True)


def test_a_view_of_both_is_the_whole_and_the_crop_joined(tmp_path: Path) -> None:
    ref, backbone = VideoRef(yard_video(tmp_path / "yard.mp4", 4, mover=(1, 3))), FakeBackbone()
    readings = [replace(backbone.info.reading(), view=view) for view in ("whole", "crop", "both")]
    ((whole, crop, both),), failures = extract_together([ref], backbone, readings)
    assert not failures
    assert np.array_equal(both.states, np.concatenate([whole.states, crop.states], axis=-1))
    assert not np.array_equal(whole.states, crop.states)
    assert np.array_equal(whole.states, extract(ref, backbone, backbone.info.reading()).states)


def test_features_are_kept_by_their_view(tmp_path: Path) -> None:
    ref, backbone = VideoRef(yard_video(tmp_path / "yard.mp4", 3)), FakeBackbone()
    store, whole = FeatureStore(tmp_path / "features"), backbone.info.reading()
    crop = replace(whole, view="crop")
    first = extract(ref, backbone, crop, Run(store))
    assert store.find(ref.path, ref.identity(), whole) is None
    asked = backbone.batches
    again = extract(ref, backbone, crop, Run(store))
    assert backbone.batches == asked and again.reading == crop and np.array_equal(again.states, first.states)


def test_both_views_are_joined_of_what_is_kept_of_each(tmp_path: Path) -> None:
    ref, backbone = VideoRef(yard_video(tmp_path / "yard.mp4", 3, mover=(0, 3))), FakeBackbone()
    store, whole = FeatureStore(tmp_path / "features"), backbone.info.reading()
    extract_together([ref], backbone, [whole, replace(whole, view="crop")], Run(store))
    asked, both = backbone.batches, replace(whole, view="both")
    joined = extract(ref, backbone, both, Run(store))
    one = extract(ref, backbone, replace(both, layers=(2,)), Run(store))
    assert backbone.batches == asked and (joined.reading, one.reading) == (both, replace(both, layers=(2,)))
    assert np.array_equal(one.at(2), joined.at(2))
    assert np.array_equal(joined.states, extract(ref, backbone, both).states)


def test_what_cannot_be_read_is_refused() -> None:
    backbone = FakeBackbone()
    batch, reading = Batch(np.zeros((1, 8, *SIZE, 3), np.uint8)), replace(backbone.info.reading(), view="crop")
    with pytest.raises(UsageError, match="sampled without crops"):
        read_view(backbone, batch, reading)
    with pytest.raises(UsageError, match="Single tokens in the view 'crop'"):
        read_view(backbone, batch, replace(reading, pooling="tokens"))


@pytest.mark.parametrize("pooling", ["visual", "last"])
@pytest.mark.parametrize("view", ["crop", "both"])
def test_a_probe_of_a_view_is_fitted_saved_and_used_with_maps(tmp_path: Path, pooling: str, view: str) -> None:
    backbone = FakePlacedBackbone()
    reading = replace(backbone.info.reading(pooling=pooling), view=view)  # pyright: ignore[reportArgumentType]
    manifest = write_calibration(tmp_path)
    probe = fit(manifest, backbone, reading=reading).probe
    probe.save(tmp_path / "view.probe")
    loaded = LogisticProbe.load(tmp_path / "view.probe")
    assert loaded.reading == probe.reading and loaded.reading.view == view
    found = Detector(loaded, backbone).detect(tmp_path / "bright1.mp4", anomaly_map=True)
    assert len(found.events) == 1 and found.anomaly_map is not None and found.anomaly_map.maps.shape[1:] == (3, 4)
    # What was forgotten is read again, to the same maps.
    forgetful = MapKeeper(backbone, loaded, Run(), memory=0)
    features = extract(VideoRef(tmp_path / "bright1.mp4"), backbone, forgetful.extraction)
    assert np.array_equal(features.states, extract(VideoRef(tmp_path / "bright1.mp4"), backbone, loaded.reading).states)


def test_readings_differ_by_their_view() -> None:
    whole = FakeBackbone().info.reading()
    (phrase,) = whole.differences(replace(whole, view="both"))
    assert phrase == "part of the picture: probe has 'whole', at hand is 'both'"
