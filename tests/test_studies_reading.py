"""How studies read videos: several ways in one pass, and places beside the decoder's layers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hiprobe.studies.readings import Way
from numpy.typing import NDArray

from hiprobe.backbones import Pooling, Site
from hiprobe.datasets import Manifest, load_manifest
from hiprobe.errors import UsageError
from hiprobe.features import FeatureStore
from hiprobe.probing import fit_scorer
from hiprobe.studies import run_study
from hiprobe.studies.corpus import Reader
from hiprobe.studies.pooling import _one_by_one
from hiprobe.studies.protocol import StudySettings
from tests.fakes import FakeBackbone, FakeTokenBackbone, bright_video

QUICK = StudySettings(repeats=1, draws=30)


class Listening(FakeBackbone):
    """Its states tell the prompt and the pooling, and it counts the frames that it did not see just before."""

    def __init__(self) -> None:
        super().__init__()
        self.new = 0
        self._last = np.empty(0)

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        self.new += not np.array_equal(frames, self._last)
        self._last = frames
        return super().hidden_states(frames, prompt, layers, pooling, seconds) + len(prompt + pooling)


class Sited(FakeBackbone):
    """Brightness shows in one half of one vision block, and in one head, and drowns in the decoder's layers."""

    def hidden_states(
        self,
        frames: NDArray[np.uint8],
        prompt: str,
        layers: Sequence[int],
        pooling: Pooling,
        seconds: Sequence[float] | None = None,
    ) -> NDArray[np.float32]:
        return super().hidden_states(frames, prompt, [1] * len(layers), pooling, seconds)

    def site_states(
        self, frames: NDArray[np.uint8], prompt: str, site: Site, seconds: Sequence[float] | None = None
    ) -> NDArray[np.float32]:
        self.segments += len(frames)
        places, width = {"vision": (3, 8), "projector": (1, 8), "heads": (8, 3)}[site]
        bright = frames.mean(axis=(1, 2, 3, 4))
        found = np.stack(
            [np.random.default_rng(int(one.astype(np.int64).sum())).normal(size=(places, width)) for one in frames]
        )
        if site == "vision":
            found[:, 1, 4:] += 0.2 * bright[:, None]
        elif site == "heads":
            found[:, BEST_HEAD] += 0.2 * bright[:, None]
        return found.astype(np.float32)


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
    ways: list[Way] = [("What happens?", "visual"), (" ", "visual"), ("What happens?", "last")]
    alone = [Reader(Listening()).read(manifest, prompt=prompt, pooling=pooling) for prompt, pooling in ways]
    backbone = Listening()
    reader = Reader(backbone, FeatureStore(tmp_path))
    for expected, found in zip(alone, reader.read_together(manifest, ways), strict=True):
        assert found.layers == expected.layers
        np.testing.assert_array_equal(found.states, expected.states)
    # All ways of a batch follow each other, so that what is known of its frames serves.
    assert backbone.new * len(ways) == backbone.batches
    before = backbone.batches
    reader.read_together(manifest, ways)
    assert backbone.batches == before
    reader.read_together(manifest, ways[:2])  # other ways are another reading
    assert backbone.batches > before


def test_sites_finds_where_it_shows(manifest: Manifest, tmp_path: Path) -> None:
    backbone = Sited()
    reader = Reader(backbone, FeatureStore(tmp_path))
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
    before = backbone.segments
    run_again = next(run_study("sites", [manifest], reader, QUICK))
    assert run_again == result and backbone.segments == before + 2  # a black segment a site, to know its size


def test_heads_keeps_the_steady_ones(manifest: Manifest) -> None:
    (result,) = run_study("heads", [manifest], Reader(Sited()), QUICK)
    by_name = {row[0]: row for row in result.tables[0].rows}
    assert by_name["1 head by S"][-1] == by_name["1 head by AUC"][-1] == "3.2"
    bars = dict(zip(result.plots[0].x, result.plots[0].lines[0].y, strict=True))
    best = bars["1 head by AUC"]
    assert best is not None and best > 0.9
    assert "16 heads by S" not in by_name  # there are eight


def test_a_backbone_without_sites_is_told(manifest: Manifest) -> None:
    for study in ("sites", "heads"):
        with pytest.raises(UsageError, match="fake backbone is read at its decoder blocks only"):
            next(run_study(study, [manifest], Reader(FakeBackbone()), QUICK))


def test_steps_are_the_means_of_their_tokens(manifest: Manifest) -> None:
    corpus, steps = Reader(FakeTokenBackbone()).read_steps(manifest)
    assert steps == 8 and corpus.layers == (1, 2) and corpus.states.shape == (56, 2, 8 * 4)
    # The second block that can be read gives the pixels: of the bright video, frames are bright from 2 s on.
    bright = corpus.features[1].states[:, 1].reshape(-1, 8, 4).mean(axis=2)
    np.testing.assert_allclose(bright[1] > 120, [False] * 4 + [True] * 4)


def test_pooling_reads_frames_one_by_one(manifest: Manifest, tmp_path: Path) -> None:
    backbone = FakeTokenBackbone()
    reader = Reader(backbone, FeatureStore(tmp_path))
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
    assert backbone.segments == before + 1  # a black segment, to know its size


def test_a_segments_score_is_made_of_those_of_its_frames(manifest: Manifest) -> None:
    corpus, steps = Reader(FakeTokenBackbone()).read_steps(manifest)
    rows = np.arange(len(corpus.labels))
    single = corpus.states[:, 1].reshape(-1, 4)
    scorer = fit_scorer(single, np.repeat(corpus.labels, steps), np.repeat(corpus.groups, steps)).scorer
    expected = scorer.scores(single).reshape(-1, steps)
    for together in (np.mean, np.max):
        found = _one_by_one(lambda *_: 1, steps, together, 0)(corpus, rows)(corpus)
        np.testing.assert_allclose(found, together(expected, axis=1))


def test_pooling_without_tokens_says_so(manifest: Manifest) -> None:
    (result,) = run_study("pooling", [manifest], Reader(FakeBackbone()), QUICK)
    assert not any("frame" in str(name) for name in result.plots[0].x)
    assert any("fake backbone gives no states of single tokens" in note for note in result.notes)
    with pytest.raises(UsageError, match="gives no states of single tokens"):
        Reader(FakeBackbone()).read_steps(manifest)
