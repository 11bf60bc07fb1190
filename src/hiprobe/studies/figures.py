"""Draws the plots of a study, one panel each, as one SVG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from hiprobe.studies.result import Plot

_WIDTH, _HEIGHT = 4.6, 3.3
_COLUMNS = 2


def draw(plots: Sequence[Plot], path: Path) -> None:
    """Draw plots, at least one, to an SVG file that is the same in every run."""
    columns = min(_COLUMNS, len(plots))
    rows = -(-len(plots) // columns)
    with rc_context({"svg.hashsalt": "hiprobe", "font.size": 8}):
        figure = Figure(figsize=(_WIDTH * columns, _HEIGHT * rows), layout="constrained")
        for index, plot in enumerate(plots):
            axes = figure.add_subplot(rows, columns, index + 1)
            _PAINTERS[plot.kind](axes, plot)
            axes.set(title=plot.title, xlabel=plot.xlabel, ylabel=plot.ylabel)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _lines(axes: Any, plot: Plot) -> None:
    numeric = all(isinstance(value, int | float) for value in plot.x)
    x = np.array(plot.x, dtype=float) if numeric else np.arange(len(plot.x))
    for line in plot.lines:
        (drawn,) = axes.plot(x, _floats(line.y), marker="." if len(x) < 40 else None, label=line.name)
        if line.low is not None and line.high is not None:
            axes.fill_between(x, _floats(line.low), _floats(line.high), alpha=0.2, color=drawn.get_color(), lw=0)
    if plot.log_x:
        axes.set_xscale("log", base=2)
    if not numeric or plot.log_x:
        axes.set_xticks(x, [str(value) for value in plot.x])
    if plot.mark is not None:
        axes.axvline(plot.mark, color="0.5", ls="--", lw=1)
    axes.grid(alpha=0.3)
    if len(plot.lines) > 1:
        axes.legend(frameon=False)


def _bars(axes: Any, plot: Plot) -> None:
    y, height = np.arange(len(plot.x)), 0.8 / len(plot.lines)
    for index, line in enumerate(plot.lines):
        values, places = _floats(line.y), y + index * height
        if line.low is not None and line.high is not None:
            # Dots, not bars: an AUC has no length that starts at 0.
            spread = np.abs(np.stack([values - _floats(line.low), _floats(line.high) - values]))
            axes.errorbar(values, places, xerr=spread, fmt="o", ms=4, lw=1, label=line.name)
        else:
            axes.barh(places, values, height, label=line.name)
    axes.set_yticks(y + 0.4 - height / 2, [str(value) for value in plot.x])
    axes.invert_yaxis()
    axes.grid(alpha=0.3, axis="x")
    if len(plot.lines) > 1:
        axes.legend(frameon=False)


def _matrix(axes: Any, plot: Plot) -> None:
    values = np.array([_floats(line.y) for line in plot.lines])
    axes.imshow(values, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(plot.x)), [str(value) for value in plot.x])
    axes.set_yticks(range(len(plot.lines)), [line.name for line in plot.lines])
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for (row, column), value in np.ndenumerate(values):
        color = "black" if value > middle else "white"
        axes.text(column, row, f"{value:.3f}", ha="center", va="center", color=color)


def _points(axes: Any, plot: Plot) -> None:
    for line in plot.lines:
        size, alpha = (25, 1.0) if len(line.y) < 40 else (6, 0.6)
        axes.scatter(_floats(line.low or ()), _floats(line.y), s=size, alpha=alpha, label=line.name, linewidths=0)
    if plot.log_x:
        axes.set_xscale("log", base=2)
    axes.legend(frameon=False)


def _floats(values: Sequence[float | None]) -> np.ndarray:
    return np.array([np.nan if value is None else value for value in values], dtype=float)


_PAINTERS = {"lines": _lines, "bars": _bars, "matrix": _matrix, "points": _points}
