"""The probe that ``fit --normal-only`` makes: a one-class scorer of tokens, in one small file.

A safetensors file like the other probes': the scorer's arrays as float32 tensors named ``view.array``, and the rest as
one JSON string in the metadata header under the key ``hiprobe``. Nothing in it can run code.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from hiprobe.errors import ProbeError, UsageError
from hiprobe.localize import LocalizeSettings
from hiprobe.probing.context import ProbeContext, check_context
from hiprobe.probing.oneclass import MODELS, TokenModel, TokenScorer, digest
from hiprobe.probing.probe_file import Probe, damaged, parse_finite, read_probe_file, write_probe_file

SCHEMA = "hiprobe.oneclass/1"


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
    """What ``fit_normal`` makes and ``detect`` uses.

    Attributes
    ----------
    context : ProbeContext
        What it is valid for.
    site : str
        Where the tokens are read; see :class:`hiprobe.backbones.TokenSite`.
    layer : int
        Number of the block there, from 1.
    scorer : TokenScorer
    localize : LocalizeSettings
        How scores become events.
    calibrated_threshold : float
        On the scale of smoothed scores.
    calibration : OneClassStats
    created : str
        ISO 8601 time.
    hiprobe_version : str

    Raises
    ------
    ProbeError
        If the layer is less than 1, or the threshold is not finite.
    """

    context: ProbeContext
    site: str
    layer: int
    scorer: TokenScorer
    localize: LocalizeSettings
    calibrated_threshold: float
    calibration: OneClassStats
    created: str
    hiprobe_version: str

    def __post_init__(self) -> None:
        if self.layer < 1:
            raise ProbeError(f"layer is {self.layer}; blocks are counted from 1.")
        if not math.isfinite(self.calibrated_threshold):
            raise ProbeError(f"calibrated_threshold is {self.calibrated_threshold}; give a finite number.")

    @property
    def pooling(self) -> str:
        """Tokens are scored one by one; nothing is pooled."""
        return "tokens"

    @property
    def identity(self) -> str:
        """A digest of the scorer, its site and layer: scores of one probe are never taken for another's."""
        scorer = self.scorer
        numbers = (scorer.kind, scorer.top, sorted(scorer.centres.items()), sorted(scorer.scales.items()))
        text = f"{self.site} {self.layer} {numbers} {digest(scorer.models)}"
        return hashlib.sha256(text.encode()).hexdigest()

    def check(self, context: ProbeContext) -> None:
        """Check that the probe is valid for the backbone, prompt and sampling at hand; raise ProbeError if not."""
        check_context(self.context, context)

    def save(self, path: Path | str) -> None:
        """Write the probe, atomically.

        Raises
        ------
        OutputError
            If the file cannot be written.
        ProbeError
            If a number of the header is NaN or infinite.
        """
        header = _Header(
            schema=SCHEMA,
            context=self.context,
            site=self.site,
            layer=self.layer,
            kind=self.scorer.kind,
            top=self.scorer.top,
            centres=dict(self.scorer.centres),
            scales=dict(self.scorer.scales),
            localize=self.localize,
            calibrated_threshold=self.calibrated_threshold,
            calibration=self.calibration,
            created=self.created,
            hiprobe_version=self.hiprobe_version,
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
        header = _parse(path, text)
        try:
            models = {view: _model(header.kind, view, tensors) for view in header.centres}
            scorer = TokenScorer(header.kind, models, header.centres, header.scales, header.top)
            return cls(
                header.context,
                header.site,
                header.layer,
                scorer,
                header.localize,
                header.calibrated_threshold,
                header.calibration,
                header.created,
                header.hiprobe_version,
            )
        except (UsageError, KeyError) as error:
            raise damaged(path, str(error)) from error


AnyProbe = Probe | OneClassProbe
"""What ``detect`` takes."""


def read_probe(path: Path | str) -> AnyProbe:
    """Read a probe of either sort. Raises ProbeError as :meth:`Probe.load`."""
    text, _ = read_probe_file(Path(path))
    return OneClassProbe.load(path) if _schema(text) == SCHEMA else Probe.load(path)


@dataclass(frozen=True)
class _Header:
    """The JSON of a one-class probe file."""

    schema: str
    context: ProbeContext
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


def _parse(path: Path, text: str) -> _Header:
    if _schema(text) != SCHEMA:
        raise ProbeError(f"{path}: has schema {_schema(text)!r}, not {SCHEMA}; fit the probe again, or update hiprobe.")
    try:
        json.loads(text, parse_float=parse_finite, parse_constant=parse_finite)
        return TypeAdapter(_Header).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise damaged(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except (ValueError, UsageError) as error:
        raise damaged(path, f"its header: {error}") from error


def _schema(text: str) -> Any:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content.get("schema") if isinstance(content, dict) else None


def _model(kind: str, view: str, tensors: dict[str, np.ndarray]) -> TokenModel:
    if kind not in MODELS:
        raise UsageError(f"kind {kind!r} is unknown to this release")
    names = [field.name for field in dataclasses.fields(MODELS[kind])]
    arrays = {name: tensors[f"{view}.{name}"] for name in names}
    for name, array in arrays.items():
        if array.dtype != np.float32 or not np.isfinite(array).all():
            raise UsageError(f"tensor {view}.{name} is no array of finite float32 numbers")
    return MODELS[kind](**arrays)


def _tensors(scorer: TokenScorer) -> dict[str, np.ndarray]:
    return {
        f"{view}.{name}": np.ascontiguousarray(array, np.float32)
        for view, model in scorer.models.items()
        for name, array in model.arrays().items()
    }
