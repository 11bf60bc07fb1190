"""The probe that ``stand_out`` makes of footage itself: one-class models, each blind to some blocks of time.

No label is needed, and no other footage. Time is cut into blocks. A model is fitted to all blocks but its own
ones and what is near them, and judges these. So no moment is compared with itself, nor with its neighbours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.backbones import Reading, States
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.features import Extraction
from hiprobe.localize import AlarmRates, LocalizeSettings
from hiprobe.probing.adaptation import AdaptedScorer
from hiprobe.probing.familiar import Familiar
from hiprobe.probing.kinds import EventKind
from hiprobe.probing.oneclass import TokenModel, TokenScorer, combined, digest, two_steps, view_values
from hiprobe.probing.probe import Card, Probe
from hiprobe.probing.similar import CalibrationSegment

FOLDS = 4
"""Models, each of which judges a share of the blocks."""

BLOCK = 20.0
"""Seconds of a block; shorter in footage of less than four of them."""

GAP = 10.0
"""Seconds before and after a block that its model does not see, either; half a block where that is less."""

Models = Sequence[Mapping[str, TokenModel]]
"""For each fold, the model of each view."""


def time_folds(starts: FloatArray, ends: FloatArray, block: float) -> tuple[NDArray[np.intp], list[BoolArray]]:
    """Cut segments into blocks of time, and blocks into folds.

    Parameters
    ----------
    starts, ends : ndarray of shape (n,)
        Of segments in seconds, in order.
    block : float
        Seconds.

    Returns
    -------
    fold : ndarray of shape (n,)
        The fold that judges each segment, 0 to ``FOLDS - 1``.
    seen : list of ndarray of bool, shape (n,)
        For each fold, the segments that its model may be fitted to.
    """
    number = ((starts + ends) / 2 // block).astype(np.intp)
    fold, gap, seen = number % FOLDS, min(GAP, block / 2), []
    for one in range(FOLDS):
        blind = np.zeros(len(starts), bool)
        for judged in np.unique(number[fold == one]):
            own = number == judged
            blind |= (starts < ends[own].max() + gap) & (ends > starts[own].min() - gap)
        seen.append(~blind)
    return fold, seen


def values_by(reading: Reading, models: Models) -> Extraction:
    """Return what keeps, of each segment, the value of each view by the models of each fold."""

    def values(states: States) -> NDArray[np.float32]:
        tokens = two_steps(states.values)[:, 0]
        found = [view_values(tokens, of_fold) for of_fold in models]
        columns = [of_fold[view] for of_fold in found for view in sorted(of_fold)]
        return np.stack(columns, axis=1)[:, None].astype(np.float32)

    return Extraction(reading, values, "values by " + " ".join(digest(of_fold) for of_fold in models))


def judged(kept: NDArray[np.floating], fold: NDArray[np.intp], views: Sequence[str]) -> dict[str, FloatArray]:
    """Return each view's value (n,) by the model that is blind to the segment, of what :func:`values_by` kept (n, W).

    Raises UsageError if there are other segments than in the footage.
    """
    if kept.shape != (len(fold), FOLDS * len(views)):
        raise UsageError(f"{kept.shape} values: footage of {len(fold)} segments is judged by models of its own only.")
    table = kept.reshape(len(fold), FOLDS, len(views))[np.arange(len(fold)), fold].astype(np.float64)
    return {view: table[:, column] for column, view in enumerate(sorted(views))}


def robust_standard(values: Mapping[str, FloatArray]) -> tuple[dict[str, float], dict[str, float]]:
    """Return median and robust deviation of each view's values: what is rare does not move them.

    The deviation is 1.4826 times the median distance from the median, which is the standard deviation of a Gaussian.

    Raises
    ------
    CalibrationError
        If the values of a view do not vary.
    """
    centres = {view: float(np.median(of_view)) for view, of_view in values.items()}
    scales = {view: 1.4826 * float(np.median(np.abs(of_view - centres[view]))) for view, of_view in values.items()}
    for view, scale in scales.items():
        if scale <= np.finfo(np.float32).eps * abs(centres[view]):
            raise CalibrationError(f"The {view} of the footage hardly ever changes, so nothing can stand out in it.")
    return centres, scales


@dataclass(frozen=True, eq=False)
class FootageProbe:
    """Tells what stands out in one video against the rest of its footage. Meets the Probe protocol.

    It judges that video only, and is not saved: it is made anew of the footage.

    Attributes
    ----------
    reading : Reading
        Of single tokens, at one layer.
    scorers : tuple of TokenScorer
        One per fold; centres and scales are those of the footage.
    fold : ndarray of shape (n,)
        The fold that judges each segment of the video.
    localize : LocalizeSettings
        How scores become events.
    calibrated_threshold : float
        On the scale of smoothed scores.
    card : Card
    alarms : AlarmRates, optional
        Of the footage, without what stands out in it.
    """

    reading: Reading
    scorers: tuple[TokenScorer, ...]
    fold: NDArray[np.intp]
    localize: LocalizeSettings
    calibrated_threshold: float
    card: Card
    alarms: AlarmRates | None = None

    @property
    def familiar(self) -> None:
        """See :attr:`hiprobe.probing.Probe.familiar`: not known."""
        return

    @property
    def dlsp(self) -> None:
        """See :attr:`hiprobe.probing.Probe.dlsp`: without an anomaly, layers have no saliency."""
        return

    @property
    def extraction(self) -> Extraction:
        """See :attr:`hiprobe.probing.Probe.extraction`: each view's value by each model."""
        return values_by(self.reading, [scorer.models for scorer in self.scorers])

    @property
    def scores_tokens(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.scores_tokens`: always."""
        return True

    @property
    def adaptable(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.adaptable`: never."""
        return False

    @property
    def probabilities(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.probabilities`: scores are distances, without an upper end."""
        return False

    def score(self, kept: NDArray[np.floating]) -> FloatArray:
        """See :meth:`hiprobe.probing.Probe.score`: about 0 where ordinary; values (n, W) of the whole video."""
        scorer = self.scorers[0]
        return combined(judged(kept, self.fold, tuple(scorer.models)), scorer.centres, scorer.scales)

    def token_scores(self, states: States) -> NDArray[np.float32]:
        """See :meth:`hiprobe.probing.Probe.token_scores`: the largest distance by any model, (steps, P).

        Models that were fitted to the segment find it less odd than the one that was not.
        """
        tokens = states.values[:, 0]
        return np.max([scorer.token_scores(tokens) for scorer in self.scorers], axis=0)

    def similar(self, kept: ArrayLike) -> tuple[CalibrationSegment, ...]:
        """See :meth:`hiprobe.probing.Probe.similar`: no segments are kept."""
        return ()

    def kind(self, kept: ArrayLike) -> EventKind | None:
        """See :meth:`hiprobe.probing.Probe.kind`: none, as no event was labelled."""
        return None

    def adapt(
        self, states: ArrayLike, labels: ArrayLike, groups: ArrayLike, note: str, seed: int = 0
    ) -> tuple[Probe, AdaptedScorer]:
        """See :meth:`hiprobe.probing.Probe.adapt`. Raises UsageError, always."""
        raise UsageError("What stands out in footage was found without a probe; labels can refit a probe only.")

    def calibrated(self, alarms: AlarmRates, note: str, familiar: Familiar | None) -> Probe:
        """See :meth:`hiprobe.probing.Probe.calibrated`. Raises UsageError, always."""
        raise UsageError("What stands out in footage is found by that footage, and is no probe to calibrate.")

    @property
    def identity(self) -> str:
        """A digest of the models and of which of them judges when."""
        text = f"{self.extraction.name} {self.scorers[0].centres} {self.scorers[0].scales} {self.fold.tolist()}"
        return hashlib.sha256(text.encode()).hexdigest()

    def raised(self, threshold: float) -> FootageProbe:
        """See :meth:`hiprobe.probing.Probe.raised`."""
        return replace(self, calibrated_threshold=threshold, localize=self.localize.of_probe())

    def save(self, path: Path | str) -> None:
        """See :meth:`hiprobe.probing.Probe.save`. Raises UsageError, always."""
        raise UsageError(
            f"{path}: what stands out in footage is found by that footage, and is no probe to keep; fit one with "
            "`hiprobe fit --normal-only`."
        )
