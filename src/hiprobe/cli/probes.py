"""``hiprobe probes``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from hiprobe.cli import options
from hiprobe.cli.groups import Loading, Running, with_groups
from hiprobe.cli.printing import Printer
from hiprobe.cli.settings import Command


class _Probes(TyperGroup):
    """``hiprobe probes NAME`` is short for ``hiprobe probes show NAME``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """See click: what is no command is the name of a starter probe."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


probes = typer.Typer(
    cls=_Probes, help="List the starter probes, print the card of one, or stamp a probe anew.", no_args_is_help=False
)


@probes.command(cls=Command)
def show(
    name: Annotated[str, typer.Argument(help="Of the starter probe whose card to print.")],
    debug: options.Debug = False,
) -> None:
    """Print the card of a starter probe: its data, protocol, intended use and limits."""
    from hiprobe.probes import find_starter

    typer.echo(find_starter(name).card.rstrip())


@probes.command(cls=Command)
@with_groups
def restamp(
    probe: Annotated[Path, typer.Argument(help="The probe file of an earlier release.", readable=False)],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "--backbone",
            metavar="ID_OR_PATH",
            help="The backbone that it was fitted with.",
            rich_help_panel=options.MODEL,
        ),
    ],
    video: Annotated[
        list[Path] | None,
        typer.Option(
            help="A video that was read with the probe before, to compare with; may be given several times.",
            rich_help_panel=options.INPUT,
        ),
    ] = None,
    fps: options.Fps = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Where to write.", show_default="in place", rich_help_panel=options.OUTPUT),
    ] = None,
    quiet: options.Quiet = False,
    loading: Loading = Loading(),
    running: Running = Running(),
    debug: options.Debug = False,
) -> None:
    """Give a probe the fingerprint that its backbone has now, once it is shown to be the same backbone."""
    from hiprobe.backbones import load_backbone
    from hiprobe.pipeline.restamp import restamp as stamp
    from hiprobe.probes import load_probe
    from hiprobe.video import VideoRef

    printer = Printer(quiet)
    loaded = load_probe(probe)
    backbone = load_backbone(model, printer.line, loading.load_options, loaded.reading.layer)
    with printer.progress() as report:
        found = stamp(loaded, backbone, [VideoRef.of(item, fps) for item in video or []], running.run(report))
    found.probe.save(out or probe)
    printer.line(f"the same backbone: {found.how}")
    printer.line(f"probe: {out or probe}")


@probes.callback(invoke_without_command=True)
def starters(context: typer.Context, debug: options.Debug = False) -> None:
    """List the starter probes that come with HiProbe."""
    if context.invoked_subcommand is not None:
        return
    from hiprobe.probes import starter_probes
    from hiprobe.probing import LogisticProbe

    rows = []
    for starter in starter_probes():
        probe = LogisticProbe.load(starter.path)
        rows.append(
            (
                starter.name,
                starter.summary,
                f"{probe.layer} of {len(probe.dlsp.layers)}" if len(probe.dlsp.layers) > 1 else f"{probe.layer}, fixed",
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
