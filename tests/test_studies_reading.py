"""How studies read videos: several ways in one pass, and places beside the decoder's layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hiprobe.backbones import Batch, Reading, States
from hiprobe.datasets import Manifest, load_manifest
from hiprobe.errors import UsageError
from hiprobe.features import FeatureStore, Run
from hiprobe.probing import fit_scorer
from hiprobe.sampling import Sampling
from hiprobe.studies import run_study
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Fit, Rows, StudySettings, at_layer, by_auc, by_dlsp, measure
from tests.fakes import BEST_LAYER, FakeBackbone, FakeTokenBackbone, bright_video

QUICK = StudySettings(repeats=1, draws=30)


class Listening(FakeBackbone):
    """Its states tell the prompt and the pooling, and it counts the frames that it did not see just before."""

    def __init__(self) -> None:
        super().__init__()
        self.new = 0
        self._last = np.empty(0)

    def read(self, batch: Batch, reading: Reading) -> States:
        self.new += not np.array_equal(batch.frames, self._last)
        self._last = batch.frames
        return States(super().read(batch, reading).values + len(reading.prompt + reading.pooling))


class Sited(FakeBackbone):
    """Brightness shows in one half of one vision block, and in one head, and drowns in the decoder's layers."""

    def vectors(self, frames: NDArray[np.uint8], reading: Reading) -> NDArray[np.float32]:
        if reading.site == "decoder":
            return super().vectors(frames, replace(reading, layers=(1,) * len(reading.layers)))
        places, width = {"vision": (3, 8), "projector": (1, 8), "heads": (8, 3)}[reading.site]
        bright = frames.mean(axis=(1, 2, 3, 4))
        found = np.stack(
            [np.random.default_rng(int(one.astype(np.int64).sum())).normal(size=(places, width)) for one in frames]
        )
        if reading.site == "vision":
            found[:, 1, 4:] += 0.2 * bright[:, None]
        elif reading.site == "heads":
            found[:, BEST_HEAD] += 0.2 * bright[:, None]
        return found.astype(np.float32)


class Plain(FakeBackbone):
    """Read at its decoder's blocks only."""

    def read(self, batch: Batch, reading: Reading) -> States:
        if reading.site != "decoder":
            raise UsageError(f"The {self.info.name} backbone has no site {reading.site!r}; use another.")
        return super().read(batch, reading)


BEST_HEAD = 5
"""The second of block 3: there are two a block."""


def numbers(values: Sequence[float | None]) -> list[float]:
    assert None not in values
    return [value for value in values if value is not None]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("reading")
    rows = ["path,label,start,end"]
    for index in range(4):
        bright_video(folder / f"dark{index}.mp4", 8, seed=index)
        bright_video(folder / f"bright{index}.mp4", 8, (2, 6), seed=index)
        rows += [f"dark{index}.mp4,normal,,", f"bright{index}.mp4,flash,2,6"]
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return load_manifest(folder / "labels.csv")


def test_several_ways_in_one_pass_are_those_ways_alone(manifest: Manifest, tmp_path: Path) -> None:
    backbone = Listening()
    asked = backbone.info.reading(prompt="What happens?")
    ways = [asked, replace(asked, prompt=" "), replace(asked, pooling="last")]
    alone = [Reader(Listening()).read(manifest, reading) for reading in ways]
    reader = Reader(backbone, Run(FeatureStore(tmp_path)))
    for expected, found in zip(alone, reader.read_together(manifest, ways), strict=True):
        assert found.layers == expected.layers
        np.testing.assert_array_equal(found.states, expected.states)
    # All ways of a batch follow each other, so that what is known of its frames serves.
    assert backbone.new * len(ways) == backbone.batches
    assert len({corpus.states.tobytes() for corpus in alone}) == len(ways)
    # What is kept of each serves it alone; one that is new is read, and no other with it.
    before, seen = backbone.batches, backbone.segments
    reader.read_together(manifest, ways)
    reader.read(manifest, ways[1])
    assert backbone.batches == before
    (again, new) = reader.read_together(manifest, [ways[2], replace(asked, prompt="And now?")])
    assert backbone.segments == seen + len(new.states)
    np.testing.assert_array_equal(again.states, alone[2].states)


def test_ways_of_other_segments_are_not_read_together(manifest: Manifest) -> None:
    asked = FakeBackbone().info.reading()
    with pytest.raises(UsageError, match="other segments or frames"):
        Reader(FakeBackbone()).read_together(manifest, [asked, replace(asked, sampling=Sampling(4.0))])


def test_sites_finds_where_it_shows(manifest: Manifest, tmp_path: Path) -> None:
    backbone = Sited()
    reader = Reader(backbone, Run(FeatureStore(tmp_path)))
    (result,) = run_study("sites", [manifest], reader, QUICK)
    chosen, each = result.tables
    by_name = {row[0]: row for row in chosen.rows}
    assert by_name["vision, change: DLSP"][-1] == by_name["vision, change: AUC"][-1] == 2
    assert by_name["any site: AUC"][-1] == "vision, change, 2"
    assert {"projector, mean", "projector, motion", "vision, mean: DLSP"} <= set(by_name)
    assert len(each.rows) == 4 + 2 * 3 + 2 * 1
    lines = {line.name: line.y for plot in result.plots[1:] for line in plot.lines}
    decoder, vision = (numbers(lines[name]) for name in ("decoder, visual", "vision, change"))
    assert int(np.argmax(vision)) == 1 and max(vision) > max(decoder)
    # The table says what the curves do, and a curve is a cross-validation at its layer.
    shown = [str(row[2]).split()[0] for row in each.rows if row[0] == "vision, change"]
    assert shown == [f"{auc:.3f}" for auc in vision]
    read = reader.read_site(manifest, "vision")
    assert read.layers == (1, 2, 3) and read.states.shape[1:] == (3, 8)
    change = read.part(width=slice(4, None))
    expected = measure(change, "", lambda seed: at_layer(by_auc, seed), QUICK)
    bars = dict(zip(result.plots[0].x, numbers(result.plots[0].lines[0].y), strict=True))
    assert bars["vision, change: AUC"] == pytest.approx(expected.auc) == pytest.approx(vision[1])
    assert bars["vision, change: AUC"] == bars["any site: AUC"] > 0.9 > bars["vision, mean: AUC"]
    assert all(bars["any site: AUC"] > auc for name, auc in bars.items() if str(name).startswith("decoder"))
    before = backbone.segments
    run_again = next(run_study("sites", [manifest], reader, QUICK))
    assert run_again == result and backbone.segments == before


def test_heads_keeps_the_steady_ones(manifest: Manifest) -> None:
    (result,) = run_study("heads", [manifest], Reader(Sited()), QUICK)
    by_name = {row[0]: row for row in result.tables[0].rows}
    assert by_name["1 head by S"][-1] == by_name["1 head by AUC"][-1] == "3.2"
    bars = dict(zip(result.plots[0].x, result.plots[0].lines[0].y, strict=True))
    best, layer = numbers([bars["1 head by AUC"], bars["layer by AUC"]])
    head = Reader(Sited()).read_site(manifest, "heads").part(slice(BEST_HEAD, BEST_HEAD + 1))
    assert best == pytest.approx(measure(head, "", lambda seed: at_layer(lambda *_: 0, seed), QUICK).auc)
    assert best > 0.9 > layer
    curves = {line.name: line.y for line in result.plots[1].lines}
    assert int(np.argmax(numbers(curves["best head of the block"]))) == BEST_HEAD // 2
    assert "16 heads by S" not in by_name  # there are eight


def test_a_backbone_without_sites_is_told(manifest: Manifest) -> None:
    for study in ("sites", "heads"):
        with pytest.raises(UsageError, match="fake backbone has no site"):
            next(run_study(study, [manifest], Reader(Plain()), QUICK))


def test_steps_are_the_means_of_their_tokens(manifest: Manifest) -> None:
    corpus, steps = Reader(FakeTokenBackbone()).read_steps(manifest)
    assert steps == 8 and corpus.layers == (1, BEST_LAYER) and corpus.states.shape == (56, 2, 8 * 4)
    # The second block that can be read gives the pixels: of the bright video, frames are bright from 2 s on.
    bright = corpus.features[1].states[:, 1].reshape(-1, 8, 4).mean(axis=2)
    np.testing.assert_allclose(bright[1] > 120, [False] * 4 + [True] * 4)


def test_pooling_reads_frames_one_by_one(manifest: Manifest, tmp_path: Path) -> None:
    backbone = FakeTokenBackbone()
    reader = Reader(backbone, Run(FeatureStore(tmp_path)))
    (result,) = run_study("pooling", [manifest], reader, QUICK)
    bars = dict(zip(result.plots[0].x, numbers(result.plots[0].lines[0].y), strict=True))
    frames = [name for name in bars if "frame" in str(name)]
    assert frames == [
        "mean of frames (vision)",
        "per frame, joined (vision)",
        "per frame, one by one (vision)",
        "per frame, highest (vision)",
    ]
    assert all(bars[name] > 0.9 for name in frames)
    assert any("patch tokens of the vision tower, blocks 1, 3" in note for note in result.notes)
    before = backbone.segments
    assert next(run_study("pooling", [manifest], reader, QUICK)) == result
    assert backbone.segments == before


def test_a_segments_score_is_made_of_those_of_its_frames(manifest: Manifest) -> None:
    reader = Reader(FakeTokenBackbone())
    (result,) = run_study("pooling", [manifest], reader, QUICK)
    bars = dict(zip(result.plots[0].x, numbers(result.plots[0].lines[0].y), strict=True))
    corpus, steps = reader.read_steps(manifest)
    of_steps = corpus.states.reshape(*corpus.states.shape[:2], steps, -1)
    parts = np.split(of_steps.mean(axis=2), np.cumsum([len(item.states) for item in corpus.features])[:-1])
    features = [replace(item, states=part) for item, part in zip(corpus.features, parts, strict=True)]
    mean = replace(corpus, features=tuple(features))

    def one_by_one(together: Callable[..., NDArray[np.float64]], seed: int) -> Fit:
        def fit(_: Corpus, rows: Rows):
            single = of_steps[:, by_dlsp(mean, rows)]
            labels, groups = (np.repeat(values[rows], steps) for values in (corpus.labels, corpus.groups))
            scorer = fit_scorer(single[rows].reshape(len(labels), -1), labels, groups, seed=seed).scorer
            scores = scorer.scores(single.reshape(-1, single.shape[-1])).reshape(-1, steps)
            return lambda _: together(scores, axis=1)

        return fit

    for name, together in {"one by one": np.mean, "highest": np.max}.items():
        expected = measure(corpus, name, lambda seed, make=together: one_by_one(make, seed), QUICK)
        assert bars[f"per frame, {name} (vision)"] == pytest.approx(expected.auc)
    for name, read in {"mean of frames (vision)": mean, "per frame, joined (vision)": corpus}.items():
        expected = measure(read, name, lambda seed: at_layer(lambda _, rows: by_dlsp(mean, rows), seed), QUICK)
        assert bars[name] == pytest.approx(expected.auc)


def test_pooling_without_tokens_says_so(manifest: Manifest) -> None:
    (result,) = run_study("pooling", [manifest], Reader(FakeBackbone()), QUICK)
    assert not any("frame" in str(name) for name in result.plots[0].x)
    assert any("fake backbone gives no states of single tokens" in note for note in result.notes)
    with pytest.raises(UsageError, match="gives no states of single tokens"):
        Reader(FakeBackbone()).read_steps(manifest)
