"""Detections as files: versioned JSON, one file per video, written and read; and one CSV of all events."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from hiprobe.backbones import Pooling, Reading, Site, View
from hiprobe.errors import UsageError
from hiprobe.files import write_text
from hiprobe.localize import LocalizeSettings
from hiprobe.pipeline import Detection, Provenance
from hiprobe.sampling import Sampling

SCHEMA = "hiprobe.detection/1"

_COLUMNS = (
    "video",
    "start",
    "end",
    "peak_time",
    "peak",
    "mean",
    "explanation",
    "warnings",
    "evidence",
    "kind",
    "kind_probability",
    "probe",
)


@dataclass(frozen=True)
class _Made:
    """A provenance as files hold it: flat. What was added after schema 1 began is left out where it says nothing."""

    hiprobe_version: str
    backbone: str
    fingerprint: str
    prompt: str
    sampling: Sampling
    layer: int
    pooling: Pooling
    localize: LocalizeSettings
    probe_created: str
    probe_source: str
    site: Site = "decoder"
    frame_size: tuple[int, int] | None = None
    system: str | None = None
    view: View = "whole"
    probe: str = ""
    pixels: int | None = None

    @classmethod
    def of(cls, made: Provenance) -> _Made:
        read = made.reading
        return cls(
            hiprobe_version=made.hiprobe_version,
            backbone=read.name,
            fingerprint=read.backbone,
            prompt=read.prompt,
            sampling=read.sampling,
            layer=read.layer,
            pooling=read.pooling,
            localize=made.localize,
            probe_created=made.probe_created,
            probe_source=made.probe_source,
            site=read.site,
            frame_size=read.frame_size,
            system=read.system,
            view=read.view,
            probe=made.probe,
            pixels=read.pixels,
        )

    def provenance(self) -> Provenance:
        reading = Reading(
            backbone=self.fingerprint,
            layers=(self.layer,),
            pooling=self.pooling,
            prompt=self.prompt,
            sampling=self.sampling,
            site=self.site,
            frame_size=self.frame_size,
            system=self.system,
            view=self.view,
            name=self.backbone,
            pixels=self.pixels,
        )
        return Provenance(
            self.hiprobe_version, reading, self.localize, self.probe_created, self.probe_source, self.probe
        )

    def body(self) -> dict[str, Any]:
        first = {"site": "decoder", "view": "whole", "probe": ""} | dict.fromkeys(("frame_size", "system", "pixels"))
        body = to_jsonable_python(self)
        _drop(body["localize"], {"false_alarms": None})
        return {name: value for name, value in body.items() if name not in first or value != first[name]}


_MADE, _DETECTION = TypeAdapter(_Made), TypeAdapter(Detection)


def detection_json(detection: Detection) -> str:
    """Return a detection as JSON, with ``schema`` first; every time in it is in seconds."""
    # Maps are large and no text.
    body = to_jsonable_python(replace(detection, anomaly_map=None))
    del body["anomaly_map"]
    # What was added after schema 1 began is left out where it says nothing.
    _drop(body, {"start": None, "unjudged": []})
    for event, item in zip(body["events"], detection.events, strict=True):
        _drop(event, {"kind": None, "evidence": ""})
        # Said again when it is read: what the text says of the event follows from both.
        if item.stance not in (None, "fits"):
            event["explanation"] |= {"stance": item.stance, "shown": item.said}
    body["provenance"] = _Made.of(detection.provenance).body()
    return json.dumps({"schema": SCHEMA, **body}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _drop(body: dict[str, Any], empty: dict[str, Any]) -> None:
    """Take out of ``body`` what is as in ``empty``."""
    for name, value in empty.items():
        if body[name] == value:
            del body[name]


def parse_detection(text: str) -> Detection:
    """Return the detection that :func:`detection_json` made a text of.

    Raises
    ------
    UsageError
        If it is of another schema.
    ValueError
        If it is no JSON, or damaged.
    """
    content = json.loads(text)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise UsageError(f"has schema {schema!r}, not {SCHEMA!r}; name a JSON file that detect wrote.")
    made = _MADE.validate_python(content.get("provenance"))
    return _DETECTION.validate_python({**content, "provenance": made.provenance()})


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
        return parse_detection(path.read_text(encoding="utf-8"))
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); name a JSON file that detect wrote.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UsageError(f"{path}: is damaged ({where}: {first['msg']}); run detect again.") from error
    except ValueError as error:
        raise UsageError(f"{path}: is no JSON ({error}); name a JSON file that detect wrote.") from error


def result_path(folder: Path, video: Path, videos: Sequence[Path], probe: str = "") -> Path:
    """Return where the JSON of a video goes: its stem, a number where several videos share one, and the probe's name.

    The probe is named where several ran together: ``night.fight.json``.
    """
    same = [other for other in videos if other.stem == video.stem]
    suffix = f"-{same.index(video) + 1}" if len(same) > 1 else ""
    return folder / f"{video.stem}{suffix}{f'.{probe}' if probe else ''}.json"


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
            # A row is read without the JSON beside it, so what must be known about the text goes with it.
            cells = (f"{value:.4f}" for value in numbers)
            kind = (item.kind.name, f"{item.kind.probability:.4f}") if item.kind else ("", "")
            words = (item.said, " ".join(detection.warnings), item.evidence)
            self._writer.writerow([detection.video.path, *cells, *words, *kind, detection.provenance.probe])

    def write(self, path: Path) -> None:
        """Write the file, atomically. Raises OutputError if it cannot be written."""
        write_text(path, self._buffer.getvalue())
