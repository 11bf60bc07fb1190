"""Render clips, run the frozen vision tower over them, and keep patch features and ground truth.

    python -m hiprobe_training.projector.features --out runs/scenes --clips 12000

A shard holds the clips of consecutive seeds, so the same command goes on where it was cut off, and two machines can
make different shards. Nothing is drawn at random but by seed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SHARD = 64
FRAMES = 8
RENDERED = 192  # pixels, before the picture is scaled to the vision tower's size


def clip_frames(clip: Any, renderer: Any, size: tuple[int, int]) -> np.ndarray:
    """The frames of a clip as a backbone takes them: uint8 (FRAMES, height, width, 3)."""
    from PIL import Image

    from hiprobe.video import Segment
    from hiprobe.video.segments import sample_times
    from hiprobe_training.scenes.sensor import expose

    stage = clip.stage
    times = sample_times(Segment(0, 0.0, stage.duration), FRAMES)
    seen = expose(renderer.frames(stage, times, RENDERED), stage.sensor)
    resized = [Image.fromarray(f).resize((size[1], size[0]), Image.Resampling.BOX) for f in seen]
    return np.stack([np.asarray(f) for f in resized])


def make_shards(indices: list[int], out: Path, first_seed: int, threads: int) -> Iterator[tuple[int, float]]:
    """Write the shards that are missing; yields each one's index and the seconds that it took."""
    os.environ["LP_NUM_THREADS"] = str(max(0, threads - 1))
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(threads)
    from hiprobe.backbones.embedded.assembly import embedded_folder
    from hiprobe.backbones.embedded.motion_internvl import MotionInternVLForConditionalGeneration
    from hiprobe.backbones.embedded.vision import normalise
    from hiprobe.backbones.registry import cache_folder
    from hiprobe_training.projector.dataset import BLOCKS, ClipRecord, shard_paths
    from hiprobe_training.scenes.raster import Renderer
    from hiprobe_training.scenes.seen import draw_seen, event_map
    from hiprobe_training.scenes.sensor import recorded_at

    model: Any = MotionInternVLForConditionalGeneration.from_pretrained(embedded_folder(cache_folder())).eval()
    tower = model.model.vision_tower
    tower.encoder.layer = tower.encoder.layer[: max(BLOCKS)]
    size = tuple(model.config.vision_config.image_size)
    grid = tower.embeddings.patch_embeddings.patch_shape[0]
    with Renderer() as renderer:
        for index in indices:
            tensor_path, record_path = shard_paths(out, index)
            if record_path.exists():
                continue
            began, records, found = time.monotonic(), [], []
            for seed in range(first_seed + index * SHARD, first_seed + (index + 1) * SHARD):
                clip, marked = draw_seen(seed, renderer)
                pixels = normalise(clip_frames(clip, renderer, size), model.lm_head.weight)
                with torch.inference_mode():
                    states = tower(pixel_values=pixels, output_hidden_states=True).hidden_states
                # Entry 0 is the embedding; the first token is the class token.
                found.append({f"block.{b}": states[b][:, 1:].half() for b in BLOCKS})
                found[-1]["event"] = torch.from_numpy(event_map(marked, clip, grid)).half()
                spots = [recorded_at(person.at, clip.stage.sensor) for person in clip.facts.people]
                records.append(ClipRecord(seed, clip.facts, tuple(spots)))
            save_file({name: torch.stack([one[name] for one in found]) for name in found[0]}, tensor_path)
            temporary = record_path.with_suffix(".tmp")
            temporary.write_text("".join(r.to_json() + "\n" for r in records), encoding="utf-8")
            temporary.replace(record_path)
            yield index, time.monotonic() - began


def _work(job: tuple[list[int], Path, int, int]) -> None:
    for index, seconds in make_shards(*job):
        print(f"shard {index}: {seconds:.1f} s, {seconds / SHARD * 1000:.0f} ms a clip", flush=True)


def main() -> None:
    """Read the options and start the workers."""
    parser = argparse.ArgumentParser(prog="python -m hiprobe_training.projector.features", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the shards")
    parser.add_argument("--clips", type=int, required=True, help="how many, rounded up to whole shards")
    parser.add_argument("--first-seed", type=int, default=0, help="seed of the first clip")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes, one core each")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    count = -(-options.clips // SHARD)
    jobs = [
        (list(range(worker, count, options.workers)), options.out, options.first_seed, 1)
        for worker in range(options.workers)
    ]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_work, args=(job,)) for job in jobs]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    failed = [worker.exitcode for worker in workers if worker.exitcode]
    if failed:
        raise SystemExit(f"{len(failed)} of {len(workers)} workers failed; the finished shards are kept")


if __name__ == "__main__":
    main()
