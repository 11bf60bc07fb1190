"""Options that several commands share, each declared once."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from hiprobe.backbones.options import LoadOptions
from hiprobe.errors import UsageError

if TYPE_CHECKING:
    from hiprobe.features import FeatureStore, ProgressReport, Run
    from hiprobe.localize import LocalizeSettings


@dataclass
class State:
    """What a run is set to, beyond its command's own options."""

    debug: bool = False


state = State()


def _debug(value: bool) -> bool:
    state.debug = state.debug or value
    return value


PROBE_HELP = "A probe file that fit wrote, or the name of a starter probe (see `hiprobe probes`)."

Model = Annotated[
    str, typer.Option("--model", help="The backbone: embedded, a checkpoint's ID on the hub, or its folder.")
]
Fps = Annotated[float | None, typer.Option("--fps", help="Frames per second, for videos that are folders of images.")]
Features = Annotated[
    Path | None,
    typer.Option(
        "--features", help="Folder that keeps hidden states between runs.", show_default="in the cache folder"
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]
Debug = Annotated[bool, typer.Option("--debug", callback=_debug, is_eager=True, help="Show tracebacks of errors.")]
Sigma = Annotated[
    float | None,
    typer.Option(
        "--sigma", help="Gaussian smoothing of scores, in seconds.", show_default="the probe's; 1.0 in a new one"
    ),
]
Threshold = Annotated[
    str | None,
    typer.Option(
        "--threshold",
        help="'calibrated' (fixed, from the calibration set) or 'adaptive' (mean + kappa * std of the video).",
        show_default="the probe's; calibrated in a new one",
    ),
]
Kappa = Annotated[
    float | None,
    typer.Option("--kappa", help="Of the adaptive threshold.", show_default="the probe's; 0.2 in a new one"),
]
MinDuration = Annotated[
    float | None,
    typer.Option("--min-duration", help="Drop shorter events; seconds.", show_default="the probe's; 0.5 in a new one"),
]
MergeGap = Annotated[
    float | None,
    typer.Option(
        "--merge-gap", help="Join events at most this far apart; seconds.", show_default="the probe's; 1.0 in a new one"
    ),
]

BatchMemory = Annotated[
    float | None,
    typer.Option("--batch-memory", help="GB that a batch of segments may take.", show_default="half of what is free"),
]
StartTime = Annotated[
    str | None,
    typer.Option(
        "--start-time",
        help="When the video began, for the time of day in the report: 2026-03-01T22:00:00, with +01:00 or Z if known.",
        show_default="what the file says",
    ),
]

Loading = LoadOptions
"""How a checkpoint is loaded: what a command under :func:`with_loading` is given in place of these options."""

Revision = Annotated[str | None, typer.Option("--revision", help="Branch, tag or commit on the hub.")]
Offline = Annotated[bool, typer.Option("--offline", help="Never ask the network for a checkpoint.")]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Let code that comes with a checkpoint run. Dangerous.")
]

LOADING = LoadOptions()

_LOADING = {
    "dtype": Annotated[str, typer.Option(help="float32, bfloat16, float16; auto: bfloat16 on a GPU, else float32.")],
    "device": Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, ...", show_default="a GPU if there is one")],
    "device_map": Annotated[str | None, typer.Option(help="'auto' spreads a model over GPUs and memory.")],
    "quantize": Annotated[str | None, typer.Option(help="8bit or 4bit, by bitsandbytes; needs a GPU.")],
    "revision": Revision,
    "offline": Offline,
    "trust_remote_code": TrustRemoteCode,
}


def with_loading(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of :class:`LoadOptions` in place of its parameter ``loading``."""
    hints = get_type_hints(command, include_extras=True)

    @functools.wraps(command)
    def run(*words: Any, **given: Any) -> None:
        chosen = {name: given.pop(name, getattr(LOADING, name)) for name in _LOADING}
        command(*words, loading=LoadOptions(**chosen), **given)

    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        if parameter.name == "loading":
            parameters += [
                inspect.Parameter(
                    name, inspect.Parameter.KEYWORD_ONLY, default=getattr(LOADING, name), annotation=annotation
                )
                for name, annotation in _LOADING.items()
            ]
        else:
            hint = hints[parameter.name]
            parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hint))
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def localize_settings(
    base: LocalizeSettings,
    sigma: float | None,
    threshold: str | None,
    kappa: float | None,
    min_duration: float | None,
    merge_gap: float | None,
) -> LocalizeSettings:
    """Return ``base`` with those settings changed that the user gave. Raises UsageError if one is wrong."""
    given = {
        "sigma": sigma,
        "threshold": threshold,
        "kappa": kappa,
        "min_duration": min_duration,
        "merge_gap": merge_gap,
    }
    return replace(base, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


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


def run_of(
    features: Path | None, batch_memory: float | None, report: ProgressReport | None = None, seed: int = 0
) -> Run:
    """Return how a verb runs: with a store in ``features``, by default in the cache folder; memory is in GB."""
    from hiprobe.features import Run

    memory = None if batch_memory is None else int(batch_memory * 1e9)
    run = Run(feature_store(features), seed=seed, batch_memory=memory)
    return run if report is None else replace(run, report=report)


def feature_store(folder: Path | None) -> FeatureStore:
    """Return the store in ``folder``, by default in the cache folder."""
    from hiprobe.backbones import cache_folder
    from hiprobe.features import FeatureStore

    return FeatureStore(folder or cache_folder() / "features")
