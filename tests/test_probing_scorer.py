"""Folds by group, the scorer against scikit-learn, figures per layer, and DLSP as a whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, silhouette_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from hiprobe.errors import CalibrationError, UndefinedMetricError, UsageError
from hiprobe.probing import (
    SaliencySettings,
    Scorer,
    bootstrap_stability,
    fit_scorer,
    group_folds,
    layer_auc,
    layer_silhouette,
    out_of_fold_scores,
    probe_layers,
    saliency,
    scores_without_group,
)
from hiprobe.probing.folds import fold_numbers
from hiprobe.probing.logistic import JointLogistic, ReducedLogistic, fold_regressions
from hiprobe.probing.validation import LAYER_C


def optimum(states: np.ndarray, labels: np.ndarray, C: float) -> Pipeline:
    """Return scikit-learn's fit, to the last digits."""
    model = LogisticRegression(C=C, class_weight="balanced", solver="newton-cholesky", tol=1e-12, max_iter=1000)
    return make_pipeline(StandardScaler(), model).fit(states, labels)


def separable(n: int = 120, width: int = 10, gap: float = 1.5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    groups = np.arange(n) % 12
    labels = groups < 5
    states = rng.normal(size=(n, width)) * 3 + 7
    states[labels] += gap
    return states, labels, groups


@settings(deadline=None, max_examples=200)
@given(
    segments=st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=4, max_size=60),
    n_splits=st.integers(2, 6),
    seed=st.integers(0, 5),
)
def test_folds_never_split_a_group_and_always_fit_both_classes(
    segments: list[tuple[int, bool]], n_splits: int, seed: int
) -> None:
    groups, labels = (np.array(column) for column in zip(*segments, strict=True))
    enough = all(len(set(groups[labels == c])) >= 2 for c in (True, False))
    if not enough:
        with pytest.raises(CalibrationError, match="another source"):
            group_folds(labels, groups, n_splits, seed)
        return
    folds = group_folds(labels, groups, n_splits, seed)
    for fitted, held_out in folds:
        assert not set(groups[fitted]) & set(groups[held_out])
        assert len(set(labels[fitted])) == 2
    assert sorted(np.concatenate([held_out for _, held_out in folds])) == list(range(len(labels)))


def test_folds_when_stratification_puts_a_class_into_one_fold() -> None:
    # The one abnormal segment of group 2 weighs nothing against its 300 normal ones.
    groups = np.repeat([0, 1, 2], [1001, 400, 301])
    labels = np.concatenate([np.arange(1001) > 0, np.zeros(400), np.arange(301) == 0]).astype(bool)
    folds = group_folds(labels, groups)
    assert len(folds) == 3
    assert all(len(set(labels[fitted])) == 2 for fitted, _ in folds)


def test_folds_take_names_and_stay_the_same() -> None:
    labels, names = np.arange(40) % 2, np.array([f"camera {i // 4}" for i in range(40)])
    one, two = group_folds(labels, names, seed=3), group_folds(labels, names, seed=3)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a[1], b[1])
    assert len(one) == 5
    with pytest.raises(UsageError, match="n_splits"):
        group_folds(labels, names, n_splits=1)


def test_memorised_groups_do_not_leak_into_the_scores() -> None:
    # Each group has its own direction and a label by chance: only leakage could score above chance.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 6)
    labels = (rng.permutation(40) < 20)[groups]
    states = rng.normal(size=(40, 60))[groups] * 5 + rng.normal(size=(240, 60))
    fair = roc_auc_score(labels, out_of_fold_scores(states, labels, groups, C=1.0))
    leaking = roc_auc_score(labels, out_of_fold_scores(states, labels, np.arange(240), C=1.0))
    assert leaking > 0.95
    assert fair < 0.7


@pytest.mark.parametrize("C", [1e-3, 1.0])
@pytest.mark.parametrize("width", [10, 300])
def test_scorer_is_the_pipeline_of_scikit_learn(C: float, width: int) -> None:
    states, labels, groups = separable(width=width, gap=0.7)
    states[:, 3] = 5.0  # a constant feature
    fitted = fit_scorer(states, labels, groups, candidates=[C])
    fresh = states + 0.5
    expected = optimum(states, labels, C).predict_proba(fresh)[:, 1]
    np.testing.assert_allclose(fitted.scorer.scores(fresh), expected, atol=1e-5)


def test_regularisation_is_chosen_by_cross_validation_inside_the_set() -> None:
    states, labels, groups = separable(gap=0.6)
    fitted = fit_scorer(states, labels, groups, candidates=[1.0, 1e-4, 1e-2])
    assert fitted.candidates == (1e-4, 1e-2, 1.0)
    for c, auc in zip(fitted.candidates, fitted.cv_auc, strict=True):
        assert roc_auc_score(labels, out_of_fold_scores(states, labels, groups, c)) == pytest.approx(auc, abs=1e-3)
    assert fitted.auc == max(fitted.cv_auc)
    assert fitted.C == fitted.scorer.C
    assert fitted.auc == roc_auc_score(labels, fitted.out_of_fold)
    alone = out_of_fold_scores(states, labels, groups, fitted.C)
    np.testing.assert_allclose(fitted.out_of_fold, alone, atol=1e-5)


def test_segments_without_a_label_are_scored_without_their_group() -> None:
    states, labels, groups = separable(gap=0.6)
    open_ = np.arange(len(labels)) % 7 == 0
    open_ |= groups == 11  # a group that nothing is known of
    found = scores_without_group(states, labels, groups, ~open_, C=1e-2)
    assert found.shape == (open_.sum(),)
    numbers = fold_numbers(group_folds(labels[~open_], groups[~open_]))
    for group in set(groups[open_].tolist()) - {11}:
        rows = numbers != numbers[groups[~open_] == group][0]
        model = optimum(states[~open_][rows], labels[~open_][rows], 1e-2)
        expected = model.predict_proba(states[open_ & (groups == group)])[:, 1]
        np.testing.assert_allclose(found[groups[open_] == group], expected, atol=1e-5)
    changed = np.where(open_, ~labels, labels)  # what is open is not read
    np.testing.assert_array_equal(found, scores_without_group(states, changed, groups, ~open_, C=1e-2))


@pytest.mark.parametrize("width", [4, 40, 400])
def test_candidates_are_compared_as_if_each_were_fitted_to_the_end(width: int) -> None:
    # With more features than segments the classes part, and weak regularisation leaves nearly no loss.
    states, labels, groups = separable(width=width, gap=0.3)
    fitted = fit_scorer(states, labels, groups)
    exact = [roc_auc_score(labels, out_of_fold_scores(states, labels, groups, c)) for c in fitted.candidates]
    np.testing.assert_allclose(fitted.cv_auc, exact, atol=2e-3)


def test_equal_candidates_give_the_strongest_regularisation() -> None:
    states, labels, groups = separable(gap=60.0)
    fitted = fit_scorer(states, labels, groups)
    assert set(fitted.cv_auc) == {1.0}
    assert fitted.C == 1e-4


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    width=st.integers(1, 40),
    log_C=st.floats(-4, 0),
    share=st.floats(0.2, 0.8),
    spread=st.floats(0, 3),
)
def test_folds_fitted_together_are_those_fitted_by_scikit_learn(
    seed: int, width: int, log_C: float, share: float, spread: float
) -> None:
    rng = np.random.default_rng(seed)
    groups = np.arange(96) % 12
    labels = rng.random(96) < share
    labels[:24:2], labels[1:24:2] = True, False  # each class in several groups
    # Correlated features of very different size, one of them constant, one only in a group.
    states = rng.normal(size=(96, width)) @ rng.normal(size=(width, width)) * np.exp(spread * rng.normal(size=width))
    states = states + 5 + labels[:, None] * rng.normal(size=width)
    states = np.column_stack([states, np.full(96, 0.1), groups == 3])
    scores = out_of_fold_scores(states, labels, groups, C=10**log_C)
    for fitted, held_out in group_folds(labels, groups):
        expected = optimum(states[fitted], labels[fitted], 10**log_C).predict_proba(states[held_out])[:, 1]
        np.testing.assert_allclose(scores[held_out], expected, atol=1e-4)


@pytest.mark.parametrize("C", [1e-3, 1.0])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_reduction_to_as_many_directions_as_segments_is_exact(C: float, kind: type) -> None:
    states, labels, groups = correlated(n=100, layers=1, width=300)
    scaled = (
        StandardScaler().fit_transform(np.column_stack([states[:, 0], groups == 1, np.full(100, 0.1)])).astype(kind)
    )
    folds = group_folds(labels, groups)
    given = scaled, labels, fold_numbers(folds), len(folds)
    joint, reduced = JointLogistic(*given), ReducedLogistic(*given)
    expected, found = joint.fit(C), reduced.fit(C)
    assert found.dtype == kind
    assert found.shape == expected.shape
    # In single precision either optimiser ends where its steps are lost in rounding; how near depends on the processor.
    near = (1e-4 if kind is np.float64 else 3e-4) * np.abs(expected).max()
    close = 1e-4 if kind is np.float64 else 1e-3
    np.testing.assert_allclose(found, expected, atol=near)
    np.testing.assert_allclose(reduced.held_out_scores(found), joint.held_out_scores(expected), atol=close)
    np.testing.assert_allclose(reduced.fit(C, start=expected), expected, atol=near)
    for (fitted, held_out), weights in zip(folds, found, strict=True):
        model = optimum(scaled[fitted].astype(np.float64), labels[fitted], C)
        chance = model.predict_proba(scaled[held_out].astype(np.float64))[:, 1]
        np.testing.assert_allclose(reduced.held_out_scores(found)[held_out], chance, atol=close)
        np.testing.assert_allclose(weights[-1], model.named_steps["logisticregression"].intercept_[0], atol=close)


def test_wide_states_are_reduced_and_score_as_scikit_learn_does(monkeypatch: pytest.MonkeyPatch) -> None:
    states, labels, groups = correlated(n=100, layers=1, width=200)
    monkeypatch.setattr("hiprobe.probing.logistic._WIDE", 199)
    assert isinstance(fold_regressions(states[:, 0], labels, groups, 4), JointLogistic)  # two features a segment
    assert isinstance(fold_regressions(states[:99, 0], labels[:99], groups[:99], 4), ReducedLogistic)
    states, labels, groups = correlated(n=100, layers=1, width=201)
    values = states[:, 0].astype(np.float64)
    fitted = fit_scorer(values, labels, groups)
    for c, auc in zip(fitted.candidates, fitted.cv_auc, strict=True):
        assert roc_auc_score(labels, out_of_fold_scores(values, labels, groups, c)) == pytest.approx(auc, abs=2e-3)
    expected = optimum(values, labels, fitted.C).predict_proba(values + 0.5)[:, 1]
    np.testing.assert_allclose(fitted.scorer.scores(values + 0.5), expected, atol=1e-4)
    for near, held_out in group_folds(labels, groups):
        chance = optimum(values[near], labels[near], fitted.C).predict_proba(values[held_out])[:, 1]
        np.testing.assert_allclose(fitted.out_of_fold[held_out], chance, atol=1e-4)
    monkeypatch.setattr("hiprobe.probing.threads.cpu_count", lambda: 4)
    np.testing.assert_array_equal(fit_scorer(values, labels, groups).out_of_fold, fitted.out_of_fold)


def correlated(n: int = 1000, layers: int = 3, width: int = 64) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States as language models have them: a decaying spectrum, some features hundreds of times larger."""
    rng = np.random.default_rng(4)
    groups = np.arange(n) // 25
    labels = np.arange(n) % 25 < 8 * (groups % 3)
    hidden = rng.normal(size=(groups.max() + 1, layers, width))[groups] + rng.normal(size=(n, layers, width))
    hidden[labels] += 0.3 * rng.normal(size=(layers, width))
    states = hidden / np.arange(1, width + 1) @ rng.normal(size=(width, width))
    states[..., [1, 9]] *= 500
    return states.astype(np.float32), labels, groups


def test_auc_of_each_layer_is_that_of_scikit_learn() -> None:
    states, labels, groups = correlated()
    aucs = layer_auc(states, labels, groups)
    for index, auc in enumerate(aucs):
        scores = np.empty(len(labels))
        for fitted, held_out in group_folds(labels, groups):
            model = optimum(states[fitted, index].astype(np.float64), labels[fitted], LAYER_C)
            scores[held_out] = model.predict_proba(states[held_out, index].astype(np.float64))[:, 1]
        assert auc == pytest.approx(roc_auc_score(labels, scores), abs=2e-4)


def test_auc_of_wide_layers_is_that_of_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    states, labels, groups = correlated(n=100, layers=2, width=601)
    joint = layer_auc(states, labels, groups)
    monkeypatch.setattr("hiprobe.probing.logistic._WIDE", 600)
    made: list[int] = []
    monkeypatch.setattr(
        "hiprobe.probing.logistic.ReducedLogistic", lambda *given: made.append(1) or ReducedLogistic(*given)
    )
    aucs = layer_auc(states, labels, groups)
    assert len(made) == 2
    np.testing.assert_allclose(aucs, joint, atol=1e-3)
    for index, auc in enumerate(aucs):
        scores = np.empty(len(labels))
        for fitted, held_out in group_folds(labels, groups):
            model = optimum(states[fitted, index].astype(np.float64), labels[fitted], LAYER_C)
            scores[held_out] = model.predict_proba(states[held_out, index].astype(np.float64))[:, 1]
        assert auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-3)


def test_results_are_the_same_to_the_bit_with_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    states, labels, groups = correlated()
    monkeypatch.setattr("hiprobe.probing.threads.cpu_count", lambda: 1)
    one, one_scorer = probe_layers(states, labels, groups, [1, 2, 3]), fit_scorer(states[:, 1], labels, groups)
    monkeypatch.setattr("hiprobe.probing.threads.cpu_count", lambda: 4)
    many, many_scorer = probe_layers(states, labels, groups, [1, 2, 3]), fit_scorer(states[:, 1], labels, groups)
    for name in ("d_kl", "ldr", "entropy", "combined", "silhouette", "cv_auc", "stability"):
        np.testing.assert_array_equal(getattr(one, name), getattr(many, name))
    np.testing.assert_array_equal(one_scorer.scorer.weights, many_scorer.scorer.weights)
    np.testing.assert_array_equal(one_scorer.out_of_fold, many_scorer.out_of_fold)


def test_reading_each_layer_once_gives_what_each_figure_alone_gives() -> None:
    states, labels, groups = correlated()
    result = probe_layers(states, labels, groups, [1, 2, 3], SaliencySettings(layer_by="dlsp", permutations=0), seed=2)
    alone = saliency(states, labels)
    for name in ("d_kl", "ldr", "entropy", "combined"):
        np.testing.assert_allclose(getattr(result, name), getattr(alone, name), rtol=1e-9)
    np.testing.assert_allclose(result.silhouette, layer_silhouette(states, labels, seed=2), rtol=1e-9)
    np.testing.assert_array_equal(result.cv_auc, layer_auc(states, labels, groups, seed=2))
    np.testing.assert_array_equal(result.stability, bootstrap_stability(states, labels, groups, seed=2))


@settings(deadline=None)
@given(logit=st.floats(-1e6, 1e6))
def test_scores_stay_strictly_between_0_and_1(logit: float) -> None:
    scorer = Scorer(np.zeros(1), np.ones(1), np.ones(1), bias=0.0, C=1.0)
    (score,) = scorer.scores([[logit]])
    assert 0 < score < 1
    assert scorer.logits([[logit]]) == [logit]


def test_scorer_refuses_what_it_cannot_read() -> None:
    scorer = Scorer(np.zeros(3), np.ones(3), np.ones(3), bias=0.0, C=1.0)
    with pytest.raises(UsageError, match=r"reads \(n, 3\)"):
        scorer.scores(np.zeros((2, 4)))
    with pytest.raises(UsageError, match="segment 1 holds NaN"):
        scorer.scores([[0, 0, 0], [0, np.nan, 0]])
    with pytest.raises(UsageError, match="scale"):
        Scorer(np.zeros(3), np.zeros(3), np.ones(3), bias=0.0, C=1.0)
    with pytest.raises(UsageError, match="one length"):
        Scorer(np.zeros(2), np.ones(3), np.ones(3), bias=0.0, C=1.0)
    with pytest.raises(UsageError, match="weights holds NaN"):
        Scorer(np.zeros(3), np.ones(3), np.full(3, np.nan), bias=0.0, C=1.0)


def test_fit_refuses_what_it_cannot_fit() -> None:
    states, labels, groups = separable()
    with pytest.raises(CalibrationError, match="Normal segments come from 0"):
        fit_scorer(states, np.ones(120), groups)
    with pytest.raises(CalibrationError, match="Abnormal segments come from 1"):
        fit_scorer(states, labels, np.where(labels, 0, groups))
    with pytest.raises(UsageError, match="C is 0"):
        fit_scorer(states, labels, groups, candidates=[0.0])
    with pytest.raises(UsageError, match="no value of C"):
        fit_scorer(states, labels, groups, candidates=[])
    states[5, 2] = np.inf
    with pytest.raises(CalibrationError, match="segment 5"):
        fit_scorer(states, labels, groups)


def test_silhouette_is_that_of_scikit_learn_and_survives_sampling() -> None:
    states, labels, _ = separable()
    states = np.stack([states, np.random.default_rng(0).permuted(states, axis=0)], axis=1)
    scores = layer_silhouette(states, labels)
    for layer in range(2):
        scaled = StandardScaler().fit_transform(states[:, layer])
        assert scores[layer] == pytest.approx(silhouette_score(scaled, labels), abs=1e-6)
    many = layer_silhouette(np.tile(states, (20, 1, 1)), np.tile(labels, 20))
    np.testing.assert_allclose(many, scores, atol=0.02)
    with pytest.raises(UndefinedMetricError, match="1 abnormal"):
        layer_silhouette(states, np.arange(120) == 0)


@pytest.fixture(scope="module")
def dlsp_data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    groups = np.arange(90) // 9
    labels = groups % 2 == 1
    states = rng.normal(size=(90, 4, 30)).astype(np.float32)
    states[labels, 2, :15] += 2
    return states, labels, np.array([f"yard-{g}" for g in groups])


def test_probe_layers_finds_the_planted_layer_by_its_number(dlsp_data: tuple) -> None:
    states, labels, names = dlsp_data
    result = probe_layers(states, labels, names, layers=[5, 10, 15, 20])
    assert result.layer == 15
    assert result.layers == (5, 10, 15, 20)
    for name in ("combined", "d_kl", "ldr", "silhouette", "cv_auc", "stability"):
        curve = getattr(result, name)
        assert curve.shape == (4,)
        assert np.argmax(curve) == 2
    np.testing.assert_array_equal(result.cv_auc, layer_auc(states, labels, names))
    assert result.cv_auc[2] > 0.95
    assert result.stability[2] > 0.9


def test_probe_layers_decides_by_saliency_alone(dlsp_data: tuple) -> None:
    states, labels, names = dlsp_data
    states = states.copy()
    states[:, 0] = states[:, 0] ** 3  # concentrated: the lowest H, and nothing to tell classes apart by
    by_entropy = SaliencySettings(layer_by="dlsp", weights=(0, 0, 1))
    result = probe_layers(states, labels, names, range(1, 5), by_entropy)
    assert result.layer == 1
    assert np.argmax(result.cv_auc) == 2


def test_probe_layers_names_what_is_wrong_before_it_works(dlsp_data: tuple) -> None:
    states, labels, names = dlsp_data
    with pytest.raises(CalibrationError, match="another source"):
        probe_layers(states, labels, np.full(90, "one"), layers=range(1, 5))
    with pytest.raises(CalibrationError, match="expected"):
        probe_layers(states, labels, names, layers=range(1, 4))
    bad = states.copy()
    bad[3, 2, 1] = np.nan
    with pytest.raises(CalibrationError, match="layer 15"):
        probe_layers(bad, labels, names, layers=[5, 10, 15, 20])
