"""``hiprobe study``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.printing import Printer
from hiprobe.studies.names import STUDY_NAMES

_NAMES = "\n\n".join(f"{name}: {question}" for name, question in STUDY_NAMES.items())


@options.with_loading
def study(
    name: Annotated[str, typer.Argument(help="Which one; see above.")],
    labels: Annotated[
        list[Path], typer.Argument(help="Labelled videos, in the same form as for fit; transfer takes several.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for JSON, Markdown and SVG.")] = Path("studies"),
    model: options.Model = "embedded",
    loading: options.Loading = options.LOADING,
    seed: Annotated[int, typer.Option("--seed", help="Of folds, draws and resamples.")] = 0,
    repeats: Annotated[int, typer.Option("--repeats", help="Cross-validations, each with folds of its own.")] = 3,
    draws: Annotated[int, typer.Option("--draws", help="Resamples of groups for intervals.")] = 500,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON Lines, not the tables.")] = False,
    fps: options.Fps = None,
    features: options.Features = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run an experiment on labelled videos: a table, a figure and the numbers in a file."""
    import json

    from hiprobe.backbones import load_backbone
    from hiprobe.datasets import load_manifest
    from hiprobe.studies import run_study, write_study
    from hiprobe.studies.corpus import Reader
    from hiprobe.studies.protocol import StudySettings
    from hiprobe.studies.result import study_json, study_markdown

    printer = Printer(quiet or as_json)
    manifests = [load_manifest(path) for path in labels]
    backbone = load_backbone(model, printer.line, loading)
    with printer.progress() as report:
        reader = Reader(backbone, options.feature_store(features), fps, report)
        results = run_study(name, manifests, reader, StudySettings(seed, repeats, draws))
    for result in results:
        paths = write_study(result, out)
        if as_json:
            typer.echo(json.dumps(json.loads(study_json(result))))
        else:
            printer.line(study_markdown(result))
            printer.line("written: " + ", ".join(str(path) for path in paths))


study.__doc__ = f"{study.__doc__}\n\n{_NAMES}"
