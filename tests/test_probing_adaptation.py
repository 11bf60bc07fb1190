"""Scorers moved toward labels."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing import Scorer
from hiprobe.probing.adaptation import adapt_scorer

D = 12


def scorer(weights: np.ndarray | None = None, bias: float = 0.0) -> Scorer:
    random = np.random.default_rng(0)
    weights = np.zeros(D) if weights is None else weights
    return Scorer(random.normal(size=D), random.uniform(0.5, 2, D), weights, bias, 1.0)


def segments(n: int, seed: int, signal: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return states of eight videos that differ by class in their first feature, labels and groups."""
    random = np.random.default_rng(seed)
    labels = random.random(n) < 0.3
    states = random.normal(size=(n, D))
    states[:, 0] += signal * labels
    return states, labels, np.arange(n) % 8


def test_from_nothing_it_is_what_scikit_learn_fits() -> None:
    states, labels, groups = segments(60, seed=1)
    start, strength = scorer(), 0.05
    found = adapt_scorer(start, states, labels, groups, threshold=0.5, strength=strength).scorer
    # The bias has a prior of variance 1: as the weight of a constant feature it has one of ``strength``.
    constant = np.full((60, 1), 1 / np.sqrt(strength))
    features = np.hstack([(states - start.mean) / start.scale, constant])
    fitted = LogisticRegression(C=strength, class_weight="balanced", fit_intercept=False, tol=1e-10, max_iter=5000)
    expected = fitted.fit(features, labels).coef_[0]
    np.testing.assert_allclose(found.weights, expected[:-1], atol=1e-4)
    assert found.bias == pytest.approx(expected[-1] / np.sqrt(strength), abs=1e-4)


def test_without_strength_the_order_of_scores_stays() -> None:
    states, labels, groups = segments(60, seed=2)
    start = scorer(np.random.default_rng(3).normal(size=D))
    found = adapt_scorer(start, states, labels, groups, 0.5, strength=1e-12).scorer
    np.testing.assert_allclose(found.weights, start.weights, atol=1e-8)


def test_a_few_labels_turn_a_scorer_that_looks_the_wrong_way() -> None:
    states, labels, groups = segments(40, seed=4)
    unseen, truth, _ = segments(400, seed=5)
    start = scorer(np.eye(D)[0] * -0.02)
    found = adapt_scorer(start, states, labels, groups, 0.5, strength=0.1)
    before, after = (roc_auc_score(truth, one.scores(unseen)) for one in (start, found.scorer))
    assert before < 0.2 and after > 0.7
    assert found.auc_before < 0.3 and found.auc_after is not None and found.auc_after > 0.5


def test_labels_are_fitted_relative_to_the_threshold() -> None:
    states, labels, groups = segments(60, seed=6, signal=6.0)
    threshold = 0.9
    found = adapt_scorer(scorer(), states, labels, groups, threshold, strength=1.0).scorer
    assert ((found.scores(states) > threshold) == labels).all()


def test_scores_out_of_fold_do_not_know_the_labels_of_their_group() -> None:
    states, _, groups = segments(400, seed=7, signal=0.0)
    labels = np.random.default_rng(8).random(400) < 0.5  # nothing to be learned
    found = adapt_scorer(scorer(), states, labels, groups, 0.5, strength=10.0)
    assert roc_auc_score(labels, found.scorer.scores(states)) > 0.58
    assert found.auc_after is not None and found.auc_after < 0.56


def test_segments_without_a_label_are_scored_and_fitted_to_nothing() -> None:
    states, labels, groups = segments(80, seed=10)
    said = np.where(np.arange(80) % 3, labels, -1)
    said[groups == 7] = -1  # a video of which nothing is said
    found = adapt_scorer(scorer(), states, said, groups, 0.5, strength=0.1)
    known = said >= 0
    alone = adapt_scorer(scorer(), states[known], labels[known], groups[known], 0.5, strength=0.1)
    np.testing.assert_array_equal(found.scorer.weights, alone.scorer.weights)
    assert found.out_of_fold is not None and alone.out_of_fold is not None and found.auc_after == alone.auc_after
    np.testing.assert_allclose(found.out_of_fold[known], alone.out_of_fold)
    # What is said of no video at all is told by everything that was said.
    assert found.out_of_fold[groups == 7] == pytest.approx(found.scorer.scores(states[groups == 7]))


def test_what_cannot_be_fitted() -> None:
    states, labels, groups = segments(20, seed=9)
    with pytest.raises(CalibrationError, match="Every labelled segment is normal; label some that are abnormal"):
        adapt_scorer(scorer(), states, np.zeros(20), groups, 0.5)
    with pytest.raises(UsageError, match="threshold is 1"):
        adapt_scorer(scorer(), states, labels, groups, 1.0)
    alone = adapt_scorer(scorer(), states, labels, np.zeros(20), 0.5)
    assert alone.auc_after is None and alone.out_of_fold is None
