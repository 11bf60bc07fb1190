"""The tail of the peaks: how seldom scores are that no footage was long enough to show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import genpareto

from hiprobe.arrays import FloatArray

EXCEEDANCES = 20
"""Peaks that a tail is fitted to at most; never more than the higher half."""

FEWEST = 6
"""Peaks that there must be for a tail."""

_PRIOR = 30.0
"""The shape is drawn to 0, an exponential tail, as strongly as by so many peaks."""

_RESAMPLES = 400

_QUANTILES = (0.01, 0.99)
"""Wider than 95%, as a bootstrap of so few is too narrow: docs/measured/alarms.md tells how often they hold."""


@dataclass(frozen=True, eq=False)
class Tail:
    """A generalised Pareto distribution of what exceeds a level.

    Attributes
    ----------
    level : float
    count : int
        Peaks over the level, of which the tail was fitted.
    shape, scale : float
        Of :data:`scipy.stats.genpareto`.
    """

    level: float
    count: int
    shape: float
    scale: float

    @classmethod
    def of(cls, peaks: FloatArray) -> Tail | None:
        """Fit it to peaks (n,), highest first; None if there are too few, or they do not differ.

        By probability-weighted moments, which are nearer than maximum likelihood for so few.

        References
        ----------
        Hosking and Wallis, Parameter and quantile estimation for the generalized Pareto distribution, 1987.
        """
        count = min(EXCEEDANCES, len(peaks) // 2)
        if len(peaks) < FEWEST or not peaks[0] > peaks[count]:
            return None
        shape, scale = _fitted((peaks[:count] - peaks[count])[None])
        return cls(float(peaks[count]), count, float(shape[0]), float(scale[0]))

    def count_over(self, score: float) -> float:
        """Return how many peaks would exceed a score over the level, in as much footage as the tail is of."""
        return self.count * float(genpareto.sf(score - self.level, self.shape, scale=self.scale))

    def score_of(self, count: float) -> float:
        """Return the score that so many peaks would exceed, fewer than those over the level."""
        return self.level + float(genpareto.isf(min(count / self.count, 1.0), self.shape, scale=self.scale))

    def interval(self, score: float, seed: int = 0) -> tuple[float, float]:
        """Return the 95% interval of :meth:`count_over`, by a parametric bootstrap."""
        random = np.random.default_rng(seed)
        drawn = genpareto.rvs(self.shape, scale=self.scale, size=(_RESAMPLES, self.count), random_state=random)
        shape, scale = _fitted(np.asarray(drawn))
        counts = random.gamma(self.count, size=_RESAMPLES) * genpareto.sf(score - self.level, shape, scale=scale)
        low, high = np.quantile(counts, _QUANTILES)
        return float(low), float(high)


def odd_ones(peaks: FloatArray, unlikely: float) -> int:
    """Return how many of the highest peaks (n,) the others do not explain.

    They are modelled as the tail of an exponential distribution, censored at the highest tenth. A peak is odd if fewer
    than ``unlikely`` are expected to reach it, the scale's uncertainty counted in.
    """
    hidden = len(peaks) // 10
    count = min(hidden + EXCEEDANCES, len(peaks) // 2)
    if not hidden or count <= hidden or not peaks[hidden] > peaks[count]:
        return 0
    above = np.minimum(peaks[:count], peaks[hidden]) - peaks[count]
    known = count - hidden
    total = above.sum()  # over a Gamma(known) variable, it is the scale
    expected = count * (1 + (peaks[:hidden] - peaks[count]) / total) ** -known
    return int(np.count_nonzero(expected < unlikely))


def _fitted(exceedances: NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
    """Return shape and scale (m,) of m samples of exceedances (m, k), k >= 2."""
    ordered, k = np.sort(exceedances, axis=1), exceedances.shape[1]
    mean = ordered.mean(axis=1)
    spread = 2 * (ordered * np.arange(k) / (k - 1)).mean(axis=1) - mean  # the second L-moment
    raw = 2 - mean / np.maximum(spread, np.finfo(float).tiny)
    shape = np.clip(raw * k / (k + _PRIOR), -0.5, 0.5)
    return shape, mean * (1 - shape)
