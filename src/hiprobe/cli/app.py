"""The application: its commands, and how errors leave it."""

from __future__ import annotations

import sys
import traceback
from typing import cast

import typer
from typer.core import TyperGroup

from hiprobe.cli.calibrate import calibrate
from hiprobe.cli.datasets import datasets
from hiprobe.cli.demo import demo
from hiprobe.cli.detect import detect
from hiprobe.cli.evaluate import evaluate
from hiprobe.cli.fit import fit
from hiprobe.cli.models import models
from hiprobe.cli.options import state
from hiprobe.cli.probes import probes
from hiprobe.cli.report import report
from hiprobe.cli.serve import serve
from hiprobe.cli.settings import Command, read_settings
from hiprobe.cli.study import study
from hiprobe.errors import HiProbeError
from hiprobe.version import __version__

app = typer.Typer(
    name="hiprobe",
    help="Find what is abnormal in video by probing the hidden states of a frozen multimodal LLM.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(cls=Command)(fit)
app.command(cls=Command)(calibrate)
app.command(cls=Command)(detect)
app.command("eval", cls=Command)(evaluate)
app.command(cls=Command)(report)
app.add_typer(probes, name="probes")
app.add_typer(models, name="models")
app.command(cls=Command)(study)
app.add_typer(datasets, name="datasets")
app.command(cls=Command)(serve)
app.command(cls=Command)(demo)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hiprobe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Find what is abnormal in video by probing the hidden states of a frozen multimodal LLM."""
    context.default_map = read_settings(cast(TyperGroup, context.command))


def main() -> None:
    """Run the command line; exit code 0, 1 (a video failed) or 2 (the caller's mistake)."""
    try:
        app()
    except HiProbeError as error:
        _end(f"{error}", error.exit_code)
    except KeyboardInterrupt:
        _end("stopped; finished videos are kept, and the next run goes on from there.", 130)
    except Exception as error:
        _end(
            f"unexpected {type(error).__name__}: {error} (run again with --debug and report what it prints)",
            1,
        )


def _end(message: str, code: int) -> None:
    if state.debug:
        traceback.print_exc()
    print(f"hiprobe: {message}", file=sys.stderr)
    sys.exit(code)
