"""Manifests as people write them, right and wrong, and the labels of segments."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.datasets import (
    Interval,
    LabelledVideo,
    Manifest,
    check_intervals,
    load_manifest,
    partly_covered,
    segment_labels,
)
from hiprobe.errors import ManifestError, UsageError
from hiprobe.video import VideoRef


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "c, d.mp4", "frames/000.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def csv(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def jsonl(folder: Path, *rows: object) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(row if isinstance(row, str) else json.dumps(row) + "\n" for row in rows))
    return path


def expected(folder: Path, source: Path) -> Manifest:
    return Manifest(
        source,
        (
            LabelledVideo(VideoRef(folder / "b.mp4"), "normal", (), "yard"),
            LabelledVideo(
                VideoRef(folder / "a.mp4"),
                "fire",
                (Interval(1, 3, "fire"), Interval(2.5, 4, "fight")),
                "yard",
            ),
            LabelledVideo(VideoRef(folder / "frames"), "fight", (), str(folder / "frames")),
        ),
    )


def test_csv_merges_rows_and_keeps_order(folder: Path) -> None:
    text = (
        "\ufeffpath, label,start,end,group\r\nb.mp4,Normal,,,yard\r\na.mp4,fight,2.5,4,yard\r\n\r\n"
        "./a.mp4,fire,1,3\r\nframes,fight\r\n"
    )
    source = csv(folder, text)
    assert load_manifest(source) == expected(folder, source)
    assert load_manifest(str(source)).source == source


def test_json_lines_say_the_same(folder: Path) -> None:
    source = jsonl(
        folder,
        {"path": "b.mp4", "label": "normal", "group": " yard "},
        {"path": "a.mp4", "label": "fight", "start": 2.5, "end": 4, "group": "yard"},
        "\n",
        {"path": str(folder / "a.mp4"), "label": "fire", "start": 1, "end": 3, "group": None},
        {"path": "frames", "label": "fight", "group": ""},
    )
    assert load_manifest(source) == expected(folder, source)


def test_derived_properties(folder: Path) -> None:
    source = csv(folder, "path,label,start,end,group\nb.mp4,normal,,,g\na.mp4,fire,1,2,g\nframes,fight,,,\n")
    manifest = load_manifest(source)
    assert manifest.groups == ("g", str(folder / "frames"))
    assert [video.is_abnormal for video in manifest.videos] == [False, True, True]
    assert [video.video_level for video in manifest.videos] == [False, False, True]


def test_quoted_paths_and_their_line_numbers(folder: Path) -> None:
    assert load_manifest(csv(folder, 'path,label\n"c, d.mp4",normal\n')).videos[0].path.name == "c, d.mp4"
    source = csv(folder, 'path,label,group\na.mp4,normal,"two\nlines"\nb.mp4,\n')
    with pytest.raises(ManifestError, match=r"labels\.csv:4: label is missing"):
        load_manifest(source)


HEAD = "path,label,start,end,group\n"


@pytest.mark.parametrize(
    ("text", "line", "match"),
    [
        ("path,label,begin\n", 1, "column 'begin' is unknown; allowed are path, label, start, end, group"),
        ("\npath;label\n", 2, "column 'path;label' is unknown"),
        ("path,start\n", 1, "column 'label' is missing"),
        ("path,label,label\n", 1, "'label' appears twice"),
        (HEAD + "a.mp4,fight,x,2\n", 2, "start is 'x' .*seconds"),
        (HEAD + "a.mp4,fight,-1,2\n", 2, "start is '-1' .*greater than or equal to 0"),
        (HEAD + "a.mp4,fight,nan,2\n", 2, "start is 'nan' .*finite"),
        (HEAD + "a.mp4,fight,1,inf\n", 2, "end is 'inf' .*finite"),
        (HEAD + "b.mp4,normal\na.mp4,fight,1,\n", 3, "start without end"),
        (HEAD + "a.mp4,fight,,1\n", 2, "end without start"),
        (HEAD + "a.mp4,fight,2,1\n", 2, "start 2 is not before end 1"),
        (HEAD + "a.mp4,fight,2,2\n", 2, "start 2 is not before end 2"),
        (HEAD + "a.mp4,  ,1,2\n", 2, "label is missing or empty"),
        (HEAD + ",fight,1,2\n", 2, "path is missing or empty"),
        (HEAD + "a.mp4,normal,1,2\n", 2, "normal row has start and end.*remove"),
        (HEAD + "a.mp4,fight,1,2,g,h\n", 2, "6 fields under 5 columns"),
        (HEAD + "c, d.mp4,normal\n", 2, "start is 'normal'"),
        (HEAD + 'a.mp4,"fight\n', 2, "not valid CSV"),
        (HEAD + "b.mp4,normal\nnone.mp4,normal\n", 3, r"the video .*none\.mp4 does not exist"),
        (HEAD + "n" * 999 + ",normal\n", 2, "does not exist"),
        (HEAD + "a.mp4,fight,1,2\n./a.mp4,fight,1.0,2\n", 3, r"repeats .*labels\.csv:2"),
        (HEAD + "a.mp4,normal\na.mp4,normal\n", 3, r"repeats .*labels\.csv:2"),
        (HEAD + "a.mp4,normal\na.mp4,fight,1,2\n", 3, r"fight here and normal at .*labels\.csv:2"),
        (HEAD + "a.mp4,fight,1,2\nb.mp4,normal\na.mp4,normal\n", 4, r"normal here and fight at .*:2"),
        (HEAD + "a.mp4,fight,1,2\na.mp4,fire\n", 3, "not all have an interval"),
        (HEAD + "a.mp4,fire\na.mp4,fight,1,2\n", 3, "not all have an interval"),
        (HEAD + "a.mp4,fight\na.mp4,fire\n", 3, "not all have an interval"),
        (
            HEAD + "a.mp4,fight,1,2,g\na.mp4,fight,3,4\na.mp4,fire,5,6,h\n",
            4,
            "group is 'h' here and 'g' at .*:2",
        ),
    ],
)
def test_csv_errors_name_file_and_line(folder: Path, text: str, line: int, match: str) -> None:
    source = csv(folder, text)
    with pytest.raises(ManifestError, match=match) as error:
        load_manifest(source)
    assert str(error.value).startswith(f"{source}:{line}: ")
    assert error.value.exit_code == 2


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("{\n", "not valid JSON"),
        ("[1]\n", "not a JSON object"),
        ('{"path": "a.mp4", "path": "b.mp4", "label": "fire"}\n', "a key appears twice"),
        ('{"path": "a.mp4", "label": "fire", "start": NaN, "end": 2}\n', "start is nan"),
        ({"path": "a.mp4"}, "label is missing"),
        ({"path": "a.mp4", "label": "fire", "begin": 1}, "column 'begin' is unknown"),
        ({"path": "a.mp4", "label": "fire", "start": "1", "end": 2}, "start is '1'"),
        ({"path": "a.mp4", "label": "fire", "start": True, "end": 2}, "start is True"),
        ({"path": "a.mp4", "label": 3}, "label is 3 .*give text"),
    ],
)
def test_json_errors_name_file_and_line(folder: Path, row: object, match: str) -> None:
    source = jsonl(folder, {"path": "b.mp4", "label": "normal"}, row)
    with pytest.raises(ManifestError, match=match) as error:
        load_manifest(source)
    assert str(error.value).startswith(f"{source}:2: ")


def test_not_utf8_names_the_line(folder: Path) -> None:
    source = folder / "labels.csv"
    source.write_bytes(b"path,label\na.mp4,normal\nb.mp4,f\xe9te\n")
    with pytest.raises(ManifestError, match=r"labels\.csv:3: is not UTF-8"):
        load_manifest(source)


@pytest.mark.parametrize("text", ["", "\n\n", "path,label\n"])
def test_an_empty_manifest_is_an_error(folder: Path, text: str) -> None:
    with pytest.raises(ManifestError, match="has no rows"):
        load_manifest(csv(folder, text))


def test_a_missing_manifest_or_another_type_is_an_error(folder: Path) -> None:
    with pytest.raises(ManifestError, match=r"none\.csv: does not exist"):
        load_manifest(folder / "none.csv")
    with pytest.raises(ManifestError, match=r"a\.mp4: is neither \.csv nor \.jsonl"):
        load_manifest(folder / "a.mp4")


def test_one_video_under_two_names_is_one_video(folder: Path) -> None:
    (folder / "link.mp4").symlink_to(folder / "a.mp4")
    with pytest.raises(ManifestError, match="fight here and normal at"):
        load_manifest(csv(folder, "path,label\na.mp4,normal\nlink.mp4,fight\n"))


def tree(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_a_folder_is_labelled_by_its_subfolders(tmp_path: Path) -> None:
    files = ("normal/b.MP4", "normal/a.avi", "normal/notes.txt", "normal/.c.mp4", "fight/clip/0.png")
    root = tree(tmp_path, *files, "fire/x.mkv", "README", ".cache/y.mp4", "fire/.thumbs/z/1.png")
    manifest = load_manifest(root)
    names = [(str(video.path.relative_to(root)), video.label) for video in manifest.videos]
    assert names == [
        ("fight/clip", "fight"),
        ("fire/x.mkv", "fire"),
        ("normal/a.avi", "normal"),
        ("normal/b.MP4", "normal"),
    ]
    assert manifest.groups == tuple(str(video.path) for video in manifest.videos)
    assert manifest.videos[0].video_level and not manifest.videos[2].video_level


@pytest.mark.parametrize(
    ("files", "match"),
    [
        (["fight/a.mp4"], "no subfolder normal/"),
        (["normal/a.txt", "fight/b.mp4"], "normal: holds no video"),
        (["normal/a.mp4", "fight/.b.mp4"], "fight: holds no video"),
        (["normal/a.mp4", "fight/b.mp4", "c.mp4"], r"c\.mp4: has no label"),
        (["normal/a.mp4", "fight/b.mp4", "fight/camera/c.mp4"], "camera: holds videos one level too deep"),
        (["normal/a.mp4", "fight/b.mp4", "fight/camera/c/0.jpg"], "camera: holds videos one level too deep"),
    ],
)
def test_a_folder_with_a_video_out_of_place_is_an_error(tmp_path: Path, files: list[str], match: str) -> None:
    with pytest.raises(ManifestError, match=match):
        load_manifest(tree(tmp_path, *files))


def test_a_folder_of_normal_videos_alone_will_do(tmp_path: Path) -> None:
    manifest = load_manifest(tree(tmp_path, "normal/a.mp4", "normal/b.mp4"))
    assert [video.label for video in manifest.videos] == ["normal", "normal"]


def labelled(*spans: tuple[float, float], label: str = "fight") -> LabelledVideo:
    intervals = tuple(Interval(start, end, label) for start, end in sorted(spans))
    return LabelledVideo(VideoRef(Path("a.mp4")), label, intervals, "a.mp4")


def test_folders_of_frames_have_rates_of_their_own(folder: Path) -> None:
    (folder / "slow").mkdir()
    rows = "path,label,fps\nframes,fight,25\nslow,normal,12.5\nb.mp4,normal,\n"
    manifest = load_manifest(csv(folder, rows))
    assert [ref.fps for ref in manifest.refs] == [25, 12.5, None]
    plain = load_manifest(csv(folder, "path,label,fps\nframes,fight,\nslow,normal,12.5\nb.mp4,normal,\n"))
    assert [ref.fps for ref in plain.with_fps(10).refs] == [10, 12.5, None]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("b.mp4,normal,,,25\n", r":2: fps is for folders of frames"),
        ("frames,fight,1,2,25\nframes,fight,3,4,10\n", r":3: fps is 10 here and 25 at .*:2"),
        ("frames,fight,,,0\n", r":2: fps is '0'.*frames a second"),
    ],
)
def test_a_wrong_rate_is_named(folder: Path, rows: str, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        load_manifest(csv(folder, "path,label,start,end,fps\n" + rows))


def test_intervals_may_pass_the_end_by_a_tenth_of_a_second() -> None:
    video = labelled((1, 2), (3, 10.09))
    check_intervals(video, 10.0)
    with pytest.raises(ManifestError, match=r"a\.mp4: the interval 3 to 10\.09 s \(fight\) .* at 9\.98 s"):
        check_intervals(video, 9.98)
    for duration in (0, math.nan):
        with pytest.raises(UsageError, match="duration"):
            check_intervals(video, duration)


# Whole tenths, so that brute force counts what is covered without rounding.
SPAN = st.tuples(st.integers(0, 80), st.integers(1, 40)).map(lambda p: (p[0], p[0] + p[1]))


@given(st.lists(SPAN, min_size=1, max_size=5), st.lists(SPAN, max_size=8))
def test_a_segment_is_abnormal_when_half_of_it_is(
    spans: list[tuple[int, int]], segments: list[tuple[int, int]]
) -> None:
    abnormal = {tenth for start, end in spans for tenth in range(start, end)}
    truth = [2 * len(abnormal & set(range(start, end))) >= end - start for start, end in segments]
    video = labelled(*((start / 10, end / 10) for start, end in spans))
    starts, ends = [start / 10 for start, _ in segments], [end / 10 for _, end in segments]
    assert segment_labels(video, starts, ends).tolist() == truth
    touched = [bool(abnormal & set(range(start, end))) for start, end in segments]
    assert partly_covered(video, starts, ends).tolist() == [
        any_ and not half for any_, half in zip(touched, truth, strict=True)
    ]


@pytest.mark.parametrize(("label", "expected"), [("normal", False), ("fight", True)])
def test_without_intervals_every_segment_takes_the_label(label: str, expected: bool) -> None:
    labels = segment_labels(labelled(label=label), np.arange(3), np.arange(3) + 1)
    assert labels.dtype == bool and labels.tolist() == [expected] * 3
    assert not partly_covered(labelled(label=label), np.arange(3), np.arange(3) + 1).any()


def test_a_short_event_in_a_long_segment_leaves_it_normal() -> None:
    assert segment_labels(labelled((1, 2)), [0, 0], [4, 2]).tolist() == [False, True]


def test_segment_labels_refuses() -> None:
    with pytest.raises(UsageError, match="one length"):
        segment_labels(labelled((1, 2)), [0, 1], [1])
    for start, end in ((1, 1), (2, 1), (math.nan, 1)):
        with pytest.raises(UsageError, match="does not end after"):
            segment_labels(labelled((1, 2)), [start], [end])
