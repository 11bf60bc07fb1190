"""``detect``: from a video and a probe to scores, events and explanations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from hiprobe.backbones import POOLINGS, Backbone, Pooling
from hiprobe.errors import FeatureError, ProbeError, UsageError, VideoError
from hiprobe.explain import AnomalyMap, Explanation, Witness, explain_events, read_anomaly_map
from hiprobe.features import Failure, FeatureSpec, FeatureStore, extract, extract_each
from hiprobe.features.engine import ProgressReport
from hiprobe.features.store import Features
from hiprobe.localize import Event, LocalizeSettings, adaptive_threshold, find_events, smooth
from hiprobe.pipeline.tokens import scoring_reading
from hiprobe.probing import AnyProbe, CalibrationSegment, OneClassProbe
from hiprobe.version import __version__
from hiprobe.video import Sampling, Segment, VideoInfo, open_video

NO_MAP = (
    "There is no anomaly map: a probe that pools 'last' needs three segments whose scores differ; take a longer video, "
    "or a probe that pools 'visual'."
)


@dataclass(frozen=True)
class SegmentScore:
    """One segment, in seconds: its raw score, and the score after smoothing over time."""

    start: float
    end: float
    score: float
    smoothed: float


@dataclass(frozen=True)
class DetectedEvent:
    """An event, what the backbone said about it where asked for, and the calibration segments that it is like.

    ``similar`` is by the hidden state at the event's peak, nearest first; empty if the probe keeps no segments.
    """

    event: Event
    explanation: Explanation | None
    similar: tuple[CalibrationSegment, ...] = ()


@dataclass(frozen=True)
class Provenance:
    """What made a detection: enough to make it again."""

    hiprobe_version: str
    backbone: str
    fingerprint: str
    prompt: str
    sampling: Sampling
    layer: int
    pooling: str
    localize: LocalizeSettings
    probe_created: str
    probe_source: str


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
    """

    video: VideoInfo
    segments: tuple[SegmentScore, ...]
    threshold: float
    events: tuple[DetectedEvent, ...]
    provenance: Provenance
    timings: Timings
    warnings: tuple[str, ...]
    anomaly_map: AnomalyMap | None = None


def detect(
    path: str | Path,
    probe: AnyProbe,
    backbone: Backbone,
    *,
    explain: bool = False,
    anomaly_map: bool = False,
    localize: LocalizeSettings | None = None,
    store: FeatureStore | None = None,
    fps: float | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Detection:
    """Find the events of one video.

    Parameters
    ----------
    path : path
        A video file, or a folder of images with ``fps``.
    probe : Probe or OneClassProbe
        Made by ``fit`` or ``fit_normal`` with the same backbone.
    backbone : Backbone
        It runs up to the probe's layer only, save for explanations.
    explain : bool
        Whether to let the backbone describe each event.
    anomaly_map : bool
        Whether to tell where in the picture each event is. Where hidden states are kept already, the segments of the
        events are read once more.
    localize : LocalizeSettings, optional
        In place of the probe's own.
    store : FeatureStore, optional
        Where hidden states are kept between runs.
    fps : float, optional
        Frame rate of a folder of images.
    report : callable
        Told (segments done, segments in all).

    Raises
    ------
    ProbeError
        If the probe is of another backbone.
    VideoError
        If the video cannot be read, wholly or in part.
    UsageError
        If anomaly maps are asked for of a backbone that does not tell places apart.
    """
    witness = Witness(backbone, probe) if anomaly_map else None
    reader, spec = detection_reading(probe, witness or backbone)
    began = time.perf_counter()
    features = extract(Path(path), reader, spec, store, fps, report)
    return _detection(features, time.perf_counter() - began, probe, backbone, explain, witness, localize, fps)


def detection_reading(probe: AnyProbe, backbone: Backbone) -> tuple[Backbone, FeatureSpec]:
    """Return what reads videos for a probe, and what of them is read.

    For a one-class probe the "hidden state" of a segment is its score already: the states of its tokens are not kept.

    Raises
    ------
    ProbeError
        If the probe is of another backbone, or pools in an unknown way.
    """
    context = probe.context
    probe.check(replace(context, backbone_name=backbone.info.name, fingerprint=backbone.info.fingerprint))
    sampling = Sampling(context.segment_length, context.stride, context.frames)
    if isinstance(probe, OneClassProbe):
        reader: Backbone = scoring_reading(backbone, probe)
        pooling = backbone.info.pooling
    else:
        reader, pooling = backbone, probe_pooling(probe)
    return reader, FeatureSpec(sampling, context.prompt, reader.info.fingerprint, (probe.layer,), pooling)


def _detection(
    features: Features,
    seconds: float,
    probe: AnyProbe,
    backbone: Backbone,
    explain: bool,
    witness: Witness | None,
    localize: LocalizeSettings | None,
    fps: float | None,
) -> Detection:
    """Score features that took so many seconds, find the events, and explain them where asked."""
    began = time.perf_counter()
    settings = localize or probe.localize
    segments, threshold, events = score(features, probe, settings)
    explanations: Sequence[Explanation | None] = [None] * len(events)
    warnings = list(features.video.warnings)
    maps: AnomalyMap | None = None
    if witness is not None:
        windows = [Segment(i, segment.start, segment.end) for i, segment in enumerate(segments)]
        raw = np.array([segment.score for segment in segments])
        maps = read_anomaly_map(open_video(features.video.path, fps=fps), windows, raw, events, witness)
        if events and not len(maps.times):
            warnings.append(NO_MAP)
    if explain:
        video = open_video(features.video.path, fps=fps)
        explanations = explain_events(video, events, backbone, features.spec.sampling)
        if events:
            warnings += backbone.info.warnings
    return Detection(
        video=features.video,
        segments=segments,
        threshold=threshold,
        events=tuple(
            DetectedEvent(event, text, _similar(event, features, probe))
            for event, text in zip(events, explanations, strict=True)
        ),
        provenance=Provenance(
            hiprobe_version=__version__,
            backbone=backbone.info.name,
            fingerprint=backbone.info.fingerprint,
            prompt=features.spec.prompt,
            sampling=features.spec.sampling,
            layer=probe.layer,
            pooling=probe.pooling,
            localize=settings,
            probe_created=probe.created,
            probe_source=probe.calibration.source,
        ),
        timings=Timings(seconds, time.perf_counter() - began),
        warnings=tuple(warnings),
        anomaly_map=maps,
    )


def _similar(event: Event, features: Features, probe: AnyProbe) -> tuple[CalibrationSegment, ...]:
    if isinstance(probe, OneClassProbe):
        return ()
    peak = int(np.abs(features.centres - event.peak_time).argmin())
    return probe.similar(features.at(probe.layer)[peak])


def probe_pooling(probe: AnyProbe) -> Pooling:
    """Return the probe's pooling, checked: a probe file may come from a release that knows more of them."""
    if probe.pooling not in POOLINGS:
        raise ProbeError(f"The probe pools by {probe.pooling!r}, which this release does not know; update hiprobe.")
    return cast(Pooling, probe.pooling)


def score(
    features: Features, probe: AnyProbe, settings: LocalizeSettings
) -> tuple[tuple[SegmentScore, ...], float, tuple[Event, ...]]:
    """Turn one video's features into segment scores, the threshold on the smoothed ones, and events."""
    states = features.at(probe.layer)
    raw = states[:, 0].astype(np.float64) if isinstance(probe, OneClassProbe) else probe.scorer.scores(states)
    smoothed = smooth(raw, features.centres, settings.sigma)
    if settings.threshold == "adaptive":
        threshold = adaptive_threshold(smoothed, settings.kappa)
    else:
        threshold = probe.calibrated_threshold
    events = find_events(
        smoothed,
        features.centres,
        features.video.duration,
        threshold,
        settings.min_duration,
        settings.merge_gap,
    )
    rows = zip(features.starts.tolist(), features.ends.tolist(), raw.tolist(), smoothed.tolist(), strict=True)
    return tuple(SegmentScore(*row) for row in rows), float(threshold), events


def detect_all(
    paths: Sequence[Path],
    probe: AnyProbe,
    backbone: Backbone,
    *,
    done: Callable[[Detection], None],
    explain: bool = False,
    anomaly_map: bool = False,
    localize: LocalizeSettings | None = None,
    store: FeatureStore | None = None,
    fps: float | None = None,
    report: ProgressReport = lambda progress: None,
) -> list[Failure]:
    """Detect on several videos, handing each result to ``done``; one that fails does not stop the others.

    ``fps`` is for those that are folders of images. Returns the failures.
    """
    failures = []
    witness = Witness(backbone, probe) if anomaly_map else None
    reader, spec = detection_reading(probe, witness or backbone)
    with closing(extract_each(paths, reader, spec, store, fps, report)) as results:
        began = time.perf_counter()
        for path, found in zip(paths, results, strict=True):
            if isinstance(found, Failure):
                failures.append(found)
                continue
            seconds = time.perf_counter() - began
            rate = fps if path.is_dir() else None
            try:
                result = _detection(found, seconds, probe, backbone, explain, witness, localize, rate)
            except (VideoError, FeatureError, UsageError) as error:
                failures.append(Failure(path, error))
            else:
                done(result)
            began = time.perf_counter()
    return failures
