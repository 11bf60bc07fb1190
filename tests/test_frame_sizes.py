"""Frames in the proportions of their video, from decoding to the backbone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hiprobe.backbones import BackboneInfo, Batch, LoadOptions, Reading, States, load_backbone
from hiprobe.backbones.base import check_reading, check_segment
from hiprobe.backbones.sizes import Proportional
from hiprobe.cli.app import app
from hiprobe.errors import UsageError
from hiprobe.features import FeatureStore, Run, extract_all
from hiprobe.localize import LocalizeSettings
from hiprobe.pipeline import Detector, fit
from hiprobe.video import VideoRef
from tests.fakes import FakeBackbone, bright_video, write_calibration
from tests.videos import write_video

SIZES = Proportional(unit=4, least=16, most=4096, segment=10**6)


class FakeSizedBackbone(FakeBackbone):
    """Takes frames of any size, and remembers which it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, sizes=SIZES, pixels=800)
        self.given: list[tuple[int, ...]] = []

    def read(self, batch: Batch, reading: Reading) -> States:
        self.given.append(batch.frames.shape[2:4])
        return super().read(batch, reading)

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        check_segment(self.info, batch)
        self.given.append(batch.frames.shape[2:4])
        return super().generate(batch, prompt, max_new_tokens)


@pytest.fixture
def videos(tmp_path: Path) -> list[VideoRef]:
    sizes = {"wide": (36, 64), "high": (64, 36), "again": (36, 64)}
    return [VideoRef(write_video(tmp_path / f"{name}.mp4", 100, size=size)) for name, size in sizes.items()]


def test_videos_of_other_proportions_are_read_in_one_run_each_in_its_own(videos: list[VideoRef]) -> None:
    backbone = FakeSizedBackbone()
    together, failures = extract_all(videos, backbone, backbone.info.reading())  # type: ignore[arg-type]
    assert not failures and set(backbone.given) == {(20, 36), (36, 20)}
    for video, found in zip(videos, together, strict=True):
        (alone,), _ = extract_all([video], FakeSizedBackbone(), backbone.info.reading())  # type: ignore[arg-type]
        assert np.array_equal(found.states, alone.states)


def test_readings_of_other_pixels_are_kept_apart_and_those_of_none_as_before(
    videos: list[VideoRef], tmp_path: Path
) -> None:
    backbone, store = FakeSizedBackbone(), FeatureStore(tmp_path / "store")
    reading = backbone.info.reading()
    for pixels in (800, 400, None):
        extract_all(videos[:1], backbone, replace(reading, pixels=pixels), Run(store))  # type: ignore[arg-type]
    assert list(dict.fromkeys(backbone.given)) == [(20, 36), (12, 24), (12, 16)]
    assert len(list(store.folder.glob("*.safetensors"))) == 3
    identity = videos[0].identity()
    plain = replace(FakeBackbone().info.reading(), pixels=None)
    assert store.find(videos[0].path, identity, plain) is not None


def test_a_probe_keeps_its_pixels_in_its_file_and_where_it_detects_and_explains(tmp_path: Path) -> None:
    backbone = FakeSizedBackbone()
    manifest = write_calibration(tmp_path)
    reading = replace(backbone.info.reading(), pixels=400)
    probe = fit(str(manifest), backbone, reading=reading).probe  # type: ignore[arg-type]
    probe.save(tmp_path / "a.probe")
    kept = type(probe).load(tmp_path / "a.probe")
    assert kept.reading.pixels == 400
    backbone.given.clear()
    night = bright_video(tmp_path / "night.mp4", 8, (3, 6))
    found = Detector(kept, backbone, LocalizeSettings()).detect(night, explain=True)  # type: ignore[arg-type]
    assert found.events and found.provenance.reading.pixels == 400
    assert set(backbone.given) == {SIZES.of((48, 80), 8, 400)}


def test_frames_that_do_not_fit_are_refused() -> None:
    info = FakeSizedBackbone().info
    for size in ((20, 36), (12, 16), (28, 28)):
        check_reading(info, Batch(np.zeros((1, 2, *size, 3), np.uint8)), info.reading())
    for size in ((20, 35), (40, 40), (0, 0)):
        with pytest.raises(UsageError, match="or another size of up to 800 pixels"):
            check_reading(info, Batch(np.zeros((1, 2, *size, 3), np.uint8)), info.reading())
    with pytest.raises(UsageError, match="takes frames of one size, 16x12; leave the pixels out"):
        one = FakeBackbone().info
        check_reading(one, Batch(np.zeros((1, 2, 12, 16, 3), np.uint8)), replace(one.reading(), pixels=800))


def test_pixels_where_there_is_no_choice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"takes frames of 168x168 alone; leave --pixels out"):
        load_backbone(options=LoadOptions(pixels=1000))
    with pytest.raises(UsageError, match="pixels 0: give how many"):
        LoadOptions(pixels=0)
    video = bright_video(tmp_path / "a.mp4", 3)
    said = CliRunner().invoke(app, ["detect", str(video), "--probe", "fight", "--pixels", "1000"])
    assert "was fitted with frames of one size and keeps that" in str(said.exception or said.output)


def test_facts_without_sizes_are_as_before() -> None:
    info: BackboneInfo = FakeBackbone().info
    assert info.pixels is None and info.reading().pixels is None
    assert info.shown_size(info.reading(), (1080, 1920)) == info.frame_size
