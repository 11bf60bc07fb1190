"""AUC by many weightings of the same scores."""

from __future__ import annotations

import numpy as np

from hiprobe.arrays import BoolArray, FloatArray


def weighted_auc(scores: FloatArray, abnormal: BoolArray, weights: FloatArray) -> FloatArray:
    """Return the AUC (k,) of scores (n,) by each weighting (k, n) of them; NaN where a class has no weight.

    Equal scores of both classes count half, as ever.
    """
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(scores[order]) > 0]))
    positive, negative = (
        np.add.reduceat((weights * members)[:, order], starts, axis=1) for members in (abnormal, ~abnormal)
    )
    below = np.cumsum(negative, axis=1) - negative / 2
    total = positive.sum(axis=1) * negative.sum(axis=1)
    return np.where(total > 0, (positive * below).sum(axis=1) / np.where(total > 0, total, 1), np.nan)
