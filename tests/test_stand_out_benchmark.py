"""The benchmark of what stands out: clips joined without loss, tokens remembered, and streams measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.stand_out import Remembered, join, measure
from hiprobe.backbones import Batch
from hiprobe.video import Segment, open_video, sample_segments
from tests.fakes import BEST_LAYER, FakeTokenBackbone, yard_video


def frames(path: Path) -> np.ndarray:
    video = open_video(path)
    segments = [Segment(i, float(i), float(i) + 1) for i in range(round(video.info.duration))]
    return np.concatenate([item.frames for item in sample_segments(video, segments, 2, (12, 16))])


def test_a_stream_holds_the_frames_of_its_clips(tmp_path: Path) -> None:
    clips = [yard_video(tmp_path / f"{i}.mp4", 2 + i, seed=i) for i in range(3)]
    join(clips, tmp_path / "stream.mp4")
    assert abs(open_video(tmp_path / "stream.mp4").info.duration - 9) < 0.01
    np.testing.assert_array_equal(frames(tmp_path / "stream.mp4"), np.concatenate([frames(clip) for clip in clips]))


def test_tokens_of_a_frame_are_read_once(tmp_path: Path) -> None:
    backbone, batch = FakeTokenBackbone(), Batch(np.random.default_rng(0).integers(0, 256, (2, 3, 12, 16, 3), np.uint8))
    reading = replace(backbone.info.token_reading(), layers=(BEST_LAYER,))
    expected = backbone.read(batch, reading).values
    remembered = Remembered(backbone, tmp_path)
    np.testing.assert_allclose(remembered.read(batch, reading).values, expected, rtol=1e-3)
    seen = backbone.segments
    np.testing.assert_allclose(remembered.read(batch, reading).values, expected, rtol=1e-3)
    assert backbone.segments == seen


def test_a_stream_is_measured() -> None:
    centres = np.arange(1, 100.0)
    scores = np.where((centres >= 40) & (centres < 50), 2.0, 0.0) + (centres == 80)
    found = measure("x", scores, centres, [(41, 49), (79, 81)], 100, (35, 55), [(40, 50)])
    assert (found.auc, found.highest, found.found, found.false_alarms) == (1.0, True, True, 1)
    assert abs(found.normal_hours - 80 / 3600) < 1e-9
    wrong = measure("x", scores + 3 * (centres == 80), centres, [(79, 81)], 100, (35, 55), [(40, 50)])
    assert not wrong.highest and not wrong.found and wrong.auc < 1
