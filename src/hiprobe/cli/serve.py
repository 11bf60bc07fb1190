"""``hiprobe serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.groups import Loading, feature_store, with_groups
from hiprobe.cli.printing import Printer


@with_groups
def serve(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The project's folder: its videos, and what is made of them.")
    ] = Path(),
    allow: Annotated[
        list[Path] | None,
        typer.Option(
            "--allow", metavar="FOLDER", help="A further folder to take videos from.", rich_help_panel=options.INPUT
        ),
    ] = None,
    max_upload: Annotated[
        float,
        typer.Option("--max-upload", metavar="GB", help="Of one upload.", min=0.001, rich_help_panel=options.INPUT),
    ] = 4.0,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            help="Address to listen on; any but this machine's needs a token.",
            rich_help_panel=options.OUTPUT,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="0 takes a free one.", min=0, max=65535, rich_help_panel=options.OUTPUT)
    ] = 8080,
    token: Annotated[
        str | None,
        typer.Option(
            "--token",
            envvar="HIPROBE_TOKEN",
            help="What visitors must know.",
            show_default="made up where needed",
            rich_help_panel=options.OUTPUT,
        ),
    ] = None,
    quiet: options.Quiet = False,
    model: options.Model = "embedded",
    loading: Loading = Loading(),
    features: options.Features = None,
    debug: options.Debug = False,
) -> None:
    """Review in the browser: detect, watch, agree or disagree, refit; and the HTTP API. See docs/serve.md."""
    from hiprobe.errors import UsageError

    printer = Printer(quiet)
    try:
        from hiprobe.server.project import Settings
        from hiprobe.server.running import serve as run
    except ImportError as error:
        raise UsageError(f"hiprobe serve needs {error.name}; run `pip install 'hiprobe[serve]'`.") from error
    from hiprobe.backbones import load_backbone

    settings = Settings(folder, tuple(allow or ()), max_upload=round(max_upload * 1e9))
    backbone = load_backbone(model, printer.line, loading.load_options)
    run(settings, backbone, feature_store(features), host, port, token, print)
