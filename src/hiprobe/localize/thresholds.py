"""The two thresholds: the paper's, from the video in hand, and a fixed one from calibration.

Both are used the same way: a score is abnormal where it is strictly over the threshold.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from hiprobe.errors import CalibrationError, UsageError
from hiprobe.localize.curves import finite_vector


def adaptive_threshold(smoothed: ArrayLike, kappa: float = 0.2) -> float:
    """Return mean + kappa * std of one video's smoothed scores (population std).

    Parameters
    ----------
    smoothed : array of shape (n,)
        Smoothed scores of the whole video.
    kappa : float
        Standard deviations over the mean.

    Raises
    ------
    UsageError
        If scores are empty, NaN or infinite, or kappa is not finite.

    References
    ----------
    HiProbe-VAD (arXiv 2507.17394), adaptive threshold mu + kappa * sigma with kappa = 0.2.
    """
    values = finite_vector("smoothed", smoothed)
    if not math.isfinite(kappa):
        raise UsageError(f"kappa is {kappa}; give a finite number, such as 0.2.")
    if values.min() == values.max():
        return float(values[0])  # a rounded mean just below a constant curve would flag all of it
    return float(values.mean() + kappa * values.std())


def calibrated_threshold(scores: ArrayLike, labels: ArrayLike, max_false_alarm_rate: float = 0.05) -> float:
    """Return the smallest threshold that at most a given share of normal calibration segments is over.

    With m normal scores, let k be the largest whole number with k / m <= max_false_alarm_rate. The result
    is the (k + 1)-th largest normal score: at most k scores are strictly over it, and any lower threshold
    has more than k over it. Where normal scores tie with the result, fewer than k are over it, since none
    of the tied ones is. The result is always one of the normal scores; a rate of 0 gives the largest.

    Parameters
    ----------
    scores : array of shape (n,)
        Out-of-fold scores of the calibration segments: in-sample ones are too good, and the threshold too
        low with them. Smooth them as the scores that will be compared with the threshold.
    labels : array of shape (n,)
        True or 1 where abnormal. Abnormal scores do not move the threshold.
    max_false_alarm_rate : float
        Share of normal segments, in [0, 1).

    Raises
    ------
    CalibrationError
        If no segment is normal.
    UsageError
        If the arrays do not fit together, a score is not finite or the rate is out of range.
    """
    values = finite_vector("scores", scores)
    abnormal = np.asarray(labels)
    if abnormal.shape != values.shape or not np.isin(abnormal, (0, 1)).all():
        raise UsageError(f"labels must be {len(values)} values of 0 (normal) or 1 (abnormal), one per score.")
    if not 0 <= max_false_alarm_rate < 1:
        raise UsageError(f"max_false_alarm_rate is {max_false_alarm_rate}; give a share from 0 to below 1.")
    normal = np.sort(values[~abnormal.astype(bool)])[::-1]
    if normal.size == 0:
        raise CalibrationError("No calibration segment is normal; add normal segments to set a threshold.")
    # Not floor(rate * m): 0.29 * 100 is just below 29 in floating point, although 29 / 100 <= 0.29.
    shares = np.arange(normal.size) / normal.size
    allowed = int(np.searchsorted(shares, max_false_alarm_rate, side="right")) - 1
    return float(normal[allowed])
