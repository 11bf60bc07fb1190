"""Feature files and the engine: whole or absent, resumed, and one failure does not stop the rest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open

from hiprobe.backbones import Batch, Reading, States
from hiprobe.backbones.memory import PeakMemory
from hiprobe.errors import FailedVideosError, FeatureError, OutputError, UsageError, VideoError
from hiprobe.features import (
    Extraction,
    FeatureStore,
    Progress,
    Run,
    extract,
    extract_all,
    extract_together,
    raise_failures,
    stored_features,
)
from hiprobe.video import Sampling, VideoRef, plan_segments
from tests.fakes import WIDTH, FakeBackbone, FakePlacedBackbone, bright_video
from tests.videos import write_images


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return bright_video(tmp_path / "yard.mp4", 6.3, (2, 4))


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


def every_layer(backbone: FakeBackbone) -> Reading:
    return backbone.info.reading(prompt="what happens")


def refs(*paths: Path) -> list[VideoRef]:
    return [VideoRef(path) for path in paths]


def test_features_hold_every_segment_and_layer(video: Path) -> None:
    backbone = FakeBackbone()
    told: list[Progress] = []
    features = extract(video, backbone, every_layer(backbone), Run(report=told.append))
    plan = plan_segments(features.video.duration, Sampling())
    assert features.starts.tolist() == [segment.start for segment in plan]
    assert features.ends.tolist() == [segment.end for segment in plan]
    assert features.states.shape == (6, 4, WIDTH)
    assert told[0] == Progress(VideoRef(video), 0, 1, 0, 6) and told[-1] == Progress(VideoRef(video), 0, 1, 6, 6)


def test_a_stored_video_is_not_run_again_and_comes_back_equal(video: Path, store: FeatureStore) -> None:
    backbone = FakeBackbone()
    first = extract(video, backbone, every_layer(backbone), Run(store))
    ran = backbone.batches
    again = extract(video, backbone, every_layer(backbone), Run(store))
    assert backbone.batches == ran
    assert np.array_equal(first.states, again.states) and np.array_equal(first.starts, again.starts)
    assert (again.video, again.reading, again.identity) == (first.video, first.reading, first.identity)


def test_a_copy_elsewhere_shares_the_features_and_a_changed_video_does_not(video: Path, store: FeatureStore) -> None:
    backbone = FakeBackbone()
    extract(video, backbone, every_layer(backbone), Run(store))
    copy = video.parent / "other" / video.name
    copy.parent.mkdir()
    copy.write_bytes(video.read_bytes())
    ran = backbone.batches
    assert extract(copy, backbone, every_layer(backbone), Run(store)).video.path == copy
    assert backbone.batches == ran
    bright_video(video, 6.3, (1, 2), seed=1)
    extract(video, backbone, every_layer(backbone), Run(store))
    assert backbone.batches > ran


@pytest.mark.parametrize(
    "change",
    [
        {"sampling": Sampling(stride=0.5)},
        {"prompt": "other"},
        {"layers": (1, 2)},
        {"pooling": "last"},
        {"site": "projector"},
        {"frame_size": (24, 32)},
        {"system": "You watch cameras."},
        {"view": "both"},
        {"pixels": 1000},
    ],
)
def test_another_setting_is_another_file(video: Path, store: FeatureStore, change: dict[str, Any]) -> None:
    backbone = FakeBackbone()
    reading = every_layer(backbone)
    identity = extract(video, backbone, reading, Run(store)).identity
    assert store.find(video, identity, reading) is not None
    assert store.find(video, identity, replace(reading, **change)) is None
    assert store.find(video, identity, reading, "a sample") is None


def test_features_of_another_backbone_are_refused(video: Path) -> None:
    with pytest.raises(FeatureError, match=r"aaaaaaaaaaaa .* bbbbbbbbbbbb"):
        extract(video, FakeBackbone("b" * 64), every_layer(FakeBackbone("a" * 64)))


def test_a_run_that_dies_writes_nothing_and_resumes(
    tmp_path: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = [VideoRef(bright_video(tmp_path / f"v{i}.mp4", 5, seed=i)) for i in range(3)]
    backbone = FakeBackbone()
    original = FakeBackbone.read

    def killed(self: FakeBackbone, batch: Batch, reading: Reading) -> States:
        if self.segments >= 4:
            raise KeyboardInterrupt
        return original(self, batch, reading)

    with monkeypatch.context() as patch:
        patch.setattr(FakeBackbone, "read", killed)
        with pytest.raises(KeyboardInterrupt):
            extract_all(videos, backbone, every_layer(backbone), Run(store))
    assert [path.name.split("-")[0] for path in store.folder.iterdir()] == ["v0"]
    resumed = FakeBackbone()
    features, failures = extract_all(videos, resumed, every_layer(resumed), Run(store))
    assert len(features) == 3 and not failures
    assert resumed.segments == 8


def test_a_video_that_fails_does_not_stop_the_others(tmp_path: Path, video: Path, store: FeatureStore) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    missing = tmp_path / "gone.mp4"
    backbone = FakeBackbone()
    features, failures = extract_all(refs(text, video, missing), backbone, every_layer(backbone), Run(store))
    assert [item.video.path for item in features] == [video]
    assert [failure.video for failure in failures] == refs(text, missing)
    with pytest.raises(FailedVideosError, match=r"2 videos failed; try again\n .*notes.mp4.*\n .*gone.mp4") as caught:
        raise_failures(failures, "try again")
    assert caught.value.exit_code == 2
    with pytest.raises(FailedVideosError) as caught:
        raise_failures(failures[:1], "try again")
    assert caught.value.exit_code == 1
    raise_failures([], "nothing to raise")


def test_a_damaged_feature_file_is_named(video: Path, store: FeatureStore) -> None:
    backbone = FakeBackbone()
    extract(video, backbone, every_layer(backbone), Run(store))
    (path,) = store.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FeatureError, match=r"yard-.*is no whole feature file .*delete it"):
        extract(video, backbone, every_layer(backbone), Run(store))


def test_a_full_disk_stops_the_run_and_leaves_no_file(
    video: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hiprobe.files.os.fsync", full)
    backbone = FakeBackbone()
    with pytest.raises(OutputError, match="No space left on device"):
        extract_all(refs(video), backbone, every_layer(backbone), Run(store))
    assert list(store.folder.iterdir()) == []


def test_a_truncated_video_stores_nothing(tmp_path: Path, store: FeatureStore) -> None:
    whole = bright_video(tmp_path / "whole.mkv", 20)
    short = tmp_path / "short.mkv"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    backbone = FakeBackbone()
    with pytest.raises(VideoError, match=r"short.mkv"):
        extract(short, backbone, every_layer(backbone), Run(store))
    assert not store.folder.exists()


# Files of earlier releases


def test_an_ordinary_reading_has_the_key_and_header_that_it_always_had(video: Path, store: FeatureStore) -> None:
    """Files of the first releases are found: what readings learned to hold since is in neither where it is ordinary."""
    backbone = FakeBackbone()
    extract(video, backbone, every_layer(backbone), Run(store))
    identity = VideoRef(video).identity()
    spec = {
        "sampling": {"length": 2.0, "stride": 1.0, "frames": 8},
        "prompt": "what happens",
        "fingerprint": "f" * 64,
        "layers": [1, 2, 3, 4],
        "pooling": "visual",
    }
    key = json.dumps(["hiprobe.features/1", identity, spec], sort_keys=True)
    (path,) = store.folder.iterdir()
    assert path.name == f"yard-{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
    with safe_open(path, "numpy") as file:
        header = json.loads(file.metadata()["hiprobe"])
    assert header.keys() == {"schema", "video", "identity", "spec"}
    assert (header["schema"], header["identity"], header["spec"]) == ("hiprobe.features/1", identity, spec)


def test_a_file_of_the_first_release_is_found_by_an_ordinary_reading(video: Path, store: FeatureStore) -> None:
    backbone = FakeBackbone()
    info = VideoRef(video).open().info
    sampling = Sampling(4.0, 2.0, 3)
    spec = {"sampling": asdict(sampling), "prompt": "what happens", "fingerprint": "f" * 64}
    spec |= {"layers": [1, 2, 3, 4], "pooling": "last"}
    identity = VideoRef(video).identity()
    key = json.dumps(["hiprobe.features/1", identity, spec], sort_keys=True)
    facts = asdict(info) | {"path": str(video)}
    header = {"schema": "hiprobe.features/1", "video": facts, "identity": identity, "spec": spec}
    states = np.arange(2 * 4 * WIDTH, dtype=np.float32).reshape(2, 4, WIDTH)
    tensors = {"starts": np.array([0.0, 2.0]), "ends": np.array([4.0, 6.0]), "states": states}
    store.folder.mkdir()
    path = store.folder / f"yard-{hashlib.sha256(key.encode()).hexdigest()[:16]}.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata={"hiprobe": json.dumps(header)})
    reading = backbone.info.reading(sampling, "what happens", "last")
    found = extract(video, backbone, reading, Run(store))
    assert backbone.batches == 0
    assert found.reading == reading and found.video == info
    np.testing.assert_array_equal(found.states, states)
    # A layer of it is cut out, as ever.
    one = extract(video, backbone, replace(reading, layers=(3,)), Run(store))
    assert backbone.batches == 0 and one.layers == (3,)
    np.testing.assert_array_equal(one.at(3), states[:, 2])
    stored = stored_features(store, VideoRef(video), replace(reading, layers=(3,)), backbone.info.every_layer)
    assert stored is not None and np.array_equal(stored.states, one.states)


def test_a_reading_that_is_not_ordinary_is_read_back_as_it_is(video: Path, store: FeatureStore) -> None:
    backbone = FakePlacedBackbone()
    reading = replace(every_layer(backbone), layers=(2,), frame_size=(12, 16), system="You watch cameras.", places=True)
    first = extract(video, backbone, reading, Run(store))
    again = extract(video, backbone, replace(reading, places=False), Run(store))
    assert backbone.segments == 6  # whether places are told, too, changes no value
    assert first.reading == again.reading == replace(reading, places=False)
    np.testing.assert_array_equal(first.states, again.states)


# What a run is given


@pytest.mark.parametrize("memory", [0, -1])
def test_a_run_refuses_memory_that_is_none(memory: int) -> None:
    with pytest.raises(UsageError, match=f"batch_memory is {memory}; give a number of bytes over 0"):
        Run(batch_memory=memory)


class Measured(PeakMemory):
    """Says that each read of the backbone took 100 bytes, whatever it really took."""

    backbone: FakeBackbone

    def __enter__(self) -> PeakMemory:
        self.before = self.backbone.batches
        return self

    def __exit__(self, *_: object) -> None:
        self.bytes = 100 * (self.backbone.batches - self.before)


@pytest.mark.parametrize(("memory", "poolings", "batches"), [(350, 1, 1 + 2), (350, 2, 2 * 6), (450, 2, 2 * (1 + 3))])
def test_batch_memory_holds_whatever_is_read_in_one_pass(
    video: Path, monkeypatch: pytest.MonkeyPatch, memory: int, poolings: int, batches: int
) -> None:
    backbone = Measured.backbone = FakeBackbone()
    monkeypatch.setattr("hiprobe.features.batching.PeakMemory", Measured)
    readings = [backbone.info.reading(pooling=pooling) for pooling in ("visual", "last")][:poolings]
    extract_together(refs(video), backbone, readings, Run(batch_memory=memory))
    assert backbone.segments == 6 * poolings and backbone.batches == batches


# Extractions, and several readings in one pass


def test_an_extraction_keeps_what_it_makes_alters_frames_and_shows_states(video: Path, store: FeatureStore) -> None:
    backbone = FakeBackbone()
    seen: list[tuple[Batch, States]] = []

    def darken(frames: np.ndarray) -> np.ndarray:
        return frames // 2

    def largest(states: States) -> np.ndarray:
        return states.values.max(axis=2, keepdims=True)

    reading = every_layer(backbone)
    darkened = extract(video, backbone, Extraction(reading, alter=darken, name="darkened"), Run(store))
    what = Extraction(reading, largest, "largest of darkened", darken, lambda *given: seen.append(given))
    found = extract(video, backbone, what, Run(store))
    assert (found.name, found.states.shape) == ("largest of darkened", (6, 4, 1))
    np.testing.assert_array_equal(found.states, darkened.states.max(axis=2, keepdims=True))
    assert not np.array_equal(darkened.states, extract(video, backbone, reading, Run(store)).states)
    assert sum(len(batch) for batch, _ in seen) == 6 and max(batch.frames.max() for batch, _ in seen) < 128
    np.testing.assert_array_equal(np.concatenate([states.values for _, states in seen]), darkened.states)
    # What was kept is found by its name, and is not read again.
    ran = backbone.batches
    np.testing.assert_array_equal(extract(video, backbone, what, Run(store)).states, found.states)
    assert backbone.batches == ran and len(list(store.folder.iterdir())) == 3


def readings_of(backbone: FakeBackbone) -> list[Reading]:
    """Two readings of the placed fake that differ in pooling, and one of fewer layers."""
    ways = [backbone.info.reading(pooling=pooling) for pooling in ("visual", "last")]
    return [*ways, replace(ways[0], layers=(2, 3), prompt="other")]


def test_readings_in_one_pass_are_those_that_single_passes_give(
    tmp_path: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = refs(*(bright_video(tmp_path / f"v{i}.mp4", 4 + i, (1, 2), seed=i) for i in range(3)))
    backbone = FakePlacedBackbone()
    opened: list[Path] = []
    original = VideoRef.open
    monkeypatch.setattr(VideoRef, "open", lambda ref: opened.append(ref.path) or original(ref))
    missing = VideoRef(tmp_path / "none.mp4")
    found, failures = extract_together([*videos, missing], backbone, readings_of(backbone), Run(store))
    assert opened == [video.path for video in (*videos, missing)]  # once each, for all readings
    assert [failure.video for failure in failures] == [missing]
    assert len(found) == 3 and all(len(of_video) == 3 for of_video in found)
    for video, of_video in zip(videos, found, strict=True):
        for reading, features in zip(readings_of(backbone), of_video, strict=True):
            alone = extract(video, FakePlacedBackbone(), reading)
            assert features.reading == reading and features.video.path == video.path
            np.testing.assert_array_equal(features.states, alone.states)
            np.testing.assert_array_equal(features.starts, alone.starts)
            kept = store.find(video.path, video.identity(), reading)
            assert kept is not None and np.array_equal(kept.states, alone.states)


def test_of_readings_in_one_pass_those_that_the_store_has_are_not_read_again(
    tmp_path: Path, store: FeatureStore
) -> None:
    videos = refs(*(bright_video(tmp_path / f"v{i}.mp4", 5, seed=i) for i in range(2)))

    class Asked(FakePlacedBackbone):
        def read(self, batch: Batch, reading: Reading) -> States:
            told.extend([reading.pooling] * len(batch))
            return super().read(batch, reading)

    told: list[str] = []
    backbone = Asked()
    visual, last, _ = readings_of(backbone)
    expected, _ = extract_together(videos, Asked(), [visual, last])
    told.clear()
    extract(videos[0], backbone, visual, Run(store))
    extract(videos[1], backbone, last, Run(store))
    told.clear()
    found, _ = extract_together(videos, backbone, [visual, last], Run(store))
    # Each video lacks one of them; both have four segments.
    assert sorted(told) == ["last"] * 4 + ["visual"] * 4
    for of_video, wanted in zip(found, expected, strict=True):
        for features, other in zip(of_video, wanted, strict=True):
            assert features.reading == other.reading
            np.testing.assert_array_equal(features.states, other.states)
    told.clear()
    extract_together(videos, backbone, [visual, last], Run(store))
    assert told == [] and len(list(store.folder.iterdir())) == 4


@pytest.mark.parametrize("change", [{"sampling": Sampling(stride=0.5)}, {"frame_size": (24, 32)}])
def test_readings_that_share_no_frames_are_not_read_in_one_pass(video: Path, change: dict[str, Any]) -> None:
    backbone = FakeBackbone()
    reading = every_layer(backbone)
    with pytest.raises(UsageError, match="in one pass; read them one by one"):
        extract_together(refs(video), backbone, [reading, replace(reading, **change)])
    assert backbone.batches == 0


def test_images_at_another_rate_are_another_video(tmp_path: Path, store: FeatureStore) -> None:
    folder = write_images(tmp_path / "frames", 12)
    backbone = FakeBackbone()
    assert len({VideoRef(folder, fps).identity() for fps in (None, 3, 6)}) == 3
    slow, fast = (extract(VideoRef(folder, fps), backbone, every_layer(backbone), Run(store)) for fps in (3, 6))
    assert (len(slow.states), len(fast.states)) == (3, 1)
    assert (slow.video.duration, fast.video.duration) == (4.0, 2.0)
    ran = backbone.batches
    again = extract(VideoRef(folder, 3), backbone, every_layer(backbone), Run(store))
    assert backbone.batches == ran and again.identity == slow.identity
