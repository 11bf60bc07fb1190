"""What every probe offers, however it scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.arrays import FloatArray
from hiprobe.backbones import BackboneInfo, Reading, States
from hiprobe.errors import ProbeError, UsageError
from hiprobe.features import Extraction
from hiprobe.localize import AlarmRates, LocalizeSettings, adaptive_threshold
from hiprobe.probing.dlsp import DlspResult
from hiprobe.probing.familiar import Familiar
from hiprobe.probing.kinds import EventKind
from hiprobe.probing.similar import CalibrationSegment

if TYPE_CHECKING:
    from hiprobe.probing.adaptation import AdaptedScorer


@dataclass(frozen=True)
class Card:
    """What a person should know of a probe.

    Attributes
    ----------
    finds : str
        What it finds, in a phrase.
    source : str
        Where the labels came from.
    n_videos, n_segments, n_groups : int
        What it was fitted on.
    created : str
        ISO 8601 time.
    hiprobe_version : str
    notes : tuple of str
        What is worth knowing about the fit, in sentences.
    """

    finds: str
    source: str
    n_videos: int
    n_segments: int
    n_groups: int
    created: str
    hiprobe_version: str
    notes: tuple[str, ...]


class Probe(Protocol):
    """What ``fit`` and ``fit_normal`` make, and ``detect`` uses."""

    @property
    def reading(self) -> Reading:
        """What the probe reads of a segment: one layer, of one backbone."""
        ...

    @property
    def localize(self) -> LocalizeSettings:
        """How scores become events."""
        ...

    @property
    def calibrated_threshold(self) -> float:
        """The threshold that was fixed when the probe was fitted, on the scale of smoothed scores."""
        ...

    @property
    def alarms(self) -> AlarmRates | None:
        """How many alarms an hour of ordinary footage a threshold gives; None in files of earlier releases."""
        ...

    @property
    def probabilities(self) -> bool:
        """Whether scores are probabilities, over 0 and below 1."""
        ...

    @property
    def card(self) -> Card:
        """What a person should know of the probe."""
        ...

    @property
    def extraction(self) -> Extraction:
        """The reading, and what is kept of it: what :meth:`score` takes."""
        ...

    @property
    def familiar(self) -> Familiar | None:
        """How the pictures look that the probe learned from; None where that is not known."""
        ...

    @property
    def dlsp(self) -> DlspResult | None:
        """Why this layer; None where no saliency was measured."""
        ...

    @property
    def scores_tokens(self) -> bool:
        """Whether the probe scores single tokens, which :meth:`token_scores` then tells."""
        ...

    @property
    def adaptable(self) -> bool:
        """Whether labels can adapt the probe: see :meth:`adapt`."""
        ...

    def score(self, kept: NDArray[np.floating]) -> FloatArray:
        """Return the score (n,) of segments by what was kept of them, (n, W); higher is more abnormal.

        Raises
        ------
        UsageError
            If the shape is wrong, or a number is NaN or infinite.
        """
        ...

    def token_scores(self, states: States) -> NDArray[np.float32]:
        """Return how much each token of one segment speaks for an event: (steps, P) or (steps, rows, columns).

        ``states`` are of the reading, with places if it pools visual tokens. Only where :attr:`scores_tokens` is true.
        """
        ...

    def similar(self, kept: ArrayLike) -> tuple[CalibrationSegment, ...]:
        """Return the calibration segments nearest to what was kept of one segment (W,), nearest first; none if none."""
        ...

    def kind(self, kept: ArrayLike) -> EventKind | None:
        """Return the kind of an event, by what was kept of its segments (n, W); None if no kinds are known."""
        ...

    def adapt(
        self, states: ArrayLike, labels: ArrayLike, groups: ArrayLike, note: str, seed: int = 0
    ) -> tuple[Probe, AdaptedScorer]:
        """Return the probe after labels of segments, and what they say of it; see :mod:`hiprobe.probing.adaptation`.

        The threshold stays; :meth:`raised` sets another.

        Raises
        ------
        UsageError
            If the probe is not adaptable.
        CalibrationError
            If a class is missing.
        """
        ...

    def raised(self, threshold: float) -> Probe:
        """Return the probe with another threshold of its own, on the scale of smoothed scores.

        Its settings ask for that one from then on, whatever they asked for before.

        Raises ProbeError if it is not finite.
        """
        ...

    def calibrated(self, alarms: AlarmRates, note: str, familiar: Familiar | None) -> Probe:
        """Return the probe with other ordinary footage to set thresholds by; its own one is for the rate asked there.

        ``familiar`` says which pictures are known from then on; a probe that knows of none passes it over.

        Raises
        ------
        UsageError
            If no rate was asked.
        """
        ...

    def save(self, path: Path | str) -> None:
        """Write the probe, atomically.

        Raises
        ------
        OutputError
            If the file cannot be written.
        ProbeError
            If a number of the header is NaN or infinite.
        """
        ...


def check_same(probe: Reading, other: Reading) -> None:
    """Raise ProbeError, with everything that differs, unless a probe's reading is another one; layers may differ."""
    differences = probe.differences(other)
    if differences:
        raise ProbeError(
            f"The probe does not fit what is at hand ({'; '.join(differences)}); "
            "use the backbone and settings of the probe, or fit a new one."
        )


def check_backbone(probe: Probe, info: BackboneInfo) -> None:
    """Raise ProbeError unless a probe is of the backbone with these facts."""
    if info.former and probe.reading.backbone == info.former != info.fingerprint:
        raise ProbeError(
            f"The probe is of {info.name} as HiProbe 0.1 identified it; run `hiprobe probes restamp PROBE --model "
            f"{info.name}`, which stamps it anew."
        )
    check_same(probe.reading, replace(probe.reading, backbone=info.fingerprint, name=info.name))


def check_alarms(probe: Probe, settings: LocalizeSettings) -> None:
    """Raise ProbeError if a rate of false alarms is wanted of a probe that does not know which threshold gives it."""
    if settings.false_alarms is not None and probe.alarms is None:
        raise ProbeError(
            f"{settings.false_alarms:g} false alarms an hour are asked for, and the probe does not know its rates, as "
            "it is a refit or of an earlier release; run `hiprobe calibrate` on ordinary footage, or fit it again."
        )


def threshold_of(probe: Probe, settings: LocalizeSettings, smoothed: FloatArray) -> float:
    """Return the threshold that settings ask for, on the smoothed scores (n,) of a video.

    Raises
    ------
    ProbeError
        If a rate of false alarms is wanted, and the probe does not know which threshold gives it.
    """
    check_alarms(probe, settings)
    if settings.false_alarms is not None and probe.alarms is not None:
        return probe.alarms.threshold_for(settings.false_alarms)
    if settings.threshold == "adaptive":
        return adaptive_threshold(smoothed, settings.kappa)
    if settings.threshold == "calibrated":
        return probe.calibrated_threshold
    return float(settings.threshold)


def asked_rate(alarms: AlarmRates) -> float:
    """Return the rate that a probe is to be calibrated for. Raises UsageError if none was asked."""
    if alarms.asked is None:
        raise UsageError("No rate of false alarms is asked for; say one with AlarmRates.asking.")
    return alarms.asked
