"""Tables and bars of methods side by side, with the difference from a reference."""

from __future__ import annotations

from collections.abc import Sequence

from hiprobe.studies.protocol import Measured, band
from hiprobe.studies.result import Cell, Line, Plot, Table, ranged

HOW = (
    "Pooled frame AUC of held-out videos: cross-validation by group, everything chosen within the fitting folds; "
    "mean of the repeats. Intervals: 95%, bootstrap over groups, the same resamples for every row."
)


def comparison(
    title: str, methods: Sequence[Measured], reference: Measured, more: dict[str, Sequence[Cell]] | None = None
) -> tuple[Table, Plot]:
    """Return a table with a row a method, its AUC and the difference from the reference, and bars.

    ``more`` holds further columns, a cell a method each.
    """
    columns = more or {}
    rows: list[tuple[Cell, ...]] = []
    for index, method in enumerate(methods):
        if method is reference:
            difference = "reference"
        else:
            difference = ranged(method.auc - reference.auc, band(method.resampled - reference.resampled))
        extra = [cells[index] for cells in columns.values()]
        rows.append((method.name, ranged(method.auc, method.interval), difference, *extra))
    low, high = zip(*(method.interval for method in methods), strict=True)
    table = Table(title, ("method", "frame AUC", f"difference from {reference.name}", *columns), tuple(rows))
    bars = Line("frame AUC", tuple(method.auc for method in methods), low, high)
    return table, Plot(title, "frame AUC", "", tuple(method.name for method in methods), (bars,), "bars")
