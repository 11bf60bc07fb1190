"""``sampling``: frames a segment (K) against segment length: what they bring and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hiprobe.datasets import Manifest
from hiprobe.sampling import Sampling
from hiprobe.studies.compare import HOW, comparison
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Measured, StudySettings, at_layer, by_dlsp, measure
from hiprobe.studies.result import Cell, Line, Plot, StudyResult

FRAMES = (1, 2, 4, 8, 16)
LENGTHS = (0.5, 1.0, 2.0, 4.0, 8.0)

Grid = Mapping[tuple[int, float], Measured]
"""What was measured with each K and length."""


def sampling(manifest: Manifest, reader: Reader, settings: StudySettings) -> StudyResult:
    """Measure every K with every length, each with half of a segment's overlap."""
    standard = Sampling()
    default = (standard.frames, standard.length)
    found: dict[tuple[int, float], Measured] = {}
    cost: dict[tuple[int, float], float] = {}
    segments: dict[tuple[int, float], float] = {}
    # The default first: what every other is compared with.
    for cell in sorted(((k, s) for k in FRAMES for s in LENGTHS), key=lambda cell: cell != default):
        frames, length = cell
        corpus = reader.read(manifest, reader.backbone.info.reading(Sampling(length, length / 2, frames)))
        name = f"K = {frames}, {length:g} s"
        found[cell] = measure(corpus, name, lambda seed: at_layer(by_dlsp, seed), settings)
        cost[cell], segments[cell] = _frames_per_second(corpus), 1 / corpus.seconds_per_segment
    more: dict[str, Sequence[Cell]] = {
        "frames encoded, at most, a second": list(cost.values()),
        "segments a second": list(segments.values()),
    }
    table, _ = comparison("Sampling", list(found.values()), found[default], more)
    notes = (
        HOW,
        "Cost: frames that the vision tower encodes for a second of video, each once however many segments share it; "
        "no more than the video has. That, and a pass of the language model a segment, is what detection takes.",
    )
    return StudyResult("sampling", (manifest.source.stem,), (table,), (_matrix(found), _trade_off(found, cost)), notes)


def _frames_per_second(corpus: Corpus) -> float:
    frames = corpus.features[0].reading.sampling.frames
    # Where the halves of a segment hold whole frames, the next segment finds those of the second half again.
    new = frames // 2 if frames % 2 == 0 else frames
    encoded = [min(item.video.n_frames, frames + (len(item.states) - 1) * new) for item in corpus.features]
    return sum(encoded) / sum(item.video.duration for item in corpus.features)


def _matrix(found: Grid) -> Plot:
    rows = tuple(Line(f"K = {k}", tuple(found[k, s].auc for s in LENGTHS)) for k in FRAMES)
    return Plot("Frame AUC", "segment length, s", "", LENGTHS, rows, "matrix")


def _trade_off(found: Grid, cost: Mapping[tuple[int, float], float]) -> Plot:
    lines = tuple(
        Line(f"K = {k}", tuple(found[k, s].auc for s in LENGTHS), tuple(cost[k, s] for s in LENGTHS)) for k in FRAMES
    )
    return Plot("AUC against cost", "frames encoded a second", "frame AUC", (), lines, "points", log_x=True)
