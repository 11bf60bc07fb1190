"""What a person sees while a command runs and when it is done.

rich is imported where it is needed: `hiprobe --help` prints nothing of this.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hiprobe.features import Progress, ProgressReport
    from hiprobe.pipeline import Detection

_PLAIN_INTERVAL = 10.0
"""Seconds between two plain progress lines of one video."""


class Printer:
    """Prints to the terminal, plainly where there is none, and nothing when quiet."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console

        self._quiet = quiet
        self._terminal = sys.stdout.isatty()
        self._console = Console(quiet=quiet, highlight=False, soft_wrap=True)

    def line(self, text: str) -> None:
        """Print a line as it is: file names may hold brackets, which are no markup."""
        from rich.text import Text

        self._console.print(Text(text))

    def warnings(self, sentences: Sequence[str]) -> None:
        """Print warnings, each once."""
        for sentence in dict.fromkeys(sentences):
            self.line(f"warning: {sentence}")

    @contextmanager
    def progress(self) -> Iterator[ProgressReport]:
        """Yield what a run reports its progress to: a bar on a terminal, plain lines otherwise."""
        if self._quiet:
            yield lambda progress: None
        elif not self._terminal:
            yield _PlainProgress(self)
        else:
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("segments"),
                TimeRemainingColumn(),
            )
            with RichProgress(*columns, console=self._console, transient=True) as bar:
                task = bar.add_task("")

                def report(progress: Progress) -> None:
                    # Escaped by Text-free formatting: a bracket in a name must not become markup.
                    name = progress.video.path.name.replace("[", r"\[")
                    text = f"{progress.index + 1}/{progress.videos} {name}"
                    bar.update(task, description=text, completed=progress.segment, total=progress.segments)

                yield report

    def events(self, detections: Sequence[Detection]) -> None:
        """Print a table of all events, measurements before what the model said, and what could not be judged."""
        named = any(detection.provenance.probe for detection in detections)
        cells = [
            (
                detection.video.path.name,
                *([detection.provenance.probe] if named else []),
                f"{item.event.start:.1f}",
                f"{item.event.end:.1f}",
                f"{item.event.peak:.2f} at {item.event.peak_time:.1f}",
                item.evidence,
                item.said,
            )
            for detection in detections
            for item in detection.events
        ]
        if cells:
            self.table(
                ("video", *(["probe"] if named else []), "start s", "end s", "peak", "measured", "the model said"),
                cells,
            )
        else:
            self.line("no events")
        for detection in detections:
            for one in detection.unjudged:
                self.line(
                    f"not judged: {detection.video.path.name}, {one.start:.1f} to {one.end:.1f} s: {one.sentence}"
                )

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table: drawn on a terminal, padded columns otherwise."""
        if not self._terminal:
            widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
            for row in (head, *rows):
                self.line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(*head)
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._console.print(table)


class _PlainProgress:
    """A line when a video is done, and every ten seconds until then."""

    def __init__(self, printer: Printer) -> None:
        self._printer = printer
        self._spoke = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.segment < progress.segments and now - self._spoke < _PLAIN_INTERVAL:
            return
        self._spoke = now
        self._printer.line(
            f"[{progress.index + 1}/{progress.videos}] {progress.video.path.name}: "
            f"{progress.segment}/{progress.segments} segments"
        )
