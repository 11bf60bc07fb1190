"""``hiprobe probes``."""

from __future__ import annotations

from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.printing import Printer


def probes(
    name: Annotated[str | None, typer.Argument(help="Of the starter probe whose card to print.")] = None,
    debug: options.Debug = False,
) -> None:
    """List the starter probes that come with HiProbe, or print the card of one."""
    from hiprobe.probes import find_starter, starter_probes
    from hiprobe.probing import LogisticProbe

    if name is not None:
        typer.echo(find_starter(name).card.rstrip())
        return
    rows = []
    for starter in starter_probes():
        probe = LogisticProbe.load(starter.path)
        rows.append(
            (
                starter.name,
                starter.summary,
                f"{probe.layer} of {len(probe.dlsp.layers)}",
                f"{starter.auc:.3f} of {starter.auc_of}",
                f"{starter.false_alarms_per_hour:.0f}",
                f"{probe.reading.name} {probe.reading.backbone[:12]}",
            )
        )
    printer = Printer(quiet=False)
    if not rows:
        printer.line("no starter probe is installed")
        return
    printer.table(("probe", "finds", "layer", "cross-validated AUC", "false alarms/h", "backbone"), rows)
    printer.line("`hiprobe probes NAME` prints the card of one: its data, protocol, intended use and limits.")
