"""What stands out in a stream without a label, beside the starter probes on the same streams.

    python -m benchmarks.stand_out DATA [--work W] [--starter [NAME ...]] [--cameras FOLDER [--groups cam3]] [--clips N]

DATA holds ``ucsd_ped2/``, as for ``benchmarks.real_footage``. Each of its abnormal test clips is put between the 8th
and the 9th of its 16 normal training clips, as one stream of one camera: packets are copied, so frames are those of
the clips. ``--starter`` scores the same streams with the starter probes, all or those named. It does so from the clips'
own segments: those across a join are left out. FOLDER is made by ``benchmarks.generated_cameras``; its streams hold one
event in ten minutes, and ``--groups`` names the cameras to measure; ``benchmarks.one_event`` does so more cheaply.

What is read of a frame is kept under ``--work``, in half precision. Prints Markdown tables and writes the numbers to a
JSON file there. Every setting is the product's default.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.extraction import REMEDY, kept_run
from benchmarks.real_footage import read_videos
from hiprobe.arrays import FloatArray
from hiprobe.backbones import Backbone, BackboneInfo, Batch, Reading, States, load_backbone
from hiprobe.backbones.frames import frame_key
from hiprobe.datasets import LabelledVideo, load_manifest
from hiprobe.features import Run, extract_all, raise_failures
from hiprobe.files import atomic_path, write_text
from hiprobe.localize import find_events, smooth
from hiprobe.pipeline import Detection, Detector, StandOut, detect_together
from hiprobe.probes import load_starter
from hiprobe.probing import Probe

PLACE = 8
"""Normal clips before the abnormal one."""

STARTERS = ("fight", "walkway-vehicles")

Spans = Sequence[tuple[float, float]]


class Remembered:
    """A backbone whose token states of single frames are kept in files, in half precision."""

    def __init__(self, backbone: Backbone, folder: Path) -> None:
        self._backbone, self._folder = backbone, folder
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def info(self) -> BackboneInfo:
        """The backbone's facts."""
        return self._backbone.info

    def load(self) -> None:
        """Do nothing: the backbone is loaded when a frame is not known."""

    def generate(self, batch: Batch, prompt: str, max_new_tokens: int) -> str:
        """Let the backbone speak."""
        return self._backbone.generate(batch, prompt, max_new_tokens)

    def read(self, batch: Batch, reading: Reading) -> States:
        """Read tokens frame by frame, from the files where they are; anything else by the backbone."""
        if reading.pooling != "tokens" or reading.site != "vision":
            self._backbone.load()
            return self._backbone.read(batch, reading)
        shape = batch.frames.shape
        flat = batch.frames.reshape(-1, *shape[2:])
        layers = "-".join(str(layer) for layer in reading.layers)
        paths = [self._folder / f"{frame_key([frame]).hex()}.{layers}.npy" for frame in flat]
        missing = [at for at, path in enumerate(paths) if not path.exists()]
        if missing:
            self._backbone.load()
            found = self._backbone.read(Batch(flat[missing][None]), reading).values[0]
            for at, values in zip(missing, np.moveaxis(found, 1, 0), strict=True):
                with atomic_path(paths[at]) as temporary, temporary.open("wb") as file:
                    np.save(file, values.astype(np.float16))
        kept = np.stack([np.load(path) for path in paths]).astype(np.float32)
        return States(np.moveaxis(kept.reshape(*shape[:2], *kept.shape[1:]), 2, 1))


def join(clips: Sequence[Path], path: Path) -> None:
    """Put clips of one encoding one after the other into a file, unless it is there; packets are copied."""
    if path.exists():
        return
    with atomic_path(path) as temporary, av.open(str(temporary), "w", format="mp4") as target:
        out: Any = None
        offset = 0
        for clip in clips:
            with av.open(str(clip)) as source:
                stream = source.streams.video[0]
                out = out or target.add_stream_from_template(stream)
                end = 0
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None or packet.duration is None:
                        continue
                    end = max(end, packet.pts + packet.duration)
                    packet.pts, packet.dts, packet.stream = packet.pts + offset, packet.dts + offset, out
                    target.mux(packet)
                offset += end


@dataclass(frozen=True, eq=False)
class Stream:
    """A stream: its clips in order, which of them is abnormal, and when it is, in seconds of the stream."""

    name: str
    clips: tuple[LabelledVideo, ...]
    offsets: tuple[float, ...]
    clip: tuple[float, float]
    abnormal: Spans

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.offsets[-1]


def streams(normal: Sequence[LabelledVideo], tests: Sequence[LabelledVideo]) -> Iterator[Stream]:
    """Yield the stream of each test clip."""
    for test in tests:
        clips = (*normal[:PLACE], test, *normal[PLACE:])
        offsets = tuple(np.cumsum([0.0, *(clip.video.open().info.duration for clip in clips)]).tolist())
        start = offsets[PLACE]
        spans = [(start + i.start, start + i.end) for i in test.intervals]
        yield Stream(test.path.stem, clips, offsets, (start, offsets[PLACE + 1]), spans)


@dataclass(frozen=True)
class Measured:
    """Of one stream: AUC of its segments, whether its highest event is the true one, false alarms, and hours."""

    name: str
    auc: float
    highest: bool
    found: bool
    false_alarms: int
    normal_hours: float


def measure(
    name: str,
    smoothed: FloatArray,
    centres: FloatArray,
    events: Sequence[tuple[float, float]],
    duration: float,
    place: tuple[float, float],
    abnormal: Spans,
) -> Measured:
    """Measure a stream.

    A segment is abnormal if its middle is. The highest event is where the threshold, lowered from above, finds the
    first one: at the highest smoothed score. It is right within ``place``. An event that does not touch ``place`` is a
    false alarm.
    """
    truth = np.any([(centres >= start) & (centres < end) for start, end in abnormal], axis=0)
    peak = float(centres[int(smoothed.argmax())])
    touching = [start < place[1] and place[0] < end for start, end in events]
    hours = (duration - (place[1] - place[0])) / 3600
    auc = float(roc_auc_score(truth, smoothed))
    return Measured(name, auc, place[0] <= peak < place[1], any(touching), touching.count(False), hours)


def of_detection(name: str, found: Detection, place: tuple[float, float], abnormal: Spans) -> Measured:
    """Measure a detection."""
    smoothed = np.array([segment.smoothed for segment in found.segments])
    centres = np.array([(segment.start + segment.end) / 2 for segment in found.segments])
    events = [(item.event.start, item.event.end) for item in found.events]
    return measure(name, smoothed, centres, events, found.video.duration, place, abnormal)


def by_starter(every: Sequence[Stream], probe: Probe, backbone: Backbone, work: Path) -> list[Measured]:
    """Measure a starter probe on streams, by the hidden states of their clips' own segments."""
    clips = list(dict.fromkeys(clip for stream in every for clip in stream.clips))
    read, failures = extract_all([clip.video for clip in clips], backbone, probe.extraction, kept_run(work))
    raise_failures(failures, REMEDY)
    known = dict(zip(clips, read, strict=True))
    found = []
    for stream in every:
        items = [known[clip] for clip in stream.clips]
        centres = np.concatenate([item.centres + at for item, at in zip(items, stream.offsets, strict=False)])
        scores = np.concatenate([probe.score(item.at(probe.reading.layer)) for item in items])
        settings = probe.localize
        curve: NDArray[np.float64] = smooth(scores, centres, settings.sigma)
        events = find_events(
            curve, centres, stream.duration, probe.calibrated_threshold, settings.min_duration, settings.merge_gap
        )
        spans = [(event.start, event.end) for event in events]
        found.append(measure(stream.name, curve, centres, spans, stream.duration, stream.clip, stream.abnormal))
    return found


def row(name: str, found: Sequence[Measured]) -> str:
    """Return a Markdown row."""
    hours = sum(item.normal_hours for item in found)
    alarms, all_of = sum(item.false_alarms for item in found), f"of {len(found)}"
    highest, right = sum(item.highest for item in found), sum(item.found for item in found)
    auc = np.mean([item.auc for item in found])
    rate = f"{alarms / hours:.1f} ({alarms} in {hours:.2f} h)"
    return f"| {name} | {auc:.3f} | {highest} {all_of} | {right} {all_of} | {rate} |"


def add_starters(parser: argparse.ArgumentParser) -> None:
    """Add the option that asks for starter probes."""
    told = "measure these starter probes, too; all without a name"
    parser.add_argument("--starter", nargs="*", choices=STARTERS, metavar="NAME", help=told)


def starters_of(options: argparse.Namespace) -> Sequence[str]:
    """Return the names of the starter probes that were asked for."""
    return () if options.starter is None else options.starter or STARTERS


def main() -> None:
    """Read, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with ucsd_ped2/")
    parser.add_argument(
        "--work", type=Path, default=Path("bench-out"), help="folder for streams, what is read, numbers"
    )
    add_starters(parser)
    parser.add_argument("--cameras", type=Path, help="folder of benchmarks.generated_cameras")
    parser.add_argument("--groups", nargs="+", help="cameras of FOLDER to measure; all by default")
    parser.add_argument("--clips", type=int, help="only the first so many abnormal clips")
    options = parser.parse_args()
    splits = read_videos(options.data / "ucsd_ped2")
    backbone = load_backbone(report=print)
    remembered = Remembered(backbone, options.work / "tokens")
    every = list(streams(splits["train"], splits["test"][: options.clips]))
    finder, results = StandOut(remembered, run=Run(kept_run(options.work).store)), dict[str, list[Measured]]()

    found = []
    for stream in every:
        path = options.work / f"stream_{stream.name}.mp4"
        join([clip.path for clip in stream.clips], path)
        found.append(of_detection(stream.name, finder.detect(path), stream.clip, stream.abnormal))
        print(f"  {found[-1]}", flush=True)
    results["Ped2: footage itself"] = found
    for name in starters_of(options):
        results[f"Ped2: {name}"] = by_starter(every, load_starter(name), backbone, options.work)
    if options.cameras:
        results |= on_cameras(options.cameras, options.groups, remembered, options.work, starters_of(options))
    print("\n| streams: by | mean AUC | highest event is the true one | true one found | false alarms/h |")
    print("| --- | --- | --- | --- | --- |")
    print("\n".join(row(name, found) for name, found in results.items()))
    numbers = {name: [asdict(item) for item in found] for name, found in results.items()}
    write_text(options.work / "stand_out.json", json.dumps(numbers, indent=2) + "\n")


def on_cameras(
    folder: Path, groups: Sequence[str] | None, backbone: Remembered, work: Path, starters: Sequence[str]
) -> dict[str, list[Measured]]:
    """Measure the footage itself, and the starter probes where asked, on generated streams of one event."""
    videos = [video for video in load_manifest(folder / "labels.csv").videos if video.is_abnormal]
    videos = [video for video in videos if groups is None or video.group in groups]
    spans = {video.video: (video.intervals[0].start, video.intervals[0].end) for video in videos}
    run, results = kept_run(work), dict[str, list[Measured]]()

    def keep(name: str, found: Detection) -> None:
        ref = next(ref for ref in spans if ref.path == found.video.path)
        results.setdefault(f"generated cameras: {name}", []).append(
            of_detection(ref.path.stem, found, spans[ref], [spans[ref]])
        )
        print(f"  {name}: {results[f'generated cameras: {name}'][-1]}", flush=True)

    # The tokens are remembered; what the models make of them is not worth keeping.
    failures = StandOut(backbone, run=replace(run, store=None)).detect_all(
        list(spans), lambda found: keep("footage itself", found)
    )
    if starters:
        detectors = [Detector(load_starter(name), backbone, run=run) for name in starters]
        failures += detect_together(detectors, list(spans), lambda number, found: keep(starters[number], found))
    raise_failures(failures, REMEDY)
    return results


if __name__ == "__main__":
    main()
