"""The application: its commands, and how errors leave it."""

from __future__ import annotations

import sys
import traceback

import typer

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
from hiprobe.cli.study import study
from hiprobe.errors import HiProbeError
from hiprobe.version import __version__

app = typer.Typer(
    name="hiprobe",
    help="Find what is abnormal in video by probing the hidden states of a frozen multimodal LLM.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(fit)
app.command()(detect)
app.command("eval")(evaluate)
app.command()(report)
app.command()(probes)
app.add_typer(models, name="models")
app.command()(study)
app.add_typer(datasets, name="datasets")
app.command()(serve)
app.command()(demo)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hiprobe {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Find what is abnormal in video by probing the hidden states of a frozen multimodal LLM."""


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
