"""Results as files: JSON, CSV, clips and the report."""

from __future__ import annotations

import json as jsonlib
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from hiprobe.errors import NotFoundError
from hiprobe.files import atomic_path, write_text
from hiprobe.pipeline import Detection
from hiprobe.report import EventCsv, detection_json, write_event_clips, write_report
from hiprobe.server.library import Library
from hiprobe.server.results import Results
from hiprobe.server.safety import safe_name


class Exports:
    """Writes what the current probe found in some videos, by default in all that it has looked at.

    Every method takes the ids of videos and the path of the file, and raises NotFoundError where there is no result,
    and OutputError if the file cannot be written.

    Parameters
    ----------
    library : Library
    results : Results
    """

    def __init__(self, library: Library, results: Results) -> None:
        self._library, self._results = library, results

    def json(self, video_ids: Sequence[int] | None, path: Path) -> None:
        """Write a list of what ``hiprobe detect`` writes per video."""
        bodies = [jsonlib.loads(detection_json(found)) for _, found in self._found(video_ids)]
        write_text(path, jsonlib.dumps(bodies, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def csv(self, video_ids: Sequence[int] | None, path: Path) -> None:
        """Write a row per event, as ``hiprobe detect`` does."""
        events = EventCsv()
        for _, found in self._found(video_ids):
            events.add(found)
        events.write(path)

    def clips(self, video_ids: Sequence[int] | None, path: Path) -> None:
        """Write a ZIP of H.264 clips, one per event with a margin.

        Raises UsageError if a video is gone or replaced by a link, and VideoError if it cannot be decoded.
        """
        with (
            tempfile.TemporaryDirectory(prefix="hiprobe-clips-") as folder,
            atomic_path(path) as temporary,
            zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive,
        ):
            for number, found in self._found(video_ids):
                video = self._library.open(number).path
                name = f"{number}-{Path(safe_name(video.name)).stem}"
                for clip in write_event_clips(_of(found, video), Path(folder), name):
                    archive.write(clip, clip.name)
                    clip.unlink()

    def report(self, video_ids: Sequence[int] | None, path: Path) -> None:
        """Write the self-contained HTML report. Raises UsageError if a video is gone or replaced by a link."""
        results = self._found(video_ids)
        write_report((_of(found, self._library.open(number).path) for number, found in results), path)

    def _found(self, video_ids: Sequence[int] | None) -> list[tuple[int, Detection]]:
        """Return what was found, by the id of the video."""
        if video_ids is None:
            found = [(video.id, self._results.find(video.id)) for video in self._library.list()]
        else:
            found = [(number, self._results.get(number)) for number in video_ids]
        results = [(number, item) for number, item in found if item is not None]
        if not results:
            raise NotFoundError("There is no result to export yet; run a detection first.")
        return results


def _of(found: Detection, path: Path) -> Detection:
    """Return a detection of the video where it is now: the project may have moved, and no other path was checked."""
    return replace(found, video=replace(found.video, path=path))
