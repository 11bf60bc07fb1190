"""The probe that ``fit`` makes: logistic regression on the hidden states of one decoder layer."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AliasChoices, Field

from hiprobe.arrays import FloatArray
from hiprobe.backbones import Pooling, Reading, States
from hiprobe.errors import ProbeError, UsageError
from hiprobe.features import Extraction
from hiprobe.localize import AlarmRates, LocalizeSettings
from hiprobe.probing.adaptation import AdaptedScorer, adapt_scorer
from hiprobe.probing.dlsp import DlspResult
from hiprobe.probing.familiar import Familiar
from hiprobe.probing.formulas import Estimator, LayerBy
from hiprobe.probing.kinds import UNNAMED, EventKind, KindScorer, KindsHeader
from hiprobe.probing.permuted import Permuted
from hiprobe.probing.probe import Card, asked_rate
from hiprobe.probing.probe_file import Context, damaged, parse_header, read_probe_file, write_probe_file
from hiprobe.probing.scorer import Scorer
from hiprobe.probing.similar import CalibrationSegment, SegmentIndex
from hiprobe.version import __version__

SCHEMA = "hiprobe.probe/1"

_VECTORS = ("weights", "mean", "scale")  # the first says how long they are
_INDEX = ("basis", "points")
_CURVES = ("d_kl", "ldr", "entropy", "combined", "silhouette", "cv_auc", "stability")


@dataclass(frozen=True)
class CalibrationStats:
    """What a logistic probe was fitted on, and how well.

    Attributes
    ----------
    n_videos, n_segments, n_abnormal, n_groups : int
        Numbers of videos, of segments, of abnormal segments, and of groups.
    kinds : tuple of str
        The kinds of anomaly among them.
    cv_auc : float
        Out-of-fold AUC of the scorer on segments.
    C : float
        The chosen inverse regularisation strength.
    video_level : bool
        Whether a label of a whole clip stood for all its segments.
    source : str
        Where the labels came from.
    notes : tuple of str
        What is worth knowing about the fit, in sentences.
    """

    n_videos: int
    n_segments: int
    n_abnormal: int
    n_groups: int
    kinds: tuple[str, ...]
    cv_auc: float
    C: float
    # The files of the first releases call it by its second name.
    video_level: Annotated[bool, Field(validation_alias=AliasChoices("video_level", "clip_level"))]
    source: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class LogisticProbe:
    """The probe that ``fit`` makes: logistic regression on hidden states of one layer. Meets the Probe protocol.

    Attributes
    ----------
    reading : Reading
        What it reads, of one layer.
    scorer : Scorer
    dlsp : DlspResult
        Why this layer.
    localize : LocalizeSettings
        How scores become events.
    calibrated_threshold : float
        On the scale of smoothed scores.
    calibration : CalibrationStats
    created : str
        ISO 8601 time.
    hiprobe_version : str
    index : SegmentIndex, optional
        Calibration segments to compare with; see :meth:`similar`. Probes of earlier releases have none.
    kinds : KindScorer, optional
        What tells kinds of events apart; see :meth:`kind`. None where there is one kind only, or it was not fitted.
    alarms : AlarmRates, optional
        How many alarms an hour a threshold gives. Probes of earlier releases do not know.
    familiar : Familiar, optional
        How the pictures of the calibration look. Probes of earlier releases do not know.

    Raises
    ------
    ProbeError
        If the threshold is not finite, or ``created`` is not an ISO time.
    UsageError
        If the reading is of several layers.
    """

    reading: Reading
    scorer: Scorer
    dlsp: DlspResult
    localize: LocalizeSettings
    calibrated_threshold: float
    calibration: CalibrationStats
    created: str
    hiprobe_version: str
    index: SegmentIndex | None = None
    kinds: KindScorer | None = None
    alarms: AlarmRates | None = None
    familiar: Familiar | None = None

    def __post_init__(self) -> None:
        _ = self.reading.layer
        if not math.isfinite(self.calibrated_threshold):
            raise ProbeError(f"calibrated_threshold is {self.calibrated_threshold}; give a finite number.")
        try:
            datetime.fromisoformat(self.created)
        except ValueError as error:
            raise ProbeError(f"created is {self.created!r}; give an ISO 8601 time.") from error

    @property
    def layer(self) -> int:
        """Number of the decoder block to read, from 1."""
        return self.reading.layer

    @property
    def pooling(self) -> Pooling:
        """How a hidden state is made of the states of many tokens."""
        return self.reading.pooling

    @property
    def card(self) -> Card:
        """See :attr:`hiprobe.probing.Probe.card`."""
        fitted = self.calibration
        return Card(
            finds=f"{', '.join(fitted.kinds)}; fitted on {Path(fitted.source).name}",
            source=fitted.source,
            n_videos=fitted.n_videos,
            n_segments=fitted.n_segments,
            n_groups=fitted.n_groups,
            created=self.created,
            hiprobe_version=self.hiprobe_version,
            notes=fitted.notes,
        )

    @property
    def extraction(self) -> Extraction:
        """See :attr:`hiprobe.probing.Probe.extraction`: hidden states as they are."""
        return Extraction(self.reading)

    @property
    def scores_tokens(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.scores_tokens`: a linear score of a mean is the mean of its parts' scores.

        One that pools ``last`` has never seen a visual token, and its weights read against them say nothing.
        """
        return self.pooling in ("visual", "motion")

    @property
    def adaptable(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.adaptable`: always."""
        return True

    @property
    def probabilities(self) -> bool:
        """See :attr:`hiprobe.probing.Probe.probabilities`: they are."""
        return True

    def score(self, kept: NDArray[np.floating]) -> FloatArray:
        """See :meth:`hiprobe.probing.Probe.score`: probabilities of hidden states (n, D)."""
        return self.scorer.scores(kept)

    def token_scores(self, states: States) -> NDArray[np.float32]:
        """See :meth:`hiprobe.probing.Probe.token_scores`: (steps, rows, columns).

        Of a view of both, the weights of the whole picture count: places are its.
        """
        assert states.places is not None
        tokens = states.places.states[0]
        return tokens @ (self.scorer.weights / self.scorer.scale)[: tokens.shape[-1]].astype(np.float32)

    def adapt(
        self, states: ArrayLike, labels: ArrayLike, groups: ArrayLike, note: str, seed: int = 0
    ) -> tuple[LogisticProbe, AdaptedScorer]:
        """See :meth:`hiprobe.probing.Probe.adapt`: the scorer moves; layer, smoothing and threshold stay.

        Rates of alarms are those of the scorer before, so they are left out.
        """
        found = adapt_scorer(self.scorer, states, labels, groups, self.calibrated_threshold, seed=seed)
        calibration = dataclasses.replace(self.calibration, notes=(*self.calibration.notes, note))
        created = datetime.now(UTC).isoformat(timespec="seconds")
        adapted = dataclasses.replace(
            self,
            scorer=found.scorer,
            calibration=calibration,
            created=created,
            hiprobe_version=__version__,
            alarms=None,
        )
        return adapted, found

    def similar(self, kept: ArrayLike) -> tuple[CalibrationSegment, ...]:
        """See :meth:`hiprobe.probing.Probe.similar`."""
        if self.index is None:
            return ()
        return self.index.nearest(self.scorer.standardised(np.asarray(kept, np.float64)))

    def kind(self, kept: ArrayLike) -> EventKind | None:
        """See :meth:`hiprobe.probing.Probe.kind`.

        Where all calibration events are of one kind, an event is of that kind: the probe finds no other. Its
        probability is the mean score then, so that of an event against none.
        """
        states = np.asarray(kept, np.float64)
        if self.kinds is not None:
            return self.kinds.kind(self.scorer.standardised(states))
        if len(self.calibration.kinds) == 1 and self.calibration.kinds[0] not in UNNAMED:
            return EventKind(self.calibration.kinds[0], float(self.scorer.scores(states).mean()))
        return None

    def raised(self, threshold: float) -> LogisticProbe:
        """See :meth:`hiprobe.probing.Probe.raised`."""
        return dataclasses.replace(self, calibrated_threshold=threshold, localize=self.localize.of_probe())

    def calibrated(self, alarms: AlarmRates, note: str, familiar: Familiar | None) -> LogisticProbe:
        """See :meth:`hiprobe.probing.Probe.calibrated`."""
        threshold = alarms.threshold_for(asked_rate(alarms))
        told = dataclasses.replace(self.calibration, notes=(*self.calibration.notes, note))
        return dataclasses.replace(self.raised(threshold), alarms=alarms, calibration=told, familiar=familiar)

    def save(self, path: Path | str) -> None:
        """See :meth:`hiprobe.probing.Probe.save`."""
        header = _Header(
            schema=SCHEMA,
            context=Context.of(self.reading),
            layer=self.layer,
            pooling=self.pooling,
            bias=self.scorer.bias,
            C=self.scorer.C,
            dlsp_layers=self.dlsp.layers,
            dlsp_layer=self.dlsp.layer,
            dlsp_notes=self.dlsp.notes,
            dlsp_layer_by=self.dlsp.layer_by,
            dlsp_estimator=self.dlsp.estimator,
            dlsp_fold_layers=self.dlsp.fold_layers,
            localize=self.localize,
            calibrated_threshold=self.calibrated_threshold,
            calibration=self.calibration,
            created=self.created,
            hiprobe_version=self.hiprobe_version,
            segments=self.index.segments if self.index else (),
            kinds=KindsHeader.of(self.kinds),
            alarms=self.alarms,
            familiar=self.familiar,
        )
        tensors = {f"scorer.{name}": getattr(self.scorer, name) for name in _VECTORS}
        tensors |= {f"dlsp.{name}": getattr(self.dlsp, name) for name in _CURVES}
        if self.dlsp.permuted:
            tensors |= self.dlsp.permuted.tensors()
        # safetensors writes the memory of an array as it lies, even if that is a strided view.
        tensors = {name: np.ascontiguousarray(array, np.float64) for name, array in tensors.items()}
        if self.index:
            tensors |= {f"index.{name}": np.ascontiguousarray(getattr(self.index, name), np.float32) for name in _INDEX}
        if self.kinds:
            tensors["kinds.weights"] = np.ascontiguousarray(self.kinds.weights, np.float64)
        write_probe_file(Path(path), header, tensors)

    @classmethod
    def load(cls, path: Path | str) -> LogisticProbe:
        """Read a probe.

        Raises
        ------
        ProbeError
            If the file is missing, is no probe, was written by a newer HiProbe, or is damaged.
        """
        path = Path(path)
        text, tensors = read_probe_file(path)
        header = parse_header(path, text, _Header, SCHEMA)
        reading = header.context.reading(path, header.layer, header.pooling)
        lengths = {f"dlsp.{name}": len(header.dlsp_layers) for name in _CURVES}
        width = tensors["scorer.weights"].size if "scorer.weights" in tensors else 0
        lengths |= {f"scorer.{name}": width for name in _VECTORS}
        for name, length in lengths.items():
            _check_vector(path, name, tensors.get(name), length)
        vectors = {name: tensors[f"scorer.{name}"] for name in _VECTORS}
        curves = {name: tensors[f"dlsp.{name}"] for name in _CURVES}
        try:
            return cls(
                reading=reading,
                scorer=Scorer(**vectors, bias=header.bias, C=header.C),
                dlsp=DlspResult(
                    layers=header.dlsp_layers,
                    **curves,
                    layer=header.dlsp_layer,
                    notes=header.dlsp_notes,
                    layer_by=header.dlsp_layer_by,
                    estimator=header.dlsp_estimator,
                    fold_layers=header.dlsp_fold_layers,
                    permuted=Permuted.of_tensors(tensors, len(header.dlsp_layers)),
                ),
                localize=header.localize,
                calibrated_threshold=header.calibrated_threshold,
                calibration=header.calibration,
                created=header.created,
                hiprobe_version=header.hiprobe_version,
                index=_index(header.segments, tensors, width),
                kinds=header.kinds and header.kinds.scorer(tensors, width),
                alarms=header.alarms,
                familiar=header.familiar,
            )
        except UsageError as error:
            raise damaged(path, str(error)) from error


@dataclass(frozen=True)
class _Header:
    """The JSON of the file."""

    schema: str
    context: Context
    layer: int
    pooling: str
    bias: float
    C: float
    dlsp_layers: tuple[int, ...]
    dlsp_layer: int
    dlsp_notes: tuple[str, ...]
    localize: LocalizeSettings
    calibrated_threshold: float
    calibration: CalibrationStats
    created: str
    hiprobe_version: str
    # Optional, so that files without it are read, and releases that do not know it read files with it: still schema 1.
    segments: tuple[CalibrationSegment, ...] = ()
    kinds: KindsHeader | None = None
    dlsp_layer_by: LayerBy = "dlsp"
    dlsp_estimator: Estimator = "per-feature"
    dlsp_fold_layers: tuple[int, ...] = ()
    alarms: AlarmRates | None = None
    familiar: Familiar | None = None


def _check_vector(path: Path, name: str, array: FloatArray | None, length: int) -> None:
    if array is None:
        raise damaged(path, f"tensor {name} is missing")
    if array.shape != (length,) or array.dtype != np.float64:
        raise damaged(path, f"tensor {name} is {array.dtype} {array.shape}, expected float64 ({length},)")
    # Curves may be NaN where a metric is undefined; the scorer checks its own vectors.
    if np.isinf(array).any():
        raise damaged(path, f"tensor {name} holds infinity")


def _index(segments: tuple[CalibrationSegment, ...], tensors: dict[str, np.ndarray], width: int) -> SegmentIndex | None:
    """Return the calibration segments of a probe file, if it has any. Raises UsageError if they are damaged."""
    if not segments:
        return None
    arrays = [tensors.get(f"index.{name}") for name in _INDEX]
    if any(array is None or array.dtype != np.float32 for array in arrays):
        raise UsageError("the calibration segments' basis or points are missing, or no float32")
    index = SegmentIndex(segments, *arrays)  # pyright: ignore[reportArgumentType]
    if index.basis.shape[1] != width:
        raise UsageError(f"the basis of its calibration segments has width {index.basis.shape[1]}, not {width}")
    return index
