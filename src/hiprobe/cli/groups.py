"""Groups of options: a command takes a group as one parameter, and the command line its options.

::

    @with_groups
    def detect(videos: ..., events: Events = Events(), running: Running = Running()) -> None:
        settings = events.over(probe.localize)

A group is a dataclass whose fields are options. ``hiprobe detect --sigma 0.5`` then makes ``Events(sigma=0.5)``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

from hiprobe.backbones.options import Dtype, LoadOptions, Quantization
from hiprobe.cli import options
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from hiprobe.features import FeatureStore, ProgressReport, Run
    from hiprobe.localize import LocalizeSettings
    from hiprobe.probing import Probe


@dataclass(frozen=True)
class Loading:
    """How a checkpoint is loaded: the options of :class:`LoadOptions`."""

    dtype: Annotated[
        str,
        typer.Option(
            metavar="|".join(get_args(Dtype)),
            autocompletion=options.choices(*get_args(Dtype)),
            help="auto: bfloat16 on a GPU, else float32.",
            rich_help_panel=options.MODEL,
        ),
    ] = "auto"
    device: Annotated[
        str | None,
        typer.Option(
            help="cpu, cuda, cuda:1, ...", show_default="a GPU if there is one", rich_help_panel=options.MODEL
        ),
    ] = None
    quantize: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(get_args(Quantization)),
            autocompletion=options.choices(*get_args(Quantization)),
            help="By bitsandbytes; needs a GPU.",
            rich_help_panel=options.MODEL,
        ),
    ] = None
    pixels: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="What a frame may have at most, for families that keep the picture's proportions.",
            show_default="the probe's; the family's own in a new one",
            rich_help_panel=options.MODEL,
        ),
    ] = None
    revision: options.Revision = None
    offline: options.Offline = False
    device_map: Annotated[
        str | None,
        typer.Option(help="'auto' spreads a model over GPUs and memory.", rich_help_panel=options.ADVANCED),
    ] = None
    trust_remote_code: options.TrustRemoteCode = False

    @property
    def load_options(self) -> LoadOptions:
        """As the library takes them. Raises UsageError if a value is wrong."""
        return LoadOptions(**vars(self))

    def check_pixels(self, name: str, probe: Probe) -> None:
        """Raise UsageError if a probe, by its name, keeps other pixels of a frame than were given."""
        kept = probe.reading.pixels
        if self.pixels is not None and self.pixels != kept:
            was = "frames of one size" if kept is None else f"{kept} pixels a frame"
            raise UsageError(
                f"--pixels {self.pixels}: {name} was fitted with {was} and keeps that; leave --pixels out, or fit anew."
            )


@dataclass(frozen=True)
class Events:
    """How scores become events; what is not given is as the probe has it."""

    threshold: Annotated[
        str | None,
        typer.Option(
            metavar="calibrated|adaptive|NUMBER",
            autocompletion=options.choices("calibrated", "adaptive"),
            help="calibrated: the probe's own. adaptive: mean + kappa * std of the video. Or a score: what is over it "
            "is an event.",
            show_default="the probe's; calibrated in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    false_alarms: Annotated[
        float | None,
        typer.Option(
            metavar="PER_HOUR",
            help="In place of a threshold: events an hour of ordinary footage that are wanted at most.",
            show_default="the probe's; in a new one what its footage can count, or 1 with --normal-only",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    sigma: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Gaussian smoothing of scores.",
            show_default="the probe's; 1.0 in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    kappa: Annotated[
        float | None,
        typer.Option(
            help="Of the adaptive threshold.",
            show_default="the probe's; 0.2 in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    min_duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Drop shorter events.",
            show_default="the probe's; 0.5 in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None
    merge_gap: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Join events at most this far apart.",
            show_default="the probe's; 1.0 in a new one",
            rich_help_panel=options.LOOK,
        ),
    ] = None

    def over(self, base: LocalizeSettings) -> LocalizeSettings:
        """Return ``base`` with those settings changed that were given. Raises UsageError if one is wrong."""
        changed = given(self)
        if self.threshold is not None and self.false_alarms is not None:
            raise UsageError("--threshold and --false-alarms both say where the threshold is; give one of the two.")
        if self.threshold is not None:
            changed |= {"threshold": _threshold(self.threshold), "false_alarms": None}
        if self.false_alarms is not None:
            changed["threshold"] = "calibrated"
        return replace(base, **changed)


def _threshold(given: str) -> Any:
    """Return a number as one; the settings check the rest."""
    try:
        return float(given)
    except ValueError:
        return given


@dataclass(frozen=True)
class Running:
    """How a verb runs over videos."""

    features: options.Features = None
    batch_memory: Annotated[
        float | None,
        typer.Option(
            metavar="GB",
            help="What a batch of segments may take.",
            show_default="half of what is free",
            rich_help_panel=options.ADVANCED,
        ),
    ] = None

    def run(self, report: ProgressReport, seed: int = 0) -> Run:
        """Return the run. Raises UsageError if a value is wrong."""
        from hiprobe.features import Run

        memory = None if self.batch_memory is None else int(self.batch_memory * 1e9)
        return Run(feature_store(self.features), report, seed, memory)


def given(group: Any) -> dict[str, Any]:
    """Return the options of a group that were given, by name."""
    return {name: value for name, value in vars(group).items() if value is not None}


def feature_store(folder: Path | None) -> FeatureStore:
    """Return the store in ``folder``, by default in the cache folder."""
    from hiprobe.backbones import cache_folder
    from hiprobe.features import FeatureStore

    return FeatureStore(folder or cache_folder() / "features")


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of its groups, panel by panel; from Python it is called as it is declared."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    @functools.wraps(command)
    def run(*words: Any, **chosen: Any) -> None:
        for name, group in groups.items():
            names = [field.name for field in fields(group) if field.name in chosen]
            if names:
                chosen[name] = group(**{option: chosen.pop(option) for option in names})
        command(*words, **chosen)

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        group = groups.get(parameter.name)
        owner_hints = hints if group is None else get_type_hints(group, include_extras=True)
        own = {parameter.name: parameter.default}
        defaults = own if group is None else {field.name: field.default for field in fields(group)}
        parameters += [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=owner_hints[name])
            for name, default in defaults.items()
        ]
    parameters.sort(key=_panel)
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def _panel(parameter: inspect.Parameter) -> int:
    """Return where a parameter's panel stands in the help: arguments come first."""
    declared = get_args(parameter.annotation)[1]
    return -1 if isinstance(declared, typer.models.ArgumentInfo) else options.PANELS.index(declared.rich_help_panel)
