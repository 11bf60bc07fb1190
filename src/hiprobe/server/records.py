"""What the verbs return: frozen facts, safe to hand from thread to thread. Times within videos are in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from hiprobe.explain import Stance

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ProbeState = Literal["given", "candidate", "not offered", "kept", "rolled back"]
"""``given``: a starter probe, or a probe file of the project. The others are made by refits. ``not offered``: one that
is no better on the labels, or of which too few labels tell."""

Made = Literal["given", "refit", "threshold", "ordinary"]
"""How a probe came about: given; refitted from labels; its threshold set by hand; calibrated on ordinary footage."""

Verdict = Literal["abnormal", "normal"]
LabelSource = Literal["accept", "reject", "relabel", "missed", "next", "rest"]
"""How a label came about: an event judged, an interval marked by hand, a segment of the label-next queue, or the rest
of a video that was looked through."""


@dataclass(frozen=True)
class VideoRecord:
    """A video of the library.

    Attributes
    ----------
    id : int
    name : str
        To be shown; as untrusted as any text of others.
    path : str
    uploaded : bool
        Whether the server holds it; otherwise it lies where it was named.
    playable : bool
        Whether browsers play it as it is; otherwise a copy in H.264 is played.
    duration : float
        Seconds.
    fps : float
    width, height : int
        In pixels, as displayed.
    added : str
        ISO 8601, UTC.
    state : {"new", "waiting", "running", "done", "failed", "cancelled"}
        Of the latest job of the current probe; ``done`` too where a result of it is there without one.
    n_events, peak : optional
        What the current probe found; None before.
    n_labels : int
        Labels that hold.
    """

    id: int
    name: str
    path: str
    uploaded: bool
    playable: bool
    duration: float
    fps: float
    width: int
    height: int
    added: str
    state: Literal["new"] | JobState
    n_events: int | None
    peak: float | None
    n_labels: int


@dataclass(frozen=True)
class JobRecord:
    """A detection that was asked for: ``done`` of ``total`` segments; ``total`` is 0 until the video is open."""

    id: int
    video_id: int
    video: str
    probe_id: int
    probe: str
    explain: bool
    state: JobState
    done: int
    total: int
    error: str
    created: str
    started: str | None
    finished: str | None


@dataclass(frozen=True)
class LabelRecord:
    """What a person said of the interval [start, end) of a video; ``kind`` is empty where it is normal."""

    id: int
    video_id: int
    start: float
    end: float
    verdict: Verdict
    kind: str
    source: LabelSource
    created: str


@dataclass(frozen=True)
class ReviewedEvent:
    """An event of the current probe, and the latest label that covers at least half of it, if there is one.

    ``kind`` is what was measured, with its ``probability``; None where the probe tells no kinds apart. ``evidence`` is
    what was measured in a sentence, and ``explanation`` what a person is shown of the language model's text.
    ``stance`` tells whether that text fits the event; None where there is no text.
    """

    start: float
    end: float
    peak_time: float
    peak: float
    mean: float
    explanation: str
    label: LabelRecord | None
    evidence: str = ""
    kind: str | None = None
    probability: float | None = None
    stance: Stance | None = None


@dataclass(frozen=True)
class Uncertain:
    """A segment that would teach most: not labelled yet, its score near to the threshold."""

    video_id: int
    video: str
    start: float
    end: float
    score: float
    threshold: float


@dataclass(frozen=True)
class ProbeRecord:
    """A probe that the project knows.

    Attributes
    ----------
    id, name, version
        ``name`` and ``version`` name it; version 0 is the one that was given.
    state : ProbeState
    current : bool
        Whether detection uses it.
    fits : bool
        Whether it is for the server's backbone; if not, it cannot be used here.
    base_id : int, optional
        The probe that was given, from which refits start.
    before_id : int, optional
        The probe that was current before: where rolling back leads.
    summary : str
        A line: what it finds, or what it was fitted on.
    card : str
        Markdown; empty unless it is a starter probe.
    layer : int
    pooling : str
    threshold : float
    n_labels : int
        Labels of this project that it was fitted with.
    auc_before, auc_after : float, optional
        On labelled segments, of the base and of the refit (cross-validated over videos); None where undefined.
    notes : tuple of str
        What to know about a refit: first what changes, in a sentence.
    created : str
    made : Made
        How it came about.
    """

    id: int
    name: str
    version: int
    state: ProbeState
    current: bool
    fits: bool
    base_id: int | None
    before_id: int | None
    summary: str
    card: str
    layer: int
    pooling: str
    threshold: float
    n_labels: int
    auc_before: float | None
    auc_after: float | None
    notes: tuple[str, ...]
    created: str
    made: Made = "given"


@dataclass(frozen=True)
class Outlook:
    """What a threshold would give: events in one video, and false alarms in ordinary footage.

    Attributes
    ----------
    threshold : float
    events : tuple of (float, float)
        Start and end of each event of the video, in seconds.
    alarms_per_hour : float, optional
        To be expected in ordinary footage; None where the probe does not know.
    interval : (float, float), optional
        Of that rate, 95%.
    sentence : str
        The two of them in words.
    """

    threshold: float
    events: tuple[tuple[float, float], ...]
    alarms_per_hour: float | None
    interval: tuple[float, float] | None
    sentence: str


@dataclass(frozen=True)
class Curve:
    """Smoothed scores of one labelled video at segment centres, before and after a refit; threshold of each."""

    video_id: int
    video: str
    centres: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    threshold_before: float
    threshold_after: float


@dataclass(frozen=True)
class Comparison:
    """A refitted probe against the one before it."""

    probe: ProbeRecord
    before: ProbeRecord
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class LayerSaliency:
    """Why a probe reads its layer: one value per layer; None where undefined."""

    layers: tuple[int, ...]
    layer: int
    combined: tuple[float | None, ...]
    d_kl: tuple[float | None, ...]
    ldr: tuple[float | None, ...]
    entropy: tuple[float | None, ...]
    silhouette: tuple[float | None, ...]
    cv_auc: tuple[float | None, ...]
    stability: tuple[float | None, ...]
    notes: tuple[str, ...]


def now() -> str:
    """Return the time as the tables keep it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
