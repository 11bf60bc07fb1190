"""``hiprobe demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.detect import detect
from hiprobe.cli.fit import fit


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the result files.")] = Path("demo-out"),
    features: options.Features = None,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Fit on the bundled sample clips, then detect on a bundled video that was not used for fitting."""
    from hiprobe.samples import DEMO_VIDEO, SAMPLE_LABELS

    probe = out / "street.probe"
    fit(SAMPLE_LABELS, out=probe, features=features, quiet=quiet)
    detect([DEMO_VIDEO], str(probe), out=out, page=out / "report.html", places=True, features=features, quiet=quiet)
