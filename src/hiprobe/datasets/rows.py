"""Rows of a manifest file: reading CSV and JSON Lines, and checking one row at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hiprobe.datasets.labels import NORMAL
from hiprobe.errors import ManifestError

Text = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RowFields(BaseModel):
    """The columns of a manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    path: Text
    label: Text
    start: Seconds | None = None
    end: Seconds | None = None
    group: str | None = None
    fps: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @field_validator("label")
    @classmethod
    def _one_normal(cls, label: str) -> str:
        # "Normal" as a kind of anomaly is what nobody means and nobody would notice.
        return NORMAL if label.casefold() == NORMAL else label


ALLOWED = tuple(RowFields.model_fields)
REQUIRED = tuple(name for name, field in RowFields.model_fields.items() if field.is_required())


@dataclass(frozen=True)
class Row:
    """One checked row and where it stands, as ``file:line``."""

    where: str
    path: str
    label: str
    span: tuple[float, float] | None
    group: str | None
    fps: float | None = None


def read_rows(source: Path) -> list[Row]:
    """Read and check every row of a manifest file.

    Raises
    ------
    ManifestError
        If the file cannot be read, is empty, or a row is wrong; the message names file and line.
    """
    suffix = source.suffix.lower()
    if suffix == ".csv":
        records, strict = _csv_records(source), False  # CSV holds text only: numbers are parsed from it
    elif suffix in (".jsonl", ".ndjson"):
        records, strict = _json_records(source), True
    else:
        raise ManifestError(f"{source}: is neither .csv nor .jsonl; give a manifest or a folder with normal/.")
    rows = [_check_row(where, values, strict) for where, values in records]
    if not rows:
        raise ManifestError(f"{source}: has no rows; add one per video, with {' and '.join(REQUIRED)}.")
    return rows


def _read_text(source: Path) -> str:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise ManifestError(
            f"{source}: cannot be read ({error.strerror or error}); check the path and its permissions."
        ) from error
    try:
        return content.decode("utf-8-sig")  # spreadsheets write a byte order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ManifestError(f"{source}:{line}: is not UTF-8 text; save the manifest as UTF-8.") from error


def _csv_records(source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    # newline="" as the csv module asks: a quoted path may hold a line break.
    reader = csv.reader(io.StringIO(_read_text(source), newline=""), strict=True)
    header: list[str] | None = None
    while True:
        where = f"{source}:{reader.line_num + 1}"
        try:
            fields = next(reader, None)
        except csv.Error as error:
            raise ManifestError(f"{where}: is not valid CSV ({error}); check its quotes.") from error
        if fields is None:
            return
        if not fields:
            continue  # a blank line
        if header is None:
            header = [name.strip() for name in fields]
            _check_header(where, header)
            continue
        if len(fields) > len(header):
            raise ManifestError(
                f"{where}: has {len(fields)} fields under {len(header)} columns; quote values with commas."
            )
        # An empty field is no value. Trailing ones may be left out altogether.
        yield where, {name: field for name, field in zip(header, fields, strict=False) if field.strip()}


def _check_header(where: str, header: list[str]) -> None:
    for name in header:
        if name not in ALLOWED:
            raise ManifestError(_unknown(where, name))
        if header.count(name) > 1:
            raise ManifestError(f"{where}: column {name!r} appears twice; keep one.")
    for name in REQUIRED:
        if name not in header:
            raise ManifestError(
                f"{where}: column {name!r} is missing; the first line names the columns, such as {','.join(ALLOWED)}."
            )


def _json_records(source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    # Not splitlines(): it also breaks at characters that JSON allows within a string.
    for number, line in enumerate(_read_text(source).split("\n"), start=1):
        where = f"{source}:{number}"
        if not line.strip():
            continue
        try:
            values = json.loads(line, object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError) as error:
            raise ManifestError(f"{where}: is not valid JSON ({error}); write one object per line.") from error
        if not isinstance(values, dict):
            raise ManifestError(f'{where}: is not a JSON object; write {{"path": ..., "label": ...}}.')
        yield where, values


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a key appears twice")
    return values


def _check_row(where: str, values: dict[str, Any], strict: bool) -> Row:
    try:
        fields = RowFields.model_validate(values, strict=strict)
    except ValidationError as error:
        raise ManifestError(_explain(where, error)) from error
    start, end = fields.start, fields.end
    span = None
    if start is not None and end is not None:
        span = (start, end)
        if start >= end:
            raise ManifestError(f"{where}: start {start:g} is not before end {end:g}; swap or correct them.")
    elif start is not None or end is not None:
        given, missing = ("start", "end") if end is None else ("end", "start")
        raise ManifestError(f"{where}: has {given} without {missing}; give both, in seconds, or neither.")
    if fields.label == NORMAL and span:
        raise ManifestError(
            f"{where}: a normal row has start and end; everything outside abnormal intervals is normal, so "
            "remove the row, or its start and end if the whole video is normal."
        )
    return Row(where, fields.path, fields.label, span, fields.group, fields.fps)


def _explain(where: str, error: ValidationError) -> str:
    """Say the first of pydantic's findings in one sentence."""
    first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return _unknown(where, name)
    if first["type"] in ("missing", "string_too_short"):
        return f"{where}: {name} is missing or empty; give each row one."
    remedies = dict.fromkeys(("start", "end"), "give seconds from the start of the video, such as 12.5")
    remedy = (remedies | {"fps": "give frames a second, such as 25"}).get(name, "give text")
    reason = first["msg"][0].lower() + first["msg"][1:]
    return f"{where}: {name} is {first['input']!r} ({reason}); {remedy}."


def _unknown(where: str, name: str) -> str:
    return f"{where}: column {name!r} is unknown; allowed are {', '.join(ALLOWED)}, separated by commas."
