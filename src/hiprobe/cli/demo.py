"""``hiprobe demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiprobe.cli import options
from hiprobe.cli.detect import detect
from hiprobe.cli.fit import fit
from hiprobe.cli.groups import Running
from hiprobe.cli.outputs import Outputs


def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the result files.", rich_help_panel=options.OUTPUT)
    ] = Path("demo-out"),
    quiet: options.Quiet = False,
    features: options.Features = None,
    debug: options.Debug = False,
) -> None:
    """Fit on the bundled sample clips, then detect on a bundled video that was not used for fitting."""
    from hiprobe.samples import DEMO_VIDEO, SAMPLE_LABELS

    probe = out / "street.probe"
    running, outputs = Running(features), Outputs(out=out, page=out / "report.html")
    fit(SAMPLE_LABELS, out=probe, running=running, quiet=quiet)
    detect([DEMO_VIDEO], [str(probe)], places=True, outputs=outputs, running=running, quiet=quiet)
