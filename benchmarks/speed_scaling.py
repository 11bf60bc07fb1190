"""What a whole run costs: a long file against a short one, and time against length, K, overlap and batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.stream import VideoStream

from benchmarks.speed_detection import ours, timed
from hiprobe.backbones import Batch, Reading, States, load_backbone
from hiprobe.features import extract
from hiprobe.probes import DEFAULT_STARTER, load_starter
from hiprobe.video import Sampling, Segment, iter_segments, open_video, sample_segments

FPS = 30


def make_long(source: Path, target: Path, length: float) -> Path:
    """Write ``length`` seconds or up to a loop more of 640x480 H.264 at 30 fps, unless they are there, by looping."""
    if target.exists():
        return target
    loop = target.with_name("loop.mp4")
    _encode(source, loop)
    partial = target.with_suffix(".partial.mp4")
    with av.open(str(partial), "w") as output:
        stream: Any = None
        offset, packets = 0, 0
        while packets < length * FPS:
            with av.open(str(loop)) as container:
                video = container.streams.video[0]
                stream = stream or output.add_stream_from_template(video)
                count = 0
                for packet in container.demux(video):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    packet.stream = stream
                    output.mux(packet)
                    count += 1
                offset += round(Fraction(count, FPS) / Fraction(video.time_base or 1))
                packets += count
    partial.rename(target)
    return target


def _encode(source: Path, target: Path) -> None:
    with av.open(str(source)) as container, av.open(str(target), "w") as output:
        stream = output.add_stream("libx264", rate=FPS, options={"crf": "23"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        number = 0
        for frame in container.decode(video=0):
            # Each picture is shown until the next one's time: the speed of what is filmed stays.
            while number <= (frame.time or 0.0) * FPS + 1e-6:
                picture = frame.reformat(640, 480, "yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, FPS)
                output.mux(stream.encode(picture))
                number += 1
        output.mux(stream.encode(None))


def run_one(video: Path, length: float = 2.0, stride: float = 1.0, frames: int = 8) -> dict[str, float]:
    """Extract a video at the starter probe's layer in a process of its own; return what it cost.

    ``waited`` is the time that the model stood still for want of decoded segments.
    """
    words = [sys.executable, "-m", "benchmarks.speed_scaling", str(video), str(length), str(stride), str(frames)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, env=dict(os.environ))
    return json.loads(done.stdout.splitlines()[-1])


def _extract(video: Path, sampling: Sampling) -> dict[str, float]:
    import resource

    backbone: Any = load_backbone().loaded
    reading = replace(load_starter(DEFAULT_STARTER).reading, sampling=sampling)
    busy, read = 0.0, backbone.read

    def timed_read(batch: Batch, reading: Reading) -> States:
        nonlocal busy
        taken, states = timed(read, batch, reading)
        busy += taken
        return states

    backbone.read = timed_read
    taken, features = timed(extract, video, backbone, reading)
    return {
        "seconds_of_video": features.video.duration,
        "seconds": taken,
        "model": busy,
        "segments": len(features.states),
        "frames_encoded": backbone.frames.encoded,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_long(video: Path, work: Path, minutes: Sequence[float] = (10, 60)) -> dict[str, Any]:
    """Print and return time and peak memory of one-hour and ten-minute files, and the speed of decoding alone."""
    rows = {}
    print("\n| minutes | segments | x real time | model's share of the time | decoding alone, s | peak MB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for length in minutes:
        path = make_long(video, work / f"long-{length:g}.mp4", length * 60)
        found = run_one(path)
        decode, _ = timed(_drain, iter_segments(open_video(path), Sampling(), (168, 168)))
        rows[f"{length:g}"] = found | {"decoding": decode}
        print(
            f"| {length:g} | {found['segments']:.0f} | {found['seconds_of_video'] / found['seconds']:.2f} | "
            f"{found['model'] / found['seconds']:.1%} | {decode:.0f} | {found['peak_mb']:.0f} |",
            flush=True,
        )
    return rows


def measure_decoding(video: Path, work: Path, minutes: float = 10) -> dict[str, float]:
    """Print and return the seconds that decoding takes, for what different samplings need of one file."""
    file = open_video(make_long(video, work / f"long-{minutes:g}.mp4", minutes * 60))
    size, end = (168, 168), file.info.duration
    plans: dict[str, Iterable[object]] = {
        "every frame": file.pictures(),
        "8 frames of 2 s, every 1 s": iter_segments(file, Sampling(), size),
        "1 frame of 30 s, every 30 s": iter_segments(file, Sampling(30.0, 30.0, 1), size),
        "8 frames of the last 2 s": sample_segments(file, [Segment(0, end - 2, end)], 8, size),
    }
    print("\n| what is needed | s |\n| --- | --- |")
    rows = {}
    for name, plan in plans.items():
        rows[name], _ = timed(_drain, plan)
        print(f"| {name} | {rows[name]:.2f} |", flush=True)
    return rows


def measure_scaling(video: Path, work: Path) -> dict[str, dict[str, Any]]:
    """Print, draw and return the cost against length, K and overlap, and against batch."""
    minute, *longer = (make_long(video, work / f"long-{length}s.mp4", length) for length in (30, 60, 90, 150))
    lengths = {f"{open_video(path).info.duration:.0f}": (path, 2.0, 1.0, 8) for path in (minute, *longer)}
    runs = {
        "length": lengths,
        "K": {f"{frames}": (minute, 2.0, 1.0, frames) for frames in (1, 2, 4, 8, 16)},
        "overlap": {f"{100 - 50 * stride:g}": (minute, 2.0, stride, 8) for stride in (2.0, 1.0, 0.5, 0.25)},
    }
    rows: dict[str, dict[str, Any]] = {axis: {} for axis in runs}
    print("\n| run | segments | frames encoded | s a second of video | s a segment |\n| --- | --- | --- | --- | --- |")
    for axis, values in runs.items():
        for value, given in values.items():
            found = rows[axis][value] = run_one(*given)
            print(
                f"| {axis} {value} | {found['segments']:.0f} | {found['frames_encoded']:.0f} | "
                f"{found['seconds'] / found['seconds_of_video']:.3f} | {found['seconds'] / found['segments']:.3f} |",
                flush=True,
            )
    rows["batch"] = {f"{size}": {"a_segment": taken} for size, taken in _batches(minute).items()}
    print("\n| batch | s a segment |\n| --- | --- |")
    print("\n".join(f"| {size} | {found['a_segment']:.3f} |" for size, found in rows["batch"].items()))
    _draw(rows, work)
    return rows


def _draw(rows: dict[str, dict[str, Any]], work: Path) -> None:
    """Draw each of the costs as a figure of its own, ``speed-AXIS.svg``."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = {
        "length": "length of the video, s",
        "K": "frames a segment (K)",
        "overlap": "overlap of segments, %",
        "batch": "segments a batch",
    }
    for axis, found in rows.items():
        values = [float(value) for value in found]
        each = [row.get("a_segment") or row["seconds"] for row in found.values()]
        figure, plot = pyplot.subplots(figsize=(4.5, 3), layout="constrained")
        plot.plot(values, each, "o-")
        plot.set(xlabel=names[axis], ylabel="s a segment" if axis == "batch" else "s in all", ylim=(0, None))
        plot.grid(alpha=0.3)
        figure.savefig(work / f"speed-{axis}.svg", metadata={"Date": None})
        pyplot.close(figure)


def _batches(video: Path, rounds: int = 3) -> dict[int, float]:
    """Return seconds a segment by batch size, the median of rounds in turn."""
    layer = load_starter(DEFAULT_STARTER).layer
    segments = list(iter_segments(open_video(video), Sampling(), load_backbone().info.frame_size))[:16]
    taken: dict[int, list[float]] = {1: [], 2: [], 4: [], 8: [], 16: []}
    for _ in range(rounds):
        for size, times in taken.items():
            backbone, began = load_backbone().loaded, time.perf_counter()
            for start in range(0, len(segments), size):
                ours(backbone, segments[start : start + size], layer)
            times.append((time.perf_counter() - began) / len(segments))
    return {size: float(np.median(times)) for size, times in taken.items()}


def _drain(items: Iterable[object]) -> None:
    for _ in items:
        pass


if __name__ == "__main__":
    file, *numbers = sys.argv[1:]
    print(json.dumps(_extract(Path(file), Sampling(float(numbers[0]), float(numbers[1]), int(numbers[2])))))
