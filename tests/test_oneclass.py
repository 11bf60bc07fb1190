"""One-class scorers against their references, the false-alarm threshold, and fitting on normal videos alone."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from safetensors import safe_open
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from hiprobe.backbones import Batch
from hiprobe.datasets import load_manifest
from hiprobe.errors import CalibrationError, ProbeError, UsageError
from hiprobe.features import FeatureStore, Run, extract
from hiprobe.pipeline import FitNormalResult, detect, evaluate_manifest, fit, fit_normal, refit
from hiprobe.pipeline.pasting import paste
from hiprobe.pipeline.tokens import sample_tokens, sampled_views
from hiprobe.probing import (
    Gaussian,
    LogisticProbe,
    MemoryBank,
    OneClassProbe,
    Probe,
    TokenScorer,
    fit_models,
    read_probe,
    token_scorer,
    view_values,
)
from hiprobe.probing.oneclass import top_mean
from tests.fakes import BEST_LAYER, FakeBackbone, FakeTokenBackbone, write_calibration, write_normal, yard_video

RANDOM = np.random.default_rng(5)
MIXING = RANDOM.normal(size=(5, 5))


def tokens(count: int) -> np.ndarray:
    return (RANDOM.normal(size=(count, 5)) @ MIXING + 3).astype(np.float32)


def test_gaussian_distances_are_mahalanobis_under_the_shrunk_covariance() -> None:
    normal, seen = tokens(40), tokens(7)
    reference = LedoitWolf().fit(normal.astype(np.float64))
    assert 0 < reference.shrinkage_ < 1
    expected = np.sqrt(reference.mahalanobis(seen))
    np.testing.assert_allclose(Gaussian.fit(normal).distances(seen), expected, rtol=1e-4)


def test_a_gaussian_bears_features_that_never_vary() -> None:
    normal = np.pad(tokens(60), ((0, 0), (0, 1)))
    assert np.isfinite(Gaussian.fit(normal).distances(normal)).all()
    with pytest.raises(CalibrationError, match="are the same"):
        Gaussian.fit(np.ones((9, 3)))


def test_distances_from_a_bank_are_to_its_nearest_token() -> None:
    normal, seen = tokens(30), tokens(7)
    np.testing.assert_allclose(MemoryBank.fit(normal).distances(seen), cdist(seen, normal).min(1), rtol=1e-4)


def test_a_bank_covers_rare_tokens_that_a_random_choice_would_miss() -> None:
    common, rare = tokens(3000), np.full((1, 5), 80.0, np.float32)
    bank = MemoryBank.fit(np.concatenate([common, rare]), size=50)
    assert bank.bank.shape == (50, 5)
    assert bank.distances(rare)[0] == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("bad", [np.ones((1, 3)), np.ones(4), np.array([[1.0, np.nan], [0.0, 1.0]])])
def test_tokens_that_cannot_be_fitted_are_refused(bad: np.ndarray) -> None:
    for model in (Gaussian, MemoryBank):
        with pytest.raises(CalibrationError, match=r"shape|NaN"):
            model.fit(bad)


def test_a_step_counts_by_its_largest_distances_and_a_segment_by_the_mean_of_its_steps() -> None:
    assert top_mean(np.array([[1.0, 9, 5, 7], [0, 0, 0, 3]]), 3).tolist() == [7.0, 1.0]
    assert top_mean(np.array([1.0, 3]), 3) == 2
    models = fit_models({"appearance": tokens(50), "motion": tokens(50)}, "gaussian")
    seen = tokens(2 * 4 * 6).reshape(2, 4, 6, 5)
    found = view_values(seen, models, top=2)
    steps = [np.sort(models["motion"].distances(seen[0, i + 1] - seen[0, i]))[-2:].mean() for i in range(3)]
    assert found["motion"][0] == pytest.approx(np.mean(steps), rel=1e-5)
    steps = [np.sort(models["appearance"].distances(seen[1, i]))[-2:].mean() for i in range(4)]
    assert found["appearance"][1] == pytest.approx(np.mean(steps), rel=1e-5)


def test_scores_are_standardised_on_held_out_values() -> None:
    models = fit_models({"appearance": tokens(50), "motion": tokens(50)}, "gaussian")
    held_out = view_values(tokens(20 * 4 * 6).reshape(20, 4, 6, 5), models)
    scorer = token_scorer("gaussian", models, held_out)
    scores = scorer.combined(held_out)
    assert scores.mean() == pytest.approx(0, abs=1e-9) and 0 < scores.std() <= 1
    with pytest.raises(UsageError, match="single frame"):
        scorer.scores(tokens(6).reshape(1, 1, 6, 5))
    with pytest.raises(UsageError, match="width 4"):
        scorer.scores(tokens(24).reshape(1, 4, 6, 5)[..., :4])
    with pytest.raises(CalibrationError, match="is the same"):
        token_scorer("gaussian", models, held_out | {"motion": np.ones(20)})


def test_a_pasted_piece_is_the_same_every_time_and_leaves_the_frames_alone() -> None:
    frames = RANDOM.integers(0, 256, (2, 5, 40, 60, 3), dtype=np.uint8)
    kept = frames.copy()
    altered = paste(frames)
    np.testing.assert_array_equal(frames, kept)
    np.testing.assert_array_equal(paste(frames[1:]), altered[1:])
    changed = (altered != frames).any(-1).mean((2, 3))
    assert (changed > 0).all() and (changed < 0.1).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yard")


@pytest.fixture(scope="module")
def fitted(folder: Path) -> FitNormalResult:
    return fit_normal(write_normal(folder), FakeTokenBackbone())


@pytest.fixture(scope="module")
def eventful(folder: Path) -> Path:
    return yard_video(folder / "eventful.mp4", 20, (8, 12), seed=77)


def test_the_layer_is_chosen_without_any_anomaly(fitted: FitNormalResult) -> None:
    probe = fitted.probe
    stats = probe.calibration
    assert (probe.layer, probe.reading.site, stats.layers) == (BEST_LAYER, "vision", (1, BEST_LAYER))
    assert stats.layer_auc[1] > 0.8 > stats.layer_auc[0]
    assert (stats.n_videos, stats.n_groups, stats.events) == (5, 5, 0)
    assert any("0.8 minutes" in note for note in stats.notes)


def test_a_probe_of_normal_videos_finds_an_event_and_leaves_a_normal_video_alone(
    fitted: FitNormalResult, folder: Path, eventful: Path, tmp_path: Path
) -> None:
    backbone, store = FakeTokenBackbone(), FeatureStore(tmp_path)
    found = detect(eventful, fitted.probe, backbone, run=Run(store))
    (item,) = found.events
    # Scores have no upper end: what is very abnormal reaches as far as smoothing does.
    assert 8 - 4 < item.event.start < 8.5 and 11.5 < item.event.end < 12 + 4 and 8 < item.event.peak_time < 12
    assert (found.provenance.reading.pooling, found.provenance.reading.site) == ("tokens", "vision")
    assert not detect(yard_video(folder / "other.mp4", 10, seed=55), fitted.probe, backbone).events
    read = backbone.segments
    assert detect(eventful, fitted.probe, backbone, run=Run(store)).segments == found.segments
    assert backbone.segments == read  # scores are kept, too
    scorer = replace(fitted.probe.scorer, centres=dict.fromkeys(fitted.probe.scorer.centres, 0.0))
    other = replace(fitted.probe, scorer=scorer)
    assert detect(eventful, other, backbone, run=Run(store)).segments != found.segments  # and are never another probe's


def test_evaluation_takes_a_one_class_probe(fitted: FitNormalResult, folder: Path, eventful: Path) -> None:
    report = evaluate_manifest(write_labels(folder), fitted.probe, FakeTokenBackbone())
    assert report.pooled_auc is not None and report.pooled_auc > 0.95


def test_a_memory_bank_works_the_same_way(folder: Path, eventful: Path, fitted: FitNormalResult) -> None:
    backbone = FakeTokenBackbone()
    reading = replace(backbone.info.token_reading(), layers=(BEST_LAYER,))
    probe = fit_normal(folder / "normal.csv", backbone, method="memory-bank", reading=reading).probe
    assert probe.scorer.method == "memory-bank"
    assert all(isinstance(model, MemoryBank) for model in probe.scorer.models.values())
    assert probe.calibration.layers == () and probe.layer == BEST_LAYER
    assert len(detect(eventful, probe, FakeTokenBackbone()).events) == 1


def test_sampled_tokens_are_pairs_of_a_state_and_its_change() -> None:
    frames = RANDOM.integers(0, 256, (2, 5, 12, 16, 3), dtype=np.uint8)
    backbone = FakeTokenBackbone()
    reading = replace(backbone.info.token_reading(), layers=(BEST_LAYER,))
    kept = sample_tokens(reading, 4, 0).keep(backbone.read(Batch(frames), reading))
    views = sampled_views(kept[1:, 0], 4)
    every = backbone.read(Batch(frames[1:]), reading).values[0, 0]
    pairs = np.concatenate([every[1:], np.diff(every, axis=0)], axis=-1).reshape(-1, 8)
    sampled = np.concatenate([views["appearance"], views["motion"]], axis=1)
    assert (cdist(sampled, pairs).min(1) < 1e-3).all()


def test_what_cannot_be_fitted_is_said_before_anything_is_read(folder: Path, tmp_path: Path) -> None:
    backbone = FakeTokenBackbone()
    with pytest.raises(CalibrationError, match=r"bright0.mp4 is labelled flash"):
        fit_normal(write_calibration(tmp_path), backbone)
    whole = load_manifest(folder / "normal.csv")
    one = replace(whole, videos=tuple(replace(video, group="a") for video in whole.videos))
    with pytest.raises(CalibrationError, match="one group"):
        fit_normal(one, backbone)
    with pytest.raises(UsageError, match="no states of single tokens"):
        fit_normal(whole, FakeBackbone())
    assert backbone.segments == 0


def file_parts(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return header and tensors of a probe file."""
    with safe_open(path, "numpy") as file:
        header = json.loads(file.metadata()["hiprobe"])
    return header, safetensors.numpy.load_file(path)


def with_scorer(probe: OneClassProbe, method: str) -> OneClassProbe:
    """Return the probe with a scorer of five features by a method."""
    models = fit_models({"appearance": tokens(50), "motion": tokens(50)}, method)
    scorer = TokenScorer(method, models, {"appearance": 1.0, "motion": 0.1}, {"appearance": 0.5, "motion": 2.0}, top=2)
    return replace(probe, scorer=scorer)


def assert_equal(one: OneClassProbe, other: OneClassProbe) -> None:
    """Assert that two probes are equal in every part; what arrays hold, to the bit."""
    for field in fields(OneClassProbe):
        if field.name != "scorer":
            assert getattr(one, field.name) == getattr(other, field.name), field.name
    assert one.reading.name == other.reading.name  # not compared with the rest of the reading
    scorer, again = one.scorer, other.scorer
    assert (scorer.method, scorer.top) == (again.method, again.top)
    assert (dict(scorer.centres), dict(scorer.scales)) == (dict(again.centres), dict(again.scales))
    assert scorer.models.keys() == again.models.keys()
    for view, model in scorer.models.items():
        assert type(model) is type(again.models[view])
        held, read = model.arrays(), again.models[view].arrays()
        assert held.keys() == read.keys()
        assert all(held[name].dtype == read[name].dtype and np.array_equal(held[name], read[name]) for name in held)


@pytest.mark.parametrize("method", ["gaussian", "memory-bank"])
def test_the_probe_file_is_exact_and_says_what_is_wrong(fitted: FitNormalResult, tmp_path: Path, method: str) -> None:
    probe, path = with_scorer(fitted.probe, method), tmp_path / "yard.probe"
    probe.save(path)
    again = read_probe(path)
    assert isinstance(again, OneClassProbe) and again.identity == probe.identity
    assert_equal(again, probe)
    seen = tokens(2 * 4 * 6).reshape(2, 4, 6, 5)
    np.testing.assert_array_equal(again.scorer.scores(seen), probe.scorer.scores(seen))
    with pytest.raises(ProbeError, match=r"hiprobe\.oneclass/1"):
        LogisticProbe.load(path)
    header, held = file_parts(path)
    held.pop(next(iter(held)))
    safetensors.numpy.save_file(held, path, metadata={"hiprobe": json.dumps(header)})
    with pytest.raises(ProbeError, match="damaged"):
        read_probe(path)
    header["kind"] = "newer"
    safetensors.numpy.save_file(held, path, metadata={"hiprobe": json.dumps(header)})
    with pytest.raises(ProbeError, match="unknown to this release"):
        read_probe(path)
    header |= {"kind": method, "site": "beyond"}
    safetensors.numpy.save_file(held, path, metadata={"hiprobe": json.dumps(header)})
    with pytest.raises(ProbeError, match="reads at 'beyond', which this release does not know; update hiprobe"):
        read_probe(path)
    header["schema"] = "hiprobe.oneclass/2"
    safetensors.numpy.save_file(held, path, metadata={"hiprobe": json.dumps(header)})
    with pytest.raises(ProbeError, match=r"written by a newer HiProbe \(schema hiprobe\.oneclass/2\); update hiprobe"):
        read_probe(path)


def test_a_file_of_the_first_releases_is_read(fitted: FitNormalResult, tmp_path: Path) -> None:
    """They call a memory bank ``neighbours``."""
    probe, path = with_scorer(fitted.probe, "memory-bank"), tmp_path / "yard.probe"
    probe.save(path)
    header, held = file_parts(path)
    assert header["kind"] == "memory-bank" and set(held) == {"appearance.bank", "motion.bank"}
    safetensors.numpy.save_file(held, path, metadata={"hiprobe": json.dumps(header | {"kind": "neighbours"})})
    again = read_probe(path)
    assert isinstance(again, OneClassProbe)
    assert_equal(again, probe)


def test_it_meets_the_probe_protocol_and_labels_cannot_adapt_it(fitted: FitNormalResult, eventful: Path) -> None:
    probe: Probe = fitted.probe
    assert probe.dlsp is None and probe.scores_tokens and not probe.adaptable
    assert (probe.reading.layers, probe.reading.pooling) == ((BEST_LAYER,), "tokens")
    assert probe.card.finds == "what is unlike the normal video of normal.csv"
    assert (probe.card.n_videos, probe.card.n_groups, probe.card.n_segments) == (5, 5, len(fitted.held_out))
    features = extract(eventful, FakeTokenBackbone(), probe.extraction)
    kept = features.at(BEST_LAYER)
    assert kept.shape == (19, 1) and probe.score(kept).tolist() == kept[:, 0].tolist()
    assert probe.similar(kept[0]) == ()
    with pytest.raises(UsageError, match="fitted on normal video alone, so labels cannot refit it"):
        probe.adapt(kept, np.arange(19) % 2, np.arange(19), "a note")
    with pytest.raises(UsageError, match="labels cannot refit it"):
        refit(probe, [features], [(np.arange(19) % 2).astype(np.int8)], "labels")
    calibration = write_labels(eventful.parent)
    with pytest.raises(ProbeError, match="fitted with --normal-only, and its layer cannot be kept"):
        fit(calibration, FakeTokenBackbone(), keep=probe)


def write_labels(folder: Path) -> Path:
    """Write a manifest of an event and of a normal video; return it."""
    labels = folder / "eventful.csv"
    labels.write_text("path,label,start,end\neventful.mp4,cart,8,12\ncalm0.mp4,normal,,\n")
    return labels


def test_a_probe_of_another_backbone_is_refused(fitted: FitNormalResult, eventful: Path) -> None:
    with pytest.raises(ProbeError, match="backbone fingerprint"):
        detect(eventful, fitted.probe, FakeTokenBackbone("0" * 64))
