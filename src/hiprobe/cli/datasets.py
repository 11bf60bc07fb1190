"""``hiprobe datasets``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.printing import Printer
from hiprobe.cli.settings import Command

datasets = typer.Typer(
    help="List public datasets, check a copy, and turn it or a share of it into labels.", no_args_is_help=False
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of a dataset that `hiprobe datasets` lists.")]
Root = Annotated[
    Path,
    typer.Option(
        "--root", help="Folder of your copy, in the layout of docs/datasets.md.", rich_help_panel=options.INPUT
    ),
]
Output = Annotated[
    Path, typer.Option("--out", "-o", help="The labels to write, a .csv.", rich_help_panel=options.OUTPUT)
]

_INTERVAL = 10.0
"""Seconds between two lines of progress."""


@datasets.callback(invoke_without_command=True)
def known(context: typer.Context, debug: options.Debug = False) -> None:
    """List the datasets whose official layout can be read."""
    if context.invoked_subcommand is not None:
        return
    from hiprobe.datasets import datasets as all_datasets

    printer = Printer(quiet=False)
    rows = [
        (
            item.name,
            ", ".join(f"{count} {split}" for split, count in item.counts.items()),
            item.what,
            item.terms,
            item.url,
        )
        for item in all_datasets()
    ]
    printer.table(("dataset", "videos", "what", "terms", "page"), rows)
    printer.line("How to obtain each, its layout and the traps of its labels: docs/datasets.md.")


@datasets.command(cls=Command)
def check(
    name: Name,
    root: Root,
    split: options.Split = "all",
    decode: Annotated[
        bool,
        typer.Option(
            "--decode",
            help="Decode every frame too; takes far longer.",
            rich_help_panel=options.INPUT,
            show_default=False,
        ),
    ] = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Check that a copy is whole: no video missing, unreadable, or of another length than its labels say."""
    from hiprobe.datasets import check_dataset, find_dataset
    from hiprobe.errors import DatasetError

    printer = Printer(quiet)
    dataset = find_dataset(name)
    videos = problems = 0
    spoke = time.monotonic()
    for finding in check_dataset(dataset, root, split, decode):
        videos += finding.is_video
        if finding.problem:
            problems += 1
            printer.line(f"{finding.path}: {finding.problem}")
        if time.monotonic() - spoke > _INTERVAL:
            spoke = time.monotonic()
            printer.line(f"... {videos} videos checked")
    summary = f"{videos} videos of {dataset.title} ({split}) checked"
    if problems:
        raise DatasetError(f"{root}: {summary}, problems: {problems}; mend the copy before you measure with it.")
    printer.line(f"{summary}: all there, readable, and as long as their labels say")


@datasets.command(cls=Command)
def export(
    name: Name,
    root: Root,
    output: Output,
    split: options.Split = "test",
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write a split as labels that `hiprobe fit` and `hiprobe eval` read, in seconds."""
    from hiprobe.datasets import find_dataset, write_manifest

    printer = Printer(quiet)
    dataset = find_dataset(name)
    manifest = dataset.load(root, split)
    write_manifest(manifest, output)
    abnormal = sum(video.is_abnormal for video in manifest.videos)
    printer.line(f"{output}: {len(manifest.videos)} videos, {abnormal} of them abnormal")


@datasets.command(cls=Command)
def sample(
    labels: Annotated[Path, typer.Argument(help="Labels: .csv, .jsonl, or a folder with normal/.")],
    output: Output,
    share: Annotated[
        float,
        typer.Option(
            "--share", help="Share of the videos to keep, above 0 and at most 1.", rich_help_panel=options.INPUT
        ),
    ] = 0.01,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Draw a small calibration set from many labels, stratified by kind, whole groups only."""
    from hiprobe.datasets import load_manifest, sample_calibration, write_manifest

    printer = Printer(quiet)
    manifest = load_manifest(labels)
    drawn = sample_calibration(manifest, share, seed)
    write_manifest(drawn, output)
    kept, total = len(drawn.videos), len(manifest.videos)
    abnormal = sum(video.is_abnormal for video in drawn.videos)
    printer.line(
        f"{output}: {kept} of {total} videos ({kept / total:.1%}), {abnormal} of them abnormal, "
        f"{len(drawn.groups)} of {len(manifest.groups)} groups"
    )
