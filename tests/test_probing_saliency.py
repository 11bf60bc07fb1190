"""Saliency against closed forms and two-pass brute force; cells that add up; undefined cases; bootstrap."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing import SaliencySettings, bootstrap_stability, saliency
from hiprobe.probing.cells import Cells, Reference
from hiprobe.probing.formulas import combine
from hiprobe.probing.segments import Segments

LAYERS, WIDTH, PLANTED = 6, 20, 3


def planted(n: int = 80, seed: int = 0, gap: float = 2.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Noise in which layer index PLANTED alone separates the classes; 8 groups, half of them abnormal."""
    rng = np.random.default_rng(seed)
    groups = np.arange(n) % 8
    labels = groups < 4
    states = rng.normal(size=(n, LAYERS, WIDTH)).astype(np.float32)
    states[labels, PLANTED, : WIDTH // 2] += gap
    return states, labels, groups


def brute_force(
    states: np.ndarray, labels: np.ndarray, bins: int = 32, whole: np.ndarray | None = None
) -> tuple[np.ndarray, ...]:
    """Return D_KL, LDR and H by two passes and plain loops; histogram ranges are those of ``whole``, if given."""
    n_layers, width = states.shape[1:]
    d_kl, ldr, h = np.zeros((3, n_layers))
    for layer in range(n_layers):
        for feature in range(width):
            values = states[:, layer, feature].astype(np.float64)
            every = values if whole is None else whole[:, layer, feature].astype(np.float64)
            a, n = values[labels], values[~labels]
            gap = (a.mean() - n.mean()) ** 2
            d_kl[layer] += math.log(n.std() / a.std()) + (a.var() + gap) / (2 * n.var()) - 0.5
            ldr[layer] += gap / (a.var() + n.var())
            z = np.clip((values - every.mean()) / every.std(), -4, 4)
            counts, _ = np.histogram(z, bins=bins, range=(-4, 4))
            h[layer] += scipy_entropy(counts) / math.log(bins)
    return d_kl / width, ldr / width, h / width


def histogram_divergence(
    states: np.ndarray, labels: np.ndarray, bins: int, whole: np.ndarray | None = None
) -> np.ndarray:
    """Return D_KL of smoothed counts by plain loops; histogram ranges are those of ``whole``, if given."""
    d_kl = np.zeros(states.shape[1])
    for layer in range(states.shape[1]):
        values = states[:, layer].astype(np.float64)
        every = values if whole is None else whole[:, layer].astype(np.float64)
        z = np.clip((values - every.mean(axis=0)) / every.std(axis=0), -4, 4)
        for feature in range(states.shape[2]):
            a, n = (np.histogram(z[m, feature], bins=bins, range=(-4, 4))[0] + 0.5 for m in (labels, ~labels))
            d_kl[layer] += scipy_entropy(a, n) / states.shape[2]
    return d_kl


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
    np.testing.assert_allclose(result.d_kl, histogram_divergence(states, labels, bins=8), rtol=1e-9)


def test_zscore_normalises_by_mean_and_deviation() -> None:
    states, labels, _ = planted()
    chosen = SaliencySettings(normalise="zscore", weights=(1.0, 0.0, 2.0))
    result = saliency(states, labels, chosen)
    z_kl, z_h = ((m - m.mean()) / m.std() for m in (result.d_kl, result.entropy))
    np.testing.assert_allclose(result.combined, z_kl + 2 * (1 - z_h))


@settings(deadline=None, max_examples=40)
@given(
    cuts=st.lists(st.integers(1, 79), max_size=6, unique=True),
    seed=st.integers(0, 2**32 - 1),
    divergence=st.sampled_from(["gaussian", "symmetric", "histogram"]),
)
def test_statistics_of_cells_add_up_however_segments_are_cut(cuts: list[int], seed: int, divergence: str) -> None:
    states, labels, _ = planted()
    chosen = SaliencySettings(divergence=divergence)  # pyright: ignore[reportArgumentType]
    one = saliency(states, labels, chosen)
    order = np.random.default_rng(seed).permutation(80)
    parts = np.searchsorted(sorted(cuts), np.arange(80), side="right")
    segments = Segments(states[order], labels[order], parts)
    cells = Cells(segments)
    assert cells.number.sum() == 80
    whole = np.ones((1, len(cells.number)))
    many = np.concatenate(segments.map(lambda layer: cells.curves(layer, whole, chosen).metrics), axis=1)
    np.testing.assert_allclose(many[0], one.d_kl, rtol=1e-10)
    np.testing.assert_allclose(many[1], one.ldr, rtol=1e-10)
    np.testing.assert_array_equal(many[2], one.entropy)  # counts do not depend on the cut


def test_cells_gathered_apart_by_one_reference_are_those_gathered_together() -> None:
    states, _, _ = planted()
    groups = np.sort(np.arange(80) % 4)  # each of both classes
    labels = np.arange(80) % 20 < 7
    together = Segments(states, labels, groups)
    cells, layer = Cells(together), together.read(0)
    reference = Reference.of(layer)
    sums, counts = cells.sums(layer.values, reference), cells.histograms(layer.values, reference, 32)
    merged: dict[int, list[tuple[np.ndarray, ...]]] = {0: [], 1: []}
    for members in (groups < 1, groups >= 1):
        part = Segments(states[members], labels[members], groups[members])
        of_part, values = Cells(part), part.read(0).values
        parts = (of_part.number, *of_part.sums(values, reference), of_part.histograms(values, reference, 32))
        for c, of_class in enumerate(of_part.classes):
            merged[c].append(tuple(statistic[of_class] for statistic in parts))
    found = [np.concatenate(columns) for columns in zip(*merged[0], *merged[1], strict=True)]
    for statistic, expected in zip(found, (cells.number, *sums, counts), strict=True):
        np.testing.assert_array_equal(statistic, expected)


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


def test_values_out_of_range_are_counted_in_the_end_bins() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(60, 1, 1))
    states[40:42], states[42] = 1000.0, -1000.0
    labels = np.arange(60) % 2
    values = states[:, 0, 0]
    z = (values - values.mean()) / values.std()
    assert (np.abs(z) > 4).sum() == 3
    expected = scipy_entropy(np.histogram(np.clip(z, -4, 4), bins=32, range=(-4, 4))[0]) / math.log(32)
    assert saliency(states, labels).entropy == pytest.approx([expected])


def test_values_out_of_the_range_of_a_reference_are_counted_too() -> None:
    # What was not there when the reference was fixed counts in the end bins.
    rng = np.random.default_rng(0)
    states = rng.normal(size=(60, 1, 1))
    states[40:] = 1000.0 + rng.normal(size=(20, 1, 1))
    labels = np.arange(60) % 2 == 1
    reference = Reference.of(Segments(states[:40], labels[:40]).read(0))
    segments = Segments(states, labels)
    counts = Cells(segments).histograms(segments.read(0).values, reference, 32)
    first = states[:40, 0, 0]
    z = np.clip((states[:, 0, 0] - first.mean()) / first.std(), -4, 4)
    for c, members in enumerate((~labels, labels)):
        np.testing.assert_array_equal(counts[c, 0], np.histogram(z[members], bins=32, range=(-4, 4))[0])


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
def test_states_that_are_not_finite_name_the_layer_and_are_left_as_they_are(value: float) -> None:
    states, labels, groups = planted()
    bad = states.copy()
    bad[7, 4, 3] = value
    given = bad.copy()
    with pytest.raises(CalibrationError, match=r"layer 15 hold (nan|inf) \(segment 7, feature 3\)"):
        saliency(bad, labels, layers=range(11, 17))
    with pytest.raises(CalibrationError, match=r"layer 5 hold (nan|inf) \(segment 7, feature 3\)"):
        bootstrap_stability(bad, labels, groups)
    np.testing.assert_array_equal(bad, given)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.int16])
def test_states_of_any_type_are_read_and_not_written_to(kind: type) -> None:
    states, labels, _ = planted()
    states = (states * 100).astype(kind)
    given = states.copy()
    states.flags.writeable = False
    result = saliency(states, labels)
    np.testing.assert_array_equal(states, given)
    np.testing.assert_allclose(result.d_kl, saliency(given.astype(np.float64), labels).d_kl, rtol=1e-12)


def test_too_few_segments_of_a_class() -> None:
    states, labels, groups = planted()
    with pytest.raises(CalibrationError, match="0 abnormal"):
        saliency(states[~labels], labels[~labels])
    few = np.zeros(80, dtype=bool)
    few[0] = True
    with pytest.raises(CalibrationError, match="1 abnormal"):
        saliency(states, few)
    with pytest.raises(CalibrationError, match=r"1 abnormal .* at least 2"):
        bootstrap_stability(states, few, groups)
    with pytest.raises(CalibrationError, match="0 normal"):
        saliency(states[labels], labels[labels])


def test_wrong_input_is_named() -> None:
    states, labels, groups = planted()
    with pytest.raises(CalibrationError, match=r"shape \(80, 6, 20\); expected \(n, 1, D\)"):
        saliency(states, labels, layers=[1])
    with pytest.raises(CalibrationError, match="labels"):
        saliency(states, np.full(80, 2))
    with pytest.raises(CalibrationError, match="labels"):
        saliency(states, labels[:3])
    with pytest.raises(CalibrationError, match="real numbers of shape"):
        saliency(states[0], labels)
    with pytest.raises(CalibrationError, match="empty"):
        saliency(states[:0], labels[:0])
    for wrong in ([0, 1], [2, 1], []):
        with pytest.raises(CalibrationError, match="ascending"):
            saliency(states[:, : len(wrong) or 1], labels, layers=wrong)
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
        d_kl, ldr, h = brute_force(states[rows], labels[rows], whole=states)
        if divergence == "symmetric":
            d_kl = (d_kl + brute_force(states[rows], ~labels[rows])[0]) / 2
        if divergence == "histogram":
            d_kl = histogram_divergence(states[rows], labels[rows], bins=32, whole=states)
        wins[np.argmax(combine(d_kl, ldr, h, chosen)[0])] += 1
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


def test_bootstrap_of_a_real_size_spreads_over_layers_that_are_alike() -> None:
    rng = np.random.default_rng(0)
    states = rng.normal(size=(300, 30, 576)).astype(np.float32)
    shares = bootstrap_stability(states, np.arange(300) % 2, np.arange(300) // 5)
    assert shares.sum() == pytest.approx(1) and (shares > 0).sum() > 3
