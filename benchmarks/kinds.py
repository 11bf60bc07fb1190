"""Kinds of events on generated scenes that neither the backbone nor the probe has seen.

    python -m benchmarks.kinds --work bench-out

Fits a probe to generated clips of eleven kinds of events and normal ones, as ``hiprobe fit`` does, and measures it on
clips of other seeds, so other places, people and cameras, as ``hiprobe eval`` does. No training reaches these seeds.
Each clip is 2 s long, which is one segment. Pictures and hidden states are kept under ``--work``. Needs the ``scenes``
extra.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from hiprobe.files import write_text
from hiprobe_training.projector.features import FRAMES, clip_frames
from hiprobe_training.scenes.facts import EVENT_KINDS
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.seen import draw_seen

SEEDS = {"fit": 400_000_000, "test": 410_000_000}  # that no training run reaches
SIZE = (192, 192)
SECONDS = 2.0


def draw(part: str, per_kind: int, normal: int, work: Path) -> Path:
    """Draw the clips of a part as folders of frames, those that are missing; return their manifest."""
    folder, rows = work / f"kinds-{part}", []
    # Kind by kind within a round, so that a longer run draws the same clips first.
    wanted: list[str | None] = [kind for _ in range(per_kind) for kind in EVENT_KINDS]
    seeds = [SEEDS[part] + index for index in range(len(wanted))]
    wanted += [None] * normal
    seeds += [SEEDS[part] + 1_000_000 + index for index in range(normal)]
    with Renderer() as renderer:
        for seed, kind in zip(seeds, wanted, strict=True):
            name = f"{kind or 'normal'}-{seed}"
            if not (folder / name / f"{FRAMES - 1}.png").exists():
                clip, _ = draw_seen(seed, renderer, kind)
                (folder / name).mkdir(parents=True, exist_ok=True)
                for index, frame in enumerate(clip_frames(clip, renderer, SIZE)):
                    Image.fromarray(frame).save(folder / name / f"{index}.png")
            rows.append((name, kind or "normal", f"{FRAMES / SECONDS:g}"))
    manifest = folder / "labels.csv"
    write_text(manifest, "".join(",".join(row) + "\n" for row in [("path", "label", "fps"), *rows]))
    return manifest


def main() -> None:
    """Draw, fit, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for pictures and hidden states")
    parser.add_argument("--fit", type=int, default=40, help="clips of each kind to fit to; as many normal ones in all")
    parser.add_argument("--test", type=int, default=20, help="clips of each kind to measure on")
    options = parser.parse_args()
    for part, count in (("fit", options.fit), ("test", options.test)):
        print(draw(part, count, 4 * count, options.work), flush=True)


if __name__ == "__main__":
    main()
