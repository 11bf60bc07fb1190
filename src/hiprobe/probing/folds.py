"""Folds for cross-validation that never part the segments of one group."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import StratifiedGroupKFold

from hiprobe.arrays import BoolArray, IntArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing.checks import check_groups, check_labels

Fold = tuple[IntArray, IntArray]
"""Indices of the segments to fit on, and of those held out."""


def group_folds(labels: ArrayLike, groups: ArrayLike, n_splits: int = 5, seed: int = 0) -> list[Fold]:
    """Cut segments into folds by group, each class spread as evenly as the groups allow.

    There are at most as many folds as groups with abnormal segments, and as groups with normal ones. Each
    fold is fitted on both classes; what is held out may be of one class, so pool the held-out scores
    before computing an AUC. Should stratification leave all groups of a class in one fold, one of them
    becomes a further fold.

    Parameters
    ----------
    labels : array of shape (n,)
        True or 1 where abnormal.
    groups : array of shape (n,)
        Name of the source of each segment.
    n_splits : int
        Folds wanted, at least 2.
    seed : int
        Of the random numbers.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Segments to fit on and segments held out, ascending. Each segment is held out once.

    Raises
    ------
    CalibrationError
        If a class is in fewer than two groups.
    UsageError
        If ``n_splits`` is less than 2.
    """
    if n_splits < 2:
        raise UsageError(f"n_splits is {n_splits}; give a whole number, 2 or more.")
    abnormal = check_labels(labels, np.size(labels))
    names = check_groups(groups, len(abnormal))
    sources = {name: np.unique(names[members]) for name, members in (("abnormal", abnormal), ("normal", ~abnormal))}
    for name, found in sources.items():
        if len(found) < 2:
            raise CalibrationError(
                f"{name.capitalize()} segments come from {len(found)} group(s), and cross-validation "
                f"needs 2; add {name} clips from another source, or give a group column."
            )
    possible = min(n_splits, *(len(found) for found in sources.values()))
    splitter = StratifiedGroupKFold(possible, shuffle=True, random_state=seed)
    fold = np.empty(len(names), dtype=np.intp)
    for number, (_, held_out) in enumerate(splitter.split(np.zeros(len(names)), abnormal, names)):
        fold[held_out] = number
    for members in (abnormal, ~abnormal):
        _spread(fold, names, members)
    used = np.unique(fold)
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in used]


def fold_numbers(folds: list[Fold]) -> IntArray:
    """Return the number of the fold (n,) in which each segment is held out."""
    numbers = np.empty(sum(len(held_out) for _, held_out in folds), dtype=np.intp)
    for number, (_, held_out) in enumerate(folds):
        numbers[held_out] = number
    return numbers


def _spread(fold: IntArray, names: IntArray, members: BoolArray) -> None:
    """Move a group of a class to a fold of its own, in place, where the class is in one fold only."""
    if len(np.unique(fold[members])) == 1:
        fold[names == names[members][0]] = fold.max() + 1
