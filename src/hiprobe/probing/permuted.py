"""What a choice of layer is worth where there is nothing to find: labels by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hiprobe.arrays import BoolArray, FloatArray, IntArray
from hiprobe.errors import UsageError

_TENSORS = ("auc", "mean", "low", "high", "chosen", "best")

_TRIES = 50
"""Labellings that are drawn for each that is wanted, until a fold lacks a class no more."""


@dataclass(frozen=True, eq=False)
class Permuted:
    """The layers under labels by chance.

    AUCs are of held-out linear discriminants: one factorisation serves all labellings, which no other scorer allows.

    Attributes
    ----------
    auc : ndarray of shape (layers,)
        AUC of each layer by the labels as they are, to compare with.
    mean, low, high : ndarray of shape (3, layers)
        Of D_KL, LDR and AUC: the mean under labels by chance, and the band that holds 95% of them.
    chosen : ndarray of shape (layers,)
        Share of the labellings under which a layer is chosen.
    best : ndarray of shape (draws,)
        AUC of the layer that is chosen under each.
    """

    auc: FloatArray
    mean: FloatArray
    low: FloatArray
    high: FloatArray
    chosen: FloatArray
    best: FloatArray

    @classmethod
    def of(cls, auc: FloatArray, curves: FloatArray, chosen: IntArray) -> Permuted:
        """Summarise ``curves`` (3, draws, layers) and the index of the layer ``chosen`` (draws,) under each."""
        layers, draws = curves.shape[2], np.arange(len(chosen))
        low, high = np.nanquantile(curves, [0.025, 0.975], axis=1)
        share = np.bincount(chosen, minlength=layers) / len(chosen)
        return cls(auc, np.nanmean(curves, axis=1), low, high, share, curves[2, draws, chosen])

    def tensors(self) -> dict[str, FloatArray]:
        """Return the arrays by their names in a probe file."""
        return {f"permuted.{name}": getattr(self, name) for name in _TENSORS}

    @classmethod
    def of_tensors(cls, tensors: dict[str, NDArray[Any]], layers: int) -> Permuted | None:
        """Return what a probe file holds of it, if anything. Raises UsageError if that is damaged."""
        found = {name: tensors[f"permuted.{name}"] for name in _TENSORS if f"permuted.{name}" in tensors}
        if not found:
            return None
        if len(found) < len(_TENSORS) or any(array.dtype != np.float64 for array in found.values()):
            raise UsageError("the curves under permuted labels are incomplete, or no float64")
        shapes = dict.fromkeys(("mean", "low", "high"), (3, layers)) | {"auc": (layers,), "chosen": (layers,)}
        if any(found[name].shape != shape for name, shape in shapes.items()) or found["best"].ndim != 1:
            raise UsageError(f"the curves under permuted labels are not of {layers} layers")
        return cls(**found)


def permuted_labels(abnormal: BoolArray, groups: IntArray, held_out: IntArray, draws: int, seed: int = 0) -> BoolArray:
    """Return labels (n, draws) by chance that keep how many are abnormal, and in what runs.

    The groups' labels are laid end to end in an order by chance, from a place by chance on, over the segments as they
    stand. So neighbours remain alike, as overlapping segments of a video are. Labels are left out that leave a class
    out of what a fold is fitted on. Fewer than ``draws``, or none, are returned where hardly any others exist.

    Parameters
    ----------
    abnormal : array of shape (n,)
        In the order of the videos.
    groups, held_out : array of int, shape (n,)
        Number of the group of each segment, and of the fold that holds it out.
    draws, seed : int
        How many are wanted, and of the random numbers.
    """
    random, order = np.random.default_rng(seed), np.argsort(groups, kind="stable")
    members = np.split(abnormal[order], np.flatnonzero(np.diff(groups[order])) + 1)
    found: list[BoolArray] = []
    for _ in range(_TRIES * draws):
        if len(found) == draws:
            break
        laid = np.concatenate([members[index] for index in random.permutation(len(members))])
        labels = np.empty_like(abnormal)
        labels[order] = np.roll(laid, random.integers(len(laid)))
        fitted = [held_out != fold for fold in np.unique(held_out)]
        counts = [np.count_nonzero(of_class & rows) for rows in fitted for of_class in (labels, ~labels)]
        if min(counts) >= 2:
            found.append(labels)
    return np.stack(found, axis=1) if found else np.empty((len(abnormal), 0), dtype=bool)
