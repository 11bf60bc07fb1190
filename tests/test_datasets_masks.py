"""Datasets labelled frame by frame, on tiny made-up copies: right ones and wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from hiprobe.datasets import find_dataset
from hiprobe.datasets.adapters.ucsd import read_m, read_mat
from hiprobe.errors import ManifestError
from tests.trees import COPY_HEAD, N_FRAMES, avenue_mask, cells, edges, few, frames, rows, shanghai, write

# UCSD

M_FILE = """TestVideoFile = {};
% TestVideoFile{end+1}.gt_frame = [9:9];
TestVideoFile{end+1}.gt_frame = [6:8];
TestVideoFile{end+1}.gt_frame = [1:2, 9:10];
"""


@pytest.mark.parametrize("truth", ["m", "mat"])
@pytest.mark.parametrize("below", ["", "UCSDped2"])
def test_ucsd_reads_folders_of_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, truth: str, below: str) -> None:
    few(monkeypatch, "ucsd-ped2", train=1, test=2)
    home = tmp_path / below
    for name in ("Train/Train001", "Test/Test001", "Test/Test002", "Test/Test002_gt"):
        frames(home / name)
    if truth == "m":
        write(home / "Test/UCSDped2.m", M_FILE)
    else:
        both = cells(np.array([[6], [8]], np.uint8), np.array([[1, 9], [2, 10]], np.uint8))
        savemat(home / "ped2.mat", {"gt": both})
    manifest = find_dataset("ucsd-ped2").load(tmp_path)
    assert rows(manifest) == {
        "Train001": ("normal", []),
        "Test001": ("abnormal", [(0.5, 0.8)]),
        "Test002": ("abnormal", [(0.0, 0.2), (0.8, 1.0)]),
    }
    assert manifest.groups == ("Train001", "Test001", "Test002")


def test_ucsd_ground_truth_of_a_wrong_number_of_clips_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "Test/UCSDped1.m", M_FILE)
    assert [ranges for _, ranges in read_m(path)] == [((5, 8),), ((0, 2), (8, 10))]
    with pytest.raises(ManifestError, match=r"UCSDped1\.m: has ground truth of 2 clips where UCSD Ped1 has 36"):
        find_dataset("ucsd-ped1").labels(tmp_path, "test")
    path.unlink()
    with pytest.raises(ManifestError, match=r"holds no UCSDped1\.m or ped1\.mat"):
        find_dataset("ucsd-ped1").labels(tmp_path, "test")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"truth": np.zeros(2)}, r"ped2\.mat: has no cell array 'gt'"),
        ({"gt": np.zeros((1, 3))}, r"ped2\.mat: has no cell array 'gt'"),
        ({"gt": cells(np.zeros((3, 2)), np.zeros((2, 2)))}, r"ped2\.mat, clip 1: is no row of first frames"),
        (None, r"ped2\.mat: cannot be read as a \.mat file"),
    ],
)
def test_ucsd_a_mat_file_of_another_kind_is_an_error(
    tmp_path: Path, content: dict[str, object] | None, match: str
) -> None:
    path = tmp_path / "ped2.mat"
    if content is None:
        path.write_bytes(b"nonsense")
    else:
        savemat(path, content)
    with pytest.raises(ManifestError, match=match):
        list(read_mat(path))


def test_ucsd_a_clip_without_ranges_is_normal(tmp_path: Path) -> None:
    savemat(tmp_path / "ped2.mat", {"gt": cells(np.zeros((0, 0)), np.array([[1], [200]], np.uint8))})
    assert [ranges for _, ranges in read_mat(tmp_path / "ped2.mat")] == [(), ((0, 200),)]


def test_ucsd_reads_a_copy_as_videos(put, tmp_path: Path) -> None:
    root = put("mp4/Train001.mp4", "mp4/Test001.mp4")
    write(
        root / "labels.csv",
        COPY_HEAD
        + "mp4/Train001.mp4,0,normal,10,5,80,48,,train,ped2\n"
        + "mp4/Test001.mp4,1,abnormal,10,5,80,48,0-2;5-8,test,ped2\n",
    )
    dataset = find_dataset("ucsd-ped2")
    assert rows(dataset.load(root, "test")) == {"Test001.mp4": ("abnormal", [(0.0, 0.4), (1.0, 1.6)])}
    assert dataset.load(root).groups == ("Train001", "Test001")
    assert dataset.expected(root, "test") is None


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("a.mp4,2,x,10,5,8,8,,test,", "label is '2'"),
        ("a.mp4,1,x,ten,5,8,8,0-1,test,", "'ten' is no whole number"),
        ("a.mp4,1,x,10,5,8,8,0-1-2,test,", "no pairs"),
        ("a.mp4,1,,10,5,8,8,0-1,test,", "category is missing"),
        ("a.mp4,0,normal,10,5,8,8,0-1,test,", "is normal and has"),
        ("a.mp4,1,x,10,5,8", "6 fields under 10 columns"),
    ],
)
def test_a_wrong_row_of_a_copy_is_an_error(tmp_path: Path, row: str, match: str) -> None:
    write(tmp_path / "labels.csv", COPY_HEAD + row)
    with pytest.raises(ManifestError, match=match) as error:
        find_dataset("surv-fight").labels(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / 'labels.csv'}:2: ")


def test_a_copy_without_a_column_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "labels.csv", "path,label\n")
    with pytest.raises(ManifestError, match=r"labels\.csv:1: the column 'category' is missing"):
        find_dataset("surv-fight").labels(tmp_path)


# Avenue


def test_avenue_reads_videos_and_masks(put, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "avenue", train=1, test=2)
    root = put("Avenue Dataset/training_videos/01.avi", "Avenue Dataset/testing_videos/01.avi")
    frames(root / "Avenue Dataset/testing/frames/02")
    avenue_mask(root / "ground_truth_demo/testing_label_mask/1_label.mat", [0, 1, 4])
    avenue_mask(root / "ground_truth_demo/testing_label_mask/02_label.mat", [])
    manifest = find_dataset("avenue").load(root)
    assert [(video.path.name, video.label) for video in manifest.videos] == [
        ("01.avi", "normal"),
        ("01.avi", "abnormal"),
        ("02", "normal"),
    ]
    assert edges(manifest.videos[1].intervals) == pytest.approx([0, 0.4, 0.8, 1.0])
    assert len(manifest.groups) == 3


def test_avenue_without_masks_or_with_others_is_an_error(put, monkeypatch: pytest.MonkeyPatch) -> None:
    few(monkeypatch, "avenue", train=1, test=1)
    root = put("testing_videos/01.avi")
    with pytest.raises(ManifestError, match="holds no testing_label_mask"):
        find_dataset("avenue").labels(root, "test")
    savemat(write(root / "testing_label_mask/1_label.mat", ""), {"other": 1})
    with pytest.raises(ManifestError, match="has no cell array 'volLabel'"):
        find_dataset("avenue").labels(root, "test")


# ShanghaiTech


def test_shanghaitech_reads_training_videos_and_testing_frames(put) -> None:
    root = shanghai(put("training/videos/01_001.avi"))
    manifest = find_dataset("shanghaitech").load(root)
    assert rows(manifest) == {
        "01_001.avi": ("normal", []),
        "01_0014": ("abnormal", [(0.25, 0.375)]),
        "05_0021": ("normal", []),
    }
    assert manifest.groups == ("camera 01", "camera 05")


def test_shanghaitech_errors(tmp_path: Path) -> None:
    dataset = find_dataset("shanghaitech")
    with pytest.raises(ManifestError, match="training/videos: holds no training video"):
        dataset.labels(tmp_path, "train")
    with pytest.raises(ManifestError, match="test_frame_mask: holds no mask"):
        dataset.labels(tmp_path, "test")
    shanghai(tmp_path)
    np.save(tmp_path / "testing/test_frame_mask/01_0014.npy", np.zeros(N_FRAMES + 1))
    np.save(tmp_path / "testing/test_frame_mask/05_0021.npy", np.ones(N_FRAMES + 1))
    with pytest.raises(ManifestError, match=r"05_0021\.npy: 05_0021 has 10 frames where its labels count 11"):
        dataset.load(tmp_path, "test")
    np.save(tmp_path / "testing/test_frame_mask/05_0021.npy", np.ones((2, 2)))
    with pytest.raises(ManifestError, match=r"05_0021\.npy: is no vector"):
        dataset.labels(tmp_path, "test")
    (tmp_path / "testing/test_frame_mask/05_0021.npy").unlink()
    with pytest.raises(ManifestError, match="05_0021: has no mask in"):
        dataset.labels(tmp_path, "test")
    (tmp_path / "testing/test_frame_mask/01_0014.npy").write_bytes(b"x")
    (tmp_path / "testing/frames/05_0021").rename(tmp_path / "elsewhere")
    with pytest.raises(ManifestError, match="cannot be read as a NumPy array"):
        dataset.labels(tmp_path, "test")
