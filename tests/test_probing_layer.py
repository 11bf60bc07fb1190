"""The choice of the layer: held-out discriminants, labels by chance, and scores that the choice does not flatter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf, ledoit_wolf_shrinkage
from sklearn.metrics import roc_auc_score

from hiprobe.errors import UsageError
from hiprobe.probing import SaliencySettings, fit_chosen, fit_scorer, probe_layers, saliency
from hiprobe.probing.discriminant import held_out_projections, shrinkage
from hiprobe.probing.estimators import multivariate, of_projections, per_feature
from hiprobe.probing.permuted import permuted_labels
from hiprobe.probing.ranks import weighted_auc

FOLDS = 4


def sources(per_group: int = 6, groups: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, groups and folds: every second source is abnormal."""
    group = np.repeat(np.arange(groups), per_group)
    return group % 2 == 1, group, group // 2 % FOLDS


@pytest.mark.parametrize("width", [10, 120])
def test_projections_are_those_of_a_discriminant_fitted_without_the_fold(width: int) -> None:
    labels, _, held_out = sources()
    states = np.random.default_rng(0).normal(size=(len(labels), width)) @ np.diag(np.linspace(0.2, 2, width))
    states[labels, 0] += 1
    found = held_out_projections(states, np.column_stack([labels, ~labels]), held_out, FOLDS)
    for fold in range(FOLDS):
        fitted, out = held_out != fold, held_out == fold
        means = [states[fitted & of_class].mean(axis=0) for of_class in (labels, ~labels)]
        direction = np.linalg.solve(ledoit_wolf(states[fitted])[0], means[0] - means[1])
        np.testing.assert_allclose(found[out, 0], (states[out] - sum(means) / 2) @ direction, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[:, 1], -found[:, 0])


@settings(deadline=None, max_examples=20)
@given(n=st.integers(3, 30), width=st.integers(2, 20), seed=st.integers(0, 99))
def test_shrinkage_is_that_of_scikit_learn(n: int, width: int, seed: int) -> None:
    states = np.random.default_rng(seed).normal(size=(n, width)) * np.arange(1, width + 1)
    centred = states - states.mean(axis=0)
    fourth = float(np.mean((centred**2).sum(axis=1) ** 2))
    assert shrinkage(centred.T @ centred / n, fourth, n, width) == pytest.approx(ledoit_wolf_shrinkage(states))


@settings(deadline=None, max_examples=30)
@given(scores=st.lists(st.integers(0, 5), min_size=4, max_size=20), seed=st.integers(0, 99))
def test_a_weighted_auc_is_that_of_repeated_scores(scores: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, labels = np.array(scores, float), np.arange(len(scores)) % 2 == 0
    weights = rng.integers(0, 3, (3, len(scores))).astype(float)
    for auc, weight in zip(weighted_auc(values, labels, weights), weights, strict=True):
        rows = np.repeat(np.arange(len(scores)), weight.astype(int))
        if len(set(labels[rows])) < 2:
            assert np.isnan(auc)
        else:
            assert auc == pytest.approx(roc_auc_score(labels[rows], values[rows]))


def test_labels_by_chance_keep_their_number_and_runs_and_leave_no_fold_without_a_class() -> None:
    labels, groups, held_out = sources()
    found = permuted_labels(labels, groups, held_out, 20)
    assert found.shape == (len(labels), 20)
    assert (found.sum(axis=0) == labels.sum()).all()
    assert (np.diff(found.astype(int), axis=0) != 0).sum(axis=0).max() <= 12  # runs of 6, as before
    for fold in range(FOLDS):
        kept = found[held_out != fold]
        assert kept.any(axis=0).all()
        assert not kept.all(axis=0).any()
    assert not (found == labels[:, None]).all(axis=0).all()


def test_estimators_are_their_formulas() -> None:
    labels, _, _ = sources()
    rng, ones = np.random.default_rng(1), np.ones((len(labels), 1))
    values = rng.normal(size=(len(labels), 1)) + labels[:, None]
    a, n = values[labels], values[~labels]
    gap, ratio = (a.mean() - n.mean()) ** 2, a.var() / n.var()
    expected = [0.5 * (ratio - 1 - np.log(ratio) + gap / n.var()), gap / (a.var() + n.var())]
    for found in (
        per_feature(values, labels[:, None], SaliencySettings()),
        of_projections(values, labels[:, None], ones, SaliencySettings()),
        multivariate(values, labels[:, None], ones, SaliencySettings()),
    ):
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)


@pytest.fixture(scope="module")
def one_direction() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Layer 1 says one weak thing 30 times; layer 3 says a strong one in few features."""
    labels, groups, _ = sources(8)
    rng = np.random.default_rng(0)
    states = rng.normal(size=(len(labels), 4, 30))
    states[:, 0] = (rng.normal(size=len(labels)) + 1.2 * labels)[:, None] + 0.05 * states[:, 0]
    states[labels, 2, :4] += 1.6
    return states, labels, groups


def test_one_direction_counted_often_misleads_single_features_alone(one_direction: tuple) -> None:
    states, labels, groups = one_direction
    assert saliency(states, labels).layer == 1
    assert saliency(states, labels, SaliencySettings(estimator="held-out-lda"), groups=groups).d_kl.argmax() == 2
    assert probe_layers(states, labels, groups, [1, 2, 3, 4]).layer == 3
    by_lda = SaliencySettings(layer_by="dlsp", estimator="held-out-lda")
    found = probe_layers(states, labels, groups, [1, 2, 3, 4], by_lda)
    assert found.layer == 3
    assert any(note.startswith("H differs between layers no more than under labels by chance") for note in found.notes)
    with pytest.raises(UsageError, match="give the groups"):
        saliency(states, labels, by_lda)


def test_what_is_chosen_under_labels_by_chance_stands_beside_the_layers(one_direction: tuple) -> None:
    states, labels, groups = one_direction
    found = probe_layers(states, labels, groups, [1, 2, 3, 4])
    chance = found.permuted
    assert chance is not None
    assert chance.auc[2] > 0.9 > chance.high[2, 2]
    assert chance.best.shape == (20,)
    assert chance.best.mean() < 0.75
    assert chance.chosen.sum() == pytest.approx(1)
    assert probe_layers(states, labels, groups, [1, 2, 3, 4], SaliencySettings(permutations=0)).permuted is None


def test_held_out_scores_are_not_flattered_by_the_choice_of_one_of_many_layers() -> None:
    labels, groups, _ = sources(2, 30)
    flattered, honest = [], []
    for seed in range(6):
        states = np.random.default_rng(seed).normal(size=(len(labels), 12, 8))
        found = probe_layers(states, labels, groups, range(1, 13), SaliencySettings(permutations=0), seed)
        at = found.layer - 1
        plain = fit_scorer(states[:, at], labels, groups, seed=seed)
        scorer = fit_chosen(
            lambda layer, s=states: s[:, layer - 1], found.layer, found.fold_layers, labels, groups, seed
        )
        honest.append(scorer.auc)
        flattered.append(plain.auc)
        assert scorer.auc == pytest.approx(roc_auc_score(labels, scorer.out_of_fold))
        np.testing.assert_array_equal(scorer.scorer.weights, plain.scorer.weights)
    assert np.mean(flattered) > np.mean(honest) + 0.05
    assert abs(np.mean(honest) - 0.5) < 0.1
