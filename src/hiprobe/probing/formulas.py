"""The saliency formulas, on sufficient statistics: moments and histogram counts of the two classes.

HiProbe-VAD (arXiv 2507.17394), DLSP. This is our reading of the estimators: the paper's exact ones could
not be obtained. Variances are maximum-likelihood ones, divided by the count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import rel_entr, xlogy

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.errors import UsageError

Divergence = Literal["gaussian", "symmetric", "histogram"]
Normalise = Literal["minmax", "zscore"]
Estimator = Literal["per-feature", "held-out-lda", "multivariate"]
LayerBy = Literal["auc", "dlsp"]

RANGE = 4.0
"""Histograms reach this many standard deviations to either side; what lies beyond goes to the end bins."""

_SAME = 1e-12
"""Relative difference that rounding may make between equal numbers."""


@dataclass(frozen=True)
class SaliencySettings:
    """How the layer is chosen, and which estimators the saliency of a layer is made of.

    Parameters
    ----------
    layer_by : {"auc", "dlsp"}
        ``auc``: the first layer whose smoothed cross-validated AUC is within 0.01 of the highest.
        ``dlsp``: the layer whose S is highest.
    estimator : {"per-feature", "held-out-lda", "multivariate"}
        What D_KL and LDR are of. ``per-feature``: each feature by itself, then their mean. ``held-out-lda``: the
        projection of each segment on Fisher's discriminant of the other folds, its covariance shrunk as Ledoit and
        Wolf do. ``multivariate``: Gaussians in up to 64 principal components, covariances shrunk likewise.
    divergence : {"gaussian", "symmetric", "histogram"}
        ``gaussian``: KL(abnormal || normal) of univariate Gaussians. ``symmetric``: its mean with
        KL(normal || abnormal). ``histogram``: KL(abnormal || normal) of histograms with half a count
        added to every bin (Jeffreys prior), which needs hundreds of segments per class.
    normalise : {"minmax", "zscore"}
        How each metric is brought to one scale across layers.
    weights : tuple of 3 floats
        Of D_KL, LDR and 1 - H; not negative, and not all 0.
    bins : int
        Histogram bins per feature, at least 2.
    permutations : int
        Labellings by chance that the layers are measured under, for comparison; 0 for none.

    Raises
    ------
    UsageError
        If a value is none of these.
    """

    divergence: Divergence = "gaussian"
    normalise: Normalise = "minmax"
    weights: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)
    bins: int = 32
    layer_by: LayerBy = "auc"
    estimator: Estimator = "per-feature"
    permutations: int = 20

    def __post_init__(self) -> None:
        known = {"divergence": Divergence, "normalise": Normalise, "layer_by": LayerBy, "estimator": Estimator}
        for name, choices in known.items():
            if getattr(self, name) not in get_args(choices):
                raise UsageError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(get_args(choices))}.")
        if self.estimator == "multivariate" and self.divergence == "histogram":
            raise UsageError("divergence is 'histogram', and multivariate has none; choose gaussian or symmetric.")
        if self.permutations < 0:
            raise UsageError(f"permutations is {self.permutations}; give a whole number, 0 or more.")
        usable = len(self.weights) == 3 and all(math.isfinite(w) and w >= 0 for w in self.weights)
        if not usable or sum(self.weights) == 0:
            raise UsageError(f"weights are {self.weights}; give three numbers, 0 or more and not all 0.")
        if self.bins < 2:
            raise UsageError(f"bins is {self.bins}; give a whole number, 2 or more.")


DEFAULT_SETTINGS = SaliencySettings()


class ClassStatistics(NamedTuple):
    """What the formulas read of the segments of one class; leading axes (...) are broadcast over.

    ``number`` (...,) of segments, ``mean`` and ``var`` (..., D), ``histogram`` counts (..., D, bins).
    """

    number: FloatArray | np.floating
    mean: FloatArray
    var: FloatArray
    histogram: NDArray[np.floating] | NDArray[np.integer]


class FeatureMetrics(NamedTuple):
    """The three metrics per feature, each (..., D), before they are averaged over features."""

    d_kl: FloatArray
    ldr: FloatArray
    entropy: FloatArray


def feature_metrics(
    abnormal: ClassStatistics, normal: ClassStatistics, varies: BoolArray, settings: SaliencySettings
) -> FeatureMetrics:
    """Return D_KL, LDR and H of each feature; 0 where ``varies`` (..., D) is False.

    - D_KL: see :class:`SaliencySettings`, in nats.
    - LDR: (mu_a - mu_n)^2 / (var_a + var_n). No eps is needed, as constant features are left out.
    - H: entropy of the histogram of both classes together, over log(bins), so within [0, 1].
    """
    var_a, var_n = np.where(varies, abnormal.var, 1.0), np.where(varies, normal.var, 1.0)
    gap = np.where(varies, abnormal.mean - normal.mean, 0.0) ** 2
    if settings.divergence == "histogram":
        d_kl = rel_entr(_shares(abnormal, settings.bins), _shares(normal, settings.bins)).sum(axis=-1)
    else:
        d_kl = _gaussian_kl(gap, var_a, var_n)
        if settings.divergence == "symmetric":
            d_kl = (d_kl + _gaussian_kl(gap, var_n, var_a)) / 2
    shares = (abnormal.histogram + normal.histogram) / _per_bin(abnormal.number + normal.number)
    entropy = -xlogy(shares, shares).sum(axis=-1) / math.log(settings.bins)
    return FeatureMetrics(
        np.where(varies, d_kl, 0.0), gap / (var_a + var_n), np.where(varies, np.clip(entropy, 0.0, 1.0), 0.0)
    )


def mean_over(values: FloatArray, varies: BoolArray) -> FloatArray:
    """Return the mean of (..., D) over the features that vary; NaN where none does."""
    number = varies.sum(axis=-1)
    return np.where(number > 0, values.sum(axis=-1) / np.maximum(number, 1), np.nan)


def combine(
    d_kl: FloatArray,
    ldr: FloatArray,
    entropy: FloatArray,
    settings: SaliencySettings,
    noise: tuple[bool, bool, bool] = (False, False, False),
) -> tuple[FloatArray, BoolArray]:
    """Return S (..., layers) and which of the three metrics tell layers apart (3, ...).

    S = w1 norm(D_KL) + w2 norm(LDR) + w3 (1 - norm(H)), norm taken across layers. A metric that is equal
    in all layers cannot be normalised and adds nothing; nor does one whose differences are ``noise``. Where that
    leaves nothing, S is NaN.
    """
    combined, told = np.zeros_like(d_kl), []
    weights = [0.0 if idle else weight for weight, idle in zip(settings.weights, noise, strict=True)]
    for weight, metric, sign in zip(weights, (d_kl, ldr, entropy), (1, 1, -1), strict=True):
        low, high = metric.min(axis=-1, keepdims=True), metric.max(axis=-1, keepdims=True)
        differs = np.asarray(high - low > _SAME * np.maximum(np.abs(low), np.abs(high)))
        if settings.normalise == "minmax":
            centre, scale = low, high - low
        else:
            centre, scale = metric.mean(axis=-1, keepdims=True), metric.std(axis=-1, keepdims=True)
        normed = (metric - centre) / np.where(differs, scale, 1.0)
        combined += np.where(differs, weight * (normed if sign > 0 else 1 - normed), 0.0)
        told.append(np.any(differs, axis=-1) & (weight > 0))
    tells = np.array(told, dtype=bool)
    return np.where(np.expand_dims(tells.any(axis=0), -1), combined, np.nan), tells


def constant(var: FloatArray, mean: FloatArray) -> BoolArray:
    """Return where a variance is 0, but for the rounding of numbers of the size of ``mean``."""
    return var <= (_SAME * mean) ** 2


def histogram_range(mean: FloatArray, std: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lower border and width of the histogram of each feature: mean +- 4 std.

    A constant feature has no std; it gets 1.
    """
    spread = np.where(constant(std**2, mean), 1.0, std)
    return mean - RANGE * spread, 2 * RANGE * spread


def bin_numbers(values: FloatArray, low: FloatArray, width: FloatArray, bins: int) -> np.ndarray:
    """Return the histogram bin of each of (n, D) values, those out of range in the end bins."""
    scaled = (values - low) * (bins / width)
    return np.clip(scaled, 0, bins - 1, out=scaled).astype(np.intp)  # which cuts off what follows the point


def _gaussian_kl(gap: FloatArray, var_p: FloatArray, var_q: FloatArray) -> FloatArray:
    """Return KL(P || Q) of two Gaussians in nats, ``gap`` being the squared distance of their means."""
    ratio = var_p / var_q
    return 0.5 * (ratio - 1 - np.log(ratio) + gap / var_q)


def _shares(statistics: ClassStatistics, bins: int) -> FloatArray:
    return (statistics.histogram + 0.5) / (_per_bin(statistics.number) + 0.5 * bins)


def _per_bin(count: FloatArray | np.floating) -> FloatArray:
    return np.asarray(count, dtype=np.float64)[..., None, None]
