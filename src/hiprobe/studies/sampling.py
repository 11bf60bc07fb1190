"""``sampling``: frames a segment (K) and segment length: what they bring and what they cost."""

from __future__ import annotations

from hiprobe.datasets import Manifest
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Measured, StudySettings, at_layer, by_dlsp, measure
from hiprobe.studies.result import Line, Plot, StudyResult
from hiprobe.video import Sampling

FRAMES = (1, 2, 4, 8, 16)
LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)


def sampling(manifest: Manifest, reader: Reader, settings: StudySettings) -> StudyResult:
    """Vary K at the default length, and the length at the default K, each with half of a segment's overlap."""
    standard = Sampling()
    by_frames = {k: _measure(manifest, reader, settings, standard.length, k) for k in FRAMES}
    by_length = {s: _measure(manifest, reader, settings, s, standard.frames) for s in LENGTHS}
    reference, corpus = by_frames[standard.frames]
    found = {f"K = {k}, {standard.length:g} s": each for k, each in by_frames.items() if k != standard.frames}
    found |= {f"K = {standard.frames}, {s:g} s": each for s, each in by_length.items() if s != standard.length}
    methods = [reference, *(method for method, _ in found.values())]
    rates = [_frames_per_second(each) for each in (corpus, *(each for _, each in found.values()))]
    table, bars = comparison("Sampling", methods, reference, {"frames encoded, at most, a second": rates})
    plots = (
        bars,
        _plot("Frames a segment", "K", by_frames, log_x=True),
        _plot("Segment length", "s", by_length, log_x=True),
    )
    notes = (
        HOW,
        "Cost: frames that the vision tower encodes for a second of video, each once however many segments share it; "
        "no more than the video has. That, and a pass of the language model a segment, is what detection takes.",
    )
    return StudyResult("sampling", (corpus.name,), (table,), plots, notes)


def _measure(
    manifest: Manifest, reader: Reader, settings: StudySettings, length: float, frames: int
) -> tuple[Measured, Corpus]:
    corpus = reader.read(manifest, Sampling(length, length / 2, frames))
    name = f"K = {frames}, {length:g} s"
    return measure(corpus, name, lambda seed: at_layer(by_dlsp, seed), settings), corpus


def _frames_per_second(corpus: Corpus) -> float:
    spec = corpus.features[0].spec.sampling
    seconds = sum(item.video.duration for item in corpus.features)
    there = sum(item.video.n_frames for item in corpus.features) / seconds
    # Where the halves of a segment hold whole frames, the next segment finds those of the second half again.
    shared = spec.frames / 2 if spec.frames % 2 == 0 else spec.frames
    return min(there, shared / spec.stride)


def _plot(title: str, unit: str, found: dict, log_x: bool) -> Plot:
    methods = [method for method, _ in found.values()]
    low, high = zip(*(method.interval for method in methods), strict=True)
    line = Line("frame AUC", tuple(method.auc for method in methods), low, high)
    return Plot(title, unit, "frame AUC", tuple(found), (line,), log_x=log_x)
