"""Guards: whether spoiled copies of real clips are noticed, and clean ones are not.

    python -m benchmarks.guards DATA [--work bench-out] [--only surv_fight|ucsd_ped2]

DATA holds ``surv_fight/`` and ``ucsd_ped2/``. Of each, five clips: the first of five groups, at equal distances in the
order of names. What pictures are known is learned from clips of the other groups alone, every second one. A copy is
6 s long (a shorter clip goes back and forth) at 8 frames a second, and encoded by H.264. No backbone is needed.
Prints a Markdown table, and writes the numbers under ``--work``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks.real_footage import read_videos
from hiprobe.backbones.embedded.recipe import INFO
from hiprobe.backbones.reading import Reading
from hiprobe.datasets import LabelledVideo
from hiprobe.features import Features, read_looks
from hiprobe.files import write_text
from hiprobe.pipeline.guards import learn_pictures, stretches, verdicts_of
from hiprobe.probing import Familiar
from hiprobe.video import Sampling, Video, open_video, plan_segments
from hiprobe.video.writing import open_mp4

CLIPS, SECONDS, FPS = 5, 6.0, 8

Pixels = NDArray[np.uint8]
Spoil = Callable[[Pixels, int, np.random.Generator], NDArray]


def _blurred(image: Pixels, share: float) -> NDArray:
    """Blur by a Gaussian of a share of the height."""
    return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(share * image.shape[0])), np.float32)


def _bars(image: Pixels, _: int, __: np.random.Generator) -> NDArray:
    high = 191
    colours = np.array([[a, b, c] for b in (high, 0) for a in (high, 0) for c in (high, 0)])[:-1]
    width = image.shape[1]
    return colours[np.arange(width) * len(colours) // width][None].repeat(len(image), 0)


def _snow(image: Pixels, _: int, random: np.random.Generator) -> NDArray:
    return random.integers(0, 256, (*image.shape[:2], 1)).repeat(3, 2)


def _noisy(image: Pixels, _: int, random: np.random.Generator) -> NDArray:
    return image + random.normal(0, 40, (*image.shape[:2], 1))


SPOILED: dict[str, Spoil] = {
    "clean": lambda image, _, __: image,
    "darkened to an eighth": lambda image, _, __: image / 8,
    "black": lambda image, _, __: 0 * image,
    "frozen": lambda image, _, __: image,
    "white noise": _snow,
    "noise over the picture": _noisy,
    "colour bars": _bars,
    "one colour, as without signal": lambda image, _, __: np.full_like(image, (0, 0, 200)),
    "covered": lambda image, _, __: 0.3 * _blurred(image, 0.15),
    "out of focus": lambda image, _, __: _blurred(image, 0.03),
    "overexposed": lambda image, _, __: image * 3.0 + 120,
    "inverted": lambda image, _, __: 255 - image,
}


def copy(video: Video, spoil: str, path: Path) -> Path:
    """Write a spoiled copy of a video."""
    images = [frame.image for frame in video.frames()]
    step = max(1, round(video.info.fps / FPS))
    shown = images[::step]
    there = [*shown, *shown[-2:0:-1]] if len(shown) > 2 else shown
    random, count = np.random.default_rng(0), round(SECONDS * FPS)
    with open_mp4(path, (video.info.height, video.info.width), FPS) as file:
        for index in range(count):
            image = there[0 if spoil == "frozen" else index % len(there)]
            pixels = np.clip(SPOILED[spoil](image, index, random), 0, 255).astype(np.uint8)
            file.add(pixels, index / FPS, 1 / FPS)
    return path


def look(video: Video) -> Features:
    """Return how a video looks, as features without states."""
    reading = Reading(INFO.fingerprint, (1,), "last", "", Sampling())
    segments = plan_segments(video.info.duration, reading.sampling)
    starts, ends = (np.array([getattr(segment, side) for segment in segments]) for side in ("start", "end"))
    states = np.zeros((len(segments), 1, 1), np.float32)
    looks = read_looks(video, reading.sampling, INFO.frame_size)
    return Features(video.info, "", reading, starts, ends, states, looks=looks)


def share_unjudged(features: Features, familiar: Familiar | None) -> tuple[float, str]:
    """Return which share of a video is unjudged, and the first sentence."""
    found = stretches(features, verdicts_of(features, familiar))
    total = sum(stretch.end - stretch.start for stretch in found) / features.video.duration
    return total, found[0].sentence if found else ""


def measure(videos: list[LabelledVideo], group: Callable[[LabelledVideo], str]) -> dict[str, list[tuple[float, str]]]:
    """Return of every copy which share is unjudged, and why; and of all clips of other groups, left out by group."""
    names = sorted({group(video) for video in videos})
    chosen = [names[place] for place in np.linspace(0, len(names) - 1, CLIPS).round().astype(int)]
    clips = [next(v for v in videos if group(v) == name) for name in chosen]
    others = [video for video in videos if group(video) not in chosen][::2]
    seen = [look(open_video(video.path)) for video in others]
    of = np.array([group(video) for video in others])
    familiar, _ = learn_pictures(seen, np.repeat(of, [len(item.states) for item in seen]))
    print(f"learned from {len(others)} clips of {len(set(of.tolist()))} groups: {familiar}", flush=True)
    found: dict[str, list[tuple[float, str]]] = {"clean, as filmed": []}
    for name in chosen:  # clips of the chosen groups are unseen, too
        for video in [video for video in videos if group(video) == name]:
            found["clean, as filmed"].append(share_unjudged(look(open_video(video.path)), familiar))
    with tempfile.TemporaryDirectory() as folder:
        for spoil in SPOILED:
            for number, clip in enumerate(clips):
                path = copy(open_video(clip.path), spoil, Path(folder) / f"{number}.mp4")
                found.setdefault(spoil, []).append(share_unjudged(look(open_video(path)), familiar))
            noticed = [sentence for share, sentence in found[spoil] if share > 0.5]
            print(f"{spoil}: {len(noticed)} of {len(clips)} {sorted(set(noticed))}", flush=True)
    return found


def main() -> None:
    """Run the measurements that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with surv_fight/ and ucsd_ped2/")
    parser.add_argument("--work", type=Path, default=Path("bench-out"), help="folder for the numbers")
    parser.add_argument("--only", choices=["surv_fight", "ucsd_ped2"], help="one of the two")
    options = parser.parse_args()
    for name in ("surv_fight", "ucsd_ped2"):
        if options.only not in (None, name):
            continue
        splits = read_videos(options.data / name)
        videos = sorted((v for split in splits.values() for v in split), key=lambda video: video.path)
        # In Ped2 each clip is a recording of its own.
        found = measure(videos, (lambda v: v.group or "") if name == "surv_fight" else (lambda v: v.path.stem))
        print(f"\n| {name} | over half unjudged | mean share unjudged |\n| --- | --- | --- |")
        for spoil, rows in found.items():
            shares = [share for share, _ in rows]
            print(f"| {spoil} | {sum(s > 0.5 for s in shares)} of {len(shares)} | {np.mean(shares):.2f} |", flush=True)
        write_text(options.work / f"guards-{name}.json", json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
