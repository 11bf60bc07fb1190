"""``hiprobe models``."""

from __future__ import annotations

from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.groups import Loading, with_groups
from hiprobe.cli.printing import Printer
from hiprobe.cli.settings import Command
from hiprobe.sampling import Sampling

models = typer.Typer(help="List backbones, fetch one ahead, or check that one is read rightly.", no_args_is_help=False)

Name = Annotated[str, typer.Argument(metavar="ID_OR_PATH", help="The hub's ID of a checkpoint, or its folder.")]


@models.callback(invoke_without_command=True)
def suggested(context: typer.Context, debug: options.Debug = False) -> None:
    """List families and suggested checkpoints."""
    if context.invoked_subcommand is not None:
        return
    from hiprobe.backbones.catalogue import SUGGESTED, WITHOUT_TORCHVISION, has_torchvision

    printer = Printer(quiet=False)
    printer.line("embedded: the default; runs on a CPU, needs no hub. Measured here: docs/measurements.md.")
    rows = [
        (
            item.checkpoint,
            item.family,
            f"{item.parameters:.2f} B",
            f"{item.download:.1f} GB",
            f"{item.memory:.1f} GB",
            f"{item.layers} x {item.width}",
            f"{item.tokens_here}",
            item.licence,
            "no",
        )
        for item in SUGGESTED
    ]
    head = (
        "checkpoint",
        "family",
        "parameters",
        "download",
        "bfloat16",
        "layers",
        "tokens/8 frames",
        "licence",
        "measured here",
    )
    printer.table(head, rows)
    if not has_torchvision():
        printer.line(f"torchvision is not installed: {WITHOUT_TORCHVISION}.")
    printer.line(
        "Other checkpoints work too if transformers loads them with AutoModelForImageTextToText; "
        "`hiprobe models check ID_OR_PATH` says so."
    )


@models.command(cls=Command)
def pull(
    name: Name,
    quiet: options.Quiet = False,
    revision: options.Revision = None,
    offline: options.Offline = False,
    trust_remote_code: options.TrustRemoteCode = False,
    debug: options.Debug = False,
) -> None:
    """Fetch a checkpoint into the hub's cache, so that no network is needed later."""
    from hiprobe.backbones.checkpoint import find_checkpoint
    from hiprobe.backbones.options import LoadOptions

    printer = Printer(quiet)
    loading = LoadOptions(revision=revision, offline=offline, trust_remote_code=trust_remote_code)
    folder = find_checkpoint(name, loading, printer.line, complete=True)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    printer.line(f"{name}: {size / 1e9:.2f} GB in {folder}")


@models.command(cls=Command)
@with_groups
def check(
    name: Name,
    frames: Annotated[
        int, typer.Option(min=1, help="Frames a segment, K, as of fit.", rich_help_panel=options.MODEL)
    ] = Sampling().frames,
    quiet: options.Quiet = False,
    loading: Loading = Loading(),
    debug: options.Debug = False,
) -> None:
    """Load a checkpoint and check that its hidden states are read rightly; print a verdict."""
    from hiprobe.backbones.checking import check_checkpoint
    from hiprobe.errors import BackboneError

    printer = Printer(quiet)
    failed = []
    for finding in check_checkpoint(name, loading.load_options, printer.line, frames):
        printer.line(str(finding))
        if finding.passed is False:
            failed.append(finding.name)
    if failed:
        raise BackboneError(f"{name}: do not rely on its hidden states; these checks failed: {', '.join(failed)}.")
    printer.line(f"{name}: its hidden states are read rightly; use it with --model {name}.")
