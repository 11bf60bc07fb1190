"""``hiprobe report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.printing import Printer


def report(
    results: Annotated[list[Path], typer.Argument(help="JSON files that detect wrote.", readable=False)],
    start_time: options.StartTime = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write.", rich_help_panel=options.OUTPUT)] = Path(
        "report.html"
    ),
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write one HTML page about results of detect; their videos are read for stills."""
    from hiprobe.report import read_json, write_report

    start = options.start_of(start_time, results)
    write_report((read_json(path) for path in results), out, start)
    Printer(quiet).line(f"report: {out}")
