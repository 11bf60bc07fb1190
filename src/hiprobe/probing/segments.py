"""The calibration segments, read one layer at a time by as many threads as there are cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hiprobe.arrays import BoolArray, FloatArray, IntArray
from hiprobe.probing.checks import check_finite, row_blocks
from hiprobe.probing.formulas import constant
from hiprobe.probing.threads import threads

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Layer:
    """The states of one layer, normal segments first, with the moments that several figures need.

    Attributes
    ----------
    values : ndarray of shape (n, D)
    split : int
        Row of the first abnormal segment.
    class_mean, class_var : ndarray of shape (2, D)
        Of normal and of abnormal segments; zeros for a class without any.
    mean, std : ndarray of shape (D,)
        Of all segments; see :attr:`scale` for what to divide by.
    """

    values: FloatArray
    split: int
    class_mean: FloatArray
    class_var: FloatArray
    mean: FloatArray
    std: FloatArray

    @property
    def classes(self) -> tuple[slice, slice]:
        """Rows of normal and of abnormal segments."""
        return slice(0, self.split), slice(self.split, len(self.values))

    @property
    def scale(self) -> FloatArray:
        """Standard deviations (D,), 1 for constant features."""
        return np.where(constant(self.std**2, self.mean), 1.0, self.std)

    def standardised(self) -> NDArray[np.float32]:
        """Return the states (n, D) standardised over all segments, in single precision."""
        result, scale = np.empty(self.values.shape, dtype=np.float32), self.scale
        for rows in row_blocks(0, len(result)):
            result[rows] = (self.values[rows] - self.mean) / scale
        return result


class Segments:
    """Hidden states (n, layers, D) and the order in which their segments are read: by class, then by group.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Original place of each segment.
    abnormal, groups : ndarray of shape (n,)
        In that order.
    """

    def __init__(
        self,
        states: NDArray[np.floating],
        abnormal: BoolArray,
        groups: IntArray | None = None,
        layers: Sequence[int] | None = None,
    ) -> None:
        groups = np.zeros(len(states), dtype=np.intp) if groups is None else groups
        self.order = np.lexsort((groups, abnormal))
        self.abnormal, self.groups = abnormal[self.order], groups[self.order]
        self._states = states
        self._layers = range(1, states.shape[1] + 1) if layers is None else layers

    def map(self, task: Callable[[Layer], T]) -> list[T]:
        """Return what ``task`` makes of each layer.

        Raises CalibrationError, naming the layer, if states are NaN or infinite.
        """
        with threads() as run:
            return list(run(lambda index: task(self.read(index)), range(len(self._layers))))

    def read(self, index: int) -> Layer:
        """Return a layer by its index, in float64; raises as :meth:`map`."""
        states = self._states[:, index]
        values = np.empty(states.shape, dtype=np.float64)
        for rows in row_blocks(0, len(values)):
            values[rows] = states[self.order[rows]]
            if not np.isfinite(values[rows]).all():
                check_finite(self._states[:, index : index + 1], self._layers[index : index + 1])
        split = int(np.count_nonzero(~self.abnormal))
        share = np.array([[split], [len(values) - split]]) / len(values)
        class_mean, class_var = np.zeros((2, 2, self._states.shape[2]))
        for c, (start, stop) in enumerate(((0, split), (split, len(values)))):
            if start < stop:
                class_mean[c] = values[start:stop].mean(axis=0)
                squares = (np.square(values[rows] - class_mean[c]).sum(axis=0) for rows in row_blocks(start, stop))
                class_var[c] = sum(squares) / (stop - start)
        mean = (share * class_mean).sum(axis=0)
        std = np.sqrt((share * (class_var + (class_mean - mean) ** 2)).sum(axis=0))
        return Layer(values, split, class_mean, class_var, mean, std)
