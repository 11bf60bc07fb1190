"""Dynamic Layer Saliency Probing: which layer to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hiprobe.arrays import FloatArray
from hiprobe.probing.checks import check_groups, check_labels, check_layers, check_states
from hiprobe.probing.folds import group_folds
from hiprobe.probing.formulas import DEFAULT_SETTINGS, SaliencySettings
from hiprobe.probing.saliency import combined_saliency
from hiprobe.probing.segments import Segments
from hiprobe.probing.stability import Draws
from hiprobe.probing.validation import Comparison, Sample


@dataclass(frozen=True, eq=False)
class DlspResult:
    """What is known about each layer, and the layer to read.

    Attributes
    ----------
    layers : tuple of int
        Layer numbers: decoder blocks from 1.
    d_kl, ldr, entropy, combined : ndarray of shape (layers,)
        The saliency metrics and S; see :class:`Saliency`.
    silhouette, cv_auc : ndarray of shape (layers,)
        See :func:`layer_silhouette` and :func:`layer_auc`. They have no part in the choice.
    stability : ndarray of shape (layers,)
        Share of resamples in which the layer has the highest S; see :func:`bootstrap_stability`.
    layer : int
        Number of the layer to read: l*, where S is highest.
    notes : tuple of str
        What was left out or is undefined, in sentences.
    """

    layers: tuple[int, ...]
    d_kl: FloatArray
    ldr: FloatArray
    entropy: FloatArray
    combined: FloatArray
    silhouette: FloatArray
    cv_auc: FloatArray
    stability: FloatArray
    layer: int
    notes: tuple[str, ...] = ()


def probe_layers(
    states: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    layers: Sequence[int],
    settings: SaliencySettings = DEFAULT_SETTINGS,
    seed: int = 0,
) -> DlspResult:
    """Compute everything about each layer, and pick l*, the one with the highest S.

    Parameters
    ----------
    states : array of shape (n, layers, D)
        Hidden states of the calibration segments.
    labels : array of shape (n,)
        True or 1 where abnormal.
    groups : array of shape (n,)
        Name of the source of each segment.
    layers : sequence of int
        Number of each layer, ascending from 1.
    settings : SaliencySettings
        The estimators.
    seed : int
        Of folds and resamples.

    Raises
    ------
    CalibrationError
        If a class is in fewer than two groups, no feature of a layer varies within both classes, or a
        state is NaN or infinite.

    References
    ----------
    HiProbe-VAD (arXiv 2507.17394), DLSP; our reading of the estimators, the paper's exact ones could not
    be obtained.
    """
    values = check_states(states, ("n", "layers", "D"))
    abnormal = check_labels(labels, len(values))
    names = check_groups(groups, len(values))
    numbers = check_layers(layers, values)
    folds = group_folds(abnormal, names, seed=seed)  # labels that cannot be fitted are told before any work
    segments = Segments(values, abnormal, names, numbers)
    draws, comparison, sample = Draws(segments, seed=seed), Comparison(segments, folds), Sample(segments, seed)
    # Each layer is read once for all of them.
    found = segments.map(lambda at: (draws.curves(at, settings), comparison.auc(at), sample.silhouette(at)))
    curves, auc, silhouette = zip(*found, strict=True)
    varies = np.stack([of_layer.varies for of_layer in curves])
    salient = combined_saliency(numbers, np.stack([of_layer.whole for of_layer in curves], axis=1), varies, settings)
    return DlspResult(
        layers=salient.layers,
        d_kl=salient.d_kl,
        ldr=salient.ldr,
        entropy=salient.entropy,
        combined=salient.combined,
        silhouette=np.array(silhouette),
        cv_auc=np.array(auc),
        stability=draws.shares(curves, settings),
        layer=salient.layer,
        notes=salient.notes,
    )
