"""Saliency of each layer, in one pass over the calibration segments.

::

    accumulator = SaliencyAccumulator(layers=range(1, 31), width=576)
    for states, labels in batches:            # (n, 30, 576) and (n,)
        accumulator.update(states, labels)
    result = accumulator.result()

Memory is O(layers * D), whatever the number of segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.errors import CalibrationError
from hiprobe.probing.checks import check_finite, check_labels, check_layers, check_states, layer_states
from hiprobe.probing.formulas import (
    DEFAULT_SETTINGS,
    ClassStatistics,
    SaliencySettings,
    bin_numbers,
    combine,
    constant,
    feature_metrics,
    histogram_range,
    mean_over,
)

BLOCK = 256
"""Segments that are kept to set the histogram ranges."""

_METRICS = ("D_KL", "LDR", "H")


@dataclass(frozen=True, eq=False)
class Saliency:
    """The saliency of each layer.

    Attributes
    ----------
    layers : tuple of int
        Layer numbers, from 1.
    d_kl, ldr, entropy : ndarray of shape (layers,)
        D_KL in nats, LDR, and H within [0, 1].
    combined : ndarray of shape (layers,)
        S. NaN where no metric tells the layers apart, as with a single layer.
    notes : tuple of str
        What was left out or is undefined, in sentences.
    """

    layers: tuple[int, ...]
    d_kl: FloatArray
    ldr: FloatArray
    entropy: FloatArray
    combined: FloatArray
    notes: tuple[str, ...]

    @property
    def best(self) -> int:
        """Index of the layer with the highest S; the first of equals."""
        return int(np.argmax(self.combined))

    @property
    def layer(self) -> int:
        """Number of that layer: l*."""
        return self.layers[self.best]


class SaliencyAccumulator:
    """Gathers the moments and histograms that saliency is computed from.

    Moments of each class are merged batch by batch in float64 (Chan, Golub and LeVeque 1979), so they do
    not depend on how segments are cut into batches. Histograms need a range first: the first ``block``
    segments are kept, and set it to their mean +- 4 standard deviations per feature; later values out of
    range count in the end bins. Hence H depends, a little, on which segments come first, if there are
    more than ``block``: shuffle them where they are sorted by video.

    Parameters
    ----------
    layers : sequence of int
        Layer numbers, ascending from 1.
    width : int
        D, the length of a hidden state.
    settings : SaliencySettings
        The estimators.
    block : int
        Segments that set the histogram ranges. They are held in memory, in the type they came in.

    References
    ----------
    HiProbe-VAD (arXiv 2507.17394), DLSP; our reading of the estimators, the paper's exact ones could not
    be obtained.
    """

    def __init__(
        self,
        layers: Sequence[int],
        width: int,
        settings: SaliencySettings = DEFAULT_SETTINGS,
        block: int = BLOCK,
    ) -> None:
        self._layers = check_layers(layers)
        self._width = width
        self._settings = settings
        self._block = block
        self._pending: list[tuple[NDArray[np.floating], BoolArray]] = []
        self._range: tuple[FloatArray, FloatArray] | None = None
        # Class 0 is normal and class 1 abnormal.
        shape = (2, len(self._layers), width)
        self._count = np.zeros(2)
        self._mean, self._squares = np.zeros(shape), np.zeros(shape)
        self._histogram = np.zeros((*shape, self._settings.bins), dtype=np.uint32)

    def update(self, states: ArrayLike, labels: ArrayLike) -> None:
        """Add segments.

        Parameters
        ----------
        states : array of shape (n, layers, D)
            Their hidden states.
        labels : array of shape (n,)
            True or 1 where abnormal.

        Raises
        ------
        CalibrationError
            If a shape is wrong, or a state is NaN or infinite. Then nothing of the batch is added.
        """
        values = check_states(states, ("n", "layers", "D"))
        if values.shape[1:] != (len(self._layers), self._width):
            raise CalibrationError(
                f"states have shape {values.shape}; expected (n, {len(self._layers)}, {self._width})."
            )
        abnormal = check_labels(labels, len(values))
        check_finite(values, self._layers)
        if self._range is not None:
            return self._add(values, abnormal)
        kept = sum(len(labels) for _, labels in self._pending)
        if kept + len(values) < self._block:
            # A copy, as the caller may fill the same buffer again.
            self._pending.append((values.copy(), abnormal))
            return None
        head = self._block - kept
        self._pending.append((values[:head], abnormal[:head]))
        first, first_abnormal = self._take_pending()
        self._set_range(first)
        self._add(first, first_abnormal)
        if len(values) > head:
            self._add(values[head:], abnormal[head:])
        return None

    def result(self) -> Saliency:
        """Return the saliency of the segments so far; more may be added afterwards.

        Raises
        ------
        CalibrationError
            If a class has fewer than two segments, or no feature of a layer varies within both classes.
        """
        if self._pending:
            states, labels = _joined(self._pending)
            whole = SaliencyAccumulator(self._layers, self._width, self._settings, block=len(labels))
            whole.update(states, labels)
            return whole.result()
        for count, name in zip(self._count, ("normal", "abnormal"), strict=True):
            if count < 2:
                raise CalibrationError(
                    f"The calibration set has {count:.0f} {name} segment(s) and needs at least 2; add {name} clips."
                )
        return self._saliency()

    def _saliency(self) -> Saliency:
        curves = np.empty((3, len(self._layers)))
        every_varies = np.empty((len(self._layers), self._width), dtype=bool)
        for index, varies in enumerate(every_varies):
            var = self._squares[:, index] / self._count[:, None]
            varies[:] = ~np.any(constant(var, self._mean[:, index]), axis=0)
            normal, abnormal = (
                ClassStatistics(self._count[c], self._mean[c, index], var[c], self._histogram[c, index]) for c in (0, 1)
            )
            metrics = feature_metrics(abnormal, normal, varies, self._settings)
            curves[:, index] = [mean_over(metric, varies) for metric in metrics]
        return combined_saliency(self._layers, curves, every_varies, self._settings)

    def _take_pending(self) -> tuple[NDArray[np.floating], BoolArray]:
        pending, self._pending = self._pending, []
        return _joined(pending)

    def _set_range(self, states: NDArray[np.floating]) -> None:
        low, width = np.empty(self._mean.shape[1:]), np.empty(self._mean.shape[1:])
        for index in range(len(self._layers)):
            values = layer_states(states, index)
            low[index], width[index] = histogram_range(values.mean(axis=0), values.std(axis=0))
        self._range = low, width

    def _add(self, states: NDArray[np.floating], abnormal: BoolArray) -> None:
        assert self._range is not None
        bins, (low, width) = self._settings.bins, self._range
        first_bin = np.arange(self._width) * bins
        classes = [(c, members, np.count_nonzero(members)) for c, members in enumerate((~abnormal, abnormal))]
        for index in range(len(self._layers)):
            layer = layer_states(states, index)
            numbers = bin_numbers(layer, low[index], width[index], bins) + first_bin
            for c, members, added in classes:
                if not added:
                    continue
                values, total = layer[members], self._count[c] + added
                mean = values.mean(axis=0)
                step = mean - self._mean[c, index]
                self._squares[c, index] += ((values - mean) ** 2).sum(axis=0)
                self._squares[c, index] += step**2 * (self._count[c] * added / total)
                self._mean[c, index] += step * (added / total)
                counts = np.bincount(numbers[members].ravel(), minlength=self._width * bins)
                self._histogram[c, index] += counts.reshape(-1, bins).astype(np.uint32)
        for c, _, added in classes:
            self._count[c] += added


def saliency(
    states: ArrayLike,
    labels: ArrayLike,
    settings: SaliencySettings = DEFAULT_SETTINGS,
    layers: Sequence[int] | None = None,
) -> Saliency:
    """Compute the saliency of each layer of segments that are all in memory.

    Histogram ranges come from all segments, so their order plays no part. Up to 256 segments, the result
    is that of :class:`SaliencyAccumulator` with its default block.

    Parameters
    ----------
    states : array of shape (n, layers, D)
        Hidden states of the calibration segments.
    labels : array of shape (n,)
        True or 1 where abnormal.
    settings : SaliencySettings
        The estimators.
    layers : sequence of int
        Layer numbers; 1, 2, ... by default.

    Raises
    ------
    CalibrationError
        As :meth:`SaliencyAccumulator.update` and :meth:`SaliencyAccumulator.result`.
    """
    values = check_states(states, ("n", "layers", "D"))
    numbers = range(1, values.shape[1] + 1) if layers is None else layers
    accumulator = SaliencyAccumulator(numbers, values.shape[2], settings, block=len(values))
    accumulator.update(values, labels)
    return accumulator.result()


def combined_saliency(
    layers: tuple[int, ...], curves: FloatArray, varies: BoolArray, settings: SaliencySettings
) -> Saliency:
    """Combine D_KL, LDR and H, as ``curves`` (3, layers), to S, and note what was left out.

    Raises CalibrationError if no feature of a layer is in ``varies`` (layers, D).
    """
    number, width = varies.sum(axis=1), varies.shape[1]
    if not number.all():
        raise CalibrationError(
            f"Layer {layers[int(np.argmin(number))]}: no feature varies within both classes; "
            "add clips that differ from each other, or leave the layer out."
        )
    combined, tells = combine(curves[0], curves[1], curves[2], settings)
    notes = _undefined(tells, len(layers), settings)
    left_out = [
        f"{width - n} of {width} in layer {layer}" for n, layer in zip(number, layers, strict=True) if n < width
    ]
    if left_out:
        notes.append(f"Features constant within a class were left out: {', '.join(left_out)}.")
    return Saliency(layers, curves[0], curves[1], curves[2], combined, tuple(notes))


def _joined(parts: list[tuple[NDArray[np.floating], BoolArray]]) -> tuple[NDArray[np.floating], BoolArray]:
    if len(parts) == 1:
        return parts[0]  # no second copy of what may be all there is
    states, labels = zip(*parts, strict=True)
    return np.concatenate(states), np.concatenate(labels)


def _undefined(tells: BoolArray, layers: int, settings: SaliencySettings) -> list[str]:
    """Return notes on what could not be normalised across layers."""
    if layers == 1:
        return ["There is one layer only: S compares layers and is undefined."]
    notes = [
        f"{name} is equal in all layers and adds nothing to S."
        for name, told, weight in zip(_METRICS, tells, settings.weights, strict=True)
        if not told and weight > 0
    ]
    if not tells.any():
        notes.append("No metric tells the layers apart: S is undefined and the first layer is taken.")
    return notes
