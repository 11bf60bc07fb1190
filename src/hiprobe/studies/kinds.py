"""``kinds``: several named probes on one pass, a kind of event each against everything else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hiprobe.datasets import LabelledVideo
from hiprobe.errors import UsageError
from hiprobe.studies.corpus import Corpus, Reader
from hiprobe.studies.protocol import Measured, StudySettings, at_layer, by_dlsp, measure, measured
from hiprobe.studies.result import Line, Plot, StudyResult, Table, ranged

_FEWEST = 2


def kinds(corpus: Corpus, reader: Reader, settings: StudySettings) -> StudyResult:
    """Fit one probe a kind, one against the rest, and one of all kinds together, and say which finds what.

    Raises
    ------
    UsageError
        If there are fewer than two kinds that come in two groups each.
    """
    names = sorted({kind for video in corpus.videos for kind in _kinds(video)})
    usable = [name for name in names if len({v.group for v in corpus.videos if name in _kinds(v)}) >= _FEWEST]
    if len(usable) < _FEWEST:
        raise UsageError(
            f"{corpus.name}: {len(usable)} kind(s) of events come in two groups or more, and this study needs "
            "two; label kinds by name."
        )
    fit = {kind: measure(_only(corpus, kind), kind, lambda seed: at_layer(by_dlsp, seed), settings) for kind in usable}
    anything = measure(corpus, "anything", lambda seed: at_layer(by_dlsp, seed), settings)
    rows, lines = [], []
    for name, probe in {**fit, "anything": anything}.items():
        found = [_on(corpus, kind, probe, settings) for kind in usable]
        rows.append((name, *(ranged(each.auc, each.interval) for each in found)))
        lines.append(Line(name, tuple(each.auc for each in found)))
    title = "Frame AUC of each probe (row) for each kind of event (column)"
    plot = Plot("Probes by kind: frame AUC", "kind of event", "probe", tuple(usable), tuple(lines), "matrix")
    notes = (
        "One pass of the backbone serves all probes. For a column, frames of that kind are abnormal and all others "
        "normal, other kinds of events too. Cross-validation by group; layer by DLSP for each probe. Intervals: 95%.",
        *(f"Left out: {name}, which comes in one group only." for name in names if name not in usable),
    )
    table = Table(title, ("probe", *usable), tuple(rows))
    return StudyResult("kinds", (corpus.name,), (table,), (plot,), notes)


def _kinds(video: LabelledVideo) -> NDArray[np.str_] | set[str]:
    return {video.label} if video.video_level else {interval.label for interval in video.intervals}


def _only(corpus: Corpus, kind: str) -> Corpus:
    """Return the corpus with events of one kind alone; all else is normal."""
    videos = []
    for video in corpus.videos:
        if video.video_level and video.label == kind:
            videos.append(video)
        else:
            kept = tuple(interval for interval in video.intervals if interval.label == kind)
            videos.append(replace(video, label=kind if kept else "normal", intervals=kept))
    return replace(corpus, videos=tuple(videos))


def _on(corpus: Corpus, kind: str, probe: Measured, settings: StudySettings) -> Measured:
    return measured(_only(corpus, kind), probe.name, probe.scores, settings)
