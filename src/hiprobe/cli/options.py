"""Options that several commands share, each declared once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hiprobe.features import FeatureStore
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

Model = Annotated[str, typer.Option("--model", help="The backbone.")]
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


def feature_store(folder: Path | None) -> FeatureStore:
    """Return the store in ``folder``, by default in the cache folder."""
    from hiprobe.backbones import cache_folder
    from hiprobe.features import FeatureStore

    return FeatureStore(folder or cache_folder() / "features")
