"""fit, detect and evaluate, together, on small videos and a fake backbone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hiprobe
from hiprobe.backbones import Backbone
from hiprobe.errors import CalibrationError, FailedVideosError, ManifestError, ProbeError
from hiprobe.explain import EXPLAIN_PROMPT
from hiprobe.features import FeatureStore
from hiprobe.localize import LocalizeSettings, adaptive_threshold
from hiprobe.pipeline import FitResult, detect, evaluate_manifest, fit
from hiprobe.pipeline.fit import KEPT_NOTE, VIDEO_LEVEL_NOTE
from hiprobe.probing import Probe
from hiprobe.report import EventCsv, detection_json, result_path
from hiprobe.video import Sampling
from tests.fakes import BEST_LAYER, FakeBackbone, bright_video, write_calibration


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("calibration")


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Path:
    return write_calibration(folder)


@pytest.fixture(scope="module")
def fitted(manifest: Path) -> FitResult:
    return fit(manifest, FakeBackbone())


@pytest.fixture(scope="module")
def unseen(folder: Path) -> Path:
    return bright_video(folder / "unseen.mp4", 30, (12, 17), seed=99)


def test_fit_finds_the_layer_and_describes_the_calibration_set(fitted: FitResult) -> None:
    probe = fitted.probe
    assert probe.layer == BEST_LAYER
    assert probe.pooling == "visual"
    assert (probe.calibration.n_videos, probe.calibration.n_groups, probe.calibration.kinds) == (
        8,
        4,
        ("flash",),
    )
    assert probe.calibration.cv_auc > 0.95
    assert not probe.calibration.video_level
    assert 0 < probe.calibrated_threshold < 1


def test_fit_is_deterministic(fitted: FitResult, manifest: Path) -> None:
    again = fit(manifest, FakeBackbone()).probe
    assert np.array_equal(again.scorer.weights, fitted.probe.scorer.weights)
    assert again.calibrated_threshold == fitted.probe.calibrated_threshold


def relabelled(folder: Path) -> Path:
    """Return a manifest of the same videos with other borders of the events."""
    labels = folder / "relabelled.csv"
    labels.write_text((folder / "labels.csv").read_text().replace(",2,6,", ",3,6,"))
    return labels


def test_a_kept_layer_gets_the_scorer_that_a_whole_fit_would_give_it(
    fitted: FitResult, folder: Path, tmp_path: Path
) -> None:
    store, backbone = FeatureStore(tmp_path), FakeBackbone()
    whole = fit(relabelled(folder), backbone, store=store)
    ran = backbone.batches
    kept = fit(relabelled(folder), backbone, store=store, keep=fitted.probe)
    assert backbone.batches == ran  # the states of all layers are there
    assert whole.probe.layer == kept.probe.layer == BEST_LAYER
    np.testing.assert_array_equal(kept.probe.scorer.weights, whole.probe.scorer.weights)
    assert kept.probe.calibrated_threshold == whole.probe.calibrated_threshold
    assert kept.probe.calibration.n_abnormal == whole.n_abnormal < fitted.n_abnormal
    assert kept.kept and kept.dlsp is fitted.dlsp and kept.probe.dlsp is fitted.probe.dlsp
    assert kept.probe.calibration.notes == (KEPT_NOTE,)


def test_a_kept_layer_may_be_another_than_saliency_would_pick(fitted: FitResult, folder: Path) -> None:
    localize = LocalizeSettings(sigma=0.5)
    other, backbone = replace(fitted.probe, layer=1, localize=localize), FakeBackbone()
    kept = fit(relabelled(folder), backbone, keep=other).probe
    assert set(backbone.asked) == {(1,)}
    assert (kept.layer, kept.dlsp.layer, kept.localize) == (1, BEST_LAYER, localize)


def test_keeping_a_layer_keeps_how_videos_are_read(manifest: Path, folder: Path) -> None:
    first = fit(manifest, FakeBackbone(), sampling=Sampling(stride=2.0), prompt="What is it?", pooling="last").probe
    kept = fit(relabelled(folder), FakeBackbone(), keep=first).probe
    assert (kept.context, kept.pooling) == (first.context, "last")


def test_a_layer_is_not_kept_of_a_probe_that_reads_other_states(fitted: FitResult, manifest: Path) -> None:
    backbone, probe = FakeBackbone(), fitted.probe
    with pytest.raises(ProbeError, match="backbone fingerprint"):
        fit(manifest, FakeBackbone("0" * 64), keep=probe)
    with pytest.raises(ProbeError, match="prompt: probe has"):
        fit(manifest, backbone, prompt="What is it?", keep=probe)
    with pytest.raises(ProbeError, match="stride: probe has"):
        fit(manifest, backbone, sampling=Sampling(stride=2.0), keep=probe)
    with pytest.raises(ProbeError, match="pools by 'visual', and 'last'"):
        fit(manifest, backbone, pooling="last", keep=probe)
    assert backbone.batches == 0


def test_detect_finds_the_event_of_an_unseen_video(fitted: FitResult, unseen: Path) -> None:
    backbone = FakeBackbone()
    result = detect(unseen, fitted.probe, backbone, explain=True)
    (found,) = result.events
    assert found.event.start == pytest.approx(12, abs=1.2) and found.event.end == pytest.approx(17, abs=1.2)
    assert 12 <= found.event.peak_time <= 17
    assert found.event.peak > result.threshold == fitted.probe.calibrated_threshold
    assert found.explanation is not None and found.explanation.prompt == EXPLAIN_PROMPT
    assert found.explanation.text == "a bright flash"
    assert "fake text" in result.warnings
    assert set(backbone.asked) == {(BEST_LAYER,)}
    assert result.segments[-1].end == result.video.duration


def test_an_event_is_like_the_calibration_clips_of_its_kind(fitted: FitResult, unseen: Path) -> None:
    similar = detect(unseen, fitted.probe, FakeBackbone()).events[0].similar
    assert len(similar) == 3 and {one.label for one in similar} == {"flash"}
    assert all(one.video.startswith("bright") and 2 <= one.start < one.end <= 6 for one in similar)
    index = fitted.probe.index
    assert index is not None and len(index.segments) == 56
    assert {one.label for one in index.segments if one.video.startswith("dark")} == {"normal"}


def test_scores_are_smoothed_once(fitted: FitResult, unseen: Path) -> None:
    raw = detect(unseen, fitted.probe, FakeBackbone(), localize=LocalizeSettings(sigma=0))
    assert all(segment.score == segment.smoothed for segment in raw.segments)
    smooth = detect(unseen, fitted.probe, FakeBackbone(), localize=LocalizeSettings(sigma=2))
    assert [segment.score for segment in smooth.segments] == [segment.score for segment in raw.segments]
    assert [segment.smoothed for segment in smooth.segments] != [segment.score for segment in raw.segments]


def test_the_adaptive_threshold_is_of_the_video_in_hand(fitted: FitResult, unseen: Path) -> None:
    result = detect(unseen, fitted.probe, FakeBackbone(), localize=LocalizeSettings(threshold="adaptive", kappa=0.5))
    assert result.threshold == adaptive_threshold([segment.smoothed for segment in result.segments], 0.5)


def test_a_normal_video_yields_no_event_by_the_calibrated_threshold(fitted: FitResult, folder: Path) -> None:
    calm = bright_video(folder / "calm.mp4", 20, seed=7)
    assert detect(calm, fitted.probe, FakeBackbone()).events == ()


def test_a_video_shorter_than_a_segment_is_one_segment(fitted: FitResult, folder: Path) -> None:
    short = bright_video(folder / "short.mp4", 0.7, (0, 1))
    result = detect(short, fitted.probe, FakeBackbone(), explain=True)
    assert [(s.start, s.end) for s in result.segments] == [(0, result.video.duration)]
    assert len(result.events) == 1


def test_evaluate_measures_against_the_labels(fitted: FitResult, unseen: Path, folder: Path) -> None:
    labels = folder / "test.csv"
    labels.write_text("path,label,start,end\nunseen.mp4,flash,12,17\n")
    report = evaluate_manifest(labels, fitted.probe, FakeBackbone())
    assert report.pooled_auc is not None and report.pooled_auc > 0.95
    found = [(events.iou, events.precision, events.recall) for events in report.events]
    assert found == [(0.1, 1, 1), (0.3, 1, 1), (0.5, 1, 1)]
    assert report.false_alarms_per_hour == 0 and report.bootstrap is None
    assert (report.n_frames, report.n_abnormal_frames) == (300, 50)


def test_evaluate_leaves_no_video_out(fitted: FitResult, folder: Path) -> None:
    (folder / "broken.mp4").write_text("no video")
    labels = folder / "broken.csv"
    labels.write_text("path,label\nunseen.mp4,normal\nbroken.mp4,normal\n")
    with pytest.raises(FailedVideosError, match=r"broken\.mp4"):
        evaluate_manifest(labels, fitted.probe, FakeBackbone())


def test_video_level_labels_are_said_to_be_so(folder: Path) -> None:
    rows = ["path,label,group"]
    for index in range(3):
        bright_video(folder / f"on{index}.mp4", 4, (0, 4), seed=index)
        rows += [f"dark{index}.mp4,normal,g{index}", f"on{index}.mp4,flash,g{index}"]
    labels = folder / "clips.csv"
    labels.write_text("\n".join(rows) + "\n")
    calibration = fit(labels, FakeBackbone()).probe.calibration
    assert calibration.video_level and calibration.notes == (VIDEO_LEVEL_NOTE,)
    assert calibration.n_abnormal == 9


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (["dark0.mp4,normal,,,a", "dark1.mp4,normal,,,b"], CalibrationError, "every video is normal"),
        (["bright0.mp4,flash,,,a", "bright1.mp4,flash,,,b"], CalibrationError, "every video is abnormal"),
        (["dark0.mp4,normal,,,a", "bright1.mp4,flash,2,6,a"], CalibrationError, "of one group"),
        (
            ["dark0.mp4,normal,,,a", "bright1.mp4,flash,2,60,b"],
            ManifestError,
            "runs past the end of the video at 8.00",
        ),
        (["dark0.mp4,normal,,,a", "bright1.mp4,flash,2,2.1,b"], CalibrationError, "every segment is normal"),
    ],
)
def test_labels_that_cannot_be_fitted(manifest: Path, rows: list[str], error: type[Exception], message: str) -> None:
    labels = manifest.with_name("wrong.csv")
    labels.write_text("\n".join(["path,label,start,end,group", *rows]) + "\n")
    with pytest.raises(error, match=message):
        fit(labels, FakeBackbone())


def test_a_failed_calibration_video_is_named_and_the_rest_is_kept(manifest: Path, tmp_path: Path) -> None:
    labels = manifest.with_name("half.csv")
    (manifest.parent / "empty.mp4").write_bytes(b"")
    labels.write_text("path,label,start,end,group\nempty.mp4,normal,,,a\nbright1.mp4,flash,2,6,b\n")
    store = FeatureStore(tmp_path)
    with pytest.raises(FailedVideosError, match=r"1 video failed; .*\n.*empty.mp4"):
        fit(labels, FakeBackbone(), store=store)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_probe_of_another_backbone_says_what_differs(fitted: FitResult, unseen: Path) -> None:
    with pytest.raises(ProbeError, match=r"backbone fingerprint: probe has 'f{64}' .* at hand is '0{64}'"):
        detect(unseen, fitted.probe, FakeBackbone("0" * 64))


def test_a_saved_probe_detects_the_same(fitted: FitResult, unseen: Path, tmp_path: Path) -> None:
    fitted.probe.save(tmp_path / "yard.probe")
    loaded = Probe.load(tmp_path / "yard.probe")
    assert detect(unseen, loaded, FakeBackbone()).segments == detect(unseen, fitted.probe, FakeBackbone()).segments


def test_results_as_json_and_csv(fitted: FitResult, unseen: Path, tmp_path: Path) -> None:
    result = detect(unseen, fitted.probe, FakeBackbone(), explain=True)
    result = replace(result, video=replace(result.video, path=Path('a, "b"\n.mp4')))
    body = json.loads(detection_json(result))
    assert body["schema"] == "hiprobe.detection/1"
    assert len(body["segments"]) == len(result.segments) and body["segments"][0]["end"] == 2.0
    assert body["events"][0]["explanation"]["prompt"] == EXPLAIN_PROMPT
    assert body["provenance"]["layer"] == BEST_LAYER and body["provenance"]["sampling"]["frames"] == 8
    assert {"threshold", "timings", "warnings", "video"} <= body.keys()
    events = EventCsv()
    events.add(result)
    events.write(tmp_path / "events.csv")
    text = (tmp_path / "events.csv").read_text()
    assert text.endswith(",a bright flash,fake text\n")
    assert text.startswith('video,start,end,peak_time,peak,mean,explanation,warnings\n"a, ""b""\n.mp4",')


def test_results_of_videos_with_one_name_do_not_overwrite_each_other() -> None:
    videos = [Path("a/x.mp4"), Path("b/x.mkv"), Path("y.mp4")]
    assert [result_path(Path("out"), video, videos).name for video in videos] == [
        "x-1.json",
        "x-2.json",
        "y.json",
    ]


def test_the_public_names_exist_and_the_fake_meets_the_protocol() -> None:
    for name in hiprobe.__all__:
        assert getattr(hiprobe, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        hiprobe.nothing  # noqa: B018
    backbone: Backbone = FakeBackbone()
    assert backbone.info.name == "fake"
