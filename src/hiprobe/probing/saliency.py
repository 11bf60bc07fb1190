"""Saliency of each layer.

::

    result = saliency(states, labels, layers=range(1, 31))      # (n, 30, D) and (n,)
    result.layer                                                # l*
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.probing.cells import Cells, WeightedCurves
from hiprobe.probing.checks import check_classes, check_labels, check_layers, check_states
from hiprobe.probing.folds import fold_numbers, group_folds
from hiprobe.probing.formulas import DEFAULT_SETTINGS, SaliencySettings, combine
from hiprobe.probing.labellings import Labellings
from hiprobe.probing.segments import Layer, Segments

_METRICS = ("D_KL", "LDR", "H")
_BY_CHANCE = "differs between layers no more than under labels by chance"


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


def saliency(
    states: ArrayLike,
    labels: ArrayLike,
    settings: SaliencySettings = DEFAULT_SETTINGS,
    layers: Sequence[int] | None = None,
    groups: ArrayLike | None = None,
) -> Saliency:
    """Compute the saliency of each layer.

    It is computed as :func:`probe_layers` does, from :class:`Cells`, of one group. Histogram ranges come from
    all segments, so their order plays no part. No labels by chance are drawn, so no metric is left out as noise.

    Parameters
    ----------
    states : array of shape (n, layers, D)
        Hidden states of the calibration segments.
    labels : array of shape (n,)
        True or 1 where abnormal.
    settings : SaliencySettings
        The estimators.
    layers : sequence of int
        Layer numbers, ascending from 1; 1, 2, ... by default.
    groups : array of shape (n,), optional
        Name of the source of each segment: for ``held-out-lda``, which needs them.

    Raises
    ------
    CalibrationError
        If a shape is wrong, a state is NaN or infinite, a class has fewer than two segments, or no feature of
        a layer varies within both classes.
    UsageError
        If the estimator needs groups and there are none.

    References
    ----------
    HiProbe-VAD (arXiv 2507.17394), DLSP; our reading of the estimators, the paper's exact ones could not
    be obtained.
    """
    values = check_states(states, ("n", "layers", "D"))
    abnormal = check_labels(labels, len(values))
    numbers = check_layers(range(1, values.shape[1] + 1) if layers is None else layers, values)
    check_classes(abnormal)
    segments = Segments(values, abnormal, layers=numbers)
    cells = Cells(segments)
    whole = np.ones((1, len(cells.number)))
    labellings = _labellings(segments, groups, settings)

    def measure(layer: Layer) -> WeightedCurves:
        found = cells.curves(layer, whole, settings)
        if labellings is not None:
            found.metrics[:2] = labellings.curves(layer, np.ones((1, 1))).metrics
        return found

    found = segments.map(measure)
    curves = np.concatenate([of_layer.metrics for of_layer in found], axis=1)
    return combined_saliency(numbers, curves, np.concatenate([of_layer.varies for of_layer in found]), settings)


def _labellings(segments: Segments, groups: ArrayLike | None, settings: SaliencySettings) -> Labellings | None:
    """Return what measures by other estimators than cells do."""
    if settings.estimator == "per-feature":
        return None
    if groups is None:
        raise UsageError(f"The estimator {settings.estimator} is held out by group; give the groups of the segments.")
    labels = segments.abnormal[np.argsort(segments.order)]
    held_out = fold_numbers(group_folds(labels, groups))
    return Labellings(segments, held_out, dataclasses.replace(settings, permutations=0))


def combined_saliency(
    layers: tuple[int, ...],
    curves: FloatArray,
    varies: BoolArray,
    settings: SaliencySettings,
    noise: tuple[bool, bool, bool] = (False, False, False),
) -> Saliency:
    """Combine D_KL, LDR and H, as ``curves`` (3, layers), to S, and note what was left out, such as ``noise``.

    Raises CalibrationError if no feature of a layer is in ``varies`` (layers, D).
    """
    number, width = varies.sum(axis=1), varies.shape[1]
    if not number.all():
        raise CalibrationError(
            f"Layer {layers[int(np.argmin(number))]}: no feature varies within both classes; "
            "add clips that differ from each other, or leave the layer out."
        )
    combined, tells = combine(curves[0], curves[1], curves[2], settings, noise)
    notes = _undefined(tells, len(layers), settings, noise)
    left_out = [
        f"{width - n} of {width} in layer {layer}" for n, layer in zip(number, layers, strict=True) if n < width
    ]
    if left_out:
        notes.append(f"Features constant within a class were left out: {', '.join(left_out)}.")
    return Saliency(layers, curves[0], curves[1], curves[2], combined, tuple(notes))


def _undefined(tells: BoolArray, layers: int, settings: SaliencySettings, noise: tuple[bool, bool, bool]) -> list[str]:
    """Return notes on what could not be normalised across layers."""
    if layers == 1:
        return ["There is one layer only: S compares layers and is undefined."]
    notes = [
        f"{name} {_BY_CHANCE if idle else 'is equal in all layers'} and adds nothing to S."
        for name, told, weight, idle in zip(_METRICS, tells, settings.weights, noise, strict=True)
        if not told and weight > 0
    ]
    if not tells.any():
        notes.append("No metric tells the layers apart: S is undefined and the first layer is taken.")
    return notes
