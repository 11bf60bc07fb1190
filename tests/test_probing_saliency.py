"""Saliency against closed forms and two-pass brute force; streaming; undefined cases; bootstrap."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing import SaliencyAccumulator, SaliencySettings, bootstrap_stability, saliency

LAYERS, WIDTH, PLANTED = 6, 20, 3


def planted(n: int = 80, seed: int = 0, gap: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise in which layer index PLANTED alone separates the classes; 8 groups, half of them abnormal."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % 8
    labels = groups < 4
    states = rng.normal(size=(n, LAYERS, WIDTH)).astype(np.float32)
    states[labels, PLANTED, : WIDTH // 2] += gap
    return states, labels, groups


def brute_force(states: np.ndarray, labels: np.ndarray, bins: int = 32) -> tuple[np.ndarray, ...]:
    """Return D_KL, LDR and H by two passes and plain loops."""
    n_layers, width = states.shape[1:]
    d_kl, ldr, h = np.zeros((3, n_layers))
    for layer in range(n_layers):
        for feature in range(width):
            values = states[:, layer, feature].astype(np.float64)
            a, n = values[labels], values[~labels]
            gap = (a.mean() - n.mean()) ** 2
            d_kl[layer] += math.log(n.std() / a.std()) + (a.var() + gap) / (2 * n.var()) - 0.5
            ldr[layer] += gap / (a.var() + n.var())
            z = np.clip((values - values.mean()) / values.std(), -4, 4)
            counts, _ = np.histogram(z, bins=bins, range=(-4, 4))
            h[layer] += scipy_entropy(counts) / math.log(bins)
    return d_kl / width, ldr / width, h / width


def unit(metric: np.ndarray) -> np.ndarray:
    return (metric - metric.min()) / (metric.max() - metric.min())


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_saliency_is_the_formulas_of_the_design(offset: float) -> None:
    states, labels, _ = planted()
    states = states.astype(np.float64) + offset  # far from 0, naive sums of squares would cancel
    result = saliency(states, labels)
    d_kl, ldr, h = brute_force(states, labels)
    np.testing.assert_allclose(result.d_kl, d_kl, rtol=1e-8)
    np.testing.assert_allclose(result.ldr, ldr, rtol=1e-8)
    np.testing.assert_allclose(result.entropy, h, rtol=1e-9)
    np.testing.assert_allclose(result.combined, (unit(d_kl) + unit(ldr) + 1 - unit(h)) / 3, rtol=1e-6)
    assert result.notes == ()


def test_gaussian_divergence_has_its_closed_form() -> None:
    # Two points per class have exactly these means and standard deviations.
    normal, abnormal = np.array([-1.0, 1.0]), 3 + 2 * np.array([-1.0, 1.0])
    states = np.concatenate([normal, abnormal]).reshape(4, 1, 1)
    labels = [0, 0, 1, 1]
    forward = math.log(1 / 2) + (4 + 9) / 2 - 0.5
    backward = math.log(2) + (1 + 9) / 8 - 0.5
    assert saliency(states, labels).d_kl == pytest.approx([forward])
    symmetric = saliency(states, labels, SaliencySettings(divergence="symmetric"))
    assert symmetric.d_kl == pytest.approx([(forward + backward) / 2])
    assert symmetric.ldr == pytest.approx([9 / 5])


def test_histogram_divergence_is_kl_of_smoothed_counts() -> None:
    states, labels, _ = planted()
    result = saliency(states, labels, SaliencySettings(divergence="histogram", bins=8))
    expected = np.zeros(LAYERS)
    for layer in range(LAYERS):
        values = states[:, layer].astype(np.float64)
        z = np.clip((values - values.mean(axis=0)) / values.std(axis=0), -4, 4)
        for feature in range(WIDTH):
            a, n = (np.histogram(z[m, feature], bins=8, range=(-4, 4))[0] + 0.5 for m in (labels, ~labels))
            expected[layer] += scipy_entropy(a, n) / WIDTH
    np.testing.assert_allclose(result.d_kl, expected, rtol=1e-9)


def test_zscore_normalises_by_mean_and_deviation() -> None:
    states, labels, _ = planted()
    chosen = SaliencySettings(normalise="zscore", weights=(1.0, 0.0, 2.0))
    result = saliency(states, labels, chosen)
    z_kl, z_h = ((m - m.mean()) / m.std() for m in (result.d_kl, result.entropy))
    np.testing.assert_allclose(result.combined, z_kl + 2 * (1 - z_h))


@settings(deadline=None, max_examples=40)
@given(
    cuts=st.lists(st.integers(1, 79), max_size=6, unique=True),
    block=st.integers(1, 100),
    divergence=st.sampled_from(["gaussian", "symmetric", "histogram"]),
)
def test_streaming_equals_one_batch(cuts: list[int], block: int, divergence: str) -> None:
    states, labels, _ = planted()
    chosen = SaliencySettings(divergence=divergence)  # pyright: ignore[reportArgumentType]
    whole = SaliencyAccumulator(range(1, LAYERS + 1), WIDTH, chosen, block=block)
    whole.update(states, labels)
    parts = SaliencyAccumulator(range(1, LAYERS + 1), WIDTH, chosen, block=block)
    for part, part_labels in zip(np.split(states, sorted(cuts)), np.split(labels, sorted(cuts)), strict=True):
        buffer = part.copy()
        parts.update(buffer, part_labels)
        buffer[:] = np.nan  # the caller may use its buffer again
    one, many = whole.result(), parts.result()
    np.testing.assert_allclose(many.d_kl, one.d_kl, rtol=1e-10)
    np.testing.assert_allclose(many.ldr, one.ldr, rtol=1e-10)
    np.testing.assert_array_equal(many.entropy, one.entropy)  # counts do not depend on the batches


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), scale=st.floats(1e-3, 1e3), shift=st.floats(-1e3, 1e3))
def test_saliency_does_not_depend_on_units_or_order(seed: int, scale: float, shift: float) -> None:
    states, labels, _ = planted(seed=seed)
    states = states.astype(np.float64)
    order = np.random.default_rng(seed).permutation(len(states))
    one, other = saliency(states, labels), saliency((states * scale + shift)[order], labels[order])
    np.testing.assert_allclose(other.d_kl, one.d_kl, rtol=1e-5)
    np.testing.assert_allclose(other.ldr, one.ldr, rtol=1e-5)
    assert ((one.entropy >= 0) & (one.entropy <= 1)).all()
    np.testing.assert_allclose(other.entropy, one.entropy, atol=1e-2)  # a value on a border may change bins
    assert other.best == one.best


def test_result_may_be_read_midway() -> None:
    states, labels, _ = planted()
    accumulator = SaliencyAccumulator(range(1, LAYERS + 1), WIDTH, block=30)
    for start in range(0, 80, 16):
        accumulator.update(states[start : start + 16], labels[start : start + 16])
        accumulator.result()
    whole = SaliencyAccumulator(range(1, LAYERS + 1), WIDTH, block=30)
    whole.update(states, labels)
    np.testing.assert_allclose(accumulator.result().combined, whole.result().combined, rtol=1e-9)


def test_values_out_of_the_range_of_the_first_block_are_counted_in_the_end_bins() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(60, 1, 1))
    states[40:] = 1000.0 + rng.normal(size=(20, 1, 1))
    labels = np.arange(60) % 2
    accumulator = SaliencyAccumulator([1], 1, block=40)
    accumulator.update(states, labels)
    first = states[:40, 0, 0]
    z = np.clip((states[:, 0, 0] - first.mean()) / first.std(), -4, 4)
    expected = scipy_entropy(np.histogram(z, bins=32, range=(-4, 4))[0]) / math.log(32)
    assert accumulator.result().entropy == pytest.approx([expected])


def test_planted_layer_is_picked_and_named_by_its_number() -> None:
    states, labels, _ = planted()
    result = saliency(states, labels, layers=[2, 4, 6, 8, 10, 12])
    assert (result.best, result.layer) == (PLANTED, 8)


def test_constant_features_are_left_out_and_said_to_be() -> None:
    states, labels, _ = planted()
    reference = saliency(np.delete(states, [4, 5], axis=2), labels)
    states[:, :, 4] = 0.1  # its mean in binary is not exactly 0.1
    states[labels, :, 5] = -7.3
    result = saliency(states, labels)
    for name in ("d_kl", "ldr", "entropy", "combined"):
        np.testing.assert_allclose(getattr(result, name), getattr(reference, name))
    assert len(result.notes) == 1
    assert "2 of 20 in layer 1, 2 of 20 in layer 2" in result.notes[0]
    np.testing.assert_array_equal(
        bootstrap_stability(states, labels, np.arange(80) % 8),
        bootstrap_stability(np.delete(states, [4, 5], axis=2), labels, np.arange(80) % 8),
    )


def test_layer_without_any_varying_feature_is_an_error() -> None:
    states, labels, _ = planted()
    states[:, 2] = 1.0
    with pytest.raises(CalibrationError, match="Layer 3: no feature varies"):
        saliency(states, labels)
    with pytest.raises(CalibrationError, match="No resample varies"):
        bootstrap_stability(states, labels, np.arange(80) % 8)


def test_single_layer_has_no_combined_saliency() -> None:
    states, labels, _ = planted()
    result = saliency(states[:, 2:3], labels, layers=[17])
    assert np.isnan(result.combined).all()
    assert (result.best, result.layer) == (0, 17)
    assert "one layer only" in result.notes[0]
    assert bootstrap_stability(states[:, 2:3], labels, np.arange(80) % 8) == [1.0]


def test_metric_equal_in_all_layers_adds_nothing() -> None:
    states, labels, _ = planted()
    same = np.repeat(states[:, :1], 3, axis=1)
    result = saliency(same, labels)
    assert np.isnan(result.combined).all()
    assert result.best == 0
    assert [note.split()[0] for note in result.notes] == ["D_KL", "LDR", "H", "No"]


def test_one_metric_equal_in_all_layers_leaves_the_others() -> None:
    # Class means are equal in both layers, so LDR is 0 in both; variances and shapes differ.
    signs, rows = np.where(np.arange(80) % 2 == 0, 1.0, -1.0), np.arange(80)
    labels = rows // 2 % 2 == 1
    states = np.stack([signs * (1 + labels), signs * (1 + rows // 4 % 3)], axis=1)[..., None]
    result = saliency(states, labels)
    np.testing.assert_array_equal(result.ldr, [0, 0])
    np.testing.assert_allclose(result.combined, (unit(result.d_kl) + 1 - unit(result.entropy)) / 3)
    assert result.notes == ("LDR is equal in all layers and adds nothing to S.",)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_states_that_are_not_finite_name_the_layer_and_add_nothing(value: float) -> None:
    states, labels, _ = planted()
    accumulator = SaliencyAccumulator(range(11, 17), WIDTH)
    bad = states.copy()
    bad[7, 4, 3] = value
    with pytest.raises(CalibrationError, match=r"layer 15 hold (nan|inf) \(segment 7, feature 3\)"):
        accumulator.update(bad, labels)
    accumulator.update(states, labels)
    np.testing.assert_array_equal(accumulator.result().d_kl, saliency(states, labels).d_kl)


def test_too_few_segments_of_a_class() -> None:
    states, labels, groups = planted()
    with pytest.raises(CalibrationError, match="0 abnormal"):
        saliency(states[~labels], labels[~labels])
    few = np.zeros(80, dtype=bool)
    few[0] = True
    with pytest.raises(CalibrationError, match="1 abnormal"):
        saliency(states, few)
    with pytest.raises(CalibrationError, match="fewer than 2 abnormal"):
        bootstrap_stability(states, few, groups)
    with pytest.raises(CalibrationError, match="0 normal"):
        SaliencyAccumulator([1], 4).result()


def test_wrong_input_is_named() -> None:
    states, labels, groups = planted()
    with pytest.raises(CalibrationError, match="expected"):
        SaliencyAccumulator([1], 4).update(states, labels)
    with pytest.raises(CalibrationError, match="labels"):
        saliency(states, np.full(80, 2))
    with pytest.raises(CalibrationError, match="real numbers of shape"):
        saliency(states[0], labels)
    with pytest.raises(CalibrationError, match="empty"):
        saliency(states[:0], labels[:0])
    with pytest.raises(CalibrationError, match="ascending"):
        SaliencyAccumulator([0, 1], 4)
    with pytest.raises(CalibrationError, match="groups"):
        bootstrap_stability(states, labels, groups[:3])
    with pytest.raises(UsageError, match="n_bootstrap"):
        bootstrap_stability(states, labels, groups, n_bootstrap=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"divergence": "js"},
        {"normalise": "rank"},
        {"weights": (0, 0, 0)},
        {"weights": (1, 1)},
        {"weights": (1, -1, 1)},
        {"weights": (1, math.nan, 1)},
        {"bins": 1},
    ],
)
def test_settings_are_checked(wrong: dict) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        SaliencySettings(**wrong)


@pytest.mark.parametrize("divergence", ["gaussian", "symmetric", "histogram"])
def test_bootstrap_equals_computing_each_resample(divergence: str) -> None:
    # A weak gap, so that resamples disagree.
    states, labels, groups = planted(gap=0.35, seed=3)
    states = states + 50
    chosen = SaliencySettings(divergence=divergence)  # pyright: ignore[reportArgumentType]
    shares = bootstrap_stability(states, labels, groups, chosen, n_bootstrap=40, seed=5)
    rng, wins = np.random.default_rng(5), np.zeros(LAYERS)
    while wins.sum() < 40:
        drawn = np.bincount(rng.integers(8, size=8), minlength=8)
        rows = np.repeat(np.arange(80), drawn[groups])
        if labels[rows].sum() < 2 or (~labels[rows]).sum() < 2:
            continue
        # The range of histograms is that of all segments: show them first, without counting them.
        accumulator = SaliencyAccumulator(range(1, LAYERS + 1), WIDTH, chosen)
        accumulator._set_range(states)
        accumulator.update(states[rows], labels[rows])
        wins[accumulator.result().best] += 1
    np.testing.assert_allclose(shares, wins / 40)
    assert (shares > 0).sum() > 1


def test_bootstrap_picks_the_planted_layer() -> None:
    states, labels, groups = planted()
    shares = bootstrap_stability(states, labels, groups)
    assert shares[PLANTED] > 0.9
    assert shares.sum() == pytest.approx(1)
    np.testing.assert_array_equal(shares, bootstrap_stability(states, labels, groups))


def test_bootstrap_draws_segments_where_a_class_is_in_one_group() -> None:
    states, labels, _ = planted()
    one = bootstrap_stability(states, labels, labels)
    np.testing.assert_array_equal(one, bootstrap_stability(states, labels, np.arange(80)))


def test_bootstrap_of_a_real_size_takes_seconds() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(300, 30, 576)).astype(np.float32)
    start = time.perf_counter()
    bootstrap_stability(states, np.arange(300) % 2, np.arange(300) // 5)
    assert time.perf_counter() - start < 20
