"""Checking a copy, writing a manifest, drawing a calibration set, and the commands that do so."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiprobe.datasets import (
    NORMAL,
    Interval,
    LabelledVideo,
    Manifest,
    check_dataset,
    find_dataset,
    load_manifest,
    sample_calibration,
    write_manifest,
)
from hiprobe.errors import UsageError
from hiprobe.video import VideoRef
from tests.trees import UCF_TEST, shanghai
from tests.videos import cut, damage_packets, write_video


@pytest.fixture
def copy(clip: Path, tmp_path: Path) -> Path:
    """A copy of UCF-Crime of two videos, whole."""
    for name in ("Abuse/Abuse028_x264.mp4", "Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4"):
        (tmp_path / name).parent.mkdir()
        shutil.copy(clip, tmp_path / name)
    (tmp_path / UCF_TEST).write_text(
        "Abuse028_x264.mp4  Abuse  6  8  -1  -1\nNormal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1\n"
    )
    return tmp_path


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let UCF-Crime have two test videos and no others."""
    monkeypatch.setattr(type(find_dataset("ucf-crime")), "counts", {"test": 2})


# Checking


def problems(root: Path, **options: bool) -> dict[str, str]:
    found = check_dataset(find_dataset("ucf-crime"), root, "test", **options)
    return {finding.path.name: finding.problem for finding in found if finding.problem}


@pytest.mark.usefixtures("small")
def test_a_whole_copy_has_no_problem(copy: Path) -> None:
    found = list(check_dataset(find_dataset("ucf-crime"), copy, decode=True))
    assert len(found) == 2 and not any(finding.problem for finding in found)


@pytest.mark.usefixtures("small")
def test_missing_unreadable_and_short_videos_are_found(copy: Path, clip: Path) -> None:
    abuse, normal = sorted(copy.glob("*/*.mp4"))
    shutil.copy(write_video(copy.parent / "short.mp4", 3, fps=5), abuse)
    shutil.copy(cut(clip), normal)
    found = problems(copy)
    assert "has 3 frames and its labels reach frame 8" in found[abuse.name] and f"{UCF_TEST}:1" in found[abuse.name]
    assert "copy the file again" in found[normal.name]
    abuse.unlink()
    assert problems(copy)[abuse.name] == f"is missing; {copy / UCF_TEST}:1 lists it."


@pytest.mark.usefixtures("small")
def test_damage_within_a_video_is_found_by_decoding(copy: Path) -> None:
    normal = next(copy.glob("Testing*/*.mp4"))
    # Each frame stands alone, so that the first one opens; many must be damaged to be refused.
    whole = write_video(copy / "long.avi", 40, codec="mjpeg", pix_fmt="yuvj420p")
    shutil.copy(damage_packets(whole, range(9, 39)), normal)
    assert not problems(copy)
    assert "damaged" in problems(copy, decode=True)[normal.name]


def test_a_split_of_another_size_is_a_problem(copy: Path) -> None:
    assert problems(copy) == {copy.name: "holds 2 videos of the split test, which has 290; complete the copy."}


@pytest.mark.usefixtures("small")
def test_check_prints_a_line_per_problem_and_ends_with_1(copy: Path, run) -> None:
    code, out, err = run("datasets", "check", "ucf-crime", "--root", copy)
    assert code == 0 and "2 videos of UCF-Crime (all) checked: all there" in out and not err
    (copy / "Abuse/Abuse028_x264.mp4").unlink()
    code, out, err = run("datasets", "check", "ucf-crime", "--root", copy, "--split", "test")
    assert code == 1 and out.count("\n") == 1 and "Abuse028_x264.mp4: is missing; " in out
    assert "2 videos of UCF-Crime (test) checked, problems: 1; mend the copy" in err
    code, _, err = run("datasets", "check", "ucf-crime", "--root", copy / "none")
    assert code == 2 and "is no folder" in err
    code, _, err = run("datasets", "check", "ucf", "--root", copy)
    assert code == 2 and "There is no dataset 'ucf'" in err


def test_the_list_names_all_datasets(run) -> None:
    code, out, _ = run("datasets")
    assert code == 0 and "1610 train, 290 test" in out and "docs/datasets.md" in out
    for name in ("ucf-crime", "xd-violence", "ucsd-ped1", "ucsd-ped2", "avenue", "shanghaitech", "msad", "surv-fight"):
        assert f"\n{name} " in out


# Writing


def test_what_is_exported_is_read_back(copy: Path, run, tmp_path: Path) -> None:
    for target in (copy / "labels.csv", tmp_path / "elsewhere" / "labels.csv"):
        code, out, _ = run("datasets", "export", "ucf-crime", "--root", copy, "-o", target)
        assert code == 0 and "2 videos, 1 of them abnormal" in out
        assert load_manifest(target).videos == find_dataset("ucf-crime").load(copy, "test").videos
    assert str(copy) not in (copy / "labels.csv").read_text()


def test_exported_folders_of_frames_come_with_their_rate(tmp_path: Path, run, monkeypatch) -> None:
    shanghai(tmp_path)
    words = ("datasets", "export", "shanghaitech", "--root", tmp_path, "--split", "test", "-o", tmp_path / "out.csv")
    code, out, _ = run(*words)
    assert code == 0 and "2 videos, 1 of them abnormal" in out
    refs = load_manifest(tmp_path / "out.csv").refs
    assert {(ref.path.is_dir(), ref.fps) for ref in refs} <= {(True, 24.0), (False, None)}
    assert any(ref.fps == 24.0 for ref in refs)
    code, _, err = run(*words[:-1], tmp_path / "out.json")
    assert code == 2 and "give a name that ends in .csv" in err


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
SPANS = st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)).filter(lambda pair: pair[0] < pair[1])


@given(st.lists(st.tuples(st.lists(st.tuples(SPANS, NAMES), max_size=3, unique=True), NAMES), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_any_manifest_is_read_back(tmp_path_factory: pytest.TempPathFactory, content: list) -> None:
    folder = tmp_path_factory.mktemp("m")
    videos = []
    for index, (parts, group) in enumerate(content):
        path = folder / f"a, {index}.mp4"
        path.touch()
        intervals = tuple(
            Interval(start, end, label)
            for start, end, label in sorted((*span, label) for span, label in parts if label.casefold() != NORMAL)
        )
        videos.append(LabelledVideo(VideoRef(path), intervals[0].label if intervals else NORMAL, intervals, group))
    write_manifest(Manifest(folder, tuple(videos)), folder / "labels.csv")
    assert load_manifest(folder / "labels.csv").videos == tuple(videos)


def test_the_rates_of_folders_of_frames_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "slow").mkdir()
    (tmp_path / "fast").mkdir()
    (tmp_path / "a.mp4").touch()
    refs = [VideoRef(tmp_path / "slow", 0.1 + 0.2), VideoRef(tmp_path / "fast", 25.0), VideoRef(tmp_path / "a.mp4")]
    videos = tuple(LabelledVideo(ref, NORMAL, (), "g") for ref in refs)
    write_manifest(Manifest(tmp_path, videos), tmp_path / "labels.csv")
    assert load_manifest(tmp_path / "labels.csv").refs == tuple(refs)
    write_manifest(Manifest(tmp_path, videos[2:]), tmp_path / "files.csv")
    assert "fps" not in (tmp_path / "files.csv").read_text()


# Sampling


def manifest(*videos: tuple[str, str]) -> Manifest:
    """Videos given as label and group."""
    return Manifest(
        Path("m.csv"),
        tuple(LabelledVideo(VideoRef(Path(f"{i}.mp4")), label, (), group) for i, (label, group) in enumerate(videos)),
    )


LABELS = st.sampled_from([NORMAL, NORMAL, "fight", "fire", "fall"])
MANIFESTS = st.lists(st.tuples(LABELS, st.integers(0, 25).map(str)), min_size=1, max_size=80).map(
    lambda videos: manifest(*videos)
)
SHARES = st.floats(0.001, 1.0)
FEW = settings(max_examples=50, deadline=None)


@FEW
@given(MANIFESTS, SHARES, st.integers(0, 5))
def test_groups_are_never_split_and_the_order_is_kept(given_: Manifest, share: float, seed: int) -> None:
    drawn = sample_calibration(given_, share, seed)
    assert drawn == sample_calibration(given_, share, seed)
    assert [video for video in given_.videos if video in drawn.videos] == list(drawn.videos)
    assert len(set(drawn.videos)) == len(drawn.videos)
    rest = [video for video in given_.videos if video not in drawn.videos]
    if len(given_.groups) > 1:
        assert not set(drawn.groups) & {video.group for video in rest}


@FEW
@given(MANIFESTS, SHARES, st.integers(0, 5))
def test_two_groups_of_each_class_are_kept_where_there_are(given_: Manifest, share: float, seed: int) -> None:
    drawn = sample_calibration(given_, share, seed)
    for normal in (True, False):
        there = {video.group for video in given_.videos if (video.label == NORMAL) == normal}
        kept = {video.group for video in drawn.videos if (video.label == NORMAL) == normal}
        assert len(kept) >= min(2, len(there))


@FEW
@given(st.lists(LABELS, min_size=2, max_size=200), SHARES, st.integers(0, 5))
def test_single_videos_are_drawn_to_the_video(labels: list[str], share: float, seed: int) -> None:
    given_ = manifest(*((label, f"g{index}") for index, label in enumerate(labels)))
    drawn = Counter(video.label for video in sample_calibration(given_, share, seed).videos)
    there = Counter(labels)
    abnormal = there.total() - there[NORMAL]
    assert drawn[NORMAL] == min(there[NORMAL], max(2, round(share * there[NORMAL])))
    wanted = min(abnormal, max(2, round(share * abnormal)))
    assert drawn.total() - drawn[NORMAL] == wanted
    for kind in set(there) - {NORMAL}:
        assert abs(drawn[kind] - wanted * there[kind] / abnormal) < 1


@FEW
@given(MANIFESTS, st.integers(0, 5))
def test_the_whole_share_is_everything(given_: Manifest, seed: int) -> None:
    assert sample_calibration(given_, 1.0, seed).videos == given_.videos


def test_another_seed_draws_other_videos() -> None:
    given_ = manifest(*((NORMAL if i % 2 else "fight", f"g{i}") for i in range(400)))
    assert sample_calibration(given_, 0.05, 0).videos != sample_calibration(given_, 0.05, 1).videos


def test_the_videos_of_a_single_group_are_drawn_one_by_one() -> None:
    given_ = manifest(*((NORMAL if i % 2 else "fight", "yard") for i in range(100)))
    assert len(sample_calibration(given_, 0.1).videos) == 10


def test_a_group_that_overshoots_far_is_left_out_though_it_alone_has_a_kind() -> None:
    film = [(NORMAL, "film")] * 300 + [("fall", "film")] * 60
    given_ = manifest(*film, *((("fight", NORMAL)[i % 2], f"g{i}") for i in range(200)))
    for seed in range(5):
        drawn = sample_calibration(given_, 0.05, seed)
        assert "film" not in drawn.groups and len(drawn.videos) < 30


def test_half_of_thousands_of_videos_is_half_of_each_kind() -> None:
    given_ = manifest(*((NORMAL if i % 2 else f"kind {i % 13}", f"g{i}") for i in range(4000)))
    drawn = Counter(video.label for video in sample_calibration(given_, 0.5).videos)
    every = Counter(video.label for video in given_.videos)
    assert drawn.total() == 2000 and drawn[NORMAL] == 1000
    assert all(abs(2 * drawn[label] - count) <= 2 for label, count in every.items())


@pytest.mark.parametrize("share", [0, -0.1, 1.01, math.nan, math.inf])
def test_a_share_out_of_range_is_an_error(share: float) -> None:
    with pytest.raises(UsageError, match="give a number above 0 and at most 1"):
        sample_calibration(manifest((NORMAL, "a")), share)
    with pytest.raises(UsageError, match="--seed -1"):
        sample_calibration(manifest((NORMAL, "a")), 0.5, -1)


def test_sample_writes_labels(run, tmp_path: Path) -> None:
    rows = [f"{i}.mp4,{('normal', 'fight')[i % 2]}\n" for i in range(40)]
    for index in range(40):
        (tmp_path / f"{index}.mp4").touch()
    (tmp_path / "labels.csv").write_text("path,label\n" + "".join(rows))
    out_path = tmp_path / "few.csv"
    code, out, _ = run("datasets", "sample", tmp_path / "labels.csv", "--share", "0.1", "--seed", 3, "-o", out_path)
    assert code == 0 and "4 of 40 videos (10.0%), 2 of them abnormal, 4 of 40 groups" in out
    assert load_manifest(out_path).videos == sample_calibration(load_manifest(tmp_path / "labels.csv"), 0.1, 3).videos
    code, _, err = run("datasets", "sample", tmp_path / "labels.csv", "--share", "0", "-o", out_path)
    assert code == 2 and "--share 0" in err
