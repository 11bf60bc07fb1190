"""Feature files and the engine: whole or absent, resumed, and one failure does not stop the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hiprobe.errors import FailedVideosError, FeatureError, OutputError, VideoError
from hiprobe.features import FeatureSpec, FeatureStore, extract, extract_all, raise_failures
from hiprobe.video import Sampling, plan_segments
from tests.fakes import WIDTH, FakeBackbone, bright_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return bright_video(tmp_path / "yard.mp4", 6.3, (2, 4))


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    return FeatureStore(tmp_path / "features")


def spec_of(backbone: FakeBackbone) -> FeatureSpec:
    return FeatureSpec.for_backbone(backbone.info, Sampling(), "what happens")


def test_features_hold_every_segment_and_layer(video: Path) -> None:
    backbone = FakeBackbone()
    told: list[tuple[int, int]] = []
    features = extract(video, backbone, spec_of(backbone), report=lambda done, total: told.append((done, total)))
    plan = plan_segments(features.video.duration, Sampling())
    assert features.starts.tolist() == [segment.start for segment in plan]
    assert features.ends.tolist() == [segment.end for segment in plan]
    assert features.states.shape == (6, 4, WIDTH)
    assert told[0] == (0, 6) and told[-1] == (6, 6)


def test_a_stored_video_is_not_run_again_and_comes_back_equal(video: Path, store: FeatureStore) -> None:
    backbone = FakeBackbone()
    first = extract(video, backbone, spec_of(backbone), store)
    ran = backbone.batches
    again = extract(video, backbone, spec_of(backbone), store)
    assert backbone.batches == ran
    assert np.array_equal(first.states, again.states) and np.array_equal(first.starts, again.starts)
    assert (again.video, again.spec, again.identity) == (first.video, first.spec, first.identity)


def test_a_copy_elsewhere_shares_the_features_and_a_changed_video_does_not(video: Path, store: FeatureStore) -> None:
    backbone = FakeBackbone()
    extract(video, backbone, spec_of(backbone), store)
    copy = video.parent / "other" / video.name
    copy.parent.mkdir()
    copy.write_bytes(video.read_bytes())
    ran = backbone.batches
    assert extract(copy, backbone, spec_of(backbone), store).video.path == copy
    assert backbone.batches == ran
    bright_video(video, 6.3, (1, 2), seed=1)
    extract(video, backbone, spec_of(backbone), store)
    assert backbone.batches > ran


@pytest.mark.parametrize(
    "change",
    [
        {"sampling": Sampling(stride=0.5)},
        {"prompt": "other"},
        {"layers": (1, 2)},
        {"pooling": "last"},
    ],
)
def test_another_setting_is_another_file(video: Path, store: FeatureStore, change: dict) -> None:
    backbone = FakeBackbone()
    spec = spec_of(backbone)
    extract(video, backbone, spec, store)
    assert store.find(video, extract(video, backbone, spec, store).identity, replace(spec, **change)) is None


def test_features_of_another_backbone_are_refused(video: Path) -> None:
    with pytest.raises(FeatureError, match=r"aaaaaaaaaaaa .* bbbbbbbbbbbb"):
        extract(video, FakeBackbone("b" * 64), spec_of(FakeBackbone("a" * 64)))


def test_a_run_that_dies_writes_nothing_and_resumes(
    tmp_path: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = [bright_video(tmp_path / f"v{i}.mp4", 5, seed=i) for i in range(3)]
    backbone = FakeBackbone()
    original = FakeBackbone.hidden_states

    def killed(self: FakeBackbone, *args: object, **kwargs: object) -> object:
        if self.segments >= 4:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(FakeBackbone, "hidden_states", killed)
        with pytest.raises(KeyboardInterrupt):
            extract_all(videos, backbone, spec_of(backbone), store)
    assert [path.name.split("-")[0] for path in store.folder.iterdir()] == ["v0"]
    resumed = FakeBackbone()
    features, failures = extract_all(videos, resumed, spec_of(resumed), store)
    assert len(features) == 3 and not failures
    assert resumed.segments == 8


def test_a_video_that_fails_does_not_stop_the_others(tmp_path: Path, video: Path, store: FeatureStore) -> None:
    text = tmp_path / "notes.mp4"
    text.write_text("not a video")
    missing = tmp_path / "gone.mp4"
    backbone = FakeBackbone()
    features, failures = extract_all([text, video, missing], backbone, spec_of(backbone), store)
    assert [item.video.path for item in features] == [video]
    assert [failure.path for failure in failures] == [text, missing]
    with pytest.raises(FailedVideosError, match=r"2 videos failed; try again\n .*notes.mp4.*\n .*gone.mp4") as caught:
        raise_failures(failures, "try again")
    assert caught.value.exit_code == 2
    with pytest.raises(FailedVideosError) as caught:
        raise_failures(failures[:1], "try again")
    assert caught.value.exit_code == 1
    raise_failures([], "nothing to raise")


def test_a_damaged_feature_file_is_named(video: Path, store: FeatureStore) -> None:
    backbone = FakeBackbone()
    extract(video, backbone, spec_of(backbone), store)
    (path,) = store.folder.iterdir()
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(FeatureError, match=r"yard-.*is no whole feature file .*delete it"):
        extract(video, backbone, spec_of(backbone), store)


def test_a_full_disk_stops_the_run_and_leaves_no_file(
    video: Path, store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hiprobe.files.os.fsync", full)
    backbone = FakeBackbone()
    with pytest.raises(OutputError, match="No space left on device"):
        extract_all([video], backbone, spec_of(backbone), store)
    assert list(store.folder.iterdir()) == []


def test_a_truncated_video_stores_nothing(tmp_path: Path, store: FeatureStore) -> None:
    whole = bright_video(tmp_path / "whole.mkv", 20)
    short = tmp_path / "short.mkv"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    backbone = FakeBackbone()
    with pytest.raises(VideoError, match=r"short.mkv"):
        extract(short, backbone, spec_of(backbone), store)
    assert not store.folder.exists()
