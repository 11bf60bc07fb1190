"""The probe: everything that detection needs to know, in one small file.

A safetensors file: arrays as float64 tensors, and the rest as one JSON string in the metadata header
under the key ``hiprobe``. Nothing in it can run code.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import ArrayLike
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from hiprobe.arrays import FloatArray
from hiprobe.errors import ProbeError, UsageError
from hiprobe.files import atomic_path
from hiprobe.localize import LocalizeSettings
from hiprobe.probing.context import CalibrationStats, ProbeContext, check_context
from hiprobe.probing.dlsp import DlspResult
from hiprobe.probing.scorer import Scorer
from hiprobe.probing.similar import CalibrationSegment, SegmentIndex

SCHEMA = "hiprobe.probe/1"

KEY = "hiprobe"
"""Of the JSON in a probe file's metadata."""

_VERSION = 1
_VECTORS = ("weights", "mean", "scale")  # the first says how long they are
_INDEX = ("basis", "points")
_CURVES = ("d_kl", "ldr", "entropy", "combined", "silhouette", "cv_auc", "stability")


@dataclass(frozen=True, eq=False)
class Probe:
    """What ``fit`` makes and ``detect`` uses.

    Attributes
    ----------
    context : ProbeContext
        What it is valid for; see :meth:`check`.
    layer : int
        Number of the decoder block to read, from 1.
    pooling : str
        How a hidden state is made of the states of many tokens.
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

    Raises
    ------
    ProbeError
        If the layer is less than 1, the threshold is not finite, or ``created`` is not an ISO time.
    """

    context: ProbeContext
    layer: int
    pooling: str
    scorer: Scorer
    dlsp: DlspResult
    localize: LocalizeSettings
    calibrated_threshold: float
    calibration: CalibrationStats
    created: str
    hiprobe_version: str
    index: SegmentIndex | None = None

    def __post_init__(self) -> None:
        if self.layer < 1:
            raise ProbeError(f"layer is {self.layer}; decoder blocks are counted from 1.")
        if not math.isfinite(self.calibrated_threshold):
            raise ProbeError(f"calibrated_threshold is {self.calibrated_threshold}; give a finite number.")
        try:
            datetime.fromisoformat(self.created)
        except ValueError as error:
            raise ProbeError(f"created is {self.created!r}; give an ISO 8601 time.") from error

    def check(self, context: ProbeContext) -> None:
        """Check that the probe is valid for the backbone, prompt and sampling at hand.

        Raises
        ------
        ProbeError
            If not, with everything that differs.
        """
        check_context(self.context, context)

    def similar(self, state: ArrayLike) -> tuple[CalibrationSegment, ...]:
        """Return the calibration segments nearest to a hidden state (D,), nearest first; none if none are kept."""
        if self.index is None:
            return ()
        return self.index.nearest(self.scorer.standardised(np.asarray(state, np.float64)))

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
            layer=self.layer,
            pooling=self.pooling,
            bias=self.scorer.bias,
            C=self.scorer.C,
            dlsp_layers=self.dlsp.layers,
            dlsp_layer=self.dlsp.layer,
            dlsp_notes=self.dlsp.notes,
            localize=self.localize,
            calibrated_threshold=self.calibrated_threshold,
            calibration=self.calibration,
            created=self.created,
            hiprobe_version=self.hiprobe_version,
            segments=self.index.segments if self.index else (),
        )
        tensors = {f"scorer.{name}": getattr(self.scorer, name) for name in _VECTORS}
        tensors |= {f"dlsp.{name}": getattr(self.dlsp, name) for name in _CURVES}
        # safetensors writes the memory of an array as it lies, even if that is a strided view.
        tensors = {name: np.ascontiguousarray(array, np.float64) for name, array in tensors.items()}
        if self.index:
            tensors |= {f"index.{name}": np.ascontiguousarray(getattr(self.index, name), np.float32) for name in _INDEX}
        write_probe_file(Path(path), header, tensors)

    @classmethod
    def load(cls, path: Path | str) -> Probe:
        """Read a probe.

        Raises
        ------
        ProbeError
            If the file is missing, is no probe, was written by a newer HiProbe, or is damaged.
        """
        path = Path(path)
        text, tensors = read_probe_file(path)
        header = _parse(path, text)
        lengths = {f"dlsp.{name}": len(header.dlsp_layers) for name in _CURVES}
        width = tensors["scorer.weights"].size if "scorer.weights" in tensors else 0
        lengths |= {f"scorer.{name}": width for name in _VECTORS}
        for name, length in lengths.items():
            _check_vector(path, name, tensors.get(name), length)
        vectors = {name: tensors[f"scorer.{name}"] for name in _VECTORS}
        curves = {name: tensors[f"dlsp.{name}"] for name in _CURVES}
        try:
            return cls(
                context=header.context,
                layer=header.layer,
                pooling=header.pooling,
                scorer=Scorer(**vectors, bias=header.bias, C=header.C),
                dlsp=DlspResult(layers=header.dlsp_layers, **curves, layer=header.dlsp_layer, notes=header.dlsp_notes),
                localize=header.localize,
                calibrated_threshold=header.calibrated_threshold,
                calibration=header.calibration,
                created=header.created,
                hiprobe_version=header.hiprobe_version,
                index=_index(header.segments, tensors, width),
            )
        except UsageError as error:
            raise damaged(path, str(error)) from error


@dataclass(frozen=True)
class _Header:
    """The JSON of a probe file."""

    schema: str
    context: ProbeContext
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


def write_probe_file(path: Path, header: Any, tensors: dict[str, np.ndarray]) -> None:
    """Write a header, a dataclass, and contiguous tensors as a probe file, atomically.

    Raises
    ------
    OutputError
        If the file cannot be written.
    ProbeError
        If a number of the header is NaN or infinite.
    """
    try:
        text = json.dumps(dataclasses.asdict(header), allow_nan=False)
    except ValueError as error:
        raise ProbeError(f"{path}: a number of the probe is NaN or infinite; fit it again.") from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.numpy.save(tensors, metadata={KEY: text}))


def read_probe_file(path: Path) -> tuple[str, dict[str, np.ndarray]]:
    """Return the JSON text and the tensors of a probe file."""
    if path.is_dir():
        raise ProbeError(f"{path}: is a folder; name a probe file.")
    try:
        # safe_open reports a file that may not be read as one that is not there.
        path.open("rb").close()
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(KEY)
            if text is None:
                raise ProbeError(f"{path}: is not a probe; name a file that `hiprobe fit` wrote.")
            return text, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise ProbeError(f"{path}: there is no such probe; run `hiprobe fit` or correct the path.") from error
    except OSError as error:
        raise ProbeError(f"{path}: cannot be read ({error.strerror or error}); name a probe file.") from error
    except (SafetensorError, TypeError, ValueError) as error:
        raise ProbeError(
            f"{path}: is not a probe, or is damaged ({error}); name a file that `hiprobe fit` wrote."
        ) from error


def _parse(path: Path, text: str) -> _Header:
    try:
        content = json.loads(text, parse_float=parse_finite, parse_constant=parse_finite)
    except ValueError as error:
        raise damaged(path, f"its header: {error}") from error
    schema = content.get("schema") if isinstance(content, dict) else None
    version = re.fullmatch(r"hiprobe\.probe/(\d+)", str(schema))
    if version and int(version[1]) > _VERSION:
        raise ProbeError(f"{path}: was written by a newer HiProbe (schema {schema}); update hiprobe.")
    if schema != SCHEMA:
        raise ProbeError(f"{path}: has schema {schema!r}, not {SCHEMA}; fit the probe again.")
    try:
        return TypeAdapter(_Header).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise damaged(path, f"{where}: {first['msg']}") from error
    except UsageError as error:  # from the settings' own checks
        raise damaged(path, str(error)) from error


def parse_finite(number: str) -> float:
    """Return a number of the header; ValueError for NaN, Infinity, and what is too large for a float."""
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number} is no finite number")
    return value


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


def damaged(path: Path, what: str) -> ProbeError:
    """Return the error of a probe file that holds something wrong."""
    return ProbeError(f"{path}: is damaged: {what.rstrip('.')}; copy it again, or fit the probe again.")
