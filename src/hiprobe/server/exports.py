"""Results as files: JSON, CSV, clips and the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hiprobe.server.library import Library
from hiprobe.server.results import Results


class Exports:
    """Writes what the current probe found in videos, by default in all that have a result."""

    def __init__(self, library: Library, results: Results) -> None:
        self._library, self._results = library, results

    def json(self, video_ids: Sequence[int] | None, path: Path) -> None:
        """Write a list of detections as JSON."""
        raise NotImplementedError

    def csv(self, video_ids: Sequence[int] | None, path: Path) -> None:
        """Write a row per event."""
        raise NotImplementedError

    def clips(self, video_ids: Sequence[int] | None, path: Path) -> None:
        """Write a ZIP of H.264 clips, one per event."""
        raise NotImplementedError

    def report(self, video_ids: Sequence[int] | None, path: Path) -> None:
        """Write the self-contained HTML report."""
        raise NotImplementedError
