"""Options of fit that say how videos are cut and read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import typer

from hiprobe.backbones.base import BackboneInfo
from hiprobe.backbones.reading import CHOICES, VIEWS, Reading
from hiprobe.cli import options
from hiprobe.cli.groups import given
from hiprobe.errors import UsageError

PUBLISHED = "published"
"""In place of a system message: that of the backbone's makers."""


@dataclass(frozen=True)
class ReadingOptions:
    """How videos are cut into segments, and what the backbone is asked of each.

    What is not given is as the kept probe has it, or the backbone.
    """

    prompt: Annotated[
        str | None,
        typer.Option(
            help="The text given with the frames.",
            show_default="the kept probe's; a general question in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    system: Annotated[
        str | None,
        typer.Option(
            help="System message; 'published' is that of the backbone's makers.",
            show_default="the kept probe's; none, or the chat template's, in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    pooling: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(CHOICES),
            autocompletion=options.choices(*CHOICES),
            help="Which tokens of a segment are read: the last, the mean of the visual ones, that by motion, or the "
            "last and the observer's.",
            show_default="the kept probe's; the backbone's own in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    view: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(VIEWS),
            autocompletion=options.choices(*VIEWS),
            help="How much of the picture is read: all, a closer crop of what changes most, or both.",
            show_default="the kept probe's; whole in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    length: Annotated[
        float | None,
        typer.Option(
            "--segment",
            metavar="SECONDS",
            help="Length of a segment.",
            show_default="the kept probe's; 2.0 in a new one",
            rich_help_panel=options.INPUT,
        ),
    ] = None
    stride: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="From one segment's start to the next one's.",
            show_default="the kept probe's; 1.0 in a new one",
            rich_help_panel=options.INPUT,
        ),
    ] = None
    frames: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Frames sampled from a segment.",
            show_default="the kept probe's; 8 in a new one",
            rich_help_panel=options.INPUT,
        ),
    ] = None

    def __post_init__(self) -> None:
        if self.pooling is not None and self.pooling not in CHOICES:
            raise UsageError(f"--pooling {self.pooling!r}: choose one of {', '.join(CHOICES)}.")
        if self.view is not None and self.view not in VIEWS:
            raise UsageError(f"--view {self.view!r}: choose one of {', '.join(VIEWS)}.")

    def over(self, base: Reading, info: BackboneInfo) -> Reading:
        """Return ``base`` with that changed that was given; an empty text is none given.

        Raises UsageError if a number is wrong, or the backbone's makers publish no system message that is asked for.
        """
        changed = {name: value for name, value in given(self).items() if value != ""}
        if self.system == PUBLISHED:
            if info.system is None:
                raise UsageError(
                    f"--system {PUBLISHED}: none is known of {info.name}, beside what its chat template writes; leave "
                    "it out, or give the message."
                )
            changed["system"] = info.system
        cut = {name: changed.pop(name) for name in ("length", "stride", "frames") if name in changed}
        return replace(base, sampling=replace(base.sampling, **cut), **changed)
