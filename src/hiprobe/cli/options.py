"""Options that several commands share, each declared once, and the panels that help shows options in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hiprobe.errors import UsageError

LOOK = "What to look for"
INPUT = "Input"
OUTPUT = "Output"
MODEL = "Model"
ADVANCED = "Advanced"

PANELS = (LOOK, INPUT, OUTPUT, MODEL, ADVANCED)
"""In the order of the help."""


@dataclass
class State:
    """What a run is set to, beyond its command's own options."""

    debug: bool = False


state = State()


def _debug(value: bool) -> bool:
    state.debug = state.debug or value
    return value


def choices(*words: str) -> Callable[[], list[str]]:
    """Return what completes an option in a shell. The library checks the value, with a sentence of its own."""
    return lambda: list(words)


Probes = Annotated[
    list[str] | None,
    typer.Option(
        "--probe",
        "-p",
        help="A probe file that fit wrote, or the name of a starter probe (see `hiprobe probes`). Given several times, "
        "all of them detect in one pass.",
        rich_help_panel=LOOK,
    ),
]

Fps = Annotated[
    float | None,
    typer.Option("--fps", help="Frames per second, for videos that are folders of images.", rich_help_panel=INPUT),
]
StartTime = Annotated[
    str | None,
    typer.Option(
        "--start-time",
        metavar="TIME",
        help="When the video began, for the time of day in the report: 2026-03-01T22:00:00, with +01:00 or Z if known.",
        show_default="what the file says",
        rich_help_panel=INPUT,
    ),
]
Split = Annotated[
    str,
    typer.Option(
        "--split",
        metavar="train|test|all",
        autocompletion=choices("train", "test", "all"),
        help="Of a dataset.",
        rich_help_panel=INPUT,
    ),
]

Json = Annotated[
    bool,
    typer.Option(
        "--json", help="Print JSON, in place of what a person reads.", rich_help_panel=OUTPUT, show_default=False
    ),
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=OUTPUT, show_default=False)
]

Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="ID_OR_PATH",
        help="The backbone: embedded, a checkpoint's ID on the hub, or its folder.",
        rich_help_panel=MODEL,
    ),
]
Revision = Annotated[
    str | None, typer.Option("--revision", help="Branch, tag or commit on the hub.", rich_help_panel=MODEL)
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline", help="Never ask the network for a checkpoint.", rich_help_panel=MODEL, show_default=False
    ),
]

Features = Annotated[
    Path | None,
    typer.Option(
        "--features",
        metavar="FOLDER",
        help="Folder that keeps hidden states between runs.",
        show_default="in the cache folder",
        rich_help_panel=ADVANCED,
    ),
]
Seed = Annotated[
    int,
    typer.Option("--seed", help="Of all that is drawn: the same seed draws the same.", rich_help_panel=ADVANCED),
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Let code that comes with a checkpoint run. Dangerous.",
        rich_help_panel=ADVANCED,
        show_default=False,
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        callback=_debug,
        is_eager=True,
        help="Show tracebacks of errors.",
        rich_help_panel=ADVANCED,
        show_default=False,
    ),
]


def start_of(given: str | None, videos: Sequence[Path]) -> datetime | None:
    """Return --start-time as a time. Raises UsageError if it is none, or is given for several videos."""
    if given is None:
        return None
    if len(videos) > 1:
        raise UsageError(f"--start-time is of one video, and there are {len(videos)}; run them one by one.")
    try:
        return datetime.fromisoformat(given)
    except ValueError as error:
        raise UsageError(f"--start-time {given!r}: give a date and time such as 2026-03-01T22:00:00.") from error
