"""What stands out in footage: blocks of time that no model judges of its own, robust numbers, events and maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiprobe.backbones import Batch
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.features import FeatureStore, Run, extract
from hiprobe.localize import LocalizeSettings
from hiprobe.pipeline import StandOut, stand_out
from hiprobe.probing.footage_probe import FOLDS, GAP, judged, robust_standard, time_folds
from tests.fakes import FakeBackbone, FakeTokenBackbone, yard_video


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return yard_video(tmp_path_factory.mktemp("yard") / "day.mp4", 60, (26, 30))


@given(seconds=st.integers(16, 400), block=st.floats(4, 60))
def test_no_model_sees_what_it_judges_nor_what_is_near(seconds: int, block: float) -> None:
    starts = np.arange(seconds, dtype=float)
    ends = starts + 2
    fold, seen = time_folds(starts, ends, block)
    assert len(seen) == FOLDS and set(fold) <= set(range(FOLDS))
    gap = min(GAP, block / 2)
    for one, of_fold in enumerate(seen):
        own, others = np.flatnonzero(fold == one), np.flatnonzero(of_fold)
        if len(own) and len(others):
            apart = np.maximum(starts[others][:, None] - ends[own], starts[own] - ends[others][:, None])
            assert apart.min() >= gap - 1e-9


def test_values_are_those_of_the_model_that_is_blind() -> None:
    fold = np.array([0, 3, 1, 2])
    kept = np.arange(4 * FOLDS * 2, dtype=np.float32).reshape(4, -1)
    values = judged(kept, fold, ("appearance", "motion"))
    assert values["appearance"].tolist() == [0, 14, 18, 28] and values["motion"].tolist() == [1, 15, 19, 29]
    with pytest.raises(UsageError, match="models of its own"):
        judged(kept[:3], fold, ("appearance", "motion"))


@given(st.integers(0, 2**32 - 1), st.floats(10, 1e6))
def test_a_few_odd_values_do_not_move_what_is_usual(seed: int, odd: float) -> None:
    values = np.random.default_rng(seed).normal(5, 2, 200)
    spoiled = np.concatenate([values, np.full(10, odd)])
    (centre,), (scale,) = (part.values() for part in robust_standard({"motion": spoiled}))
    assert abs(centre - 5) < 1 and 1.2 < scale < 3
    with pytest.raises(CalibrationError, match="hardly ever changes"):
        robust_standard({"motion": np.ones(9)})


class Watched(FakeTokenBackbone):
    """Remembers how many frames it was shown of each event."""

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        self.batches += 1
        self.frames = batch.frames.shape[1]
        return "something moves"


def test_the_odd_moment_is_found_and_shown_where_it_is(video: Path) -> None:
    backbone = Watched()
    found = stand_out(video, backbone, explain=True, anomaly_map=True)
    assert (backbone.batches, backbone.frames) == (1, 8)  # as other probes show it, though fewer are read
    (event,) = found.events
    assert 24 <= event.event.start <= 26.5 and 29.5 <= event.event.end <= 32
    assert event.event.peak == max(segment.smoothed for segment in found.segments)
    assert found.provenance.probe_source.startswith("none: ")
    maps = found.anomaly_map
    assert maps is not None and maps.maps.shape[1:] == (3, 4)
    inside = maps.between(26.5, 29.5).maps
    assert len(inside) and inside[:, 1].max() > inside[:, [0, 2]].max()  # it moves through the middle row


def test_ordinary_footage_has_no_event_and_what_is_kept_is_not_read_again(tmp_path: Path) -> None:
    path, run = yard_video(tmp_path / "calm.mp4", 60), Run(FeatureStore(tmp_path / "kept"))
    backbone = FakeTokenBackbone()
    assert stand_out(path, backbone, run=run).events == ()
    assert backbone.segments == 2 * 59
    again = stand_out(path, backbone, localize=LocalizeSettings(sigma=0.5), run=run)
    assert backbone.segments == 2 * 59 and len(again.segments) == 59


def test_videos_of_one_camera_are_one_footage(tmp_path: Path) -> None:
    backbone, results = FakeTokenBackbone(), []
    paths = [yard_video(tmp_path / f"{i}.mp4", 20, (8, 12) if i == 1 else None, seed=i) for i in range(3)]
    failures = StandOut(backbone).detect_all(paths, results.append)
    assert len(failures) == 3 and not results and backbone.segments == 0
    assert "lasts 20 s, too short to tell what stands out in it" in str(failures[0].error)
    assert StandOut(backbone, together=True).detect_all(paths, results.append) == []
    assert [len(result.events) for result in results] == [0, 1, 0]
    assert len({result.threshold for result in results}) == 1


def test_one_video_that_fails_does_not_stop_the_others(video: Path, tmp_path: Path) -> None:
    results: list[object] = []
    failures = StandOut(FakeTokenBackbone()).detect_all([tmp_path / "none.mp4", video], results.append)
    assert len(failures) == 1 and len(results) == 1


def test_what_cannot_be_done_is_said(video: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no states of single tokens"):
        StandOut(FakeBackbone())
    still = yard_video(tmp_path / "still.mp4", 40)
    finder = StandOut(FakeTokenBackbone())
    probe = finder.probes([still])[0][1]
    with pytest.raises(UsageError, match="no probe to keep"):
        probe.save(tmp_path / "x.probe")
    with pytest.raises(UsageError, match="labels can refit a probe only"):
        probe.adapt([], [], [], "")
    assert not probe.adaptable and probe.dlsp is None and probe.similar([]) == ()
    kept = extract(still, finder.backbone, probe.extraction).at(probe.reading.layer)
    assert probe.score(kept).shape == (39,) and len(probe.identity) == 64
