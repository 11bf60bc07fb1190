"""References to videos: what a path stands for, and the frame rate of folders of images."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hiprobe.errors import UsageError, VideoNotFoundError
from hiprobe.video import VideoRef, video_identity
from tests.videos import number_of, write_images, write_video


def test_a_reference_gives_a_folder_its_rate_and_leaves_a_file_alone(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", 5)
    folder = write_images(tmp_path / "frames", 12)
    assert VideoRef.of(str(folder)) == VideoRef(folder)
    assert VideoRef.of(folder, 6) == VideoRef(folder, 6)
    assert VideoRef.of(VideoRef(folder), 6) == VideoRef(folder, 6)
    assert VideoRef.of(VideoRef(folder, 12), 6) == VideoRef(folder, 12)
    assert VideoRef.of(video, 6) == VideoRef(video)
    assert str(VideoRef(folder, 6)) == str(folder)
    info = VideoRef(folder, 6).open().info
    assert (info.n_frames, info.duration) == (12, 2.0)
    assert VideoRef.from_info(info) == VideoRef(folder, 6.0)
    assert VideoRef.from_info(VideoRef(video).open().info) == VideoRef(video)
    with pytest.raises(UsageError, match="has no frame rate"):
        VideoRef(folder).open()
    with pytest.raises(UsageError, match="is for folders of images"):
        VideoRef(video, 6).open()


def test_a_rate_that_is_filled_in_leaves_the_rest_of_a_reference(tmp_path: Path) -> None:
    start = datetime(2026, 3, 1, 22, tzinfo=UTC)
    ref = VideoRef(write_images(tmp_path / "frames", 12), start=start)
    assert VideoRef.of(ref, 6) == VideoRef(ref.path, 6, start)
    assert [number_of(frame.image) for frame in VideoRef.of(ref, 6).open().frames()] == list(range(12))


def test_the_identity_is_of_the_content_and_of_the_rate(tmp_path: Path) -> None:
    video, folder = write_video(tmp_path / "v.mp4", 5), write_images(tmp_path / "frames", 3)
    assert VideoRef(video).identity() == video_identity(video)
    assert VideoRef(folder).identity() == video_identity(folder)
    assert VideoRef(folder, 6.0).identity() == VideoRef(folder, 6).identity() == video_identity(folder) + "@6"
    assert VideoRef(folder, 12.5).identity() == video_identity(folder) + "@12.5"
    for use in (VideoRef.open, VideoRef.identity):
        with pytest.raises(VideoNotFoundError, match=r"none\.mp4"):
            use(VideoRef(tmp_path / "none.mp4"))
