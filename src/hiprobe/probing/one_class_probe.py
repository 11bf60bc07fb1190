"""The probe that ``fit --normal-only`` makes: a one-class scorer of tokens.

Its file holds the scorer's arrays as float32 tensors named ``view.array``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hiprobe.arrays import FloatArray
from hiprobe.backbones import Reading, States
from hiprobe.errors import ProbeError, UsageError
from hiprobe.features import Extraction
from hiprobe.localize import AlarmRates, LocalizeSettings
from hiprobe.probing.adaptation import AdaptedScorer
from hiprobe.probing.familiar import Familiar
from hiprobe.probing.kinds import EventKind
from hiprobe.probing.oneclass import MODELS, TokenModel, TokenScorer, digest, two_steps
from hiprobe.probing.probe import Card, Probe, asked_rate
from hiprobe.probing.probe_file import Context, damaged, parse_header, read_probe_file, write_probe_file
from hiprobe.probing.similar import CalibrationSegment

SCHEMA = "hiprobe.oneclass/1"

_OLD_NAMES = {"neighbours": "memory-bank"}
"""What the files of the first releases call methods."""


@dataclass(frozen=True)
class OneClassStats:
    """What a one-class probe was fitted on, and how.

    Attributes
    ----------
    n_videos, n_segments, n_groups : int
        Numbers of normal videos, of their segments, and of groups.
    hours : float
        Of normal video.
    false_alarms_per_hour : float
        What was wanted.
    events : int
        Events on the normal videos at the threshold, each scored by a model that did not see it.
    layers : tuple of int
        Blocks that were compared.
    layer_auc : tuple of float
        AUC at each of normal segments against the same with a piece of the picture pasted over them, none of them seen.
    source : str
        Where the labels came from.
    notes : tuple of str
        What is worth knowing about the fit, in sentences.
    """

    n_videos: int
    n_segments: int
    n_groups: int
    hours: float
    false_alarms_per_hour: float
    events: int
    layers: tuple[int, ...]
    layer_auc: tuple[float, ...]
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class OneClassProbe:
    """The probe that ``fit_normal`` makes: how far tokens lie from those of normal video. Meets the Probe protocol.

    Attributes
    ----------
    reading : Reading
        Of single tokens, at one layer.
    scorer : TokenScorer
    localize : LocalizeSettings
        How scores become events.
    calibrated_threshold : float
        On the scale of smoothed scores.
    calibration : OneClassStats
    created : str
        ISO 8601 time.
    hiprobe_version : str
    alarms : AlarmRates, optional
        How many alarms an hour a threshold gives. Probes of earlier releases do not know.

    Raises
    ------
    ProbeError
        If the threshold is not finite.
    UsageError
        If the reading is of several layers.
    """

    reading: Reading
    scorer: TokenScorer
    localize: LocalizeSettings
    calibrated_threshold: float
    calibration: OneClassStats
    created: str
    hiprobe_version: str
    alarms: AlarmRates | None = None

    def __post_init__(self) -> None:
        _ = self.reading.layer
        if not math.isfinite(self.calibrated_threshold):
            raise ProbeError(f"calibrated_threshold is {self.calibrated_threshold}; give a finite number.")

    @property
    def layer(self) -> int:
        """Number of the block at the site, from 1."""
        return self.reading.layer

    @property
    def card(self) -> Card:
        """See :attr:`hiprobe.probing.Probe.card`."""
        fitted = self.calibration
        return Card(
            finds=f"what is unlike the normal video of {Path(fitted.source).name}",
            source=fitted.source,
            n_videos=fitted.n_videos,
            n_segments=fitted.n_segments,
            n_groups=fitted.n_groups,
            created=self.created,
            hiprobe_version=self.hiprobe_version,
            notes=fitted.notes,
        )

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
        """See :attr:`hiprobe.probing.Probe.extraction`: the score of each segment; its tokens are too many to keep."""

        def score(states: States) -> NDArray[np.float32]:
            return self.scorer.scores(two_steps(states.values)[:, 0])[:, None, None].astype(np.float32)

        return Extraction(self.reading, score, f"score {self.identity}")

    @property
    def scores_tokens(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.scores_tokens`: always."""
        return True

    @property
    def adaptable(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.adaptable`: never, as no anomaly has a place in it."""
        return False

    @property
    def probabilities(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.probabilities`: scores are distances, without an upper end."""
        return False

    def score(self, kept: NDArray[np.floating]) -> FloatArray:
        """See :meth:`hiprobe.probing.Probe.score`: about 0 where normal; scores that were kept, (n, 1)."""
        return kept[:, 0].astype(np.float64)

    def token_scores(self, states: States) -> NDArray[np.float32]:
        """See :meth:`hiprobe.probing.Probe.token_scores`: the distance from normal, the mean over views, (steps, P)."""
        return self.scorer.token_scores(states.values[:, 0])

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
        raise UsageError("The probe was fitted on normal video alone, so labels cannot refit it; choose another.")

    def calibrated(self, alarms: AlarmRates, note: str, familiar: Familiar | None) -> OneClassProbe:
        """See :meth:`hiprobe.probing.Probe.calibrated`."""
        threshold = alarms.threshold_for(asked_rate(alarms))
        told = dataclasses.replace(self.calibration, notes=(*self.calibration.notes, note))
        return dataclasses.replace(self.raised(threshold), alarms=alarms, calibration=told)

    @property
    def identity(self) -> str:
        """A digest of the scorer, its site and layer: scores of one probe are never taken for another's."""
        scorer = self.scorer
        numbers = (scorer.method, scorer.top, sorted(scorer.centres.items()), sorted(scorer.scales.items()))
        text = f"{self.reading.site} {self.layer} {numbers} {digest(scorer.models)}"
        return hashlib.sha256(text.encode()).hexdigest()

    def raised(self, threshold: float) -> OneClassProbe:
        """See :meth:`hiprobe.probing.Probe.raised`."""
        return dataclasses.replace(self, calibrated_threshold=threshold, localize=self.localize.of_probe())

    def save(self, path: Path | str) -> None:
        """See :meth:`hiprobe.probing.Probe.save`."""
        header = _Header(
            schema=SCHEMA,
            context=Context.of(self.reading),
            site=self.reading.site,
            layer=self.layer,
            kind=self.scorer.method,
            top=self.scorer.top,
            centres=dict(self.scorer.centres),
            scales=dict(self.scorer.scales),
            localize=self.localize,
            calibrated_threshold=self.calibrated_threshold,
            calibration=self.calibration,
            created=self.created,
            hiprobe_version=self.hiprobe_version,
            alarms=self.alarms,
        )
        write_probe_file(Path(path), header, _tensors(self.scorer))

    @classmethod
    def load(cls, path: Path | str) -> OneClassProbe:
        """Read a one-class probe.

        Raises
        ------
        ProbeError
            If the file is missing, is no such probe, or is damaged.
        """
        path = Path(path)
        text, tensors = read_probe_file(path)
        header = parse_header(path, text, _Header, SCHEMA)
        reading = header.context.reading(path, header.layer, "tokens", header.site)
        try:
            method = _OLD_NAMES.get(header.kind, header.kind)
            models = {view: _model(method, view, tensors) for view in header.centres}
            return cls(
                reading=reading,
                scorer=TokenScorer(method, models, header.centres, header.scales, header.top),
                localize=header.localize,
                calibrated_threshold=header.calibrated_threshold,
                calibration=header.calibration,
                created=header.created,
                hiprobe_version=header.hiprobe_version,
                alarms=header.alarms,
            )
        except (UsageError, KeyError) as error:
            raise damaged(path, str(error)) from error


@dataclass(frozen=True)
class _Header:
    """The JSON of the file."""

    schema: str
    context: Context
    site: str
    layer: int
    kind: str
    top: int
    centres: dict[str, float]
    scales: dict[str, float]
    localize: LocalizeSettings
    calibrated_threshold: float
    calibration: OneClassStats
    created: str
    hiprobe_version: str
    alarms: AlarmRates | None = None  # of schema 1 too: see LogisticProbe's


def _model(method: str, view: str, tensors: dict[str, np.ndarray]) -> TokenModel:
    if method not in MODELS:
        raise UsageError(f"kind {method!r} is unknown to this release")
    names = [field.name for field in dataclasses.fields(MODELS[method])]
    arrays = {name: tensors[f"{view}.{name}"] for name in names}
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise UsageError(f"tensor {view}.{name} is no array of finite float32 numbers")
    return MODELS[method](**arrays)


def _tensors(scorer: TokenScorer) -> dict[str, np.ndarray]:
    return {
        f"{view}.{name}": np.ascontiguousarray(array, np.float32)
        for view, model in scorer.models.items()
        for name, array in model.arrays().items()
    }
