"""The file of a probe: everything that detection needs to know, in one small file.

A safetensors file: arrays as tensors, and the rest as one JSON string in the metadata header under the key ``hiprobe``.
Nothing in it can run code. Each sort of probe has a schema of its own.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
import safetensors.numpy
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open

from hiprobe.backbones import Pooling, Reading, Site, View
from hiprobe.errors import ProbeError, UsageError
from hiprobe.files import atomic_path
from hiprobe.sampling import Sampling

KEY = "hiprobe"
"""Of the JSON in a probe file's metadata."""

Header = TypeVar("Header")


@dataclass(frozen=True)
class Context:
    """A reading as files hold it, beside layer and pooling; what was added after schema 1 began may be missing."""

    backbone_name: str
    fingerprint: str
    prompt: str
    segment_length: float
    stride: float
    frames: int
    frame_size: tuple[int, int] | None = None
    system: str | None = None
    view: View = "whole"
    pixels: int | None = None

    @classmethod
    def of(cls, reading: Reading) -> Context:
        """Return the context of a reading."""
        cut = reading.sampling
        return cls(
            reading.name,
            reading.backbone,
            reading.prompt,
            cut.length,
            cut.stride,
            cut.frames,
            reading.frame_size,
            reading.system,
            reading.view,
            reading.pixels,
        )

    def reading(self, path: Path, layer: int, pooling: str, site: str = "decoder") -> Reading:
        """Return the reading of one layer by the probe at ``path``.

        Raises
        ------
        ProbeError
            If the layer is less than 1, the sampling is none, or this release does not know the pooling or the site.
        """
        if layer < 1:
            raise damaged(path, f"layer is {layer}; blocks are counted from 1")
        for does, value, known in (("pools by", pooling, get_args(Pooling)), ("reads at", site, get_args(Site))):
            if value not in known:
                raise ProbeError(f"{path}: {does} {value!r}, which this release does not know; update hiprobe.")
        try:
            sampling = Sampling(self.segment_length, self.stride, self.frames)
        except UsageError as error:
            raise damaged(path, str(error)) from error
        return Reading(
            backbone=self.fingerprint,
            layers=(layer,),
            pooling=pooling,  # pyright: ignore[reportArgumentType]
            prompt=self.prompt,
            sampling=sampling,
            site=site,  # pyright: ignore[reportArgumentType]
            frame_size=self.frame_size,
            system=self.system,
            view=self.view,
            name=self.backbone_name,
            pixels=self.pixels,
        )


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
        text = json.dumps(_body(header), allow_nan=False)
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


def schema_of(text: str) -> Any:
    """Return the schema that the JSON text of a probe file names; None if it names none."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    return content.get("schema") if isinstance(content, dict) else None


def parse_header(path: Path, text: str, kind: type[Header], schema: str) -> Header:
    """Return the JSON text of a probe file as a header of a kind, a dataclass with ``schema``.

    Raises
    ------
    ProbeError
        If it is of another schema, or damaged.
    """
    try:
        json.loads(text, parse_float=_finite, parse_constant=_finite)
    except ValueError as error:
        raise damaged(path, f"its header: {error}") from error
    found = schema_of(text)
    wanted, version = (re.fullmatch(r"(.*)/(\d+)", str(name)) for name in (schema, found))
    if wanted and version and version[1] == wanted[1] and int(version[2]) > int(wanted[2]):
        raise ProbeError(f"{path}: was written by a newer HiProbe (schema {found}); update hiprobe.")
    if found != schema:
        raise ProbeError(f"{path}: has schema {found!r}, not {schema}; fit the probe again, or update hiprobe.")
    try:
        return TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        raise damaged(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except UsageError as error:  # from the settings' own checks
        raise damaged(path, str(error)) from error


def _body(header: Any) -> dict[str, Any]:
    """Return a header as JSON holds it; what was never given is left out, as in files of earlier releases."""
    body = dataclasses.asdict(header)
    for name, first in (("frame_size", None), ("system", None), ("view", "whole"), ("pixels", None)):
        if body["context"][name] == first:
            del body["context"][name]
    for part, names in ((body["localize"], ("false_alarms",)), (body, ("alarms", "kinds", "familiar"))):
        for name in names:
            if part.get(name, ...) is None:
                del part[name]
    return body


def _finite(number: str) -> float:
    """Return a number of the header; ValueError for NaN, Infinity, and what is too large for a float."""
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number} is no finite number")
    return value


def damaged(path: Path, what: str) -> ProbeError:
    """Return the error of a probe file that holds something wrong."""
    return ProbeError(f"{path}: is damaged: {what.rstrip('.')}; copy it again, or fit the probe again.")
