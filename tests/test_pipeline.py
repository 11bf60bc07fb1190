"""fit, detect and evaluate, together, on small videos and a fake backbone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hiprobe
from hiprobe.backbones import DEFAULT_PROMPT, Backbone, Batch
from hiprobe.datasets import load_manifest, partly_covered
from hiprobe.errors import CalibrationError, FailedVideosError, ManifestError, ProbeError
from hiprobe.explain import EVENT_PROMPT
from hiprobe.features import FeatureStore, Progress, Run, extract_all
from hiprobe.localize import LocalizeSettings, adaptive_threshold
from hiprobe.pipeline import Detection, Detector, FitResult, detect, evaluate_manifest, fit
from hiprobe.pipeline.fit import KEPT_NOTE, VIDEO_LEVEL_NOTE, fit_features
from hiprobe.pipeline.ordinary import too_short
from hiprobe.probing import LogisticProbe
from hiprobe.report import EventCsv, detection_json, result_path
from hiprobe.video import Sampling, VideoRef
from tests.fakes import BEST_LAYER, FakeBackbone, bright_video, write_calibration
from tests.videos import write_images


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


def test_nothing_is_fitted_to_segments_that_an_event_covers_in_part(folder: Path) -> None:
    labels, backbone = folder / "between.csv", FakeBackbone()
    labels.write_text((folder / "labels.csv").read_text().replace(",2,6,", ",2.6,6.2,"))
    manifest = load_manifest(labels)
    features, _ = extract_all(manifest.refs, backbone, backbone.info.reading(), Run())
    found = fit_features(manifest, features, LocalizeSettings())
    assert (found.n_partly, found.n_segments, found.n_abnormal) == (8, 48, 16)
    assert found.probe.calibration.n_segments == 48
    spoilt = []
    for video, item in zip(manifest.videos, features, strict=True):
        states = item.states.copy()
        states[partly_covered(video, item.starts, item.ends)] = 100
        spoilt.append(replace(item, states=states))
    again = fit_features(manifest, spoilt, LocalizeSettings(sigma=0))
    assert np.array_equal(again.scorer.out_of_fold, found.scorer.out_of_fold)
    assert np.array_equal(again.dlsp.combined, found.dlsp.combined)
    assert np.array_equal(again.probe.scorer.weights, found.probe.scorer.weights)
    # Without smoothing, nothing of them reaches the threshold.
    assert (
        again.probe.calibrated_threshold
        == fit_features(manifest, features, LocalizeSettings(sigma=0)).probe.calibrated_threshold
    )


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
    run, backbone = Run(FeatureStore(tmp_path)), FakeBackbone()
    whole = fit(relabelled(folder), backbone, run=run)
    ran = backbone.batches
    kept = fit(relabelled(folder), backbone, keep=fitted.probe, run=run)
    assert backbone.batches == ran  # the states of all layers are there
    assert whole.probe.layer == kept.probe.layer == BEST_LAYER
    np.testing.assert_array_equal(kept.probe.scorer.weights, whole.probe.scorer.weights)
    assert kept.probe.calibrated_threshold == whole.probe.calibrated_threshold
    assert kept.probe.calibration.n_abnormal == whole.n_abnormal < fitted.n_abnormal
    assert kept.kept and kept.dlsp is fitted.dlsp and kept.probe.dlsp is fitted.probe.dlsp
    assert kept.probe.calibration.notes == (KEPT_NOTE, *too_short(kept.probe.alarms))  # pyright: ignore


def test_a_kept_layer_may_be_another_than_saliency_would_pick(fitted: FitResult, folder: Path) -> None:
    localize = LocalizeSettings(sigma=0.5)
    other = replace(fitted.probe, reading=replace(fitted.probe.reading, layers=(1,)), localize=localize)
    backbone = FakeBackbone()
    kept = fit(relabelled(folder), backbone, keep=other).probe
    assert set(backbone.asked) == {(1,)}
    assert (kept.layer, kept.dlsp.layer, kept.localize) == (1, BEST_LAYER, localize)


def test_keeping_a_layer_keeps_how_videos_are_read(manifest: Path, folder: Path) -> None:
    backbone = FakeBackbone()
    asked = backbone.info.reading(Sampling(stride=2.0), "What is it?", "last")
    first = fit(manifest, backbone, reading=asked).probe
    assert first.reading == replace(asked, layers=(first.layer,)) and first.reading.name == "fake"
    backbone.info = replace(backbone.info, name="the same weights")
    kept = fit(relabelled(folder), backbone, keep=first).probe
    assert kept.reading == first.reading and kept.pooling == "last"
    assert kept.reading.name == "the same weights"


def test_a_layer_is_chosen_among_those_that_are_read(manifest: Path) -> None:
    backbone = FakeBackbone()
    found = fit(manifest, backbone, reading=replace(backbone.info.reading(), layers=(2, 3))).probe
    assert set(backbone.asked) == {(2, 3)}
    assert (found.layer, found.dlsp.layers) == (BEST_LAYER, (2, 3))


def test_a_layer_is_not_kept_of_a_probe_that_reads_other_states(fitted: FitResult, manifest: Path) -> None:
    backbone, probe = FakeBackbone(), fitted.probe
    with pytest.raises(ProbeError, match="backbone fingerprint"):
        fit(manifest, FakeBackbone("0" * 64), keep=probe)
    with pytest.raises(ProbeError, match="prompt: probe has"):
        fit(manifest, backbone, reading=backbone.info.reading(prompt="What is it?"), keep=probe)
    with pytest.raises(ProbeError, match="stride: probe has"):
        fit(manifest, backbone, reading=backbone.info.reading(Sampling(stride=2.0)), keep=probe)
    with pytest.raises(ProbeError, match="pools by 'visual', and 'last'"):
        fit(manifest, backbone, reading=backbone.info.reading(pooling="last"), keep=probe)
    assert backbone.batches == 0


def test_detect_finds_the_event_of_an_unseen_video(fitted: FitResult, unseen: Path) -> None:
    backbone = FakeBackbone()
    result = detect(unseen, fitted.probe, backbone, explain=True)
    (found,) = result.events
    # Smoothing reaches over the borders, and the threshold is just over what is ordinary.
    assert found.event.start == pytest.approx(12, abs=2) and found.event.end == pytest.approx(17, abs=2)
    assert 12 <= found.event.peak_time <= 17
    assert found.event.peak > result.threshold == fitted.probe.calibrated_threshold
    assert found.explanation is not None and found.explanation.prompt == EVENT_PROMPT
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
    assert calibration.video_level and calibration.notes[0] == VIDEO_LEVEL_NOTE
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
    with pytest.raises(FailedVideosError, match=r"1 video failed; .*\n.*empty.mp4"):
        fit(labels, FakeBackbone(), run=Run(FeatureStore(tmp_path)))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_probe_of_another_backbone_says_what_differs(fitted: FitResult, unseen: Path) -> None:
    with pytest.raises(ProbeError, match=r"backbone fingerprint: probe has 'f{64}' .* at hand is '0{64}'"):
        detect(unseen, fitted.probe, FakeBackbone("0" * 64))


def test_a_saved_probe_detects_the_same(fitted: FitResult, unseen: Path, tmp_path: Path) -> None:
    fitted.probe.save(tmp_path / "yard.probe")
    loaded = LogisticProbe.load(tmp_path / "yard.probe")
    assert detect(unseen, loaded, FakeBackbone()).segments == detect(unseen, fitted.probe, FakeBackbone()).segments


def test_a_detection_says_what_made_it(fitted: FitResult, unseen: Path) -> None:
    localize = LocalizeSettings(sigma=0.5)
    backbone = FakeBackbone()
    backbone.info = replace(backbone.info, name="the same weights")
    made = detect(unseen, fitted.probe, backbone, localize=localize).provenance
    assert made.reading == fitted.probe.reading and made.reading.name == "the same weights"
    assert (made.hiprobe_version, made.localize) == (hiprobe.__version__, localize)
    assert (made.probe_created, made.probe_source) == (fitted.probe.created, fitted.probe.calibration.source)


class StoppedError(Exception):
    """What a check raises to end a run."""


def stop() -> None:
    raise StoppedError


class Silent(FakeBackbone):
    """Must not be asked for text."""

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        pytest.fail("a text was asked for")


def test_a_check_that_raises_stops_a_detection_before_its_texts(fitted: FitResult, unseen: Path) -> None:
    with pytest.raises(StoppedError):
        detect(unseen, fitted.probe, Silent(), explain=True, run=Run(check=stop))
    with pytest.raises(StoppedError):
        Detector(fitted.probe, Silent(), run=Run(check=stop)).detect_all([unseen], lambda _: None, explain=True)
    # Nothing takes long where nothing is explained.
    assert detect(unseen, fitted.probe, Silent(), run=Run(check=stop)).events


def test_a_check_is_made_before_each_text(fitted: FitResult, folder: Path) -> None:
    random = np.random.default_rng(3)
    levels = [
        200 if start <= index / 10 < start + 4 else 40 for index in range(400) for start in [8 if index < 200 else 28]
    ]
    images = [np.clip(random.normal(level, 6, (48, 80, 1)).repeat(3, 2), 0, 255).astype(np.uint8) for level in levels]
    twice = VideoRef(write_images(folder / "twice", 400, images), 10)
    told: list[str] = []

    class Telling(FakeBackbone):
        def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
            told.append("text")
            return super().generate(batch, prompt, max_new_tokens)

    found = detect(twice, fitted.probe, Telling(), explain=True, run=Run(check=lambda: told.append("check")))
    assert len(found.events) == 2 and told == ["check", "text"] * 2


def test_a_detector_hands_over_each_result_and_tells_what_failed(
    fitted: FitResult, unseen: Path, folder: Path, tmp_path: Path
) -> None:
    told: list[Progress] = []
    detector = Detector(fitted.probe, FakeBackbone(), run=Run(FeatureStore(tmp_path), told.append))
    results: list[Detection] = []
    none = folder / "none.mp4"
    failures = detector.detect_all([str(unseen), none, VideoRef(folder / "dark0.mp4")], results.append)
    assert [found.video.path for found in results] == [unseen, folder / "dark0.mp4"]
    assert [failure.video for failure in failures] == [VideoRef(none)]
    assert {progress.index for progress in told} == {0, 2} and {progress.videos for progress in told} == {3}
    assert [found.segments for found in results] == [
        detect(path, fitted.probe, FakeBackbone()).segments for path in (unseen, folder / "dark0.mp4")
    ]
    with pytest.raises(ProbeError, match="backbone fingerprint"):
        Detector(fitted.probe, FakeBackbone("0" * 64))


def write_frames(folder: Path) -> Path:
    """Write folders of images, of two rates, that are dark or flash from 2 s to 6 s of 8; return their manifest."""
    rows = ["path,label,start,end,group,fps"]
    for index, fps in enumerate((5, 10, 5, 10)):
        for kind, flash in (("dark", False), ("bright", True)):
            random = np.random.default_rng([index, flash])
            levels = [200 if flash and 2 <= number / fps < 6 else 40 for number in range(8 * fps)]
            images = [np.clip(random.normal(level, 6, (48, 80, 3)), 0, 255).astype(np.uint8) for level in levels]
            write_images(folder / f"{kind}{index}", len(images), images)
            rows.append(f"{kind}{index},{'flash,2,6' if flash else 'normal,,'},g{index},{fps}")
    labels = folder / "labels.csv"
    labels.write_text("\n".join(rows) + "\n")
    return labels


def test_folders_of_frames_of_two_rates_are_fitted_and_evaluated_together(tmp_path: Path) -> None:
    labels, run = write_frames(tmp_path), Run(FeatureStore(tmp_path / "features"))
    probe = fit(labels, FakeBackbone(), run=run).probe
    assert probe.layer == BEST_LAYER and probe.calibration.cv_auc > 0.95
    assert probe.calibration.n_segments == 8 * 7  # 8 s each, whatever the rate
    backbone = FakeBackbone()
    report = evaluate_manifest(labels, probe, backbone, run=run)
    assert backbone.batches == 0  # the states of the same frames at the same rate are there
    assert report.pooled_auc is not None and report.pooled_auc > 0.95
    assert (report.n_frames, report.n_abnormal_frames) == (4 * 40 + 4 * 80, 2 * 20 + 2 * 40)
    assert [events.recall for events in report.events if events.iou == 0.5] == [1]


def test_results_as_json_and_csv(fitted: FitResult, unseen: Path, tmp_path: Path) -> None:
    result = detect(unseen, fitted.probe, FakeBackbone(), explain=True)
    result = replace(result, video=replace(result.video, path=Path('a, "b"\n.mp4')))
    body = json.loads(detection_json(result))
    assert body["schema"] == "hiprobe.detection/1"
    assert len(body["segments"]) == len(result.segments) and body["segments"][0]["end"] == 2.0
    assert body["events"][0]["explanation"]["prompt"] == EVENT_PROMPT
    assert body["provenance"]["layer"] == BEST_LAYER and body["provenance"]["sampling"]["frames"] == 8
    assert (body["provenance"]["backbone"], body["provenance"]["fingerprint"]) == ("fake", "f" * 64)
    assert (body["provenance"]["prompt"], body["provenance"]["pooling"]) == (DEFAULT_PROMPT, "visual")
    assert {"threshold", "timings", "warnings", "video"} <= body.keys()
    events = EventCsv()
    events.add(result)
    events.write(tmp_path / "events.csv")
    text = (tmp_path / "events.csv").read_text()
    assert ",a bright flash,fake text,Flash (" in text
    assert "%); ordinary footage " in result.events[0].evidence
    kind = result.events[0].kind
    assert kind and text.endswith(f"; most like bright2.mp4 at 0:02 (flash).,flash,{kind.probability:.4f},\n")
    columns = "video,start,end,peak_time,peak,mean,explanation,warnings,evidence,kind,kind_probability,probe"
    assert text.startswith(columns + '\n"a, ""b""\n.mp4",')


@pytest.mark.parametrize("row", ["frames,normal,,,a,", "bright1.mp4,flash,2,6,b,10"])
def test_a_wrong_or_missing_rate_is_told(manifest: Path, row: str) -> None:
    labels = manifest.with_name("rates.csv")
    if not (manifest.parent / "frames").exists():
        write_images(manifest.parent / "frames", 12)
    labels.write_text(
        "\n".join(["path,label,start,end,group,fps", "dark0.mp4,normal,,,c,", "bright2.mp4,flash,2,6,d,", row])
    )
    error, message = (ManifestError, r"rates\.csv:4: fps is for folders of frames")
    if row.startswith("frames"):
        error, message = FailedVideosError, "frames: a folder of images has no frame rate"
    with pytest.raises(error, match=message):
        fit(labels, FakeBackbone())


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
