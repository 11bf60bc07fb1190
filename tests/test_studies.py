"""Studies: on a fake backbone whose best layer is known, and against what scikit-learn computes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import hiprobe.studies.scorers
from hiprobe.backbones import Pooling
from hiprobe.datasets import Dataset, Manifest, load_manifest
from hiprobe.errors import CalibrationError, UndefinedMetricError, UsageError
from hiprobe.features import FeatureStore
from hiprobe.studies import STUDY_NAMES, StudyResult, _studies, run_study, write_study
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.kinds import _only
from hiprobe.studies.layers import _bands
from hiprobe.studies.protocol import Bootstrap, StudySettings, at_layer, by_dlsp, held_out_scores, measure
from hiprobe.studies.result import Cell, Line, Plot, Table, study_json, study_markdown
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
    return Reader(FakeBackbone(), FeatureStore(folder / "features"))


@pytest.fixture(scope="module")
def corpus(manifest: Manifest, reader: Reader) -> Corpus:
    return reader.read(manifest)


def run(name: str, manifests: list[Manifest], reader: Reader | list[Reader]) -> StudyResult:
    (result,) = run_study(name, manifests, reader, QUICK)
    assert result.study == name and result.tables and result.plots and result.notes
    json.loads(study_json(result))  # and no NaN in it
    return result


class DeeperBackbone(FakeBackbone):
    """Eight layers, of which the seventh is the fake's best."""

    def __init__(self) -> None:
        super().__init__("d" * 64)
        self.info = replace(self.info, name="deeper", layers=8)

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        moved = [BEST_LAYER if layer == 7 else 1 for layer in layers]
        noise = np.random.default_rng(0).normal(size=(len(layers), WIDTH))
        return super().hidden_states(frames, prompt, moved, pooling, seconds) + noise.astype(np.float32)


def numbers(cells: Sequence[Cell]) -> list[float]:
    assert all(isinstance(cell, int | float) for cell in cells)
    return [float(cell) for cell in cells if isinstance(cell, int | float)]


def test_every_study_that_is_listed_is_there() -> None:
    assert list(_studies()) == list(STUDY_NAMES)


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
    frames, resamples = corpus.frame_scores(scores), Bootstrap(corpus, 5, seed=0)
    for drawn, auc in zip(resamples._drawn.astype(int), resamples.aucs(scores), strict=True):
        repeated = np.repeat(np.arange(len(frames)), drawn)
        truth = np.concatenate([corpus.truth[video] for video in repeated])
        assert auc == pytest.approx(roc_auc_score(truth, np.concatenate([frames[video] for video in repeated])))
        by_group: dict[str, set[int]] = {}
        for video, count in zip(corpus.videos, drawn, strict=True):
            by_group.setdefault(video.group, set()).add(int(count))
        assert all(len(counts) == 1 for counts in by_group.values())


def test_layers_finds_the_layer_that_was_made_to_tell(
    manifest: Manifest, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiprobe.studies.layers._DRAWS", 5)
    result = run("layers", [manifest], reader)
    aucs = numbers([row[-1] for row in result.tables[0].rows])
    assert int(np.argmax(aucs)) + 1 == BEST_LAYER and max(aucs) > 0.9
    assert any(f"l* by DLSP is layer {BEST_LAYER}" in note for note in result.notes)
    assert {plot.kind for plot in result.plots} == {"lines", "points"}


def test_bands_of_what_resamples_lower_are_around_the_number() -> None:
    values, spread = np.array([0.5, 0.99]), np.random.default_rng(0).normal(0, 0.05, (400, 2))
    (low, high), (_, top) = _bands(values, values - 0.2 + spread, highest=1.0)
    assert low == pytest.approx(0.4, abs=0.02) and high == pytest.approx(0.6, abs=0.02) and top == 1.0


def test_dlsp_compares_rules_and_no_rule_beats_the_oracle(manifest: Manifest, reader: Reader) -> None:
    result = run("dlsp", [manifest], reader)
    (bars,) = result.plots
    by_name = dict(zip(bars.x, numbers(bars.lines[0].y), strict=True))
    assert len(by_name) == 4 + 3 + 3 + 1
    assert by_name["DLSP (S)"] > by_name["last layer"]
    assert all(auc <= by_name[bars.x[-1]] + 1e-9 for auc in by_name.values())


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
    deeper = Reader(DeeperBackbone(), FeatureStore(folder / "features"))
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
    rows = run("calibration", [manifest], reader).tables[0].rows
    # Of four videos a class, at most three are left to draw from.
    assert [row[0] for row in rows] == [2] or [row[0] for row in rows] == [2, 3]
    assert min(numbers([row[2] for row in rows])) > 0.8


def test_scorers_chooses_settings_within_the_fitting_folds(
    manifest: Manifest, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {
        name: found for name, found in hiprobe.studies.scorers._candidates(0).items() if name in ("LDA", "linear SVM")
    }
    monkeypatch.setattr(hiprobe.studies.scorers, "_candidates", lambda seed: few)
    result = run("scorers", [manifest], reader)
    assert [row[0] for row in result.tables[0].rows] == ["logistic regression", "linear SVM", "LDA"]


def test_localize_sweeps_sigma_and_both_thresholds(manifest: Manifest, reader: Reader) -> None:
    smoothing, events = run("localize", [manifest], reader).tables
    assert [row[0] for row in smoothing.rows] == [0.0, 0.25, 0.5, 1.0, 2.0, 4.0]
    adaptive = {row[0]: row for row in events.rows if str(row[0]).startswith("adaptive")}
    few, many = adaptive["adaptive, kappa 2, sigma 1 s"], adaptive["adaptive, kappa -0.5, sigma 1 s"]
    assert isinstance(few[4], float) and isinstance(many[4], float) and few[4] <= many[4]


def test_pooling_joins_vectors(manifest: Manifest, reader: Reader) -> None:
    result = run("pooling", [manifest], reader)
    assert [row[0] for row in result.tables[0].rows][-1] == "all three"


def test_fusion_of_one_layer_is_that_layer(corpus: Corpus) -> None:
    from hiprobe.studies.fusion import _joined, _mean

    alone = measure(corpus, "alone", lambda seed: at_layer(by_dlsp, seed), QUICK)
    for make in (_mean, _joined):
        together = measure(corpus, "one", lambda seed, make=make: make(1, seed), QUICK)
        np.testing.assert_allclose(together.scores[0], alone.scores[0], atol=1e-6)


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
    flashes = _only(reader.read(manifest), "flash")
    assert [video.is_abnormal for video in flashes.videos] == [False, True, False] * 3
    with pytest.raises(UsageError, match="this study needs two"):
        run("kinds", [load_manifest(folder / "labels.csv")], reader)


def test_prompts_and_sampling_read_the_videos_anew_each_time(
    manifest: Manifest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hiprobe.studies.prompts
    import hiprobe.studies.sampling

    monkeypatch.setattr(hiprobe.studies.sampling, "FRAMES", (1, 8))
    monkeypatch.setattr(hiprobe.studies.sampling, "LENGTHS", (2.0, 4.0))
    backbone = FakeBackbone()
    reader = Reader(backbone, FeatureStore(folder / "others"))
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
    prompts = run("prompts", [manifest], reader)
    assert [line.name for line in prompts.plots[1].lines] == list(hiprobe.studies.prompts.PROMPTS)
    before = backbone.segments
    run("prompts", [manifest], reader)
    assert backbone.segments == before  # what was read is kept


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
