"""Datasets whose label files list videos, on tiny made-up copies: right ones and wrong ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hiprobe.datasets import find_dataset
from hiprobe.errors import ManifestError, UsageError
from tests.trees import COPY_HEAD, UCF_TEST, rows, write

# UCF-Crime


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
