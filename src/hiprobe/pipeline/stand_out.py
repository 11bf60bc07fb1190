"""``stand_out``: what stands out in footage, without a label and without a probe."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from hiprobe.backbones import Backbone, Reading
from hiprobe.errors import CalibrationError, FeatureError, UsageError, VideoError
from hiprobe.explain import MapKeeper
from hiprobe.features import Failure, Features, Run, extract
from hiprobe.localize import AlarmRates, LocalizeSettings, OrdinaryScores, smooth
from hiprobe.pipeline.detection import Detection
from hiprobe.pipeline.detector import Detector
from hiprobe.pipeline.tokens import sample_tokens, sampled_views, token_width
from hiprobe.probing import Card, fit_models
from hiprobe.probing.footage_probe import (
    BLOCK,
    FOLDS,
    FootageProbe,
    Models,
    judged,
    robust_standard,
    time_folds,
    values_by,
)
from hiprobe.probing.oneclass import VIEWS, TokenModel, TokenScorer, combined
from hiprobe.sampling import Sampling
from hiprobe.version import __version__
from hiprobe.video import VideoLike, VideoRef, plan_segments

DEFAULT_RUN = Run()

SAMPLING = Sampling(frames=2)
"""A quarter of the frames that other probes read: footage is read twice, and its frames are larger."""

SHORTEST = 30.0
"""Seconds of footage that can be its own reference."""

SAMPLED_FLOATS = 16_000_000
"""Numbers that are kept of sampled tokens, roughly: of 21,000 tokens of width 384, each with its change."""

MOST_OF_A_SEGMENT = 256

DEVIATIONS = 6.0
"""The threshold lies so many robust deviations over the median of the smoothed scores."""


class StandOut:
    """Finds what stands out in videos, each against the rest of its own footage.

    A video is read twice. The first time a sample of its tokens is kept, and models are fitted to it, each blind to
    some blocks of time. The second time each moment is judged by the model that is blind to it and to what is
    near it in time. What is rare in a video but its own only moment stands out; what fills half of it does not.

    Parameters
    ----------
    backbone : Backbone
        One that gives the states of single tokens.
    localize : LocalizeSettings, optional
        How scores become events.
    together : bool
        Whether the videos of :meth:`detect_all` are of one camera: then they are one footage.
    reading : Reading, optional
        Of tokens, at one layer.
    run : Run
        Where what is read is kept; who is told the progress.

    Raises
    ------
    UsageError
        If the backbone gives no token states.

    Examples
    --------
    >>> StandOut(load_backbone()).detect("night.mp4").events                    # doctest: +SKIP
    """

    def __init__(
        self,
        backbone: Backbone,
        localize: LocalizeSettings | None = None,
        *,
        together: bool = False,
        reading: Reading | None = None,
        run: Run = DEFAULT_RUN,
    ) -> None:
        every = backbone.info.token_reading(SAMPLING)
        self.reading = reading or replace(every, layers=every.layers[-1:])
        _ = self.reading.layer
        self.backbone, self.localize, self.together = backbone, localize or LocalizeSettings(), together
        self._run = run

    def detect(self, video: VideoLike, *, explain: bool = False, anomaly_map: bool = False) -> Detection:
        """Find what stands out in one video; parameters are those of :meth:`hiprobe.pipeline.Detector.detect`.

        Raises
        ------
        CalibrationError
            If the video is too short to be its own reference, or nothing changes in it.
        VideoError
            If the video cannot be read, wholly or in part.
        """
        (found,) = self._of([VideoRef.of(video)], explain, anomaly_map)
        return found

    def detect_all(
        self,
        videos: Sequence[VideoLike],
        done: Callable[[Detection], None],
        *,
        explain: bool = False,
        anomaly_map: bool = False,
    ) -> list[Failure]:
        """Find what stands out in several videos, handing each result to ``done``.

        One that fails does not stop the others, save where videos are one footage. Returns the failures.
        """
        refs, failures = [VideoRef.of(video) for video in videos], []
        for footage in [refs] if self.together else [[ref] for ref in refs]:
            try:
                results = self._of(footage, explain, anomaly_map)
            except (VideoError, FeatureError, UsageError) as error:
                failures.append(Failure(footage[0], error))
            else:
                for result in results:
                    done(result)
        return failures

    def probes(self, footage: Sequence[VideoLike]) -> list[tuple[Features, FootageProbe]]:
        """Return, of each video of one footage, what was read of it and the probe that judges it.

        Raises
        ------
        CalibrationError
            If the footage is too short to be its own reference, or nothing changes in it.
        VideoError
            If a video cannot be read, wholly or in part.
        """
        refs = [VideoRef.of(video) for video in footage]
        width = token_width(self.backbone.info)
        tokens = SAMPLED_FLOATS // (2 * width)
        count = int(np.clip(tokens // _segments(refs, self.reading), 1, MOST_OF_A_SEGMENT))
        sample = sample_tokens(self.reading, width, self._run.seed, count)
        sampled = [extract(ref, self.backbone, sample, self._run) for ref in refs]
        block = min(BLOCK, sum(item.video.duration for item in sampled) / FOLDS)
        timeline = _Timeline.of(sampled, block)
        models = _fit(sampled, timeline, width, self._run.seed)
        extraction = values_by(self.reading, models)
        found = [extract(ref, self.backbone, extraction, self._run) for ref in refs]
        return list(zip(found, _probes(found, timeline, models, self.reading, self.localize), strict=True))

    def _of(self, footage: Sequence[VideoRef], explain: bool, anomaly_map: bool) -> list[Detection]:
        began = time.perf_counter()
        probes = self.probes(footage)
        seconds, results = (time.perf_counter() - began) / len(footage), []
        for ref, (features, probe) in zip(footage, probes, strict=True):
            keeper = MapKeeper(self.backbone, probe, self._run) if anomaly_map else None
            detector = Detector(probe, self.backbone, self.localize, self._run)
            results.append(detector.finish(ref, features, seconds, explain=explain, keeper=keeper, shown=Sampling()))
        return results


def stand_out(
    video: VideoLike,
    backbone: Backbone,
    *,
    explain: bool = False,
    anomaly_map: bool = False,
    localize: LocalizeSettings | None = None,
    run: Run = DEFAULT_RUN,
) -> Detection:
    """Find what stands out in one video; parameters and errors are those of :class:`StandOut` and its ``detect``."""
    return StandOut(backbone, localize, run=run).detect(video, explain=explain, anomaly_map=anomaly_map)


@dataclass(frozen=True, eq=False)
class _Timeline:
    """Segments of all videos of a footage, one after the other: which fold judges them, and what each fold sees."""

    fold: NDArray[np.intp]
    seen: list[NDArray[np.bool_]]
    borders: NDArray[np.intp]

    @classmethod
    def of(cls, features: Sequence[Features], block: float) -> _Timeline:
        # Two videos of a footage are not neighbours in time, as far as is known, but may be.
        offsets = np.cumsum([0.0, *(item.video.duration for item in features[:-1])])
        starts = np.concatenate([item.starts + at for item, at in zip(features, offsets, strict=True)])
        ends = np.concatenate([item.ends + at for item, at in zip(features, offsets, strict=True)])
        fold, seen = time_folds(starts, ends, block)
        return cls(fold, seen, np.cumsum([len(item.starts) for item in features])[:-1])


def _segments(footage: Sequence[VideoRef], reading: Reading) -> int:
    """Return how many segments footage has. Raises CalibrationError if it is too short."""
    durations = [ref.open().info.duration for ref in footage]
    if sum(durations) < SHORTEST:
        what = f"{footage[0]} lasts" if len(footage) == 1 else f"{len(footage)} videos last"
        raise CalibrationError(
            f"{what} {sum(durations):.0f} s, too short to tell what stands out in it (that takes {SHORTEST:.0f} s); "
            "name a probe, such as --probe fight, or give more footage of the same camera with --same-camera."
        )
    return sum(len(plan_segments(duration, reading.sampling)) for duration in durations)


def _fit(sampled: Sequence[Features], timeline: _Timeline, width: int, seed: int) -> Models:
    """Fit the models of each fold to the sampled tokens of the segments that it may see."""
    rows = np.concatenate([item.states[:, 0] for item in sampled])
    models: list[dict[str, TokenModel]] = []
    for seen in timeline.seen:
        if not seen.any():
            raise CalibrationError("The footage is too short: no moment is far enough from another; give more of it.")
        models.append(fit_models(sampled_views(rows[seen], width), "gaussian", seed))
    return models


def _probes(
    found: Sequence[Features], timeline: _Timeline, models: Models, reading: Reading, localize: LocalizeSettings
) -> list[FootageProbe]:
    """Return the probe of each video: standardised, and with a threshold, over the whole footage."""
    values = judged(np.concatenate([item.states[:, 0] for item in found]), timeline.fold, VIEWS)
    centres, scales = robust_standard(values)
    scores = np.split(combined(values, centres, scales), timeline.borders)
    curves = [
        OrdinaryScores(smooth(part, item.centres, localize.sigma), item.centres, item.video.duration)
        for part, item in zip(scores, found, strict=True)
    ]
    smoothed = np.concatenate([curve.smoothed for curve in curves])
    middle = float(np.median(smoothed))
    threshold = middle + DEVIATIONS * 1.4826 * float(np.median(np.abs(smoothed - middle)))
    alarms = AlarmRates.of(curves, localize).up_to(threshold)
    scorers = tuple(TokenScorer("gaussian", of_fold, centres, scales) for of_fold in models)
    card = Card(
        finds="what stands out in its own footage",
        source="none: each moment against the rest of the same footage",
        n_videos=len(found),
        n_segments=len(smoothed),
        n_groups=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        hiprobe_version=__version__,
        notes=(),
    )
    return [
        FootageProbe(reading, scorers, fold, localize, threshold, card, alarms)
        for fold in np.split(timeline.fold, timeline.borders)
    ]
