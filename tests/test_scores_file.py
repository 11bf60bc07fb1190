"""Scores of other systems: every form gives the frames what it says, and what does not fit is one clear error."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hiprobe.datasets import Manifest, load_manifest
from hiprobe.errors import FailedVideosError, ScoresError, UsageError
from hiprobe.evaluation import EvalReport, ScoresSettings, read_scores
from hiprobe.pipeline import detect, evaluate_manifest, evaluate_scores, fit
from hiprobe.report import write_json
from tests.fakes import FakeBackbone, bright_video, write_calibration
from tests.videos import write_video

UNEVEN = [0.0, 0.1, 0.2, 0.5, 0.6, 1.0, 1.1, 1.6, 1.7, 2.0]
"""Timestamps of a video of variable frame rate: frame number / fps is not its time."""


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos, ``a`` of 25 even and ``b`` of 10 uneven frames, and their labels."""
    folder = tmp_path_factory.mktemp("yard")
    write_video(folder / "a.mp4", 25, fps=10)
    write_video(folder / "b.mp4", 10, times=UNEVEN)
    (folder / "labels.csv").write_text("path,label,start,end\na.mp4,normal,,\nb.mp4,fight,0.5,1.05\n")
    return folder


A = np.linspace(0, 0.5, 25)
B = np.array([0.1, 0.1, 0.2, 0.9, 0.8, 0.7, 0.2, 0.1, 0.3, 0.0])


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    folder = tmp_path / "scores"
    folder.mkdir()
    np.save(folder / "a.npy", A)
    np.save(folder / "b.npy", B)
    return folder


def lines(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(map(str, rows)) + "\n")
    return path


def frames_of(yard: Path, scores: Path, name: str = "b.mp4", times: Any = None, **settings: Any) -> list[float]:
    found = read_scores(scores, only(yard, name)).timelines[yard / name]
    times = np.array(UNEVEN if times is None else times)
    return found.read(times, 2.1, ScoresSettings(**settings)).scores.tolist()


def only(yard: Path, *names: str) -> Manifest:
    manifest = load_manifest(yard / "labels.csv")
    return Manifest(manifest.source, tuple(video for video in manifest.videos if video.path.name in names))


def test_a_score_per_frame_is_measured_at_true_times(yard: Path, scores: Path) -> None:
    report = evaluate_scores(yard / "labels.csv", scores)
    assert (report.n_videos, report.n_frames, report.n_abnormal_frames) == (2, 35, 3)
    assert report.pooled_auc == report.pooled_ap == 1  # the frames at 0.5, 0.6 and 1.0 s have the highest scores
    assert report.events == () and any("no events; give a threshold" in note for note in report.notes)


def test_all_forms_of_a_score_per_frame_are_one(yard: Path, scores: Path, tmp_path: Path) -> None:
    expected = evaluate_scores(yard / "labels.csv", scores, settings=ScoresSettings(threshold=0.6))
    for kind in ("txt", "csv", "header", "name", "table"):
        folder = tmp_path / kind
        folder.mkdir()
        suffix = {"header": "csv", "name": "mp4.txt", "table": "part"}.get(kind, kind)
        head = ["score"] if kind == "header" else []
        for name, values in (("a", A), ("b", B)):
            lines(folder / f"{name}.{suffix}", *head, *values.tolist())
        source = folder
        if kind == "table":
            rows = [f"{name}.mp4,{value}" for name, values in (("a", A), ("b", B)) for value in values.tolist()]
            source = lines(folder / "all.csv", "path,score", *rows)
        assert evaluate_scores(yard / "labels.csv", source, settings=ScoresSettings(threshold=0.6)) == expected, kind
    # The curve crosses 0.6 between the frames at 0.2 and 0.5 s, and at 1.0 and 1.1 s.
    assert expected.events[2].n_predicted == expected.events[2].n_matched == 1
    assert expected.delay is not None and expected.delay.mean == 0


def test_a_single_file_serves_a_single_video(yard: Path, scores: Path) -> None:
    given = read_scores(scores / "b.npy", only(yard, "b.mp4"))
    assert list(given.timelines) == [yard / "b.mp4"] and given.unused == ()


def test_a_block_of_frames_shares_its_score_and_the_last_may_be_short(yard: Path, tmp_path: Path) -> None:
    lines(tmp_path / "b.txt", 0.1, 0.5, 0.9)
    assert frames_of(yard, tmp_path, every=4) == [0.1] * 4 + [0.5] * 4 + [0.9] * 2
    with pytest.raises(
        ScoresError, match=r"b\.txt: holds 3 scores, but the video has 10 frames; score every frame, or"
    ):
        frames_of(yard, tmp_path)
    with pytest.raises(ScoresError, match="holds 3 scores, but the video has 10 frames, 2 blocks of 5; score every"):
        frames_of(yard, tmp_path, every=5)
    with pytest.raises(ScoresError, match="10 frames, 4 blocks of 3"):  # 3 whole ones, and the tail: never dropped
        frames_of(yard, tmp_path, every=3)


def test_points_are_joined_by_lines(yard: Path, tmp_path: Path) -> None:
    table = lines(tmp_path / "s.csv", "path,time,score", "b.mp4,0.5,0", "b.mp4,1.0,1", "b.mp4,2.0,0.5")
    expected = [0, 0, 0, 0, 0.2, 1, 0.95, 0.7, 0.65, 0.5]
    assert frames_of(yard, table) == pytest.approx(expected)
    lines(tmp_path / "b.csv", "time,score", "0.5,0", "1.0,1", "2.0,0.5")
    assert frames_of(yard, tmp_path / "b.csv") == pytest.approx(expected)


def test_spans_are_half_open_and_their_mean_counts_where_they_overlap(yard: Path, tmp_path: Path) -> None:
    table = lines(tmp_path / "s.csv", "path,start,end,score", "b,0.5,1.1,0.8", "b,0,0.6,0.2", "b,1.1,9,0.4")
    assert frames_of(yard, table) == pytest.approx([0.2, 0.2, 0.2, 0.5, 0.8, 0.8, 0.4, 0.4, 0.4, 0.4])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["time,score", "0.0,1", "0.2,1", "0.4,1"], "scores run from 0 to 0.4 s, at most 0.2 s apart, but the video"),
        (["time,score", "1.5,1", "2.0,1"], "scores run from 1.5 to 2 s"),
        (["time,score", "0,1", "25,1"], "the time 25 s is past the end of the video at 2.10 s; give seconds"),
        (["time,score", "0,1"], "has one time only"),
        (["time,score", "0,1", "0,1"], "b.csv:3: time 0 does not come after 0"),
        (["time,score", "-1,1", "0,1"], "b.csv:2: time is -1; give seconds"),
        (["start,end,score", "0,1,1"], "no span holds the frame at 1.000 s of 2.10 s of video"),
        (["start,end,score", "0,1,1", "1,3,1", "3,4,1"], "the start 3 s is past the end"),
        (["start,end,score", "1,1,1"], "b.csv:2: start 1 is not before end 1"),
        (["start,end,score", "0,1"], "b.csv:2: has 2 fields under 3 columns"),
        (["start,score", "0,1"], "b.csv:1: has columns start,score; give score, or time,score, or start,end,score"),
        (["time,value", "0,1"], "b.csv:1: score is 'time,value'; give a finite number"),
        (["path,score", "b,1"], "b.csv: is a table of videos within a folder; name the file itself"),
        (["score", "nan"], "b.csv:2: score is 'nan'; give a finite number"),
        (["score", "high"], "b.csv:2: score is 'high'; give a finite number"),
        (["score"], "b.csv: has no rows"),
        ([""], "b.csv: holds no score"),
        (["score", '"1'], "b.csv:2: is not valid CSV"),
        (['"path","score"', "b,1"], "is a table of videos within a folder"),
    ],
)
def test_a_wrong_file_is_one_clear_error(yard: Path, tmp_path: Path, rows: list[str], message: str) -> None:
    lines(tmp_path / "b.csv", *rows)
    with pytest.raises(ScoresError) as caught:
        frames_of(yard, tmp_path)
    assert message in str(caught.value) and str(tmp_path) in str(caught.value)


def test_a_wrong_array_is_one_clear_error(yard: Path, tmp_path: Path) -> None:
    file = tmp_path / "b.npy"
    wrong: list[tuple[Any, str]] = [
        (np.zeros((10, 1)), r"has shape \(10, 1\); save one score per frame"),
        (np.zeros(0), "has shape"),
        (np.array(["1"] * 10), "holds no plain numbers"),
        (np.array([0, np.inf]), "score 1 is inf"),
        (np.array([{}], dtype=object), "cannot be read"),
    ]
    for array, message in wrong:
        np.save(file, array)
        with pytest.raises(ScoresError, match=rf"b\.npy: {message}"):
            frames_of(yard, tmp_path)
    for content in (b"", b"junk", pickle.dumps([1.0])):
        file.write_bytes(content)
        with pytest.raises(ScoresError, match=r"b\.npy: cannot be read"):
            frames_of(yard, tmp_path)
    file.unlink()
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ScoresError, match="not UTF-8"):
        frames_of(yard, tmp_path)


def test_a_video_without_scores_is_named_and_other_scores_are_noted(yard: Path, scores: Path) -> None:
    lines(scores / "c.txt", 1)
    report = evaluate_scores(yard / "labels.csv", scores)
    assert report.notes[-1] == "scores that fit no video of the manifest were not used: c."
    (scores / "b.npy").rename(scores / "bb.npy")
    with pytest.raises(
        ScoresError, match=r"has no scores for \S*b\.mp4 \(scores that fit no video: bb, c\); score every"
    ):
        evaluate_scores(yard / "labels.csv", scores)


def test_scores_that_are_given_twice_or_not_at_all(yard: Path, scores: Path, tmp_path: Path) -> None:
    lines(scores / "b.txt", *B.tolist())
    with pytest.raises(ScoresError, match=r"b\.txt: has scores for \S*b\.mp4, which \S*b\.npy has too; remove one"):
        evaluate_scores(yard / "labels.csv", scores)
    lines(scores / "b.json", "{}")
    with pytest.raises(ScoresError, match="mixes results of hiprobe detect with other"):
        evaluate_scores(yard / "labels.csv", scores)
    (tmp_path / "none").mkdir()
    with pytest.raises(ScoresError, match="holds no scores file"):
        evaluate_scores(yard / "labels.csv", tmp_path / "none")
    with pytest.raises(ScoresError, match=r"gone\.csv: cannot be read \(No such file"):
        evaluate_scores(yard / "labels.csv", tmp_path / "gone.csv")
    with pytest.raises(ScoresError, match="is neither a folder nor a"):
        evaluate_scores(yard / "labels.csv", tmp_path / "gone")


def test_videos_are_told_apart_by_as_much_of_their_path_as_is_given(tmp_path: Path) -> None:
    for name in ("x/1.mp4", "y/1.mp4", "1.mp4", "y/v.2.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    lines(tmp_path / "labels.csv", "path,label", "x/1.mp4,normal", "y/1.mp4,normal", "1.mp4,normal", "y/v.2.mp4,fight")
    manifest = load_manifest(tmp_path / "labels.csv")
    rows = ["x/1.mp4,1", "./y/1,2", "1.mp4,3", "v.2,4"]
    found = read_scores(lines(tmp_path / "s.csv", "path,score", *rows), manifest).timelines
    values = {path.relative_to(tmp_path).as_posix(): item.values[0] for path, item in found.items()}  # type: ignore[union-attr]
    assert values == {"x/1.mp4": 1, "y/1.mp4": 2, "1.mp4": 3, "y/v.2.mp4": 4}
    folder = tmp_path / "scores"
    for name in ("x/1", "y/1", "1", "v.2"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        lines(folder / f"{name}.txt", 1)
    assert len(read_scores(folder, manifest).timelines) == 4
    (tmp_path / "1.mp4").unlink()
    lines(tmp_path / "labels.csv", "path,label", "x/1.mp4,normal", "y/1.mp4,normal")
    with pytest.raises(ScoresError, match=r": 1 fits \S*x/1\.mp4, \S*y/1\.mp4; say which, by more of its path"):
        read_scores(folder, load_manifest(tmp_path / "labels.csv"))


def test_events_in_scores(yard: Path, scores: Path) -> None:
    def run(**settings: Any) -> EvalReport:
        return evaluate_scores(yard / "labels.csv", scores, settings=ScoresSettings(merge_gap=0, **settings))

    assert run(threshold=2.0).events[0].n_predicted == 0
    assert run(threshold=0.25, min_duration=0).events[0].n_predicted == 3  # in a, and twice in b
    assert run(threshold=0.25).events[0].n_predicted == 2
    # Over its own mean is half of a as well: an adaptive threshold finds events everywhere.
    assert run(threshold="adaptive", kappa=0.0).false_alarms_per_hour == pytest.approx(
        3600 / (2.5 + 2.3 - 0.55), rel=0.1
    )
    assert run(sigma=2.0).pooled_auc != run().pooled_auc
    wrong: list[dict[str, Any]] = [
        {"threshold": "calibrated"},
        {"threshold": float("nan")},
        {"every": 0},
        {"kappa": float("inf")},
        {"sigma": -1.0},
        {"merge_gap": -1.0},
    ]
    for settings in wrong:
        with pytest.raises(UsageError, match=next(iter(settings)) + "|every 0 frames"):
            ScoresSettings(**settings)


def test_results_of_detect_measure_the_same_as_the_probe_that_made_them(tmp_path: Path) -> None:
    write_calibration(tmp_path)
    probe = fit(tmp_path / "labels.csv", FakeBackbone()).probe
    video = bright_video(tmp_path / "unseen.mp4", 20, (8, 13), seed=99)
    labels = lines(tmp_path / "test.csv", "path,label,start,end", "unseen.mp4,flash,8,13")
    result = detect(video, probe, FakeBackbone())
    out = tmp_path / "out"
    write_json(result, out / "unseen.json")
    lines(out / "events.csv", "video,start,end", "ignored,0,1")
    measured = evaluate_manifest(labels, probe, FakeBackbone(), n_resamples=5)
    assert evaluate_scores(labels, out, n_resamples=5) == measured
    assert evaluate_scores(labels, out / "unseen.json", n_resamples=5) == measured
    assert measured.events[0].n_matched == 1

    never = ScoresSettings(threshold=2.0)
    assert evaluate_scores(labels, out, settings=never).events[0].n_predicted == 0
    settings = ScoresSettings(threshold="adaptive", kappa=0.5, sigma=0.4)
    other = probe.localize.__class__(sigma=0.4, threshold="adaptive", kappa=0.5)
    # Events that are found anew from kept scores have no kinds: these come of hidden states.
    again = evaluate_manifest(labels, probe, FakeBackbone(), localize=other)
    assert again.kinds is not None
    assert evaluate_scores(labels, out, settings=settings) == replace(again, kinds=None)
    with pytest.raises(UsageError, match="give --threshold too"):
        evaluate_scores(labels, out, settings=ScoresSettings(sigma=1.0))
    with pytest.raises(UsageError, match="has times, so --scores-every does not apply"):
        evaluate_scores(labels, out, settings=ScoresSettings(every=16))

    file = out / "unseen.json"
    text = file.read_text()
    file.write_text(text.replace(str(video), "/elsewhere/unseen.mp4"))
    assert evaluate_scores(labels, out).events == measured.events
    file.write_text(text.replace('"n_frames": 200', '"n_frames": 199'))
    with pytest.raises(ScoresError, match="is of a video of 199 frames, but the video at hand has 200"):
        evaluate_scores(labels, out)
    for wrong in (text.replace("hiprobe.detection/1", "hiprobe.detection/9"), text[:200], "[]"):
        file.write_text(wrong)
        with pytest.raises(ScoresError, match=r"unseen\.json: is no result of hiprobe detect"):
            evaluate_scores(labels, out)


def test_a_video_that_cannot_be_read_is_not_left_out(yard: Path, scores: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_text("no video")
    lines(tmp_path / "labels.csv", "path,label", f"{yard / 'a.mp4'},normal", "broken.mp4,fight")
    np.save(scores / "broken.npy", B)
    with pytest.raises(FailedVideosError, match=r"1 video failed; nothing is measured without them(.|\n)*broken\.mp4"):
        evaluate_scores(tmp_path / "labels.csv", scores)
