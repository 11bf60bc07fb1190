"""Studies: on a fake backbone whose best layer is known, and against what scikit-learn computes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations_with_replacement
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from hiprobe.backbones import Reading
from hiprobe.datasets import Dataset, Manifest, load_manifest
from hiprobe.errors import CalibrationError, UndefinedMetricError, UsageError
from hiprobe.features import FeatureStore, Run
from hiprobe.probing import fit_scorer, group_folds, saliency
from hiprobe.sampling import Sampling
from hiprobe.studies import STUDY_NAMES, StudyResult, run_study, write_study
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.fusion import fusion
from hiprobe.studies.prompts import PROMPTS
from hiprobe.studies.protocol import Bootstrap, Fit, Rows, StudySettings, at_layer, by_dlsp, held_out_scores, measure
from hiprobe.studies.result import Cell, Line, Plot, Table, study_json, study_markdown
from hiprobe.studies.scorers import candidates
from tests.fakes import BEST_LAYER, WIDTH, FakeBackbone, bright_video, write_calibration

QUICK = StudySettings(repeats=1, draws=30)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    write_calibration(folder)
    return folder


@pytest.fixture(scope="module")
def manifest(folder: Path) -> Manifest:
    return load_manifest(folder / "labels.csv")


@pytest.fixture(scope="module")
def reader(folder: Path) -> Reader:
    return Reader(FakeBackbone(), Run(FeatureStore(folder / "features")))


@pytest.fixture(scope="module")
def corpus(manifest: Manifest, reader: Reader) -> Corpus:
    return reader.read(manifest)


def run(name: str, manifests: list[Manifest], reader: Reader | list[Reader]) -> StudyResult:
    (result,) = run_study(name, manifests, reader, QUICK)
    assert result.study == name and result.tables and result.plots and result.notes
    json.loads(study_json(result))  # and no NaN in it
    for plot in (plot for plot in result.plots if plot.kind == "bars"):
        for line in (line for line in plot.lines if line.low and line.high):
            held = zip(numbers(line.low or ()), numbers(line.y), numbers(line.high or ()), strict=True)
            assert all(0 <= low <= auc <= high <= 1 for low, auc, high in held)
    return result


def aucs_of(result: StudyResult) -> dict[str, float]:
    """Return the AUC of each method of a comparison, which its table shows, too."""
    bars = result.plots[0]
    found = dict(zip(map(str, bars.x), numbers(bars.lines[0].y), strict=True))
    assert [(row[0], str(row[1]).split()[0]) for row in result.tables[0].rows] == [
        (name, f"{auc:.3f}") for name, auc in found.items()
    ]
    return found


class DeeperBackbone(FakeBackbone):
    """Eight layers, of which the seventh is the fake's best."""

    def __init__(self) -> None:
        super().__init__("d" * 64)
        self.info = replace(self.info, name="deeper", layers=8)

    def vectors(self, frames: NDArray[np.uint8], reading: Reading) -> NDArray[np.float32]:
        moved = tuple(BEST_LAYER if layer == 7 else 1 for layer in reading.layers)
        noise = np.random.default_rng(0).normal(size=(len(moved), WIDTH))
        return super().vectors(frames, replace(reading, layers=moved)) + noise.astype(np.float32)


class DeafBackbone(FakeBackbone):
    """Its best layer tells something with one pooling, or after one prompt, alone."""

    def __init__(self, hears: str) -> None:
        super().__init__("a" * 64)
        self.hears = hears

    def vectors(self, frames: NDArray[np.uint8], reading: Reading) -> NDArray[np.float32]:
        if self.hears not in (reading.prompt, reading.pooling):
            reading = replace(reading, layers=(1,) * len(reading.layers))
        return super().vectors(frames, reading)


def numbers(cells: Sequence[Cell]) -> list[float]:
    assert all(isinstance(cell, int | float) for cell in cells)
    return [float(cell) for cell in cells if isinstance(cell, int | float)]


def test_every_study_that_is_listed_is_there(manifest: Manifest, reader: Reader) -> None:
    for name in STUDY_NAMES:
        run_study(name, [manifest], reader, QUICK)  # it computes nothing before it is asked for a result
    with pytest.raises(UsageError, match="There is no study 'nothing'"):
        run_study("nothing", [manifest], reader, QUICK)


def test_auc_is_that_of_scikit_learn_on_the_frames_that_detection_scores(corpus: Corpus) -> None:
    scores = np.random.default_rng(0).random(len(corpus.labels))
    frames = corpus.frame_scores(scores, sigma=0.0)
    assert [len(part) for part in frames] == [80] * 8 and [truth.sum() for truth in corpus.truth] == [0, 40] * 4
    expected = roc_auc_score(np.concatenate(corpus.truth), np.concatenate(frames))
    assert corpus.auc(scores, sigma=0.0) == pytest.approx(expected)


def test_what_is_scored_was_never_fitted_on(corpus: Corpus) -> None:
    seen = []

    def fit(given: Corpus, rows: np.ndarray):
        seen.append(set(given.groups[rows]))
        return lambda other: np.full(len(other.labels), float(len(seen)))

    scores = held_out_scores(corpus, fit)
    for number, groups in enumerate(seen, 1):
        assert not groups & set(corpus.groups[scores == number]) and (scores == number).any()


def test_a_bootstrap_draws_groups_as_if_their_videos_were_repeated(corpus: Corpus) -> None:
    scores = np.random.default_rng(1).random(len(corpus.labels)).round(1)  # some are equal
    frames = corpus.frame_scores(scores)
    possible = []
    groups = sorted({video.group for video in corpus.videos})
    for drawn in combinations_with_replacement(groups, len(groups)):
        videos = [index for group in drawn for index, video in enumerate(corpus.videos) if video.group == group]
        truth = np.concatenate([corpus.truth[video] for video in videos])
        possible.append(roc_auc_score(truth, np.concatenate([frames[video] for video in videos])))
    found = Bootstrap(corpus, 200, seed=0).aucs(scores)
    nearest = np.abs(found[:, None] - possible).argmin(axis=1)
    np.testing.assert_allclose(found, np.array(possible)[nearest], atol=1e-12)
    # Each of four groups as likely as another, a mixed draw comes 24 times as often as one of a single group.
    counts = np.bincount(nearest, minlength=len(possible))
    mixed = possible_index(groups, groups)
    assert len(possible) == 35 and counts[mixed] > 5 * counts[possible_index(groups, groups[:1] * 4)]
    assert (counts > 0).sum() > 25
    np.testing.assert_array_equal(found, Bootstrap(corpus, 200, seed=0).aucs(scores))
    assert not np.array_equal(found, Bootstrap(corpus, 200, seed=1).aucs(scores))


def possible_index(groups: Sequence[str], drawn: Sequence[str]) -> int:
    return list(combinations_with_replacement(groups, len(groups))).index(tuple(drawn))


def test_layers_finds_the_layer_that_was_made_to_tell(
    manifest: Manifest, reader: Reader, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiprobe.studies.layers.DRAWS", 5)
    result = run("layers", [manifest], reader)
    aucs = numbers([row[-1] for row in result.tables[0].rows])
    assert int(np.argmax(aucs)) + 1 == BEST_LAYER and max(aucs) > 0.9
    for index, layer in enumerate(corpus.layers):
        expected = measure(corpus, "", lambda seed, at=index: at_layer(lambda *_: at), QUICK)
        assert aucs[index] == pytest.approx(expected.auc), layer
        curve = next(plot for plot in result.plots if plot.title == "frame AUC").lines[0]
        assert curve.low and curve.high and (curve.low[index], curve.high[index]) == pytest.approx(expected.interval)
        assert expected.interval[0] <= aucs[index] <= expected.interval[1]
    columns = dict(zip(result.tables[0].head, zip(*result.tables[0].rows, strict=True), strict=True))
    found = saliency(corpus.states, corpus.labels, layers=corpus.layers)
    assert columns["S"] == pytest.approx(found.combined) and columns["D_KL"] == pytest.approx(found.d_kl)
    assert int(np.argmax(numbers(columns["segment AUC"]))) + 1 == BEST_LAYER
    assert any(f"l* by DLSP is layer {BEST_LAYER}" in note for note in result.notes)
    assert {plot.mark for plot in result.plots if plot.kind == "lines"} == {BEST_LAYER}
    assert {plot.kind for plot in result.plots} == {"lines", "points"}


def test_bands_of_what_resamples_lower_are_around_the_number(
    manifest: Manifest, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiprobe.studies.layers.DRAWS", 40)
    curves = {plot.title: plot.lines[0] for plot in run("layers", [manifest], reader).plots if plot.kind == "lines"}
    # A resample repeats segments: its entropy is lower. Four layers of noise and signal alike lie within their bands.
    for name, highest in {"H": 1.0, "D_KL": np.inf, "LDR": np.inf}.items():
        line = curves[name]
        for low, value, high in zip(line.low or (), numbers(line.y), line.high or (), strict=True):
            assert low is not None and high is not None and 0 <= low < value < high <= highest, name
    assert curves["silhouette"].low is None


def test_dlsp_compares_rules_and_no_rule_beats_the_oracle(manifest: Manifest, reader: Reader, corpus: Corpus) -> None:
    result = run("dlsp", [manifest], reader)
    by_name = aucs_of(result)
    assert len(by_name) == 4 + 3 + 3 + 2 + 1
    assert by_name["DLSP (S)"] > 0.9 > by_name["last layer"]
    oracle = list(by_name)[-1]
    assert oracle.startswith("oracle") and all(auc <= by_name[oracle] + 1e-9 for auc in by_name.values())
    chosen = {str(row[0]): row[-1] for row in result.tables[0].rows}
    folds = len(group_folds(corpus.labels, corpus.groups, seed=0))
    assert chosen["DLSP (S)"] == chosen["middle layer"] == f"{BEST_LAYER} x{folds}"
    assert chosen["last layer"] == f"4 x{folds}" and chosen[oracle] == str(BEST_LAYER)
    # Each is what a cross-validation at its layer gives.
    for name, choose in {"DLSP (S)": by_dlsp, "last layer": lambda *_: 3}.items():
        expected = measure(corpus, name, lambda seed, rule=choose: at_layer(rule, seed), QUICK)
        assert by_name[name] == pytest.approx(expected.auc)


def test_transfer_uses_no_label_of_the_target(folder: Path, manifest: Manifest, reader: Reader) -> None:
    swapped = folder / "swapped.csv"
    swapped.write_text((folder / "labels.csv").read_text().replace("dark0.mp4,normal,,", "dark0.mp4,flash,1,2"))
    result = run("transfer", [manifest, load_manifest(swapped)], reader)
    assert result.on == ("labels", "swapped")
    # The states are the same, so only the labels that are measured against differ.
    matrix = np.array([line.y for line in result.plots[0].lines], dtype=float)
    assert matrix.shape == (2, 2) and matrix[0, 1] < matrix[0, 0]
    with pytest.raises(UsageError, match="two or more manifests"):
        run("transfer", [manifest], reader)
    with pytest.raises(UsageError, match="share a name"):
        run_study("fusion", [manifest, manifest], reader, QUICK)


def test_transfer_across_backbones_borrows_the_depth_alone(
    folder: Path, manifest: Manifest, reader: Reader, corpus: Corpus
) -> None:
    deeper = Reader(DeeperBackbone(), Run(FeatureStore(folder / "features")))
    result = run("transfer", [manifest], [reader, deeper])
    of_fake, of_deeper = (table.rows for table in result.tables)
    # l* is 3 of 4 on the one and 7 of 8 on the other: 7/8 of 4 is 3.5, and 3/4 of 8 is 6, a layer of noise.
    assert [row[-1] for row in of_fake] == ["3 of 4", "4 of 4"] and of_fake[0][2] == "reference"
    assert [row[-1] for row in of_deeper] == ["7 of 8", "6 of 8"]
    own, borrowed = result.plots[1].lines[0].y
    assert own is not None and borrowed is not None and own > borrowed
    with pytest.raises(UsageError, match="only transfer compares backbones"):
        run("fusion", [manifest], [reader, deeper])
    with pytest.raises(UsageError, match="Two of the backbones fake, fake share a name"):
        run("transfer", [manifest], [reader, reader])


def test_calibration_fits_on_so_many_videos_and_measures_on_others(manifest: Manifest, reader: Reader) -> None:
    result = run("calibration", [manifest], reader)
    (few, more) = result.tables[0].rows
    # Four groups make three folds, of two, one and one: in eight of twelve draws, three videos a class are left.
    assert (few[:2], few[-1]) == ((2, "50.0%"), 12) and (more[:2], more[-1]) == ((3, "75.0%"), 8)
    (line,) = result.plots[0].lines
    assert line.y == (few[2], more[2]) and line.low is not None and line.high is not None
    for low, auc, high, told in zip(line.low, line.y, line.high, (few[3], more[3]), strict=True):
        assert low is not None and auc is not None and high is not None
        assert 0.9 < low <= auc <= high <= 1 and told == f"{low:.3f} to {high:.3f}"


def test_scorers_chooses_settings_within_the_fitting_folds(
    manifest: Manifest, reader: Reader, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    grids = {name: (classifier, grid) for name, (classifier, grid) in candidates(0).items() if name == "linear SVM"}
    assert grids["linear SVM"][1]["C"] == [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
    grids["LDA"] = (Recording(solver="lsqr"), {"shrinkage": [0.1, 0.9]})
    monkeypatch.setattr("hiprobe.studies.scorers.candidates", lambda seed: grids)
    Recording.fitted.clear()
    by_name = aucs_of(run("scorers", [manifest], reader))
    assert list(by_name) == ["logistic regression", "linear SVM", "LDA"] and min(by_name.values()) > 0.9
    expected = measure(corpus, "l*", lambda seed: at_layer(by_dlsp, seed), QUICK)
    assert by_name["logistic regression"] == pytest.approx(expected.auc)
    # Each setting is tried within the fitting folds; the one that is chosen is fitted to all of them, and no more.
    folds = [len(fitting) for fitting, _ in group_folds(corpus.labels, corpus.groups, seed=0)]
    whole = [n for n, _ in Recording.fitted if n in folds]
    assert sorted(whole) == sorted(folds) and max(n for n, _ in Recording.fitted) == max(folds) < len(corpus.labels)
    assert {shrinkage for _, shrinkage in Recording.fitted} == {0.1, 0.9}


class Recording(LinearDiscriminantAnalysis):
    """Notes how many segments it is fitted to, with which setting."""

    fitted: ClassVar[list[tuple[int, float]]] = []

    def fit(self, X: NDArray[np.floating], y: NDArray[np.bool_]) -> Recording:
        self.fitted.append((len(X), float(self.shrinkage or 0)))
        return super().fit(X, y)


def test_localize_sweeps_sigma_and_both_thresholds(manifest: Manifest, reader: Reader, corpus: Corpus) -> None:
    smoothing, events = run("localize", [manifest], reader).tables
    assert [row[0] for row in smoothing.rows] == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0]
    scores = held_out_scores(corpus, at_layer(by_dlsp, 0), 0)
    for sigma, auc in smoothing.rows:
        assert auc == pytest.approx(corpus.auc(scores, float(sigma or 0)))
    by_name = {str(row[0]): numbers(row[1:]) for row in events.rows if row[2] is not None}
    assert by_name["calibrated, sigma 1 s"] == [1, 1, 1, 0]
    # The four videos with an event have one over any threshold of their own; so have the four without, falsely.
    f1, precision, recall, alarms = by_name["adaptive, kappa 1, sigma 1 s"]
    hours = (sum(item.video.duration for item in corpus.features) - 4 * 4) / 3600
    assert (precision, recall, alarms) == pytest.approx((0.5, 1, 4 / hours)) and f1 == pytest.approx(2 / 3)
    # Nothing is over a threshold that high, and a precision of nothing is undefined.
    (none,) = [row[1:] for row in events.rows if row[0] == "adaptive, kappa 2, sigma 1 s"]
    assert none == (0, None, 0, 0)


def test_pooling_joins_vectors(manifest: Manifest) -> None:
    backbone = DeafBackbone("motion")
    by_name = aucs_of(run("pooling", [manifest], Reader(backbone)))
    assert list(by_name) == ["last", "visual", "motion", "last and visual", "last and motion", "all three"]
    telling = {name for name, auc in by_name.items() if auc > 0.9}
    assert telling == {"motion", "last and motion", "all three"}
    corpora = [Reader(backbone).read(manifest, backbone.info.reading(pooling=name)) for name in ("last", "motion")]
    vectors = np.concatenate([corpus.states for corpus in corpora], axis=2)
    parts = np.split(vectors, np.cumsum([len(item.states) for item in corpora[0].features])[:-1])
    features = [replace(item, states=part) for item, part in zip(corpora[0].features, parts, strict=True)]
    joined = replace(corpora[0], features=tuple(features))
    expected = measure(joined, "joined", lambda seed: at_layer(by_dlsp, seed), QUICK)
    assert by_name["last and motion"] == pytest.approx(expected.auc)


def test_fusion_takes_means_of_scores_and_joins_states(corpus: Corpus, reader: Reader) -> None:
    # The mean of the scores of one layer thrice is that layer's.
    best = corpus.part(slice(BEST_LAYER - 1, BEST_LAYER))
    (alone,) = {*aucs_of(fusion(best, reader, QUICK)).values()}
    reading = replace(best.features[0].reading, layers=(1, 2, 3))
    thrice = [replace(item, reading=reading, states=np.repeat(item.states, 3, axis=1)) for item in best.features]
    found = aucs_of(fusion(replace(best, features=tuple(thrice)), reader, QUICK))
    assert found["mean of the scores of 2 layers"] == found["mean of the scores of all layers"] == pytest.approx(alone)

    def joined(seed: int) -> Fit:
        def fit(corpus: Corpus, rows: Rows):
            found = saliency(corpus.states[rows], corpus.labels[rows], layers=corpus.layers)
            best, second = np.argsort(-found.combined, kind="stable")[:2]
            states = np.concatenate([corpus.states[:, best], corpus.states[:, second]], axis=1).astype(np.float64)
            scorer = fit_scorer(states[rows], corpus.labels[rows], corpus.groups[rows], seed=seed).scorer
            return lambda _: scorer.scores(states)

        return fit

    expected = measure(corpus, "joined", joined, QUICK)
    assert aucs_of(fusion(corpus, reader, QUICK))["2 layers joined"] == pytest.approx(expected.auc)


def test_fusion_names_as_many_layers_as_there_are(manifest: Manifest, reader: Reader) -> None:
    by_name = aucs_of(run("fusion", [manifest], reader))
    assert list(by_name) == [
        "l* alone",
        "mean of the scores of 2 layers",
        "mean of the scores of 3 layers",
        "mean of the scores of all layers",
        "2 layers joined",
        "3 layers joined",
    ]
    # Only one layer tells anything: others drown it in a mean, less so in a scorer that weighs them.
    assert by_name["l* alone"] >= by_name["3 layers joined"] > by_name["mean of the scores of all layers"]


def test_kinds_tells_a_kind_from_the_rest(folder: Path, reader: Reader) -> None:
    rows = ["path,label,start,end,group"]
    for index in range(3):
        bright_video(folder / f"still{index}.mp4", 6, seed=10 + index)
        bright_video(folder / f"early{index}.mp4", 6, (0, 2), seed=20 + index)
        bright_video(folder / f"late{index}.mp4", 6, (4, 6), seed=30 + index)
        rows += [f"still{index}.mp4,normal,,,s{index}", f"early{index}.mp4,flash,0,2,e{index}"]
        rows += [f"late{index}.mp4,glare,4,6,l{index}"]
    (folder / "kinds.csv").write_text("\n".join(rows) + "\n")
    manifest = load_manifest(folder / "kinds.csv")
    result = run("kinds", [manifest], reader)
    assert [row[0] for row in result.tables[0].rows] == ["flash", "glare", "anything"]
    read = reader.read(manifest)
    of_kind, frames = {}, {}
    for kind in ("flash", "glare"):
        only = [v if v.label == kind else replace(v, label="normal", intervals=()) for v in read.videos]
        of_kind[kind] = replace(read, videos=tuple(only))
        frames[kind] = measure(of_kind[kind], kind, lambda seed: at_layer(by_dlsp, seed), QUICK)
    anything = measure(read, "anything", lambda seed: at_layer(by_dlsp, seed), QUICK)
    matrix = {line.name: line.y for line in result.plots[0].lines}
    for column, (kind, videos) in enumerate(of_kind.items()):
        for name, probe in {**frames, "anything": anything}.items():
            assert matrix[name][column] == pytest.approx(videos.auc(probe.scores[0])), (name, kind)
    # Both kinds are as bright, so no probe tells them apart: 60 of the 480 other frames are won by chance alone.
    for auc in numbers([auc for line in matrix.values() for auc in line]):
        assert auc == pytest.approx((420 + 60 / 2) / 480, abs=0.06)
    with pytest.raises(UsageError, match="this study needs two"):
        run("kinds", [load_manifest(folder / "labels.csv")], reader)


def test_prompts_and_sampling_read_the_videos_anew_each_time(
    manifest: Manifest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiprobe.studies.sampling.FRAMES", (1, 8))
    monkeypatch.setattr("hiprobe.studies.sampling.LENGTHS", (2.0, 4.0))
    backbone = FakeBackbone()
    reader = Reader(backbone, Run(FeatureStore(folder / "others")))
    sampled = run("sampling", [manifest], reader)
    # Of 8 s, 7 or 3 segments: K frames of the first are encoded, and of each further one half of them, or one of one.
    assert [(row[0], *row[-2:]) for row in sampled.tables[0].rows] == [
        ("K = 8, 2 s", 32 / 8, 7 / 8),
        ("K = 1, 2 s", 7 / 8, 7 / 8),
        ("K = 1, 4 s", 3 / 8, 3 / 8),
        ("K = 8, 4 s", 16 / 8, 3 / 8),
    ]
    assert [line.name for line in sampled.plots[0].lines] == ["K = 1", "K = 8"]
    assert sampled.plots[1].lines[1].low == (4.0, 2.0)
    for line, frames in zip(sampled.plots[0].lines, (1, 8), strict=True):
        for auc, length in zip(line.y, (2.0, 4.0), strict=True):
            read = reader.read(manifest, backbone.info.reading(Sampling(length, length / 2, frames)))
            assert auc == pytest.approx(measure(read, "", lambda seed: at_layer(by_dlsp, seed), QUICK).auc)
    prompts = run("prompts", [manifest], reader)
    assert [line.name for line in prompts.plots[1].lines] == list(PROMPTS)
    before = backbone.segments
    run("prompts", [manifest], reader)
    assert backbone.segments == before  # what was read is kept


def test_prompts_tells_which_prompt_makes_the_backbone_tell(manifest: Manifest) -> None:
    result = run("prompts", [manifest], Reader(DeafBackbone(PROMPTS["guard"])))
    assert {name for name, auc in aucs_of(result).items() if auc > 0.9} == {"guard"}
    layers = {str(row[0]): (row[3], row[4]) for row in result.tables[0].rows}
    assert layers["guard"] == (BEST_LAYER, PROMPTS["guard"]) and layers["none"][1] == "(nothing)"
    curves = {line.name: line.y for line in result.plots[1].lines}
    assert int(np.argmax(numbers(curves["guard"]))) + 1 == BEST_LAYER


def test_labels_of_one_class_are_told(corpus: Corpus) -> None:
    normal = replace(corpus, videos=tuple(replace(v, label="normal", intervals=()) for v in corpus.videos))
    with pytest.raises(UndefinedMetricError):
        normal.auc(np.zeros(len(corpus.labels)))


def test_files_hold_numbers_tables_and_a_figure_and_are_the_same_again(tmp_path: Path) -> None:
    table = Table("T", ("a", "b"), (("x", 0.12345), ("y", None)))
    lines = (Line("one", (0.1, None, 0.3), (0.0, None, 0.2), (0.2, None, 0.4)),)
    plots = (
        Plot("P", "x", "y", (1, 2, 4), lines, mark=2.0, log_x=True),
        Plot("B", "x", "y", ("a", "b", "c"), lines, "bars"),
        Plot("M", "x", "y", ("a", "b", "c"), lines, "matrix"),
        Plot("D", "x", "y", (), (Line("n", (1.0, 2.0), (0.0, 1.0)),), "points"),
    )
    result = StudyResult("layers", ("a",), (table,), plots, ("A note.",))
    paths = write_study(result, tmp_path)
    assert [path.name for path in paths] == ["layers-a.json", "layers-a.md", "layers-a.svg"]
    assert json.loads(paths[0].read_text())["tables"][0]["rows"] == [["x", 0.12345], ["y", None]]
    assert "| x | 0.123 |" in study_markdown(result) and "| y | undefined |" in study_markdown(result)
    first = paths[2].read_bytes()
    write_study(result, tmp_path)
    assert first.startswith(b"<?xml") and paths[2].read_bytes() == first


def test_the_command_prints_tables_and_writes_files(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hiprobe.cli.app import app

    monkeypatch.setattr("hiprobe.backbones.load_backbone", lambda *_, **__: FakeBackbone())
    words = ["study", "fusion", str(folder / "labels.csv"), "--features", str(folder / "features"), "--repeats", "1"]
    done = CliRunner().invoke(app, [*words, "--draws", "20", "--out", str(tmp_path), "-q", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["study"] == "fusion"
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".md", ".svg"}
    one_class = folder / "dark.csv"
    one_class.write_text("path,label\ndark0.mp4,normal\n")
    done = CliRunner().invoke(app, [*words, str(one_class), "--draws", "20", "--out", str(tmp_path / "two"), "-q"])
    assert isinstance(done.exception, CalibrationError)
    assert len(list((tmp_path / "two").iterdir())) == 3  # the first is written before the second fails
    done = CliRunner().invoke(app, ["study", "nothing", str(folder / "labels.csv")])
    assert isinstance(done.exception, UsageError) and "no study 'nothing'" in str(done.exception)


def test_the_command_takes_the_name_of_a_dataset_with_its_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: Manifest
) -> None:
    from hiprobe.cli.app import app

    asked = []

    def load(self: Dataset, root: Path, split: str) -> Manifest:
        asked.append((self.name, root, split))
        return manifest

    monkeypatch.setattr(Dataset, "load", load)
    monkeypatch.setattr("hiprobe.backbones.load_backbone", lambda *_, **__: FakeBackbone())
    words = ["study", "transfer", "ucsd-ped2", str(folder / "labels.csv"), "avenue", "--features"]
    words += [str(folder / "features"), "--draws", "20", "--out", str(tmp_path), "-q", "--root", "a"]
    done = CliRunner().invoke(app, words)
    assert isinstance(done.exception, UsageError) and "1 --root for 2 dataset(s)" in str(done.exception)
    done = CliRunner().invoke(app, [*words, "--root", "b"])
    assert done.exit_code == 0, done.output
    assert asked == [("ucsd-ped2", Path("a"), "all"), ("avenue", Path("b"), "all")]
    assert (tmp_path / "transfer-ucsd-ped2-labels-avenue.json").exists()
