"""Frames of segments: the one on display at each target, from one pass, in constant memory."""

from __future__ import annotations

import weakref
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from videos import number_of, write_video

from hiprobe.errors import UsageError
from hiprobe.video import Sampling, Video, VideoInfo, iter_segments, open_video, plan_segments, sample_times
from hiprobe.video.base import Picture


@dataclass(eq=False)
class FakePicture:
    time: float
    index: int
    video: FakeVideo

    def rgb(self, size=None):
        self.video.converted.append(self.index)
        image = np.full((*(size or (1, 1)), 3), self.index % 256, np.uint8)
        self.video.images.add(holder := _Tracked(image.shape, np.uint8))
        holder[...] = image
        self.video.most = max(self.video.most, len(self.video.images), len(self.video.pictured))
        return holder


class _Tracked(np.ndarray):
    """An array that can be counted while it lives."""

    __hash__ = object.__hash__  # type: ignore[assignment]

    def __eq__(self, other):
        return self is other


class FakeVideo(Video):
    """Frames at given times; counts what is decoded, converted and alive."""

    def __init__(self, times, duration):
        self.times = np.array(times, dtype=np.float64)
        self.duration = duration
        self.converted: list[int] = []
        self.images: weakref.WeakSet[_Tracked] = weakref.WeakSet()
        self.pictured: weakref.WeakSet[FakePicture] = weakref.WeakSet()
        self.most = 0
        self.closed = 0

    @property
    def info(self) -> VideoInfo:
        n = len(self.times)
        return VideoInfo(Path("fake"), 0.0, self.duration, n, 1, 1, n / self.duration)

    def frame_times(self):
        return self.times

    def pictures(self, wanted=None) -> Generator[Picture, None, None]:
        try:
            for index, time in enumerate(self.times):
                if wanted is not None and not wanted[index]:
                    continue
                picture = FakePicture(float(time), index, self)
                self.pictured.add(picture)
                yield picture
        finally:
            self.closed += 1


def expected_indices(times, targets):
    """The last frame at or before each target, by definition rather than by streaming."""
    return [max(i for i, time in enumerate(times) if time <= target + 1e-6) for target in targets]


gaps = st.lists(st.floats(0.001, 3.0), min_size=0, max_size=60)
samplings = st.builds(
    lambda length, share, frames: Sampling(length, max(length * share, 0.05), frames),
    st.floats(0.1, 5),
    st.floats(0.2, 1),
    st.integers(1, 9),
)


@settings(deadline=None)
@given(gaps, st.floats(0.01, 2), samplings)
def test_every_target_gets_the_frame_on_display(gaps, last, sampling):
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    video = FakeVideo(times, float(times[-1] + last))
    result = list(iter_segments(video, sampling))
    plan = plan_segments(video.duration, sampling)
    assert [sampled.segment for sampled in result] == list(plan)
    needed = set()
    for sampled in result:
        indices = expected_indices(times, sample_times(sampled.segment, sampling.frames))
        needed.update(indices)
        assert sampled.times.tolist() == times[indices].tolist()
        assert sampled.frames[:, 0, 0, 0].tolist() == [index % 256 for index in indices]
    assert sorted(video.converted) == sorted(needed), "each needed frame is converted, once, and no other"
    assert video.closed == 1


def test_rounding_does_not_pick_the_frame_before():
    video = FakeVideo(np.arange(60) / 10 + 1e-9, 6.0)
    result = list(iter_segments(video, Sampling(length=2, stride=1, frames=10)))
    assert result[0].times.round(6).tolist() == [0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7, 1.9]
    for sampled in result:
        assert np.allclose(sampled.times - sampled.segment.start, np.arange(10) * 0.2 + 0.1)


@pytest.mark.parametrize("stride", [2.0, 1.0, 0.5])
def test_memory_does_not_grow_with_length(stride):
    sampling = Sampling(length=2.0, stride=stride, frames=8)
    most = []
    for seconds in (10, 200):
        video = FakeVideo(np.arange(seconds * 25) / 25, float(seconds))
        for sampled in iter_segments(video, sampling):
            del sampled
        most.append(video.most)
    assert most[0] == most[1] <= 8 * (2 / stride + 1)


def test_long_file_needs_no_more_memory_than_a_short_one(tmp_path):
    import tracemalloc

    peaks = []
    for n_frames in (100, 600):
        path = write_video(tmp_path / f"{n_frames}.mp4", n_frames, size=(96, 160), options={"preset": "ultrafast"})
        video = open_video(path)
        tracemalloc.start()
        for sampled in iter_segments(video, Sampling()):
            assert sampled.frames.shape == (8, 96, 160, 3)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]


def test_segments_of_a_real_video(tmp_path):
    video = open_video(write_video(tmp_path / "v.mp4", 88))  # 3.52 s
    result = list(iter_segments(video, Sampling(length=2, stride=1, frames=4), size=(24, 40)))
    assert [round(sampled.segment.start, 6) for sampled in result] == [0, 1, 1.52]
    for sampled in result:
        targets = sample_times(sampled.segment, 4)
        assert sampled.frames.shape == (4, 24, 40, 3)
        assert sampled.frames.dtype == np.uint8
        numbers = [number_of(image) for image in sampled.frames]
        assert numbers == expected_indices(video.frame_times(), targets)
        assert np.allclose(sampled.times, np.array(numbers) / 25)


def test_variable_rate_holds_a_frame_while_nothing_moves(tmp_path):
    video = open_video(write_video(tmp_path / "v.mkv", 4, times=[0, 0.5, 5.5, 6.0]))
    result = list(iter_segments(video, Sampling(length=2, stride=2, frames=2)))
    numbers = [[number_of(image) for image in sampled.frames] for sampled in result]
    assert numbers[:3] == [[1, 1], [1, 1], [1, 2]]
    assert result[1].times.tolist() == [0.5, 0.5]


def test_video_shorter_than_a_segment(tmp_path):
    video = open_video(write_video(tmp_path / "v.mp4", 3))
    (sampled,) = iter_segments(video, Sampling(frames=6))
    assert [number_of(image) for image in sampled.frames] == [0, 0, 1, 1, 2, 2]
    assert sampled.segment.end == pytest.approx(0.12)


def test_bad_size_is_refused_before_decoding():
    with pytest.raises(UsageError, match="size"):
        iter_segments(FakeVideo([0.0], 1.0), Sampling(), size=(0, 1))


def test_stopping_early_closes_the_video():
    video = FakeVideo(np.arange(250) / 25, 10.0)
    segments = iter_segments(video, Sampling())
    next(segments)
    segments.close()  # type: ignore[attr-defined]
    assert video.closed == 1


@pytest.mark.parametrize(
    ("name", "codec", "options", "share"),
    [
        ("b.mp4", "libx264", {"x264-params": "bframes=3:keyint=30"}, 0.85),
        ("open.ts", "libx264", {"x264-params": "bframes=3:b-pyramid=2:keyint=20:open-gop=1"}, 0.85),
        ("refresh.mkv", "libx264", {"x264-params": "intra-refresh=1:bframes=2:keyint=40"}, 0.85),
        ("hevc.mp4", "libx265", {"x265-params": "log-level=none"}, 1.0),
        ("mpeg4.mp4", "mpeg4", {"bf": "2"}, 0.85),
        ("mpeg2.ts", "mpeg2video", {"bf": "2", "g": "15"}, 0.85),
        ("vp9.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8"}, 1.0),
        ("intra.mkv", "mjpeg", {}, 0.4),
    ],
)
def test_only_what_sampling_needs_is_decoded_and_no_pixel_changes(tmp_path, name, codec, options, share):
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    moving = np.random.default_rng(0).integers(0, 255, (48, 400, 3), dtype=np.uint8).repeat(2, 1)
    images = [moving[:, 3 * index : 3 * index + 80] for index in range(150)]
    path = write_video(tmp_path / name, 150, fps=30, codec=codec, options=options, images=images, pix_fmt=pix_fmt)
    video = open_video(path)
    everything = list(video.frames())
    times = video.frame_times()
    wanted = np.zeros(len(times), dtype=bool)
    for found in iter_segments(video, Sampling()):
        assert all(time in times for time in found.times)
        for time, target, image in zip(found.times, sample_times(found.segment, 8), found.frames, strict=True):
            shown = int(np.searchsorted(times, target + 1e-6, side="right")) - 1
            assert time == times[shown] and np.array_equal(image, everything[shown].image)
            wanted[shown] = True
    decoded = [picture.time for picture in video.pictures(wanted)]
    assert set(times[wanted]) <= set(decoded)
    assert len(decoded) <= share * len(times)
    assert video.info.warnings == ()


@pytest.mark.parametrize(
    ("name", "codec", "options", "share"),
    [
        ("closed.mp4", "libx264", {"x264-params": "bframes=3:keyint=30"}, 0.5),
        ("open.mp4", "libx264", {"x264-params": "bframes=3:b-pyramid=2:keyint=20:open-gop=1"}, 0.5),
        ("open.ts", "libx264", {"x264-params": "bframes=3:b-pyramid=2:keyint=20:open-gop=1"}, 0.5),
        ("refresh.ts", "libx264", {"x264-params": "intra-refresh=1:bframes=2:keyint=20"}, 1.0),
        ("hevc.mp4", "libx265", {"x265-params": "log-level=none:keyint=20:open-gop=1:bframes=3"}, 0.5),
        ("mpeg4.mp4", "mpeg4", {"bf": "2", "g": "15"}, 0.5),
        ("mpeg2.ts", "mpeg2video", {"bf": "2", "g": "15"}, 0.5),
        ("vp9.webm", "libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "20"}, 0.5),
        ("av1.mp4", "libsvtav1", {"preset": "12", "g": "20", "svtav1-params": "log-level=0"}, 0.5),
    ],
)
def test_between_key_frames_nothing_is_decoded_for_nothing(tmp_path, name, codec, options, share):
    moving = np.random.default_rng(0).integers(0, 255, (64, 500, 3), dtype=np.uint8).repeat(2, 1)
    images = [moving[:, 3 * index : 3 * index + 96] for index in range(200)]
    path = write_video(tmp_path / name, 200, fps=25, codec=codec, options=options, images=images, size=(64, 96))
    video = open_video(path)
    everything = {frame.time: frame.image for frame in video.frames()}
    times = video.frame_times()
    for chosen in ([199], [0, 100], [79, 80, 81], [18, 19, 20, 21, 160], [39]):
        wanted = np.zeros(len(times), dtype=bool)
        wanted[chosen] = True
        decoded = {picture.time: picture.rgb() for picture in video.pictures(wanted)}
        assert set(times[wanted]) <= set(decoded) and len(decoded) <= share * len(times)
        assert all(np.array_equal(image, everything[time]) for time, image in decoded.items())
    assert video.info.warnings == ()


def test_images_of_a_folder_that_are_not_wanted_are_not_opened(tmp_path):
    for index in range(60):
        Image.new("RGB", (16, 12), (index, 0, 0)).save(tmp_path / f"{index:03}.png")
    (tmp_path / "005.png").write_bytes(b"no image, and no matter: it is not sampled")
    (found,) = iter_segments(open_video(tmp_path, fps=30), Sampling())
    assert [int(image[0, 0, 0]) for image in found.frames] == [3, 11, 18, 26, 33, 41, 48, 56]
