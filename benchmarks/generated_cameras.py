"""Draw footage of generated cameras: hours of ordinary video, and streams that hold one event in ten minutes.

    python -m benchmarks.generated_cameras OUT [--cameras 4] [--files 4] [--events 2] [--scenes 3]

A camera is a place that the generator draws, outdoors and by day, seen by a camera that stands still. Its ordinary
footage is files of ten minutes: scenes of 6 s with other people in each, one fading into the next. A stream with an
event is one of these files in which one scene holds an event. ``--scenes`` draws scenes with an event alone, so many of
each kind that suits the place, for ``benchmarks.one_event``; their labels go to ``scenes.csv``. OUT gets the videos and
``labels.csv`` (``path,label,start,end,group``; the group is the camera). What is there already is not drawn again.
Seeds are ones that no training run reaches. Needs the training package and EGL.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.one_class_cameras import FIRST_CAMERA, FIRST_CLIP, KINDS_OF_EVENTS, cameras
from hiprobe_training.scenes.bundle import write_labels
from hiprobe_training.scenes.incidents import suits
from hiprobe_training.scenes.places import draw_place
from hiprobe_training.scenes.raster import Renderer
from hiprobe_training.scenes.render import encode
from hiprobe_training.scenes.seen import draw_seen
from hiprobe_training.scenes.sensor import expose

FPS = 2  # as recorders that must save space keep it; half the pictures to draw
SCENE = 6.0  # s
FRAMES = round(SCENE * FPS)
SCENES = 100  # a file: ten minutes
FADE = 1  # frames
SIDE = 240  # pixels
EVENT_AT = 70  # the scene of a stream that holds its event

Picture = NDArray[np.uint8]
Row = tuple[str, str, str, str, str]


def scene(seed: int, event: str | None, camera: int, renderer: Renderer) -> Picture:
    """Return the frames of one scene, and of its fade into the next: (n, SIDE, SIDE, 3)."""
    stage = draw_seen(seed, renderer, event, camera, SCENE + FADE / FPS)[0].stage
    times = np.arange(FRAMES + FADE) / FPS
    frames: Picture = expose(renderer.frames(stage, times.tolist(), SIDE), stage.sensor)
    return frames


def faded(before: Picture, after: Picture) -> Picture:
    """Return the first frames of ``after``, blended with the last ones of the scene before: (FADE, SIDE, SIDE, 3)."""
    share = (np.arange(1, FADE + 1) / (FADE + 1))[:, None, None, None]
    return (share * after[:FADE] + (1 - share) * before[-FADE:]).astype(np.uint8)


def ordinary(camera: int, file: int, renderer: Renderer) -> Iterator[Picture]:
    """Yield the frames of a file of ordinary footage."""
    last: Picture | None = None
    for seed in seeds_of(camera, file):
        frames = scene(seed, None, camera, renderer)
        yield from frames[:FADE] if last is None else faded(last, frames)
        yield from frames[FADE:FRAMES]
        last = frames


def with_event(path: Path, camera: int, file: int, kind: str, renderer: Renderer) -> Iterator[Picture]:
    """Yield the frames of the ordinary file at ``path``, with an event in place of scene ``EVENT_AT``."""
    seeds = seeds_of(camera, file)[EVENT_AT - 1 : EVENT_AT + 2]
    before, after = (scene(seed, None, camera, renderer) for seed in (seeds[0], seeds[2]))
    event = scene(seeds[1], kind, camera, renderer)
    put = [*faded(before, event), *event[FADE:FRAMES], *faded(event, after)]
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            place = index - EVENT_AT * FRAMES
            shown: Any = frame.to_ndarray(format="rgb24")
            yield put[place] if 0 <= place < len(put) else shown


def seeds_of(camera: int, file: int) -> list[int]:
    """Return the seeds of the scenes of a file; those of the one-class benchmark lie below."""
    first = FIRST_CLIP + (camera - FIRST_CAMERA) * 10_000 + 1000 + file * SCENES
    return list(range(first, first + SCENES))


def kinds_at(camera: int, count: int) -> list[str]:
    """Return as many kinds of events as asked for that suit a camera's place; other ones at the next camera."""
    place, _ = draw_place(np.random.default_rng([camera, 71, 1, 0]))
    fitting = [kind for kind in KINDS_OF_EVENTS if suits(kind, place)]
    return [fitting[(camera + index) % len(fitting)] for index in range(count)]


def alone(camera: int, number: int, count: int, out: Path, renderer: Renderer) -> Iterator[Row]:
    """Draw scenes with an event alone, so many of each kind that suits the place, and yield their labels."""
    place, _ = draw_place(np.random.default_rng([camera, 71, 1, 0]))
    first = FIRST_CLIP + (camera - FIRST_CAMERA) * 10_000 + 5000
    for index, kind in enumerate(KINDS_OF_EVENTS):
        for drawn in range(count if suits(kind, place) else 0):
            path = out / f"cam{number}_scene_{kind}_{drawn + 1}.mp4"
            if not path.exists():
                write(path, iter(scene(first + 100 * index + drawn, kind, camera, renderer)[:FRAMES]))
            yield path.name, kind, "0.00", f"{SCENE:.2f}", f"cam{number}"


def main() -> None:
    """Draw what is not there yet, file by file, and write the labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder for the videos")
    parser.add_argument("--cameras", type=int, default=4, help="how many")
    parser.add_argument("--files", type=int, default=4, help="ordinary files of ten minutes a camera")
    parser.add_argument("--events", type=int, default=2, help="streams with an event a camera; at most --files")
    parser.add_argument("--scenes", type=int, default=0, help="scenes with an event alone, of each kind, a camera")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chosen = list(cameras(options.cameras))
    rows: list[Row] = []
    single: list[Row] = []
    with Renderer() as renderer:
        for file in range(options.files):
            for number, camera in enumerate(chosen, 1):
                path = options.out / f"cam{number}_ordinary_{file + 1}.mp4"
                write(path, ordinary(camera, file, renderer))
                rows.append((path.name, "normal", "", "", f"cam{number}"))
        for number, camera in enumerate(chosen, 1):
            for index, kind in enumerate(kinds_at(camera, options.events)):
                file = options.files - 1 - index
                path = options.out / f"cam{number}_event_{index + 1}.mp4"
                base = options.out / f"cam{number}_ordinary_{file + 1}.mp4"
                write(path, with_event(base, camera, file, kind, renderer))
                start = EVENT_AT * SCENE
                rows.append((path.name, kind, f"{start:.2f}", f"{start + SCENE:.2f}", f"cam{number}"))
        for number, camera in enumerate(chosen, 1):
            single += alone(camera, number, options.scenes, options.out, renderer)
    write_labels(options.out / "labels.csv", rows)
    if single:
        write_labels(options.out / "scenes.csv", single)


def write(path: Path, frames: Iterator[Picture]) -> None:
    """Encode a video, unless it is there already; one that is cut off leaves nothing under its name."""
    if path.exists():
        return
    unfinished = path.with_name(f".{path.name}")  # the encoder goes by the ending
    encode(unfinished, frames, FPS, crf=26)
    unfinished.replace(path)
    print(path.name, flush=True)


if __name__ == "__main__":
    main()
