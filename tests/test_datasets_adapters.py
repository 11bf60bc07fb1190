"""Every adapter on a tiny made-up tree in the official layout, and what it says of trees that are wrong."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from hiprobe.datasets import FrameLabels, Interval, Manifest, datasets, find_dataset
from hiprobe.datasets.adapters import seconds
from hiprobe.datasets.adapters.files import runs
from hiprobe.datasets.adapters.ucsd import read_m, read_mat
from hiprobe.errors import ManifestError, UsageError, VideoError
from hiprobe.video import open_video
from tests.videos import write_video

N_FRAMES = 10


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames at 5 a second: encoded once, copied wherever a video is wanted."""
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", N_FRAMES, fps=5)


@pytest.fixture
def put(clip: Path, tmp_path: Path):
    """Put the clip at each of some paths below the folder of the test."""

    def call(*names: str) -> Path:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, tmp_path / name)
        return tmp_path

    return call


def frames(folder: Path, count: int = N_FRAMES) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        Image.new("L", (8, 8), index).save(folder / f"{index + 1:03d}.tif")
    return folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rows(manifest: Manifest) -> dict[str, tuple[str, list[tuple[float, float]]]]:
    return {
        video.path.name: (video.label, [(round(part.start, 6), round(part.end, 6)) for part in video.intervals])
        for video in manifest.videos
    }


def edges(intervals: Sequence[Interval]) -> list[float]:
    return [edge for part in intervals for edge in (part.start, part.end)]


def few(monkeypatch: pytest.MonkeyPatch, name: str, **counts: int) -> None:
    """Let a dataset have fewer videos than the real one."""
    monkeypatch.setattr(type(find_dataset(name)), "counts", counts)


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


# UCF-Crime

UCF_TEST = "Temporal_Anomaly_Annotation_for_Testing_Videos.txt"


def test_ucf_crime_counts_from_1_and_includes_the_last_frame(put) -> None:
    root = put(
        "Anomaly-Videos-Part-1/Abuse/Abuse028_x264.mp4",
        "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4",
        "Normal_Videos_for_Event_Recognition/Normal_Videos_003_x264.mp4",
    )
    write(
        root / UCF_TEST,
        "Abuse028_x264.mp4  Abuse  6  8  1  2  \nNormal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1  \n",
    )
    manifest = find_dataset("ucf-crime").load(root, "test")
    assert rows(manifest) == {
        "Abuse028_x264.mp4": ("Abuse", [(0.0, 0.4), (1.0, 1.6)]),
        "Normal_Videos_003_x264.mp4": ("normal", []),
    }
    assert "Testing_Normal" in str(manifest.videos[1].path)


def test_ucf_crime_training_videos_are_labelled_by_their_folder(put) -> None:
    root = put("Abuse/Abuse001_x264.mp4", "Training-Normal-Videos-Part-1/Normal_Videos001_x264.mp4")
    write(
        root / "splits" / "Anomaly_Train.txt",
        "Abuse/Abuse001_x264.mp4\r\nTraining_Normal_Videos_Anomaly/Normal_Videos001_x264.mp4\r\n",
    )
    assert rows(find_dataset("ucf-crime").load(root, "train")) == {
        "Abuse001_x264.mp4": ("Abuse", []),
        "Normal_Videos001_x264.mp4": ("normal", []),
    }


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("Abuse028_x264.mp4  Abuse  6  8  1", "3 frame numbers, which are no pairs"),
        ("Abuse028_x264.mp4  Abuse  6  x", "'x' is no whole number"),
        ("Abuse028_x264.mp4  Abuse  8  6", "7 to 6 .* are no range"),
        ("Abuse028_x264.mp4  Abuse  0  6", "-1 to 6 .* are no range"),
        ("Abuse028_x264.mp4  Abuse  -1  -1", "has no frames"),
        ("Abuse028_x264.mp4  Abuse", "is no annotation"),
        ("Abuse028_x264.mp4  Normal  1  2", "is normal and has abnormal frames"),
        (
            "Abuse029_x264.mp4  Abuse  1  2",
            r"the video .*Abuse029_x264\.mp4 does not exist; .* datasets check ucf-crime",
        ),
        ("Abuse028_x264.mp4  Abuse  6  40", "reach frame 40"),
    ],
)
def test_ucf_crime_errors_name_file_and_line(put, line: str, match: str) -> None:
    root = put("Abuse/Abuse028_x264.mp4")
    write(root / UCF_TEST, f"Abuse028_x264.mp4  Abuse  1  2  \n\n{line}")
    with pytest.raises(ManifestError, match=match) as error:
        find_dataset("ucf-crime").load(root, "test")
    assert str(error.value).startswith(f"{root / UCF_TEST}:3: ")


def test_ucf_crime_two_files_of_one_name_are_an_error(put) -> None:
    root = put("a/Abuse028_x264.mp4", "b/Abuse028_x264.mp4")
    write(root / UCF_TEST, "Abuse028_x264.mp4  Abuse  1  2")
    with pytest.raises(ManifestError, match=r"b/Abuse028_x264\.mp4: is there twice, also as .*a/Abuse028"):
        find_dataset("ucf-crime").labels(root, "test")


# XD-Violence


def xd(put, annotations: str, names: str) -> Path:
    root = put("videos/film__#1_label_B2-G-0.mp4", "videos/v=q__#1_label_A.mp4", "1-1004/film__#2_label_B1-0-0.mp4")
    write(root / "annotations.txt", annotations)
    write(root / "rgb_test.list", names)
    return root


XD_LIST = "/x/film__#1_label_B2-G-0__0.npy\n/x/film__#1_label_B2-G-0__1.npy\n/x/v=q__#1_label_A__0.npy\n"


def test_xd_violence_counts_from_0_and_leaves_the_end_out(put) -> None:
    root = xd(put, "film__#1_label_B2-G-0.mp4 8 10 0 1", XD_LIST)
    dataset = find_dataset("xd-violence")
    manifest = dataset.load(root, "test")
    assert rows(manifest) == {
        "film__#1_label_B2-G-0.mp4": ("shooting+explosion", [(0.0, 0.2), (1.6, 2.0)]),
        "v=q__#1_label_A.mp4": ("normal", []),
    }
    train = dataset.load(root, "train")
    assert rows(train) == {"film__#2_label_B1-0-0.mp4": ("fighting", [])}
    assert manifest.videos[0].group == train.videos[0].group == "film"
    assert len(dataset.load(root).videos) == 3


@pytest.mark.parametrize(
    ("annotations", "names", "where", "match"),
    [
        ("film__#1_label_B2-G-0 1 2\nfilm__#1_label_B2-G-0.mp4 3 4", XD_LIST, "annotations.txt:2", "repeats .*:1"),
        ("film__#1_label_B2-G-0 1 2 3", XD_LIST, "annotations.txt:1", "no pairs"),
        ("film__#1_label_B2-G-0", XD_LIST, "annotations.txt:1", "has no frames"),
        ("film__#1_label_B2-G-0 2 1", XD_LIST, "annotations.txt:1", "are no range"),
        ("film__#3_label_B1-0-0 1 2", XD_LIST, "annotations.txt:1", r"is not on rgb_test\.list"),
        ("v=q__#1_label_A 1 2\nfilm__#1_label_B2-G-0 1 2", XD_LIST, "annotations.txt:1", "normal by its name"),
        ("v=q__#1_label_A 1 2", XD_LIST, "rgb_test.list:1", "has no frames of it"),
        ("a_label_B7-0-0 1 2", "a_label_B7-0-0", "rgb_test.list:1", "holds no label"),
        ("a_label_G-0-0 1 2", "a_label_G-0-0.mp4", "annotations.txt:1", "does not exist"),
    ],
)
def test_xd_violence_errors_name_file_and_line(put, annotations: str, names: str, where: str, match: str) -> None:
    root = xd(put, annotations, names)
    with pytest.raises(ManifestError, match=match) as error:
        find_dataset("xd-violence").load(root, "test")
    assert str(error.value).startswith(f"{root / where}: ")


def test_xd_violence_a_video_without_a_label_in_its_name_is_an_error(put) -> None:
    root = xd(put, "film__#1_label_B2-G-0 8 10", XD_LIST)
    put("holiday.mp4")
    with pytest.raises(ManifestError, match=r"holiday\.mp4: the name 'holiday' holds no label"):
        find_dataset("xd-violence").load(root, "train")


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


def cells(*content: object) -> np.ndarray:
    array = np.empty((1, len(content)), dtype=object)
    for index, cell in enumerate(content):
        array[0, index] = cell
    return array


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


COPY_HEAD = "path,label,category,n_frames,fps,width,height,segments,split,group\n"


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


def avenue_mask(path: Path, abnormal: list[int]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    masks = [np.full((4, 6), index in abnormal, np.uint8) for index in range(N_FRAMES)]
    savemat(path, {"volLabel": cells(*masks)})
    return path


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


def shanghai(root: Path) -> Path:
    frames(root / "testing/frames/01_0014")
    frames(root / "testing/frames/05_0021")
    (root / "testing/test_frame_mask").mkdir()
    np.save(root / "testing/test_frame_mask/01_0014.npy", np.array([0] * 6 + [1] * 3 + [0]))
    np.save(root / "testing/test_frame_mask/05_0021.npy", np.zeros(N_FRAMES))
    return root


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


# MSAD

MSAD_HEAD = "name,scenario,total frames,starting frame of anomaly,ending frame of anomaly\n"


def msad(put, rows: str) -> Path:
    root = put(
        "MSAD_blur/MSAD_normal_training_blur/shop/shop_1.mp4",
        "MSAD_blur/MSAD_normal_testing_blur/MSAD_normal_testing_1.mp4",
        "MSAD_blur/MSAD_anomaly_blur/Assault/Assault_1.mp4",
        "MSAD_blur/MSAD_anomaly_blur/People_falling/People_falling_2.mp4",
    )
    write(root / "anomaly_annotation.csv", MSAD_HEAD + rows)
    return root


MSAD_ROWS = "Assault_1,shop,10,6,10\nPeople_falling_2,street,10,1,2\n"


def test_msad_without_a_list_tests_all_that_is_abnormal(put) -> None:
    root = msad(put, MSAD_ROWS)
    dataset = find_dataset("msad")
    assert rows(dataset.load(root, "train")) == {"shop_1.mp4": ("normal", [])}
    assert rows(dataset.load(root, "test")) == {
        "MSAD_normal_testing_1.mp4": ("normal", []),
        "Assault_1.mp4": ("Assault", [(1.0, 2.0)]),
        "People_falling_2.mp4": ("People_falling", [(0.0, 0.4)]),
    }
    assert (dataset.expected(root, "train"), dataset.expected(root, "test")) == (360, 360)


def test_msad_with_a_list_trains_on_the_others(put) -> None:
    root = msad(put, MSAD_ROWS)
    write(root / "MSAD_I3D_WS_Test.list", "/x/MSAD-I3D-abnormal-testing/Assault_1_i3d.npy\n")
    dataset = find_dataset("msad")
    assert list(rows(dataset.load(root, "train"))) == ["shop_1.mp4", "People_falling_2.mp4"]
    assert list(rows(dataset.load(root, "test"))) == ["MSAD_normal_testing_1.mp4", "Assault_1.mp4"]
    assert (dataset.expected(root, "train"), dataset.expected(root, "test")) == (480, 240)


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("Assault_1,shop,10,x,10", "'x' is no whole number"),
        ("Assault_1,shop,10,6,5", "are no range"),
        ("Assault,shop,10,6,8", "holds no kind"),
        ("Assault_9,shop,10,6,8", "does not exist"),
    ],
)
def test_msad_errors_name_file_and_line(put, row: str, match: str) -> None:
    root = msad(put, f"People_falling_2,street,10,1,2\n{row}\n")
    with pytest.raises(ManifestError, match=match) as error:
        find_dataset("msad").load(root, "test")
    assert str(error.value).startswith(f"{root / 'anomaly_annotation.csv'}:3: ")


# Surveillance Camera Fight


def test_surv_fight_is_labelled_by_its_folders(put) -> None:
    root = put("fight/fi001.mp4", "fight/.hidden.mp4", "noFight/nofi001.mp4")
    dataset = find_dataset("surv-fight")
    assert rows(dataset.load(root)) == {"fi001.mp4": ("fight", []), "nofi001.mp4": ("normal", [])}
    assert dataset.splits == ("all",) and dataset.expected(root, "all") == 300
    with pytest.raises(UsageError, match="no split 'test'; choose one of all"):
        dataset.load(root, "test")
    shutil.rmtree(root / "noFight")
    with pytest.raises(ManifestError, match="noFight: holds no clip"):
        dataset.load(root)


def test_surv_fight_takes_groups_from_labels(put) -> None:
    root = put("fight/fi001.mp4", "noFight/nofi001.mp4")
    write(
        root / "labels.csv",
        COPY_HEAD
        + "fight/fi001.mp4,1,fight,10,5,80,48,0-10,train,film\n"
        + "noFight/nofi001.mp4,0,normal,10,5,80,48,,train,film\n",
    )
    manifest = find_dataset("surv-fight").load(root)
    assert manifest.groups == ("film",)
    assert rows(manifest)["fi001.mp4"] == ("fight", [(0.0, 2.0)])


def test_surv_fight_takes_groups_from_the_list_of_recordings(put) -> None:
    root = put("fight/fi001.mp4", "fight/fi002.mp4", "fight/fi003.mp4", "noFight/nofi001.mp4", "noFight/nofi062.mp4")
    put("noFight/nofi063.mp4", "noFight/nofi099.mp4")
    write(
        root / "videos.txt",
        "https://a \nfi001: 0.13.50 - 0.15.60\nnofi001: 2.34.70 - 2.37.80\nhttps://b\nfi002: 1.30.00 - 1.32.50\n"
        "nofi001: 0.01.00 - 0.03.00\nhttps://c\nfi003: 0.0.50 - 0.11.50\n\nnofi062 - nofi063 : CamNet Dataset\n",
    )
    groups = {item.path.stem: item.group for item in find_dataset("surv-fight").labels(root)}
    assert groups["fi001"] == groups["fi002"] == groups["nofi001"] == "https://a"
    assert groups["fi003"] == "https://c" and groups["nofi062"] == groups["nofi063"] == "CamNet Dataset"
    assert groups["nofi099"] == "nofi099"
    write(root / "videos.txt", "https://a\nfi001: 0.13.50 - 0.15.60\nand more\n")
    with pytest.raises(ManifestError, match=r"videos\.txt:3: 'and more' is neither a recording nor a clip"):
        find_dataset("surv-fight").labels(root)


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
