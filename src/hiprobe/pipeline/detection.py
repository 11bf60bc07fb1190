"""The result of a detection: scores, events and explanations of one video, and what made them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hiprobe.backbones import Reading
from hiprobe.explain import AnomalyMap, Explanation, Stance, shown, stance
from hiprobe.localize import Event, LocalizeSettings, Unjudged
from hiprobe.probing import CalibrationSegment, EventKind
from hiprobe.video import VideoInfo


@dataclass(frozen=True)
class SegmentScore:
    """One segment, in seconds: its raw score, and the score after smoothing over time."""

    start: float
    end: float
    score: float
    smoothed: float


@dataclass(frozen=True)
class DetectedEvent:
    """An event, and what is known about it.

    Attributes
    ----------
    event : Event
    explanation : Explanation, optional
        What the backbone said about it, where asked for.
    similar : tuple of CalibrationSegment
        By the hidden state at the event's peak, nearest first; empty if the probe keeps no segments.
    kind : EventKind, optional
        What sort of event it is, if the probe tells kinds apart.
    evidence : str
        One sentence made of what was measured: it comes before the backbone's text.
    """

    event: Event
    explanation: Explanation | None
    similar: tuple[CalibrationSegment, ...] = ()
    kind: EventKind | None = None
    evidence: str = ""

    @property
    def stance(self) -> Stance | None:
        """What the explanation says of the event: whether it fits; None without one."""
        if self.explanation is None:
            return None
        return stance(self.explanation.text, self.kind.name if self.kind else None)

    @property
    def said(self) -> str:
        """What a person is shown of the explanation: never a text that denies or contradicts the event as if it fitted.

        Empty without an explanation.
        """
        return shown(self.explanation.text, self.stance) if self.explanation and self.stance else ""


@dataclass(frozen=True)
class Provenance:
    """What made a detection: enough to make it again. ``probe`` is its name, where several ran together."""

    hiprobe_version: str
    reading: Reading
    localize: LocalizeSettings
    probe_created: str
    probe_source: str
    probe: str = ""


@dataclass(frozen=True)
class Timings:
    """Seconds of wall-clock time: until the features were there, counted from the video before; and explaining."""

    features: float
    explain: float


@dataclass(frozen=True)
class Detection:
    """The result for one video.

    Attributes
    ----------
    video : VideoInfo
    segments : tuple of SegmentScore
    threshold : float
        On smoothed scores; what is strictly over it is an event.
    events : tuple of DetectedEvent
        By time.
    provenance : Provenance
    timings : Timings
    warnings : tuple of str
        What a reader of this result must know.
    anomaly_map : AnomalyMap, optional
        Where in the picture the events are, if it was asked for.
    start : datetime, optional
        When the video began, if its reference said so.
    unjudged : tuple of Unjudged
        Stretches that the probe cannot judge, by start. They raise no events.
    """

    video: VideoInfo
    segments: tuple[SegmentScore, ...]
    threshold: float
    events: tuple[DetectedEvent, ...]
    provenance: Provenance
    timings: Timings
    warnings: tuple[str, ...]
    anomaly_map: AnomalyMap | None = None
    start: datetime | None = None
    unjudged: tuple[Unjudged, ...] = ()
