"""Dynamic Layer Saliency Probing: which layer to read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score

from hiprobe.arrays import FloatArray, IntArray
from hiprobe.probing.checks import check_groups, check_labels, check_layers, check_states
from hiprobe.probing.choice import shallowest
from hiprobe.probing.folds import fold_numbers, group_folds
from hiprobe.probing.formulas import DEFAULT_SETTINGS, Estimator, LayerBy, SaliencySettings, combine
from hiprobe.probing.labellings import LabelledCurves, Labellings
from hiprobe.probing.permuted import Permuted
from hiprobe.probing.ranks import weighted_auc
from hiprobe.probing.saliency import combined_saliency
from hiprobe.probing.segments import Segments
from hiprobe.probing.stability import Draws, LayerCurves
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
        See :func:`layer_silhouette` and :func:`layer_auc`. They have no part in S.
    stability : ndarray of shape (layers,)
        Share of resamples of groups in which the layer is chosen.
    layer : int
        Number of the layer to read: l*.
    notes : tuple of str
        What was left out or is undefined, in sentences.
    layer_by, estimator : str
        By what the layer was chosen, and what S is made of; see :class:`SaliencySettings`.
    fold_layers : tuple of int
        The layer that is chosen without each fold; see :func:`fit_chosen`. Empty in probes of earlier releases.
    permuted : Permuted, optional
        The layers under labels by chance; None where no such labels were drawn.
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
    layer_by: LayerBy = "dlsp"
    estimator: Estimator = "per-feature"
    fold_layers: tuple[int, ...] = ()
    permuted: Permuted | None = None


def probe_layers(
    states: ArrayLike,
    labels: ArrayLike,
    groups: ArrayLike,
    layers: Sequence[int],
    settings: SaliencySettings = DEFAULT_SETTINGS,
    seed: int = 0,
) -> DlspResult:
    """Compute everything about each layer, and pick l*: by cross-validated AUC, or by S.

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
        By what the layer is chosen, and the estimators.
    seed : int
        Of folds, resamples and labels by chance.

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
    held_out = fold_numbers(folds)
    kept = np.ones((len(folds), int(names.max()) + 1), dtype=bool)
    kept[held_out, names] = False
    segments = Segments(values, abnormal, names, numbers)
    draws, comparison, sample = (
        Draws(segments, seed=seed, kept=kept),
        Comparison(segments, folds),
        Sample(segments, seed),
    )
    labellings = Labellings(segments, held_out, settings, seed)
    # Each layer is read once for all of them.
    found = segments.map(
        lambda at: (
            draws.curves(at, settings),
            comparison.scores(at),
            sample.silhouette(at),
            labellings.curves(at, draws.groups),
        )
    )
    curves, scores, silhouette, labelled = zip(*found, strict=True)
    curves = [draws.estimated(of_layer, by.metrics) for of_layer, by in zip(curves, labelled, strict=True)]
    noise = _noise(curves, labelled, settings)
    varies = np.stack([of_layer.varies for of_layer in curves])
    salient = combined_saliency(
        numbers, np.stack([of_layer.whole for of_layer in curves], axis=1), varies, settings, noise
    )
    weights = draws.groups[:, segments.groups]
    aucs = np.stack([weighted_auc(of_layer, segments.abnormal, weights) for of_layer in scores], axis=1)
    chooser = _Chooser(settings, noise)
    notes = list(salient.notes)
    if settings.layer_by == "dlsp" and not np.isfinite(salient.combined).all() and len(numbers) > 1:
        chooser = _Chooser(dataclasses.replace(settings, layer_by="auc"), noise)
        notes.append("As S is undefined, the layer is chosen by cross-validated AUC.")
    whole, without, drawn = aucs[0], aucs[1 : 1 + len(folds)], aucs[1 + len(folds) :]
    best = int(chooser.choose(whole, np.stack([of_layer.whole for of_layer in curves], axis=1)))
    by_fold = chooser.choose(without, np.stack([of_layer.without for of_layer in curves], axis=2), best)
    by_draw = chooser.choose(drawn, np.stack([of_layer.drawn for of_layer in curves], axis=2))
    return DlspResult(
        layers=salient.layers,
        d_kl=salient.d_kl,
        ldr=salient.ldr,
        entropy=salient.entropy,
        combined=salient.combined,
        silhouette=np.array(silhouette),
        cv_auc=np.array([roc_auc_score(segments.abnormal, of_layer) for of_layer in scores]),
        stability=_shares(by_draw, len(numbers)),
        layer=numbers[best],
        notes=tuple(notes),
        layer_by=settings.layer_by,
        estimator=settings.estimator,
        fold_layers=tuple(numbers[int(index)] for index in by_fold),
        permuted=_permuted(labelled, salient.entropy, chooser) if labellings.draws else None,
    )


@dataclass(frozen=True)
class _Chooser:
    """Chooses a layer by AUC or by S."""

    settings: SaliencySettings
    noise: tuple[bool, bool, bool]

    def choose(self, auc: FloatArray, metrics: FloatArray, otherwise: int = -1) -> IntArray:
        """Return the index (...,) of the layer by AUC (..., layers), or by D_KL, LDR and H (3, ..., layers).

        Where it is undefined, ``otherwise``: without one of the folds a class may have no spread.
        """
        if self.settings.layer_by == "auc":
            defined, best = np.isfinite(auc).all(axis=-1), shallowest(np.nan_to_num(auc))
        else:
            combined, _ = combine(metrics[0], metrics[1], metrics[2], self.settings, self.noise)
            defined, best = np.isfinite(combined).all(axis=-1), np.argmax(combined, axis=-1)
        alone = auc.shape[-1] == 1
        return np.where(defined | alone, best, otherwise)


def _noise(
    curves: Sequence[LayerCurves], labelled: Sequence[LabelledCurves], settings: SaliencySettings
) -> tuple[bool, bool, bool]:
    """Return whether the differences of D_KL, LDR and H between layers are noise: as large under labels by chance.

    That is, labels by chance make the curve as uneven in one case of twenty. H reads no labels, so it always is as
    uneven as under others. It is kept where nothing but H is weighted.
    """
    whole = np.stack([of_layer.whole for of_layer in curves], axis=1)
    permuted = np.stack([of_layer.permuted for of_layer in labelled], axis=-1)
    if not permuted.shape[1] or len(curves) == 1:
        return False, False, False
    uneven = np.quantile(np.ptp(permuted[:2], axis=-1), 0.95, axis=-1)
    spread = np.ptp(whole[:2], axis=-1)
    return bool(spread[0] <= uneven[0]), bool(spread[1] <= uneven[1]), any(settings.weights[:2])


def _permuted(labelled: Sequence[LabelledCurves], entropy: FloatArray, chooser: _Chooser) -> Permuted:
    curves = np.stack([of_layer.permuted for of_layer in labelled], axis=-1)
    metrics = np.stack([curves[0], curves[1], np.broadcast_to(entropy, curves[0].shape)])
    return Permuted.of(
        np.array([of_layer.auc for of_layer in labelled]), curves, chooser.choose(curves[2], metrics, otherwise=0)
    )


def _shares(chosen: IntArray, layers: int) -> FloatArray:
    """Return the share of draws in which each layer is chosen, of those in which one is."""
    chosen = chosen[chosen >= 0]
    return np.bincount(chosen, minlength=layers) / max(1, len(chosen))
