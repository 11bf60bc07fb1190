"""What a study returns: tables and plots as plain numbers, as JSON and as Markdown."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = "hiprobe.study/1"

Cell = str | int | float | None
"""None is an undefined number."""


@dataclass(frozen=True)
class Table:
    """A table; numbers are rounded where they are printed only."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """Return the table in Markdown."""
        lines = [self.head, ("---",) * len(self.head), *([shown(cell) for cell in row] for row in self.rows)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


@dataclass(frozen=True)
class Line:
    """A curve over the plot's x, with a band where one was measured; None where it is undefined."""

    name: str
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] | None = None
    high: tuple[float | None, ...] | None = None


@dataclass(frozen=True)
class Plot:
    """One panel of the figure.

    Attributes
    ----------
    kind : {"lines", "bars", "matrix", "points"}
        ``bars``: a bar for each x of each line, or a dot with its interval where there is one. ``matrix``: the lines
        are its rows. ``points``: a line holds the second coordinates, and its ``low`` the first.
    x : tuple
        Numbers or names.
    mark : float, optional
        An x to be marked, such as l*.
    """

    title: str
    xlabel: str
    ylabel: str
    x: tuple[Cell, ...]
    lines: tuple[Line, ...]
    kind: Literal["lines", "bars", "matrix", "points"] = "lines"
    mark: float | None = None
    log_x: bool = False


@dataclass(frozen=True)
class StudyResult:
    """The result of a study on one or more corpora.

    Attributes
    ----------
    study : str
        Its name.
    on : tuple of str
        Names of the corpora.
    tables : tuple of Table
    plots : tuple of Plot
    notes : tuple of str
        How it was measured, and what is undefined, in sentences.
    settings : dict
        What it was run with: backbone, sampling, seed and so on.
    """

    study: str
    on: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...]
    notes: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """What its files are named."""
        return "-".join((self.study, *self.on))


def study_json(result: StudyResult) -> str:
    """Return a result as JSON, with ``schema`` first."""
    body = {"schema": SCHEMA, **dataclasses.asdict(result)}
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def study_markdown(result: StudyResult) -> str:
    """Return a result's tables and notes as Markdown."""
    parts = [f"# {result.study}: {', '.join(result.on)}"]
    parts += [f"{table.title}\n\n{table.markdown()}" for table in result.tables]
    parts += [f"- {note}" for note in result.notes]
    return "\n\n".join(parts) + "\n"


def shown(cell: Cell) -> str:
    """Return a cell as it is printed."""
    if cell is None:
        return "undefined"
    if isinstance(cell, float):
        return f"{cell:.3f}"
    # What a backbone says may break a line, or hold what parts columns.
    return " ".join(str(cell).splitlines()).replace("|", "\\|")


def ranged(value: float, band: Sequence[float]) -> str:
    """Return a number with its interval."""
    return f"{value:.3f} ({band[0]:.3f} to {band[1]:.3f})"
