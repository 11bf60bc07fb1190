"""Checks on the arrays that the functions of this folder take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.arrays import BoolArray, IntArray
from hiprobe.errors import CalibrationError

_ROWS = 256
"""Rows that are worked on at once, so that intermediate values stay in the processor's cache."""


def check_labels(labels: ArrayLike, n: int) -> BoolArray:
    """Return labels as a bool (n,) array, True where abnormal; else raise CalibrationError."""
    values = np.asarray(labels)
    if values.shape != (n,) or not np.isin(values, (0, 1)).all():
        raise CalibrationError(
            f"labels has shape {values.shape}; give {n} values, 0 where normal and 1 where abnormal."
        )
    return values.astype(bool)


def check_states(states: ArrayLike, shape: tuple[str, ...]) -> NDArray[np.floating]:
    """Return hidden states, real and of as many axes as ``shape`` names; else raise CalibrationError.

    The type is kept: a float64 copy of all layers would be twice as large as what came in.
    """
    values = np.asarray(states)
    if values.ndim != len(shape) or values.dtype.kind not in "fiu":
        raise CalibrationError(
            f"states are {values.dtype} of shape {values.shape}; give real numbers of shape ({', '.join(shape)})."
        )
    if 0 in values.shape:
        raise CalibrationError(f"states have shape {values.shape}, which is empty; add labelled segments.")
    return values


def check_classes(abnormal: BoolArray) -> None:
    """Raise CalibrationError if a class has fewer than two segments; ``abnormal`` (n,) is True where abnormal."""
    for members, name in ((~abnormal, "normal"), (abnormal, "abnormal")):
        count = np.count_nonzero(members)
        if count < 2:
            raise CalibrationError(
                f"The calibration set has {count} {name} segment(s) and needs at least 2; add {name} clips."
            )


def check_layers(layers: Sequence[int], states: NDArray[np.floating]) -> tuple[int, ...]:
    """Return the layer numbers of states (n, layers, D), counted from 1 and strictly ascending.

    Raises CalibrationError if they are not, or are not as many as the states have.
    """
    numbers = tuple(int(layer) for layer in layers)
    if not numbers or numbers[0] < 1 or any(b <= a for a, b in pairwise(numbers)):
        raise CalibrationError(
            f"layers are {numbers}; give the numbers of decoder blocks in ascending order, the first being 1."
        )
    if len(numbers) != states.shape[1]:
        raise CalibrationError(f"states have shape {states.shape}; expected (n, {len(numbers)}, D), as layers are.")
    return numbers


def check_groups(groups: ArrayLike, n: int) -> IntArray:
    """Return groups of (n,) segments as numbers 0, 1, ... in sorted order; else raise CalibrationError."""
    values = np.asarray(groups)
    if values.shape != (n,):
        raise CalibrationError(f"groups has shape {values.shape}; give {n} names, one per segment.")
    return np.unique(values, return_inverse=True)[1].astype(np.intp)


def check_finite(states: NDArray[np.floating], layers: Sequence[int]) -> None:
    """Raise CalibrationError, naming the layer, if states (n, layers, D) hold NaN or infinity."""
    for index, layer in enumerate(layers):
        bad = ~np.isfinite(states[:, index])
        if bad.any():
            row, feature = np.argwhere(bad)[0]
            raise CalibrationError(
                f"Hidden states of layer {layer} hold {states[row, index, feature]} (segment {row}, "
                f"feature {feature}); extract them again, with a wider number type such as float32."
            )


def row_blocks(start: int, stop: int) -> Iterator[slice]:
    """Cut rows into slices of a size that stays in the cache."""
    for first in range(start, stop, _ROWS):
        yield slice(first, min(first + _ROWS, stop))
