"""Anomaly maps: where the score of a probe comes from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiprobe.backbones import Backbone, Batch, Places, Reading, States
from hiprobe.backbones.base import token_grid
from hiprobe.errors import UsageError
from hiprobe.explain import AnomalyMap, MapKeeper, blend
from hiprobe.explain.backdrop import backdrop, departure
from hiprobe.explain.keeping import along
from hiprobe.features import FeatureStore, Run, extract
from hiprobe.localize import LocalizeSettings
from hiprobe.pipeline import detect, fit, fit_normal
from hiprobe.pipeline.detector import NO_MAP
from hiprobe.probing import LogisticProbe, Probe
from hiprobe.report import detection_json
from hiprobe.video import Sampling, iter_segments, open_video
from tests.fakes import (
    FakeBackbone,
    FakePlacedBackbone,
    FakeTokenBackbone,
    write_calibration,
    write_normal,
    yard_video,
)
from tests.videos import write_video

SPOT = (slice(16, 32), slice(60, 80))
"""Of the pictures of 48 x 80: the patch in row 1 and column 3 of 3 x 4."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("anomaly_map")


@pytest.fixture(scope="module")
def spotted(folder: Path) -> Path:
    """12 s at 10 fps in the dark; from 5 s to 8 s something bright is at SPOT."""
    random = np.random.default_rng(1)
    images = np.clip(random.normal(40, 6, (120, 48, 80, 1)).repeat(3, 3), 0, 255).astype(np.uint8)
    images[50:80, *SPOT] = 255
    return write_video(folder / "spotted.mp4", 120, fps=10, images=list(images))


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Path:
    return write_calibration(folder)


def fitted(manifest: Path, backbone: Backbone, pooling) -> LogisticProbe:
    return fit(manifest, backbone, reading=backbone.info.reading(pooling=pooling)).probe


def found(path: Path, probe: Probe, backbone: FakeBackbone) -> AnomalyMap:
    settings = LocalizeSettings(threshold="adaptive")
    result = detect(path, probe, backbone, anomaly_map=True, localize=settings)
    assert len(result.events) == 1 and result.anomaly_map is not None
    assert result.events[0].event.start < 6 < result.events[0].event.end
    return result.anomaly_map


@pytest.mark.parametrize("pooling", ["visual", "motion", "last"])
def test_the_highest_place_is_where_and_when_it_happens(spotted: Path, manifest: Path, pooling) -> None:
    backbone = FakePlacedBackbone()
    anomaly_map = found(spotted, fitted(manifest, backbone, pooling), backbone)
    frame, row, column = np.unravel_index(anomaly_map.maps.argmax(), anomaly_map.maps.shape)
    assert 5 <= anomaly_map.times[frame] < 8 and (row, column) == (1, 3)
    # Everywhere else, and before and after, it is low.
    assert anomaly_map.maps[(anomaly_map.times < 5) | (anomaly_map.times >= 8)].max() < 0.3 * anomaly_map.maps.max()
    inside = anomaly_map.maps[(anomaly_map.times >= 5) & (anomaly_map.times < 8)].mean(axis=0)
    assert np.sort(inside.ravel())[-2] < 0.3 * inside[1, 3]


def test_times_are_those_of_sampled_frames_each_once(spotted: Path, manifest: Path) -> None:
    backbone = FakePlacedBackbone()
    anomaly_map = found(spotted, fit(manifest, backbone).probe, backbone)
    assert (np.diff(anomaly_map.times) > 0.05).all()
    assert np.allclose(anomaly_map.times * 10, (anomaly_map.times * 10).round())


class Counting(FakePlacedBackbone):
    """Counts the segments that it really reads."""

    count = 0

    def read(self, batch: Batch, reading: Reading) -> States:
        self.count += len(batch)
        return super().read(batch, reading)


@pytest.mark.parametrize("pooling", ["visual", "last"])
def test_no_segment_is_read_twice(spotted: Path, manifest: Path, tmp_path: Path, pooling) -> None:
    probe, settings = fitted(manifest, FakePlacedBackbone(), pooling), LocalizeSettings(threshold="adaptive")
    backbone, run = Counting(), Run(FeatureStore(tmp_path))
    fresh = detect(spotted, probe, backbone, anomaly_map=True, localize=settings, run=run)
    assert backbone.count == len(fresh.segments) == 11 and fresh.anomaly_map is not None
    # Of hidden states that are kept, only what is needed is read, and the maps are the same.
    kept = detect(spotted, probe, backbone, anomaly_map=True, localize=settings, run=run)
    event = fresh.events[0].event
    touched = sum(s.start < event.end and s.end > event.start for s in fresh.segments)
    assert touched < 11 and backbone.count - 11 == touched + (11 if pooling == "last" else 0)
    assert kept.anomaly_map is not None and np.array_equal(kept.anomaly_map.times, fresh.anomaly_map.times)
    np.testing.assert_allclose(kept.anomaly_map.maps, fresh.anomaly_map.maps, rtol=1e-4, atol=1e-4)


def test_what_is_kept_takes_no_more_memory_than_it_may(spotted: Path, manifest: Path) -> None:
    backbone = Counting()
    probe = fitted(manifest, backbone, "last")
    items = list(iter_segments(open_video(spotted), Sampling(), backbone.info.frame_size))
    one = backbone.read(Batch.of(items[:1]), replace(probe.reading, places=True)).places
    assert one is not None
    keeper = MapKeeper(backbone, probe, Run(), memory=4 * one.states.nbytes)
    extract(spotted, backbone, keeper.extraction)
    backbone.count = 0
    for item in reversed(items):
        keeper.recall(item)
    assert backbone.count == len(items) - 4


class _StoppedError(Exception):
    pass


def test_a_run_that_is_stopped_reads_no_segment_again(spotted: Path, manifest: Path) -> None:
    def stop() -> None:
        raise _StoppedError

    backbone = Counting()
    probe = fitted(manifest, backbone, "visual")
    (first, *_) = iter_segments(open_video(spotted), Sampling(), backbone.info.frame_size)
    backbone.count = 0
    with pytest.raises(_StoppedError):
        MapKeeper(backbone, probe, Run(check=stop)).recall(first)
    assert backbone.count == 0


def test_the_tokens_of_one_class_probes_make_their_map(folder: Path) -> None:
    backbone = FakeTokenBackbone()
    reading = replace(backbone.info.token_reading(), layers=(3,))
    probe = fit_normal(write_normal(folder), backbone, reading=reading).probe
    anomaly_map = found(yard_video(folder / "yard.mp4", 12, (5, 8), seed=9), probe, backbone)
    # yard_video moves a bright thing through rows 16 to 32 of 48: the middle row of patches.
    frame, row, _ = np.unravel_index(anomaly_map.maps.argmax(), anomaly_map.maps.shape)
    assert 5 <= anomaly_map.times[frame] < 8 and row == 1


def test_the_map_is_spread_within_cells_by_what_moves() -> None:
    states = np.zeros((1, 1, 2, 2, 3), np.float32)
    states[0, 0, 0, 1] = (0, 2, 0)
    motion = np.zeros((1, 4, 6, 6), np.float32)
    motion[0, 2, 0, 5] = motion[0, 1, 5, 0] = 1  # within the high cell; within a low one
    anomaly_map = along(Places(states, motion), np.array([0.0, 1.0, 0.0]))
    assert anomaly_map.shape == (4, 6, 6) and anomaly_map[2, 0, 5] == anomaly_map.max() > 0
    assert anomaly_map[1, 5, 0] == 0 and np.count_nonzero(anomaly_map) == 1


def test_what_lies_still_where_usually_nothing_is_counts_as_what_moves() -> None:
    states, motion = np.ones((1, 1, 2, 2, 3), np.float32), np.zeros((1, 4, 6, 6), np.float32)
    states[0, 0, 1, 1] = 0
    motion[0, :, 0, 0] = 5
    there = np.zeros((4, 6, 6), np.float32)
    there[:, 1, 4] = 1
    direction = np.array([0.0, 1.0, 0.0])
    assert along(Places(states, motion), direction)[0, 1, 4] == 0
    anomaly_map = along(Places(states, motion), direction, there)
    assert anomaly_map[0, 1, 4] == pytest.approx(anomaly_map[0, 0, 0], rel=0.1) and anomaly_map[0, 2, 2] == 0


def test_a_backdrop_is_what_most_frames_show_and_a_departure_is_what_it_lacks() -> None:
    random = np.random.default_rng(0)
    place = random.integers(60, 120, (24, 36, 3)).astype(np.uint8)
    frames = np.stack([place] * 5)
    frames[3:, 8:16, 24:32] = 250
    empty = backdrop(list(frames))
    assert empty is not None and np.array_equal(empty, place)
    found = departure(frames, empty, (3, 4))
    assert found.shape == (5, 3, 4) and not found[:3].any()
    assert found[4, 1, 2] > 0.9 and found[4, 0, 0] == 0 and found.max() <= 1
    noisy = np.clip(place + random.normal(0, 5, frames.shape), 0, 255).astype(np.uint8)
    assert not departure(noisy, empty, (3, 4)).any()
    assert backdrop(list(frames[:2])) is None


def test_a_video_of_one_segment_tells_a_last_probe_nothing(folder: Path, manifest: Path) -> None:
    backbone = FakePlacedBackbone()
    probe = fitted(manifest, backbone, "last")
    probe = replace(probe, calibrated_threshold=-1.0)
    short = write_video(folder / "short.mp4", 15, fps=10)
    result = detect(short, probe, backbone, anomaly_map=True)
    assert result.events and NO_MAP in result.warnings
    assert result.anomaly_map is not None and result.anomaly_map.at(0.5) is None


def test_a_backbone_that_tells_no_places_apart_says_so(spotted: Path, manifest: Path) -> None:
    probe = fit(manifest, FakeBackbone()).probe
    with pytest.raises(UsageError, match="does not tell places"):
        detect(spotted, probe, FakeBackbone(), anomaly_map=True)


def test_maps_are_not_in_the_json_and_change_nothing_there(spotted: Path, manifest: Path) -> None:
    backbone = FakePlacedBackbone()
    probe = fit(manifest, backbone).probe
    result = detect(spotted, probe, backbone, anomaly_map=True, localize=LocalizeSettings(threshold="adaptive"))
    assert result.events and detection_json(result) == detection_json(replace(result, anomaly_map=None))


def test_grids_follow_the_shape_of_frames() -> None:
    info = FakeBackbone().info
    assert token_grid(info, 256, (448, 448)) == (16, 16)
    assert token_grid(info, 12, (12, 16)) == (3, 4)
    with pytest.raises(UsageError, match="make no even grid"):
        token_grid(info, 15, (448, 448))


def test_blending_shows_high_places_and_leaves_low_ones() -> None:
    picture = np.full((40, 60, 3), 100, np.uint8)
    anomaly_map = np.zeros((2, 3), np.float32)
    anomaly_map[0, 2] = 1
    shown = blend(picture, anomaly_map, 0.0, 1.0)
    assert shown.shape == picture.shape and shown.dtype == np.uint8
    assert (shown[30:, :20] == 100).all()
    red, green, blue = shown[2, 57].tolist()
    assert red > 150 and green < 100 and blue < 100
    assert np.array_equal(blend(picture, anomaly_map, 0.0, 1.0, strength=0), picture)


def test_a_map_is_found_by_time() -> None:
    anomaly_map = AnomalyMap(np.array([1.0, 2.0]), np.stack([np.zeros((2, 2)), np.ones((2, 2))]).astype(np.float32))
    found = anomaly_map.at(1.6)
    assert found is not None and found.max() == 1
    assert anomaly_map.at(4.0) is None
    assert anomaly_map.between(1.5, 3).times.tolist() == [2.0]
