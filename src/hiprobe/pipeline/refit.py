"""``refit``: from a probe and a few labels made where it is used to a better probe, without a pass of the backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hiprobe.errors import CalibrationError
from hiprobe.features import Features
from hiprobe.probing import Probe
from hiprobe.probing.adaptation import AdaptedScorer


@dataclass(frozen=True, eq=False)
class RefitResult:
    """A refitted probe and how it came about.

    Attributes
    ----------
    probe : Probe
    scorer : AdaptedScorer
        With the AUC before and after.
    n_segments, n_abnormal : int
        Labelled segments.
    """

    probe: Probe
    scorer: AdaptedScorer
    n_segments: int
    n_abnormal: int


def refit(
    probe: Probe, features: Sequence[Features], verdicts: Sequence[NDArray[np.int8]], source: str, seed: int = 0
) -> RefitResult:
    """Adapt a probe's scorer to labelled segments; layer, sampling, smoothing and threshold stay.

    Parameters
    ----------
    probe : Probe
        One that saw none of these labels: refitting a refit would count them twice.
    features : sequence of Features
        One per video, holding the probe's layer.
    verdicts : sequence of ndarray of int, each of shape (n,)
        For each segment of each video: 1 abnormal, 0 normal, -1 not labelled.
    source : str
        Where the labels came from.
    seed : int
        Of the folds; each video is a group.

    Raises
    ------
    CalibrationError
        If no segment is labelled, or a class is missing.
    UsageError
        If the probe was fitted on normal video alone.

    See Also
    --------
    hiprobe.probing.adaptation.adapt_scorer : How.
    """
    known = [np.flatnonzero(verdict >= 0) for verdict in verdicts]
    labels = np.concatenate([verdict[rows] == 1 for verdict, rows in zip(verdicts, known, strict=True)] or [[]])
    if not len(labels):
        raise CalibrationError("No segment is labelled; judge some events first.")
    states = np.concatenate([item.at(probe.reading.layer)[rows] for item, rows in zip(features, known, strict=True)])
    groups = np.repeat(np.arange(len(known)), [len(rows) for rows in known])
    n_abnormal = int(labels.sum())
    note = (
        f"Refitted from {len(labels)} segments, {n_abnormal} of them abnormal, of {len(set(groups.tolist()))} videos "
        f"({source}). All other figures are of the probe that it was made from."
    )
    fitted, adapted = probe.adapt(states, labels, groups, note, seed)
    return RefitResult(fitted, adapted, len(labels), n_abnormal)
