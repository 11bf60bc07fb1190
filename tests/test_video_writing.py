"""Clips and the overlay: every frame at its time, sound in step, and nothing half-written."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.reformatter import Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st

from hiprobe.backbones import Reading
from hiprobe.errors import OutputError, UsageError, VideoError
from hiprobe.explain import AnomalyMap
from hiprobe.localize import Event, LocalizeSettings, Unjudged
from hiprobe.pipeline import DetectedEvent, Detection, Provenance, SegmentScore, Timings
from hiprobe.probing import EventKind
from hiprobe.report import write_event_clips, write_overlay
from hiprobe.video import Clip, open_video, write_clip, write_clips
from tests.videos import cut, damage_packets, number_of, numbered_image, set_display_matrix, write_video

STEPS = [0.04, 0.1, 0.033, 0.25, 0.017, 0.5, 0.04, 0.04, 0.09, 0.12, 0.02, 0.3, 0.05, 0.05, 0.4, 0.06]


def numbers(path: Path) -> list[int]:
    return [number_of(frame.image) for frame in open_video(path).frames()]


@pytest.fixture(scope="module")
def vfr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    times = np.concatenate([[0], np.cumsum(STEPS)])
    return write_video(tmp_path_factory.mktemp("vfr") / "vfr.mkv", len(times), times=times.tolist())


@settings(max_examples=15, deadline=None)
@given(start=st.floats(-1, 2), length=st.floats(0.05, 3))
def test_a_clip_has_the_frames_on_display_at_their_own_times(vfr: Path, start: float, length: float) -> None:
    source, end = open_video(vfr), start + length
    times = source.frame_times()
    if end <= 0:
        return
    out = vfr.with_name("clip.mp4")
    begin, over = write_clip(source, start, end, out)
    first = max(0, int(np.searchsorted(times, start + 1e-6, "right")) - 1)
    expected = [i for i in range(len(times)) if i == first or (first < i and times[i] < end - 1e-6)]
    assert numbers(out) == expected
    clip = open_video(out)
    np.testing.assert_allclose(clip.frame_times(), times[expected] - begin, atol=1e-4)
    assert begin == times[first] and clip.info.duration == pytest.approx(over - begin, abs=1e-4)


def test_several_clips_are_written_in_one_pass(vfr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video, passes = open_video(vfr), []
    pictures = video.pictures
    monkeypatch.setattr(video, "pictures", lambda wanted=None: passes.append(1) or pictures(wanted))
    clips = [Clip(1.2, 2.0, tmp_path / "b.mp4"), Clip(0.0, 0.1, tmp_path / "a.mp4"), Clip(0.1, 1.3, tmp_path / "c.mp4")]
    borders = write_clips(video, clips)
    assert len(passes) == 1
    times = video.frame_times()
    for clip, (begin, over) in zip(clips, borders, strict=True):
        assert numbers(clip.path) == np.flatnonzero((times >= begin) & (times < over)).tolist()


def test_browsers_can_play_it(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 20, size=(49, 81), pix_fmt="yuv444p")
    write_clip(open_video(source), 0, 1, tmp_path / "clip.mp4")
    data = (tmp_path / "clip.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(tmp_path / "clip.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.height, stream.width) == (50, 82)
        assert stream.codec_context.colorspace == Colorspace.ITU601
        assert stream.codec_context.extradata is not None and stream.codec_context.extradata[3] <= 40  # the level
    assert numbers(tmp_path / "clip.mp4") == list(range(20))


def test_rotation_is_in_the_pixels(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 5)
    set_display_matrix(source, 0, 1, -1, 0)
    write_clip(open_video(source), 0, 1, tmp_path / "clip.mp4")
    info = open_video(tmp_path / "clip.mp4").info
    assert (info.height, info.width, info.rotation) == (80, 48, 0)
    (frame, *_), (truth, *_) = (list(open_video(path).frames()) for path in (tmp_path / "clip.mp4", source))
    assert np.abs(frame.image.astype(int) - truth.image).mean() < 8


def test_a_folder_of_images_becomes_a_clip(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "frames").mkdir()
    for index in range(12):
        Image.fromarray(numbered_image(index)).save(tmp_path / "frames" / f"{index}.png")
    write_clip(open_video(tmp_path / "frames", fps=4), 1.0, 2.0, tmp_path / "clip.mp4")
    assert numbers(tmp_path / "clip.mp4") == [4, 5, 6, 7]
    assert open_video(tmp_path / "clip.mp4").info.fps == pytest.approx(4)


def write_beeping(path: Path, seconds: int, late: float = 0.0) -> Path:
    """Write 10 frames a second with a tone in each odd second; the sound begins ``late`` seconds after the picture."""
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        sound: Any = container.add_stream("aac", rate=16000, layout="mono")
        for index in range(seconds * 10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered_image(index), format="rgb24")))
        container.mux(stream.encode(None))
        clock = np.arange(round(late * 16000), seconds * 16000) / 16000
        tone = np.where(clock.astype(int) % 2 == 1, np.sin(clock * 2 * np.pi * 440), 0).astype(np.float32)
        for start in range(0, len(tone), 1024):
            frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "fltp", "mono")
            frame.sample_rate, frame.pts = 16000, round(late * 16000) + start
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def loudness(path: Path) -> tuple[np.ndarray, int]:
    """The sound of a file from time 0 on, (n,), and its rate."""
    with av.open(path) as container:
        frames = list(container.decode(audio=0))
        rate = frames[0].sample_rate
        start = frames[0].time or 0.0
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return np.concatenate([np.zeros(max(0, round(start * rate))), samples]), rate


@pytest.mark.parametrize("late", [0.0, 1.5])
def test_sound_stays_in_step(tmp_path: Path, late: float) -> None:
    source = write_beeping(tmp_path / "a.mkv", 6, late)
    write_clip(open_video(source), 0.5, 4.5, tmp_path / "clip.mp4")
    heard, rate = loudness(tmp_path / "clip.mp4")
    assert len(heard) / rate == pytest.approx(4.0, abs=0.05)
    loud = [float(np.abs(heard[round(t * rate) : round((t + 0.1) * rate)]).max()) > 0.3 for t in np.arange(0, 4, 0.1)]
    # The clip's seconds 0.5 to 1.5 and 2.5 to 3.5 are the video's odd seconds; a tenth next to a border may be either.
    expected = [bool(late < t + 0.5) and int(t + 0.5 + 1e-6) % 2 == 1 for t in np.arange(0, 4, 0.1)]
    assert sum(a != b for a, b in zip(loud, expected, strict=True)) <= 4


def test_nothing_is_left_of_a_clip_that_fails(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.mp4", 50)
    damaged = damage_packets(whole, range(20, 50))
    out = tmp_path / "out"
    with pytest.raises(VideoError):
        write_clip(open_video(damaged), 0, 2, out / "clip.mp4")
    assert list(out.iterdir()) == []
    with pytest.raises(UsageError, match=r"no clip from 3 s to 4 s"):
        write_clip(open_video(whole), 3, 4, out / "clip.mp4")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_clip(open_video(whole), 0, 1, tmp_path / "file" / "clip.mp4")


def detection(path: Path, anomaly_map: AnomalyMap | None = None) -> Detection:
    video = open_video(path)
    event = Event(0.8, 1.2, 1.0, 0.9, 0.8)
    segments = tuple(SegmentScore(i / 4, i / 4 + 0.25, 0.5, 0.1 * i) for i in range(8))
    provenance = Provenance("", Reading("", (1,), "last"), LocalizeSettings(), "", "")
    return Detection(
        video.info, segments, 0.4, (DetectedEvent(event, None),), provenance, Timings(0.0, 0.0), (), anomaly_map
    )


def test_the_overlay_shows_every_frame_with_map_and_marks_in_the_event(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 50, audio=2.0, images=[np.full((96, 160, 3), 60, np.uint8)] * 50,
                         size=(96, 160))  # fmt: skip
    maps = np.zeros((1, 2, 2), np.float32)
    maps[0, 0, 0] = 1
    write_overlay(detection(source, AnomalyMap(np.array([1.0]), maps)), tmp_path / "out" / "overlay.mp4")
    frames = list(open_video(tmp_path / "out" / "overlay.mp4").frames())
    np.testing.assert_allclose([frame.time for frame in frames], np.arange(50) / 25, atol=1e-4)
    before, during = frames[5].image.astype(int), frames[25].image.astype(int)
    assert during.shape == (120, 160, 3)
    assert np.abs(before[:96] - 60).max() < 12
    assert during[12, 20, 0] - during[12, 20, 2] > 60  # hot
    assert abs(during[80, 140] - 60).max() < 12  # cold
    assert during[40, 0, 0] > 150 > during[40, 0, 1]  # the red frame
    bright = [int((frame.image[97:118, :, :].min(axis=(0, 2)) > 150).argmax()) for frame in (frames[20], frames[40])]
    assert bright == pytest.approx([64, 128], abs=2)  # the moment's line
    assert len(loudness(tmp_path / "out" / "overlay.mp4")[0]) > 0


def test_the_overlay_names_the_kind_and_greys_what_was_not_judged(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 50, images=[np.full((96, 160, 3), 60, np.uint8)] * 50, size=(96, 160))
    plain = detection(source)
    (item,) = plain.events
    told = replace(
        plain,
        events=(replace(item, kind=EventKind("fight", 0.81)),),
        unjudged=(Unjudged(1.5, 2.0, "blind", "The picture is black."),),
    )
    pictures = []
    for name, found in (("plain", plain), ("told", told)):
        write_overlay(found, tmp_path / f"{name}.mp4")
        pictures.append([frame.image.astype(int) for frame in open_video(tmp_path / f"{name}.mp4").frames()])
    (before, during), (before_told, during_told) = ([one[5], one[25]] for one in pictures)
    changed = np.abs(during - during_told).max(axis=2) > 60
    assert changed[:20, :80].any() and not changed[30:96].any()  # in the upper left corner
    assert np.abs(before[:96] - before_told[:96]).max() < 12
    grey = before_told[100:116, 130:150] - before[100:116, 130:150]
    assert np.median(grey) > 40 and np.median(np.ptp(before_told[100:116, 130:150], axis=2)) < 20


def test_event_clips_have_their_margin(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mp4", 50)
    (path,) = write_event_clips(detection(source), tmp_path / "clips", "yard", margin=0.2)
    assert path == tmp_path / "clips" / "yard-event1.mp4"
    assert numbers(path) == list(range(15, 35))
    with pytest.raises(UsageError, match="at least 0"):
        write_event_clips(detection(source), tmp_path, "yard", margin=-1)


def test_a_truncated_video_gives_no_overlay(tmp_path: Path) -> None:
    source = write_video(tmp_path / "a.mkv", 50)
    found = detection(source)
    short = cut(source, 0.3)
    short.replace(source)
    with pytest.raises(VideoError):
        write_overlay(found, tmp_path / "out" / "overlay.mp4")
    assert list(tmp_path.rglob("*.mp4*")) == []
