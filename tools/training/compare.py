"""Compare which blocks of the vision tower to read, by what the mixer learns to tell apart on held-out generated clips.

    python -m tools.training.compare --scenes runs/scenes

Only the mixer and its heads are trained, so a choice takes a minute; no real footage is looked at.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tools.training.dataset import load_clips
from tools.training.train import Settings, Trainer, load_frozen, run

CHOICES = {
    "appearance 10, motion 4, 10": ([10], [4, 10]),
    "appearance 8, motion 4, 8": ([8], [4, 8]),
    "appearance 8, motion 4, 10": ([8], [4, 10]),
    "appearance 10, motion 4": ([10], [4]),
    "appearance 10, motion 10": ([10], [10]),
    "motion 4, 10": ([], [4, 10]),
    "appearance 8, 10": ([8, 10], []),
    "appearance 10, motion 4, 8, 10": ([10], [4, 8, 10]),
}


def main() -> None:
    """Print one line per choice."""
    parser = argparse.ArgumentParser(prog="python -m tools.training.compare", description=__doc__)
    parser.add_argument("--scenes", type=Path, required=True, help="folder of tools.training.features")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--held-out", type=int, default=1024)
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the choices, from 0")
    options = parser.parse_args()
    model, tokenizer = load_frozen()
    print("| streams | visual tokens | AUC | kind named | false alarms |\n| --- | --- | --- | --- | --- |")
    for number, (name, (appearance, motion)) in enumerate(CHOICES.items()):
        if options.only is not None and number not in options.only:
            continue
        model.config.appearance_blocks, model.config.motion_blocks = appearance, motion
        streams = [f"appearance.{b}" for b in appearance] + [f"motion.{b}" for b in motion]
        settings = Settings(warmup=options.steps, steps=0)
        trainer = Trainer(load_clips(options.scenes, streams), options.held_out, settings, model, tokenizer)
        with tempfile.TemporaryDirectory() as folder:
            run(trainer, Path(folder), log_every=10**9)
        found = trainer.held_out(0)
        print(
            f"| {name} | {model.config.visual_tokens} | {found['auc']:.3f} | {found['kind_accuracy']:.3f} | "
            f"{found['false_alarms']:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
