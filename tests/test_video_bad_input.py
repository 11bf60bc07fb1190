"""Input that is not a whole video: one clear sentence, never an FFmpeg error and never made-up frames."""

from __future__ import annotations

import os
from pathlib import Path

import av
import av.error
import numpy as np
import pytest
from PIL import Image
from videos import cut, damage_packets, number_of, numbered_image, write_audio, write_video

from hiprobe.errors import HiProbeError, UsageError, VideoError, VideoNotFoundError
from hiprobe.video import Sampling, iter_segments, open_video, video_identity


def read_all(path, fps=None):
    return list(iter_segments(open_video(path, fps), Sampling()))


def refuse(path, *words, fps=None, error: type[HiProbeError] = VideoError):
    """Reading must raise one sentence that names the file and has all the words."""
    with pytest.raises(error) as caught:
        read_all(path, fps)
    message = str(caught.value)
    assert str(path) in message
    for word in words:
        assert word in message
    assert message.endswith(".")
    assert "\n" not in message
    assert not isinstance(caught.value, av.error.FFmpegError)


@pytest.fixture
def long_video(tmp_path):
    def make(name, **keywords):
        return write_video(tmp_path / name, 100, options={"g": "10", "sc_threshold": "0"}, **keywords)

    return make


def test_missing_path(tmp_path):
    refuse(tmp_path / "no.mp4", "no such file", error=VideoNotFoundError)
    with pytest.raises(VideoNotFoundError) as caught:
        video_identity(tmp_path / "no.mp4")
    assert caught.value.exit_code == 2


def test_empty_file(tmp_path):
    (tmp_path / "empty.mp4").touch()
    refuse(tmp_path / "empty.mp4", "0 bytes")


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt", "notes"])
@pytest.mark.parametrize("text", ["a text, not a video\n" * 50, "x", "#EXTM3U\nhttp://localhost:1/a.ts\n"])
def test_text(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    refuse(tmp_path / name)


def test_random_bytes(tmp_path):
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(100_000))
    refuse(tmp_path / "noise.mp4")


def test_audio_only(tmp_path):
    refuse(write_audio(tmp_path / "sound.mp4"), "only sound")


def test_single_image(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "one.png")
    refuse(tmp_path / "one.png", "single image")


def test_no_frames(tmp_path):
    path = write_video(tmp_path / "v.mp4", 5)
    with av.open(path) as source, av.open(tmp_path / "none.mp4", "w") as target:
        target.add_stream_from_template(source.streams.video[0])
        target.start_encoding()
    refuse(tmp_path / "none.mp4")


def test_stream_without_packets(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4", 5)
    monkeypatch.setattr("hiprobe.video.timeline.packets", lambda *_, **__: iter(()))
    refuse(path, "no video frame")


def test_mp4_cut_before_its_index(long_video):
    refuse(cut(long_video("v.mp4")), "cut short")


@pytest.mark.parametrize(
    ("name", "keywords"),
    [
        ("fast.mp4", {"container_options": {"movflags": "faststart"}}),
        ("v.mkv", {}),
        ("sound.mkv", {"audio": 4.0}),
        ("v.avi", {"size": (240, 320)}),
        ("v.flv", {}),
    ],
)
def test_cut_in_half(long_video, name, keywords):
    path = cut(long_video(name, **keywords), 0.7)
    refuse(path, "only ", " of 4.", "copy the file again")


def test_cut_transport_stream_has_no_promise_to_break(long_video):
    """A transport stream may end anywhere; what is there is read, and a torn end is said."""
    path = long_video("v.ts")
    torn = path.with_name("torn.ts")
    torn.write_bytes(path.read_bytes()[: 188 * 60 + 77])
    video = open_video(torn)
    numbers = [number_of(frame.image) for frame in video.frames()]
    assert 20 < len(numbers) < 100
    assert numbers[:20] == list(range(20))
    assert any("ends in the middle" in warning for warning in video.info.warnings)


def test_permission_denied(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4", 5)

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    refuse(path, "permission")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_permission_really_denied(tmp_path):
    path = write_video(tmp_path / "v.mp4", 5)
    path.chmod(0)
    refuse(path, "permission")


def test_ffmpeg_failing_midway_is_wrapped(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4", 50)
    from hiprobe.video import timeline

    def failing(container, stream, others=False):
        for count, packet in enumerate(container.demux(stream)):
            if count == 25:
                raise av.error.OSError(5, "Input/output error")
            yield packet

    monkeypatch.setattr(timeline, "packets", failing)
    refuse(path, "only 1.0 s of 2.0 s")


def test_special_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refuse(tmp_path / "pipe", "neither")


def test_stretch_that_cannot_be_decoded(long_video):
    refuse(damage_packets(long_video("v.mp4"), range(50, 70)), "0.8 s from 2.0 s on")


def test_end_that_cannot_be_decoded(long_video):
    refuse(damage_packets(long_video("v.mp4"), range(80, 100)), "only 3.", "of 4.0 s")


def test_start_that_cannot_be_decoded(long_video):
    refuse(damage_packets(long_video("v.mp4"), range(20)), "damaged")


def test_nothing_that_can_be_decoded(long_video):
    refuse(damage_packets(long_video("v.mp4"), range(100)), "not one of its frames")


def test_damage_spread_all_over(tmp_path):
    path = write_video(tmp_path / "v.mp4", 100, codec="mpeg4", options={"g": "1"})
    refuse(damage_packets(path, range(1, 100, 4)), "25 of its 100 frames")


def test_damaged_packet_keeps_all_other_frames_at_their_times(tmp_path):
    path = write_video(tmp_path / "v.mp4", 100, codec="mpeg4", options={"g": "1"})
    video = open_video(damage_packets(path, [13, 57]))
    frames = [(round(frame.time * 25), number_of(frame.image)) for frame in video.frames()]
    assert frames == [(index, index) for index in range(100) if index not in (13, 57)]


def write_images(folder, names, size=(48, 80)):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        Image.fromarray(numbered_image(number, *size)).save(folder / name)
    return folder


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".bmp", ".tif", ".tiff", ".webp"])
def test_folder_of_images(tmp_path, suffix):
    folder = write_images(tmp_path / "100% frames", [f"frame{number}{suffix}" for number in range(1, 13)])
    (folder / "notes.txt").write_text("no image")
    (folder / f".hidden{suffix}").write_text("no image")
    video = open_video(folder, fps=4)
    assert [number_of(frame.image) for frame in video.frames((24, 40))] == list(range(12))
    assert video.frame_times().tolist() == [number / 4 for number in range(12)]
    assert (video.info.duration, video.info.n_frames, video.info.fps) == (3.0, 12, 4.0)
    assert (video.info.width, video.info.height, video.info.warnings) == (80, 48, ())
    assert len(list(iter_segments(video, Sampling()))) == 2


def test_folder_needs_fps(tmp_path):
    refuse(write_images(tmp_path / "f", ["1.png"]), "--fps", error=UsageError)


@pytest.mark.parametrize("fps", [0, -5, float("nan")])
def test_folder_refuses_bad_fps(tmp_path, fps):
    with pytest.raises(UsageError, match="--fps"):
        open_video(write_images(tmp_path / "f", ["1.png"]), fps=fps)


def test_folder_without_images(tmp_path):
    refuse(tmp_path, "no images", fps=5)


def test_folder_of_mixed_images(tmp_path):
    refuse(write_images(tmp_path / "f", ["1.png", "1.jpg"]), ".jpg and .png", fps=5)


def test_folder_with_missing_numbers_says_so(tmp_path):
    video = open_video(write_images(tmp_path / "f", ["1.png", "2.png", "9.png"]), fps=5)
    assert "evenly" in video.info.warnings[0]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tif"])
@pytest.mark.parametrize("damage", ["text", "cut", "empty"])
def test_folder_with_an_unreadable_image(tmp_path, suffix, damage):
    folder = write_images(tmp_path / "f", [f"{number}{suffix}" for number in range(5)])
    bad = folder / f"3{suffix}"
    whole = bad.read_bytes()
    bad.write_bytes({"text": b"no image", "cut": whole[: len(whole) // 2], "empty": b""}[damage])
    with pytest.raises(VideoError) as caught:
        read_all(folder, 5)
    assert str(bad) in str(caught.value)


def test_folder_with_an_image_of_another_size(tmp_path):
    folder = write_images(tmp_path / "f", ["0.png", "1.png"])
    write_images(folder, ["2.png"], size=(48, 90))
    with pytest.raises(VideoError, match=r"2\.png: is 90x48 pixels where the first frame is 80x48"):
        read_all(folder, 5)


def test_identity(tmp_path):
    path = write_video(tmp_path / "v.mp4", 5)
    identity = video_identity(path)
    assert len(identity) == 64
    copy = tmp_path / "elsewhere.mp4"
    copy.write_bytes(path.read_bytes())
    os.utime(copy, (1, 1))
    assert video_identity(copy) == video_identity(str(path)) == identity
    data = path.read_bytes()
    seen = {identity}
    for changed in (data + b"x", b"x" + data[1:], data[:-1] + b"x", b""[:0] + data[: len(data) // 2]):
        copy.write_bytes(changed)
        seen.add(video_identity(copy))
    assert len(seen) == 5
    big = tmp_path / "big"
    identities = set()
    for end in (b"a", b"b"):
        big.write_bytes(bytes(3 << 20) + end)
        identities.add(video_identity(big))
    assert len(identities) == 2


def test_identity_of_a_folder(tmp_path):
    folder = write_images(tmp_path / "f", ["1.png", "2.png", "3.png"])
    identity = video_identity(folder)
    (folder / "notes.txt").write_text("no part of the video")
    assert video_identity(folder) == identity
    (folder / "3.png").rename(folder / "4.png")
    assert video_identity(folder) != identity
    with pytest.raises(VideoError, match="no images"):
        (tmp_path / "g").mkdir()
        video_identity(tmp_path / "g")
