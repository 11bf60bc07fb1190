"""The detector: a probe and a backbone, ready to use; from a video to scores, events and explanations."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np

from hiprobe.backbones import Backbone
from hiprobe.errors import FeatureError, UsageError, VideoError
from hiprobe.explain import AnomalyMap, Explanation, MapKeeper, evidence, explain_events, place_of, read_anomaly_map
from hiprobe.features import Failure, Features, Run, extract, extract_each_together
from hiprobe.localize import Event, LocalizeSettings, find_events, smooth
from hiprobe.pipeline.detection import DetectedEvent, Detection, Provenance, SegmentScore, Timings
from hiprobe.pipeline.guards import Verdicts, judge, judged, stretches, with_looks
from hiprobe.probing import CalibrationSegment, EventKind, Probe, check_alarms, check_backbone, threshold_of
from hiprobe.sampling import Sampling
from hiprobe.version import __version__
from hiprobe.video import Segment, VideoLike, VideoRef

NO_MAP = (
    "There is no anomaly map: a probe that pools 'last' needs three segments whose scores differ; take a longer video, "
    "or a probe that pools 'visual'."
)

DEFAULT_RUN = Run()


class Detector:
    """Finds the events of videos.

    Parameters
    ----------
    probe : Probe
        Made by ``fit`` or ``fit_normal`` with the same backbone.
    backbone : Backbone
        It runs up to the probe's layer only, save for explanations.
    localize : LocalizeSettings, optional
        In place of the probe's own.
    run : Run
        Where hidden states are kept, and who is told the progress.

    Raises
    ------
    ProbeError
        If the probe is of another backbone, or a rate of false alarms is asked for that it does not know.

    Examples
    --------
    >>> detector = Detector(load_probe("yard.probe"), load_backbone())      # doctest: +SKIP
    >>> detector.detect("night.mp4", explain=True).events                   # doctest: +SKIP
    """

    def __init__(
        self, probe: Probe, backbone: Backbone, localize: LocalizeSettings | None = None, run: Run = DEFAULT_RUN
    ) -> None:
        check_backbone(probe, backbone.info)
        self.probe, self.backbone = probe, backbone
        self.localize = localize or probe.localize
        check_alarms(probe, self.localize)
        self._run = run

    def detect(self, video: VideoLike, *, explain: bool = False, anomaly_map: bool = False) -> Detection:
        """Find the events of one video.

        Parameters
        ----------
        video : VideoRef or path
            A video file, or a folder of images with its frame rate.
        explain : bool
            Whether the backbone describes each event.
        anomaly_map : bool
            Whether to tell where in the picture each event is. Where hidden states are kept already, the segments of
            the events are read once more.

        Raises
        ------
        VideoError
            If the video cannot be read, wholly or in part.
        UsageError
            If anomaly maps are asked for of a backbone that does not tell places apart.
        """
        ref, keeper = VideoRef.of(video), self._keeper(anomaly_map)
        began = time.perf_counter()
        features = extract(ref, self.backbone, (keeper or self.probe).extraction, self._run)
        return self.finish(ref, features, time.perf_counter() - began, explain=explain, keeper=keeper)

    def detect_all(
        self,
        videos: Sequence[VideoLike],
        done: Callable[[Detection], None],
        *,
        explain: bool = False,
        anomaly_map: bool = False,
    ) -> list[Failure]:
        """Detect on several videos, handing each result to ``done``; one that fails does not stop the others.

        Parameters are those of :meth:`detect`. Returns the failures.
        """
        return detect_together([self], videos, lambda _, found: done(found), explain=explain, anomaly_map=anomaly_map)

    def _keeper(self, anomaly_map: bool) -> MapKeeper | None:
        return MapKeeper(self.backbone, self.probe, self._run) if anomaly_map else None

    def finish(
        self,
        ref: VideoRef,
        features: Features,
        seconds: float,
        *,
        explain: bool,
        keeper: MapKeeper | None,
        shown: Sampling | None = None,
    ) -> Detection:
        """Score features of the probe that took so many seconds, find the events, and explain them where asked.

        What the backbone is ``shown`` of an event is by default sampled as the probe reads.
        """
        began = time.perf_counter()
        probe, info = self.probe, self.backbone.info
        features = with_looks(ref, features, self.backbone.info)
        verdicts = judge(features, self.probe)
        segments, threshold, events = score(features, probe, self.localize, verdicts)
        explanations: Sequence[Explanation | None] = [None] * len(events)
        warnings = list(features.video.warnings)
        maps: AnomalyMap | None = None
        if keeper is not None:
            windows = [Segment(i, segment.start, segment.end) for i, segment in enumerate(segments)]
            raw = np.array([segment.score for segment in segments])
            maps = read_anomaly_map(ref.open(), windows, raw, events, keeper)
            if events and not len(maps.times):
                warnings.append(NO_MAP)
        if explain:
            sampling = shown or probe.reading.sampling
            explanations = explain_events(ref.open(), events, self.backbone, sampling, self._run, probe.reading.pixels)
            if events:
                warnings += info.warnings
        return Detection(
            video=features.video,
            segments=segments,
            threshold=threshold,
            events=tuple(
                with_evidence(
                    DetectedEvent(
                        event,
                        text,
                        _similar(event, features, probe),
                        _kind(event, features, probe, segments, threshold),
                    ),
                    self.probe,
                    maps,
                )
                for event, text in zip(events, explanations, strict=True)
            ),
            provenance=Provenance(
                hiprobe_version=__version__,
                reading=replace(probe.reading, name=info.name),
                localize=self.localize,
                probe_created=probe.card.created,
                probe_source=probe.card.source,
            ),
            timings=Timings(seconds, time.perf_counter() - began),
            warnings=tuple(warnings),
            anomaly_map=maps,
            start=ref.start,
            unjudged=stretches(features, verdicts),
        )


def detect(
    video: VideoLike,
    probe: Probe,
    backbone: Backbone,
    *,
    explain: bool = False,
    anomaly_map: bool = False,
    localize: LocalizeSettings | None = None,
    run: Run = DEFAULT_RUN,
) -> Detection:
    """Find the events of one video; parameters and errors are those of :class:`Detector` and its ``detect``."""
    return Detector(probe, backbone, localize, run).detect(video, explain=explain, anomaly_map=anomaly_map)


def detect_together(
    detectors: Sequence[Detector],
    videos: Sequence[VideoLike],
    done: Callable[[int, Detection], None],
    *,
    explain: bool = False,
    anomaly_map: bool = False,
) -> list[Failure]:
    """Detect with several probes of one backbone on several videos; a video that fails does not stop the others.

    Probes that cut videos into the same segments, and see frames of one size, share a pass: frames are decoded once,
    and go through the vision tower once.

    Parameters
    ----------
    detectors : sequence of Detector
        Of one backbone; the first says how all run.
    videos : sequence of VideoRef or path
        What to read.
    done : callable
        Told the number of the detector and its result, as soon as it is there.
    explain, anomaly_map : bool
        As in :meth:`Detector.detect`.

    Returns
    -------
    list of Failure
        Of each video once.
    """
    refs = [VideoRef.of(video) for video in videos]
    passes: dict[Hashable, list[int]] = {}
    for number, detector in enumerate(detectors):
        reading = detector.probe.reading
        shown = reading.sampling, reading.pixels, detector.backbone.info.shown_size(reading)
        passes.setdefault(shown, []).append(number)
    failures: dict[int, Failure] = {}
    for numbers in passes.values():
        _detect_pass({number: detectors[number] for number in numbers}, refs, done, explain, anomaly_map, failures)
    return [failures[index] for index in sorted(failures)]


def _detect_pass(
    detectors: Mapping[int, Detector],
    refs: Sequence[VideoRef],
    done: Callable[[int, Detection], None],
    explain: bool,
    anomaly_map: bool,
    failures: dict[int, Failure],
) -> None:
    """Detect by probes that share the frames; adds failures by the index of their video."""
    keepers = {number: detector._keeper(anomaly_map) for number, detector in detectors.items()}
    extractions = [(keepers[number] or detector.probe).extraction for number, detector in detectors.items()]
    first = next(iter(detectors.values()))
    with closing(extract_each_together(refs, first.backbone, extractions, first._run)) as results:
        began = time.perf_counter()
        for index, (ref, found) in enumerate(zip(refs, results, strict=True)):
            if isinstance(found, Failure):
                failures.setdefault(index, found)
                continue
            seconds = time.perf_counter() - began
            for (number, detector), features in zip(detectors.items(), found, strict=True):
                try:
                    result = detector.finish(ref, features, seconds, explain=explain, keeper=keepers[number])
                except (VideoError, FeatureError, UsageError) as error:
                    failures.setdefault(index, Failure(ref, error))
                else:
                    done(number, result)
            began = time.perf_counter()


def score(
    features: Features, probe: Probe, settings: LocalizeSettings, verdicts: Verdicts | None = None
) -> tuple[tuple[SegmentScore, ...], float, tuple[Event, ...]]:
    """Turn one video's features into segment scores, the threshold on the smoothed ones, and events.

    Segments that cannot be judged, by ``verdicts`` or else by their looks, are left out of smoothing, of an adaptive
    threshold, and of events. Their smoothed score is what the curve of the others says there.
    """
    raw = probe.score(features.at(probe.reading.layer))
    verdicts = judge(features, probe) if verdicts is None else verdicts
    known = judged(verdicts)
    if not known.any():  # the scores are told all the same
        known = ~known
    centres = features.centres[known]
    curve = smooth(raw[known], centres, settings.sigma)
    smoothed = np.interp(features.centres, centres, curve)
    threshold = threshold_of(probe, settings, curve)
    events = find_events(
        curve,
        centres,
        features.video.duration,
        threshold,
        settings.min_duration,
        settings.merge_gap,
        [(stretch.start, stretch.end) for stretch in stretches(features, verdicts)],
    )
    rows = zip(features.starts.tolist(), features.ends.tolist(), raw.tolist(), smoothed.tolist(), strict=True)
    return tuple(SegmentScore(*row) for row in rows), float(threshold), events


def with_evidence(item: DetectedEvent, probe: Probe, maps: AnomalyMap | None) -> DetectedEvent:
    """Return an event with the sentence of what was measured of it, and where in the picture by its maps, if any."""
    rate = hours = None
    if probe.alarms is not None:
        hours, highest = probe.alarms.hours, probe.alarms.peaks[0]
        # Over the highest peak there is only a tail, which is no measurement.
        rate = probe.alarms.rate_at(item.event.peak) if item.event.peak <= highest else 0.0
    said = evidence(item.kind, rate, hours, place_of(maps, item.event), item.similar)
    return replace(item, evidence=said)


def _similar(event: Event, features: Features, probe: Probe) -> tuple[CalibrationSegment, ...]:
    return probe.similar(features.at(probe.reading.layer)[_peak(event, features)])


def _peak(event: Event, features: Features) -> int:
    return int(np.abs(features.centres - event.peak_time).argmin())


def _kind(
    event: Event, features: Features, probe: Probe, segments: Sequence[SegmentScore], threshold: float
) -> EventKind | None:
    """Return the kind of an event, by its segments over the threshold, and at its peak."""
    chosen = np.array([segment.smoothed > threshold for segment in segments])
    chosen &= (event.start <= features.centres) & (features.centres <= event.end)
    chosen[_peak(event, features)] = True
    return probe.kind(features.at(probe.reading.layer)[chosen])
