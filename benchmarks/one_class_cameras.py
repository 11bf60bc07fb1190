"""One-class models on generated cameras: which method and which block tell events from normal clips.

    python -m benchmarks.one_class_cameras [--work bench-out] [--cameras 7]

A second set beside the real one, and one to compare settings on that is nobody's test set. A camera is a place that the
generator draws, outdoors and by day; of each there are 48 normal clips to fit to, 24 more and 30 with an event,
each taken for one segment. What is drawn, and what is measured of a camera, is kept under ``--work``. Prints a Markdown
table of AUCs of segments, one column a camera. Needs the ``scenes`` extra.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score

from hiprobe.backbones import Backbone, Batch, load_backbone
from hiprobe.files import atomic_path, write_text
from hiprobe.probing import METHODS, OneClassMethod, fit_models, token_scorer, view_values
from hiprobe.probing.oneclass import TokenModel, view_tokens
from hiprobe.video import Segment
from hiprobe.video.segments import sample_times
from hiprobe_training.scenes.clips import draw_clip
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.seen import draw_seen
from hiprobe_training.scenes.sensor import expose

FIRST_CAMERA, FIRST_CLIP = 300_000_000, 310_000_000  # seeds that no training run reaches
FIT, NORMAL, EVENTS = 48, 24, 30
KINDS_OF_EVENTS = ("bicycle", "cart", "run", "car", "fight", "fall")
FRAMES, RENDERED = 8, 384
TOKENS_A_CLIP = 640


def cameras(count: int) -> Iterator[int]:
    """Yield the first cameras that stand still, outdoors and by day."""
    number = FIRST_CAMERA
    while count:
        facts = draw_clip(FIRST_CLIP, None, number).facts
        if not (facts.indoors or facts.night or facts.moving_camera):
            yield number
            count -= 1
        number += 1


def draw(camera: int, size: tuple[int, int], work: Path) -> dict[str, NDArray[np.uint8]]:
    """Return the frames (n, FRAMES, H, W, 3) of the clips to fit to, of other normal ones, and of those with events."""
    path = work / f"camera-{camera}.safetensors"
    if not path.exists():
        wanted = {
            "fit": [None] * FIT,
            "normal": [None] * NORMAL,
            "event": [*KINDS_OF_EVENTS] * (EVENTS // len(KINDS_OF_EVENTS)),
        }
        first, drawn = FIRST_CLIP + (camera - FIRST_CAMERA) * 10_000, {}
        with Renderer() as renderer:
            for part, (name, events) in enumerate(wanted.items()):
                seeds = [first + 100 * part + index for index in range(len(events))]
                clips = [
                    _frames(seed, event, camera, renderer, size) for seed, event in zip(seeds, events, strict=True)
                ]
                drawn[name] = np.stack(clips)
        with atomic_path(path) as temporary:
            safetensors.numpy.save_file(drawn, temporary)
    return safetensors.numpy.load_file(path)


def _frames(seed: int, event: str | None, camera: int, renderer: Renderer, size: tuple[int, int]) -> NDArray[np.uint8]:
    stage = draw_seen(seed, renderer, event, camera)[0].stage
    times = sample_times(Segment(0, 0.0, stage.duration), FRAMES)
    seen = expose(renderer.frames(stage, times.tolist(), RENDERED), stage.sensor)
    return np.stack([np.asarray(Image.fromarray(f).resize((size[1], size[0]), Image.Resampling.BOX)) for f in seen])


def measure(frames: dict[str, NDArray[np.uint8]], backbone: Backbone) -> dict[str, float]:
    """Return the AUC of normal clips against those with events, by method and block."""
    reading, found = backbone.info.token_reading(), {}
    tokens = {
        part: np.concatenate([backbone.read(Batch(clip[None]), reading).values for clip in clips])
        for part, clips in frames.items()
    }
    truth = np.repeat([0, 1], [NORMAL, EVENTS])
    for index, layer in enumerate(reading.layers):
        fit, normal, event = (tokens[part][:, index] for part in ("fit", "normal", "event"))
        for method in METHODS:
            held_out = view_values(fit[FIT // 2 :], _models(fit[: FIT // 2], method))
            scorer = token_scorer(method, _models(fit, method), held_out)
            scores = scorer.scores(np.concatenate([normal, event]))
            found[f"{method}, block {layer}"] = float(roc_auc_score(truth, scores))
    return found


def _models(tokens: NDArray[np.float32], method: OneClassMethod) -> dict[str, TokenModel]:
    random, chosen = np.random.default_rng(0), {}
    for view, each in view_tokens(tokens).items():
        flat = each.reshape(-1, each.shape[-1])
        chosen[view] = flat[random.permutation(len(flat))[: TOKENS_A_CLIP * len(tokens)]]
    return fit_models(chosen, method)


def main() -> None:
    """Draw, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for pictures and numbers")
    parser.add_argument("--cameras", type=int, default=7, help="how many")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    backbone = load_backbone(report=print)
    size = backbone.info.shown_size(backbone.info.token_reading())
    rows: list[dict[str, float]] = []
    for camera in cameras(options.cameras):
        kept = options.work / f"one-class-camera-{camera}.json"
        if not kept.exists():
            frames = draw(camera, size, options.work)
            write_text(kept, json.dumps(measure(frames, backbone), indent=2) + "\n")
        rows.append(json.loads(kept.read_text(encoding="utf-8")))
        print(f"camera {camera}: done", flush=True)
    print(f"\n| setting |{' camera |' * len(rows)} mean |\n|{' --- |' * (len(rows) + 2)}")
    for name in rows[0]:
        aucs = [row[name] for row in rows]
        print(f"| {name} | {' | '.join(f'{auc:.3f}' for auc in aucs)} | {np.mean(aucs):.3f} |")


if __name__ == "__main__":
    main()
