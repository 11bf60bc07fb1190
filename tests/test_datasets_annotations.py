"""The parsers on the real annotation files of UCF-Crime and XD-Violence, which are not part of this repository."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from hiprobe.datasets import NORMAL, find_dataset
from hiprobe.datasets.adapters.ucf_crime import read_test, read_train
from hiprobe.datasets.adapters.ucsd import read_mat
from hiprobe.datasets.adapters.xd_violence import read_annotations, read_test_list

DATA = Path(os.environ.get("HIPROBE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
UCF, XD = DATA / "annotations" / "ucf_crime", DATA / "annotations" / "xd_violence"

if not DATA.is_dir():
    pytest.skip(
        f"REAL ANNOTATIONS NOT TESTED: {DATA} does not exist; point HIPROBE_TEST_DATA at them", allow_module_level=True
    )


def test_ucf_crime_has_290_test_videos_140_of_them_abnormal() -> None:
    lines = list(read_test(UCF / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt"))
    assert len(lines) == len({listed for _, listed, _, _ in lines}) == 290
    assert sum(label == NORMAL for _, _, label, _ in lines) == 150
    assert all(bool(ranges) == (label != NORMAL) for _, _, label, ranges in lines)
    assert len({label for _, _, label, _ in lines} - {NORMAL}) == 13
    found = {listed: ranges for _, listed, _, ranges in lines}
    # The file says 165 to 240, counted from 1 and 240 included; and 1830 1980 2400 2670.
    assert found["Abuse/Abuse028_x264.mp4"] == ((164, 240),)
    assert found["Vandalism/Vandalism028_x264.mp4"] == ((1829, 1980), (2399, 2670))


def test_ucf_crime_lists_its_test_videos_where_their_own_list_has_them() -> None:
    official = (UCF / "Anomaly_Test.txt").read_text().split()
    found = read_test(UCF / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt")
    assert {listed for _, listed, _, _ in found} == set(official)


def test_ucf_crime_has_1610_training_videos_810_of_them_abnormal() -> None:
    lines = list(read_train(UCF / "Anomaly_Train.txt"))
    assert Counter(label == NORMAL for _, _, label, _ in lines) == {True: 800, False: 810}
    assert not any(ranges for _, _, _, ranges in lines)
    assert len({label for _, _, label, _ in lines}) == 14


def test_xd_violence_has_800_test_videos_500_of_them_abnormal() -> None:
    labels = find_dataset("xd-violence").labels(XD, "test")
    assert len(labels) == len({item.path for item in labels}) == 800
    assert Counter(item.label == NORMAL for item in labels) == {True: 300, False: 500}
    assert all(bool(item.ranges) == (item.label != NORMAL) for item in labels)
    kinds = {kind for item in labels for kind in item.label.split("+")}
    assert kinds == {NORMAL, "fighting", "shooting", "riot", "abuse", "car accident", "explosion"}
    both = next(item for item in labels if item.path.name == "Bad.Boys.1995__#01-11-55_01-12-40_label_G-B2-B6.mp4")
    assert both.label == "explosion+shooting+car accident" and both.group == "Bad.Boys.1995"
    assert len({item.group for item in labels}) < 800


def test_xd_violence_stray_suffixes_and_many_ranges() -> None:
    text = (XD / "annotations.txt").read_text()
    assert sum(line.split()[0].endswith(".mp4") for line in text.splitlines()) == 14
    found = read_annotations(XD / "annotations.txt")
    assert len(found) == 500 and not any(name.endswith(".mp4") for name in found)
    assert set(found) <= set(read_test_list(XD / "rgb_test.list"))
    longest = max(found.values(), key=lambda item: len(item[1]))
    assert len(longest[1]) == 22
    where, ranges = found["v=PRH5rYUHoVU__#00-00-25_00-02-50_label_B6-0-0"]
    assert len(ranges) == 11 and ranges[0] == (27, 144) and ranges[-1] == (3255, 3387)
    assert where.startswith(f"{XD / 'annotations.txt'}:")
    # The last line has no newline.
    assert found["City.of.God.2002__#01-24-10_01-25-10_label_B2-0-0"][1] == ((340, 1090),)


def test_ucsd_ped2_as_mat_and_as_a_copy_with_labels_say_the_same() -> None:
    root = DATA / "ucsd_ped2"
    from_copy = find_dataset("ucsd-ped2").labels(root, "test")
    assert [item.ranges for item in from_copy] == [ranges for _, ranges in read_mat(root / "ped2.mat")]
    assert len(find_dataset("ucsd-ped2").labels(root, "train")) == 16
    assert len({item.group for item in find_dataset("ucsd-ped2").labels(root)}) == 28


def test_ucsd_ped2_in_seconds() -> None:
    manifest = find_dataset("ucsd-ped2").load(DATA / "ucsd_ped2", "test")
    first = manifest.videos[0]
    assert first.path.name == "Test001.mp4" and first.label == "abnormal"
    assert (first.intervals[0].start, first.intervals[0].end) == pytest.approx((6.0, 18.0))


def test_surv_fight_by_source() -> None:
    labels = find_dataset("surv-fight").labels(DATA / "surv_fight")
    assert Counter(item.label for item in labels) == {"fight": 90, NORMAL: 110}
    assert len({item.group for item in labels}) == 29
