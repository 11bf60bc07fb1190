"""The right frame at the right time, in every container and codec that behaves in its own way."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from videos import damage_packets, number_of, numbered_image, write_video

from hiprobe.errors import UsageError
from hiprobe.video import open_video


def read(path, size=None):
    """Decode all; check that info, frame_times and frames agree; return (video, times, numbers)."""
    video = open_video(path)
    frames = [(frame.time, number_of(frame.image)) for frame in video.frames(size)]
    times = [time for time, _ in frames]
    assert len(times) == video.info.n_frames
    assert times == video.frame_times().tolist()
    assert times[0] == 0
    assert all(a < b for a, b in pairwise(times))
    assert video.info.fps == pytest.approx(video.info.n_frames / video.info.duration)
    return video, times, [number for _, number in frames]


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("h264.mp4", {}),
        ("h265.mp4", {"codec": "libx265", "options": {"x265-params": "log-level=none"}}),
        ("mpeg4.mp4", {"codec": "mpeg4", "options": {"bf": "2"}}),
        ("fragments.mp4", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
        ("faststart.mp4", {"container_options": {"movflags": "faststart"}}),
        ("h264.mkv", {}),
        ("vp9.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime"}}),
        ("vp8.webm", {"codec": "libvpx", "options": {"auto-alt-ref": "1", "lag-in-frames": "16"}}),
        ("h264.ts", {}),
        ("mpeg2.mpg", {"codec": "mpeg2video", "options": {"bf": "2"}}),
        ("h264.flv", {}),
        ("mjpeg.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
        ("mpeg4.avi", {"codec": "mpeg4"}),
        ("wmv.wmv", {"codec": "wmv2"}),
    ],
)
def test_constant_rate(tmp_path, name, keywords):
    video, times, numbers = read(write_video(tmp_path / name, 50, **keywords))
    assert numbers == list(range(50))
    assert np.allclose(times, np.arange(50) / 25, atol=1.1e-3)  # some containers count in milliseconds
    assert video.info.duration == pytest.approx(2.0, abs=0.045)
    assert (video.info.width, video.info.height) == (80, 48)
    assert video.info.warnings == ()


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv", "vfr.ts"])
def test_variable_rate(tmp_path, name):
    wanted = [0, 0.04, 0.05, 0.2, 0.9, 0.92, 1.0, 2.5, 2.51, 2.6, 2.61, 4.0]
    video, times, numbers = read(write_video(tmp_path / name, len(wanted), times=wanted))
    assert numbers == list(range(len(wanted)))
    assert np.allclose(times, wanted, atol=1e-3)
    assert 4.0 < video.info.duration < 5.5


@pytest.mark.parametrize("name", ["start.mkv", "start.ts", "start.mp4"])
def test_clock_that_does_not_start_at_zero(tmp_path, name):
    wanted = 90 + np.arange(30) / 10
    options = {"avoid_negative_ts": "disabled", "muxdelay": "0"}
    path = write_video(tmp_path / name, 30, fps=10, times=wanted.tolist(), container_options=options)
    video, times, numbers = read(path)
    assert numbers == list(range(30))
    assert np.allclose(times, wanted - 90, atol=1e-3)
    assert video.info.duration == pytest.approx(3.0, abs=0.101)
    assert video.info.start_pts == pytest.approx(90, abs=2)


def test_joined_transport_streams_whose_clock_starts_again(tmp_path):
    first, second = (write_video(tmp_path / name, 30, fps=10) for name in ("a.ts", "b.ts"))
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    video, times, numbers = read(joined)
    assert numbers == [*range(30), *range(30)]
    assert np.all(np.diff(times) > 0.09)
    assert np.all(np.diff(times) < 0.21)
    assert video.info.duration == pytest.approx(6.0, abs=0.2)


def test_stream_without_timestamps(tmp_path):
    video, times, numbers = read(write_video(tmp_path / "raw.h264", 50, format="h264"))
    assert numbers == list(range(50))
    assert np.allclose(times, np.arange(50) / 25)
    assert "no usable timestamps" in video.info.warnings[0]


def test_avi_with_b_frames(tmp_path):
    path = write_video(tmp_path / "b.avi", 50, options={"bf": "3"})
    with av.open(path) as container:  # the trap: FFmpeg hands out times that go back and forth
        raw = [frame.pts or 0 for frame in container.decode(video=0)]
    assert raw != sorted(raw)
    video, times, numbers = read(path)
    assert numbers == list(range(50))
    assert np.allclose(times, np.arange(50) / 25)
    assert "B-frames" in video.info.warnings[0]


def test_one_frame(tmp_path):
    video, times, numbers = read(write_video(tmp_path / "one.mp4", 1))
    assert (times, numbers) == ([0], [0])
    assert video.info.duration == pytest.approx(0.04)


def test_longer_audio_is_no_truncation(tmp_path):
    video, _, numbers = read(write_video(tmp_path / "sound.mkv", 25, audio=4.0))
    assert numbers == list(range(25))
    assert video.info.duration == pytest.approx(1.0, abs=0.01)


def test_recording_that_starts_between_key_frames(tmp_path):
    whole = write_video(tmp_path / "whole.ts", 100, options={"g": "20", "sc_threshold": "0"})
    data = whole.read_bytes()
    late = tmp_path / "late.ts"
    late.write_bytes(data[len(data) * 3 // 10 // 188 * 188 :])
    video, _, numbers = read(late)
    assert numbers == list(range(numbers[0], 100))
    assert numbers[0] % 20 == 0
    assert numbers[0] >= 20
    assert video.info.start_pts == pytest.approx(open_video(whole).info.start_pts + numbers[0] / 25, abs=1e-3)
    assert "cannot be decoded" in video.info.warnings[0]


def test_a_frame_or_two_lost_is_a_warning_and_no_shift(tmp_path):
    path = write_video(tmp_path / "v.mp4", 100, codec="mpeg4", options={"g": "1"})
    video = open_video(damage_packets(path, [40]))
    assert video.info.warnings == ()
    for frame in video.frames():
        assert frame.time == pytest.approx(number_of(frame.image) / 25, abs=1e-6)
    assert any("1 of 100" in warning for warning in video.info.warnings)
    assert len(set(video.info.warnings)) == len(video.info.warnings)
    count = len(video.info.warnings)
    list(video.frames())
    assert len(video.info.warnings) == count


def test_frames_stops_early_and_starts_again(tmp_path):
    video = open_video(write_video(tmp_path / "v.mp4", 20))
    frames = video.frames()
    assert number_of(next(frames).image) == 0
    frames.close()  # type: ignore[attr-defined]
    assert [number_of(frame.image) for frame in video.frames()] == list(range(20))


def test_no_file_stays_open(tmp_path):
    video = open_video(write_video(tmp_path / "v.mp4", 20))
    frames = video.frames()
    next(frames)
    assert _open_files(tmp_path) == 1
    frames.close()  # type: ignore[attr-defined]
    assert _open_files(tmp_path) == 0
    for sampled in video.frames():
        assert sampled.image.shape == (48, 80, 3)
    assert _open_files(tmp_path) == 0


def _open_files(folder) -> int:
    links = Path("/proc/self/fd")
    if not links.exists():
        pytest.skip("needs /proc")
    found = 0
    for link in links.iterdir():
        try:
            found += str(folder) in str(link.readlink())
        except OSError:
            continue
    return found


def test_names_that_ffmpeg_would_misread(tmp_path):
    for name in ("a:b.mp4", "100%d.mp4", "naïve ü.mp4", "-y.mp4"):
        _, _, numbers = read(write_video(tmp_path / "plain.mp4", 5).rename(tmp_path / name))
        assert numbers == list(range(5))


def test_relative_name_with_a_colon(tmp_path, monkeypatch):
    write_video(tmp_path / "plain.mp4", 5).rename(tmp_path / "http:b.mp4")
    monkeypatch.chdir(tmp_path)
    _, _, numbers = read("http:b.mp4")
    assert numbers == list(range(5))


def test_frames_that_an_edit_list_hides(tmp_path):
    path = write_video(tmp_path / "v.mp4", 50, options={"bf": "0"})
    data = bytearray(path.read_bytes())
    place = data.index(b"elst") + 4 + 8 + 4  # behind version, count and segment duration
    ticks = 512  # a frame, at the 12800 ticks a second that FFmpeg writes for 25 fps
    data[place : place + 4] = (10 * ticks).to_bytes(4, "big")
    path.write_bytes(data)
    video, times, numbers = read(path)
    assert numbers == list(range(10, 50))
    assert np.allclose(times, np.arange(40) / 25)
    assert video.info.duration == pytest.approx(1.6)


def test_fps_is_refused_for_a_file(tmp_path):
    with pytest.raises(UsageError, match="--fps"):
        open_video(write_video(tmp_path / "v.mp4", 5), fps=25)


def test_helper_numbers_survive():
    assert [number_of(numbered_image(number)) for number in (0, 1, 513, 1023)] == [0, 1, 513, 1023]
