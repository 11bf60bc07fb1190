"""Frames and seconds, and what holds for every dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from hiprobe.datasets import FrameLabels, datasets, find_dataset
from hiprobe.datasets.adapters import seconds
from hiprobe.datasets.adapters.files import runs
from hiprobe.errors import ManifestError, UsageError, VideoError
from hiprobe.video import open_video
from tests.trees import UCF_TEST, edges, write
from tests.videos import write_video

# Frames and seconds


def test_frames_become_seconds_by_the_times_of_a_video_of_variable_rate(tmp_path: Path) -> None:
    times = [0, 0.1, 0.5, 0.6, 2.0]
    video = open_video(write_video(tmp_path / "vfr.mp4", 5, times=times))
    labels = FrameLabels(tmp_path / "vfr.mp4", "fire", ((1, 3), (4, 5)), "g", "here:1")
    assert edges(seconds(labels, video)) == pytest.approx([0.1, 0.6, 2.0, video.info.duration])


def test_labels_may_reach_past_the_end_only_as_far_as_the_dataset_allows(clip: Path) -> None:
    video = open_video(clip)
    labels = FrameLabels(clip, "fire", ((6, 12),), "g", "labels.txt:7")
    with pytest.raises(ManifestError, match=r"^labels\.txt:7: clip\.mp4 has 10 frames and its labels reach frame 12;"):
        seconds(labels, video, overrun=1)
    assert edges(seconds(labels, video, overrun=2)) == pytest.approx([1.2, 2.0])
    beyond = FrameLabels(clip, "fire", ((10, 12),), "g", "labels.txt:7")
    with pytest.raises(ManifestError, match="reach frame 12"):
        seconds(beyond, video, overrun=5)
    with pytest.raises(ManifestError, match="has 10 frames where its labels count 11"):
        seconds(FrameLabels(clip, "fire", ((1, 2),), "g", "x:1", n_frames=11), video)


@pytest.mark.parametrize("span", [(3, 3), (4, 3), (-1, 3)])
def test_a_range_without_frames_is_an_error(span: tuple[int, int]) -> None:
    with pytest.raises(ManifestError, match="are no range"):
        FrameLabels(Path("a.mp4"), "fire", (span,), "g", "x:1")


def test_runs_of_a_mask() -> None:
    assert runs([0, 1, 1, 0, 1]) == ((1, 3), (4, 5))
    assert runs([1, 1]) == ((0, 2),)
    assert runs([0]) == runs([]) == ()


# All of them


def test_names_are_unique_and_an_unknown_one_is_an_error() -> None:
    names = [dataset.name for dataset in datasets()]
    assert len(set(names)) == len(names) == 8
    assert [find_dataset(name).name for name in names] == names
    with pytest.raises(UsageError, match="no dataset 'ucf'; choose one of ucf-crime"):
        find_dataset("ucf")


@pytest.mark.parametrize("dataset", datasets(), ids=lambda dataset: dataset.name)
def test_every_dataset_refuses_what_is_no_copy(dataset, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"none: is no folder; give the one that holds your copy of "):
        dataset.load(tmp_path / "none")
    with pytest.raises(ManifestError, match=str(tmp_path)):
        dataset.load(tmp_path)
    with pytest.raises(UsageError, match="has no split 'validation'"):
        dataset.labels(tmp_path, "validation")


def test_a_video_that_cannot_be_read_is_an_error_of_the_video(put) -> None:
    root = put("Abuse/Abuse028_x264.mp4")
    (root / "Abuse/Abuse028_x264.mp4").write_bytes(b"nonsense")
    write(root / UCF_TEST, "Abuse028_x264.mp4  Abuse  1  2")
    with pytest.raises(VideoError):
        find_dataset("ucf-crime").load(root, "test")
