"""``hiprobe study``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.groups import Loading, Running, with_groups
from hiprobe.cli.printing import Printer
from hiprobe.errors import UsageError
from hiprobe.studies.names import STUDY_NAMES

if TYPE_CHECKING:
    from hiprobe.datasets import Manifest

_NAMES = "\n\n".join(f"{name}: {question}" for name, question in STUDY_NAMES.items())


@with_groups
def study(
    name: Annotated[str, typer.Argument(help="Which one; see above.")],
    labels: Annotated[
        list[str],
        typer.Argument(
            help="Labelled videos, in the same form as for fit, or the name of a dataset, with --root; transfer takes "
            "several."
        ),
    ],
    texts: Annotated[
        int,
        typer.Option(
            "--texts", help="Videos of each class that prompts has described; 0 for none.", rich_help_panel=options.LOOK
        ),
    ] = 12,
    roots: Annotated[
        list[Path] | None,
        typer.Option(
            "--root",
            help="Folder of your copy of a dataset; as often as datasets are named, in their order.",
            rich_help_panel=options.INPUT,
        ),
    ] = None,
    split: options.Split = "all",
    fps: options.Fps = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for JSON, Markdown and SVG.", rich_help_panel=options.OUTPUT)
    ] = Path("studies"),
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    models: Annotated[
        list[str],
        typer.Option(
            "--model",
            metavar="ID_OR_PATH",
            help="As for fit; transfer takes several, and compares them.",
            rich_help_panel=options.MODEL,
        ),
    ] = ["embedded"],  # noqa: B006 - typer's defaults are values
    loading: Loading = Loading(),
    repeats: Annotated[
        int,
        typer.Option(
            "--repeats", help="Cross-validations, each with folds of its own.", rich_help_panel=options.ADVANCED
        ),
    ] = 3,
    draws: Annotated[
        int, typer.Option("--draws", help="Resamples of groups for intervals.", rich_help_panel=options.ADVANCED)
    ] = 500,
    running: Running = Running(),
    seed: options.Seed = 0,
    debug: options.Debug = False,
) -> None:
    """Run an experiment on labelled videos: a table, a figure and the numbers in a file."""
    import json

    from hiprobe.backbones import load_backbone
    from hiprobe.studies import run_study, write_study
    from hiprobe.studies.corpus import Reader
    from hiprobe.studies.protocol import StudySettings
    from hiprobe.studies.result import study_json, study_markdown

    printer = Printer(quiet or as_json)
    manifests = [manifest.with_fps(fps) for manifest in _manifests(labels, roots or [], split)]
    with printer.progress() as report:
        run = running.run(report, seed)
        backbones = [load_backbone(model, printer.line, loading.load_options) for model in models]
        readers = [Reader(backbone, run) for backbone in backbones]
        # Each is written before the next is begun, which may fail.
        for result in run_study(name, manifests, readers, StudySettings(seed, repeats, draws, texts)):
            paths = write_study(result, out)
            if as_json:
                typer.echo(json.dumps(json.loads(study_json(result))))
            else:
                printer.line(study_markdown(result))
                printer.line("written: " + ", ".join(str(path) for path in paths))


def _manifests(labels: list[str], roots: list[Path], split: str) -> list[Manifest]:
    """Load manifests; what is no path and names a dataset is read from the next root."""
    from hiprobe.datasets import datasets, find_dataset, load_manifest

    names = {dataset.name for dataset in datasets()}
    named = [word for word in labels if word in names and not Path(word).exists()]
    if len(named) != len(roots):
        raise UsageError(
            f"{len(roots)} --root for {len(named)} dataset(s) named ({', '.join(named) or 'none'}): give each dataset "
            "the folder of your copy; `hiprobe datasets` lists the names."
        )
    folders = dict(zip(named, roots, strict=True))
    return [
        replace(find_dataset(word).load(folders[word], split), source=Path(word))
        if word in folders
        else load_manifest(Path(word))
        for word in labels
    ]


study.__doc__ = f"{study.__doc__}\n\n{_NAMES}"
