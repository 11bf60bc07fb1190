"""Detections as files: versioned JSON, one file per video, written and read; and one CSV of all events."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from hiprobe.errors import UsageError
from hiprobe.files import write_text
from hiprobe.pipeline.detect import Detection

SCHEMA = "hiprobe.detection/1"

_COLUMNS = ("video", "start", "end", "peak_time", "peak", "mean", "explanation", "warnings")


def detection_json(detection: Detection) -> str:
    """Return a detection as JSON, with ``schema`` first; every time in it is in seconds."""
    # Maps are large and no text.
    body = to_jsonable_python(replace(detection, anomaly_map=None))
    del body["anomaly_map"]
    return json.dumps({"schema": SCHEMA, **body}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(detection: Detection, path: Path) -> None:
    """Write a detection as JSON, atomically. Raises OutputError if it cannot be written."""
    write_text(path, detection_json(detection))


def read_json(path: Path) -> Detection:
    """Read a detection that :func:`write_json` wrote.

    Raises
    ------
    UsageError
        If there is none at ``path``, or it is damaged or of another schema.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content.get("schema") if isinstance(content, dict) else None
        if schema != SCHEMA:
            raise UsageError(f"{path}: has schema {schema!r}, not {SCHEMA!r}; name a JSON file that detect wrote.")
        return TypeAdapter(Detection).validate_python(content)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); name a JSON file that detect wrote.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path}: is damaged ({where}: {first['msg']}); run detect again.") from error
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON ({error}); name a JSON file that detect wrote.") from error


def result_path(folder: Path, video: Path, videos: Sequence[Path]) -> Path:
    """Return where the JSON of a video goes: its stem, and a number where several videos share one."""
    same = [other for other in videos if other.stem == video.stem]
    suffix = f"-{same.index(video) + 1}" if len(same) > 1 else ""
    return folder / f"{video.stem}{suffix}.json"


class EventCsv:
    """Collects the events of several videos and writes them as one CSV."""

    def __init__(self) -> None:
        self._buffer = io.StringIO()
        self._writer = csv.writer(self._buffer, lineterminator="\n")
        self._writer.writerow(_COLUMNS)

    def add(self, detection: Detection) -> None:
        """Add a row per event of a detection; times in seconds."""
        for item in detection.events:
            event = item.event
            numbers = (event.start, event.end, event.peak_time, event.peak, event.mean)
            text = item.explanation.text if item.explanation else ""
            # A row is read without the JSON beside it, so what must be known about the text goes with it.
            cells = (f"{value:.4f}" for value in numbers)
            self._writer.writerow([detection.video.path, *cells, text, " ".join(detection.warnings)])

    def write(self, path: Path) -> None:
        """Write the file, atomically. Raises OutputError if it cannot be written."""
        write_text(path, self._buffer.getvalue())
