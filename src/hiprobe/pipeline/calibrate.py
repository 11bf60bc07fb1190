"""``calibrate``: a probe fitted to a camera by unlabelled ordinary footage of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiprobe.arrays import BoolArray
from hiprobe.backbones import Backbone
from hiprobe.errors import CalibrationError, UsageError
from hiprobe.features import Features, Run, extract_all, raise_failures
from hiprobe.localize import AlarmRates, Event, OrdinaryScores, find_events, rate_text
from hiprobe.localize.settings import check_rate
from hiprobe.pipeline.detector import score
from hiprobe.pipeline.guards import blind, judged, verdicts_of
from hiprobe.pipeline.ordinary import length_text, stretches_of
from hiprobe.probing import Familiar, Probe, check_backbone
from hiprobe.video import VideoLike, VideoRef

DEFAULT_RUN = Run()


@dataclass(frozen=True)
class Odd:
    """A moment of the footage that was left out, as it stands out from the rest."""

    video: VideoRef
    event: Event


@dataclass(frozen=True, eq=False)
class Calibrated:
    """A probe after calibration, and what the footage said.

    Attributes
    ----------
    probe : Probe
        With the threshold and the alarm rates of the camera.
    alarms : AlarmRates
        Of the camera.
    centre, spread : float
        Median of the camera's smoothed scores, and their robust standard deviation.
    odd : tuple of Odd
        Moments that were left out.
    """

    probe: Probe
    alarms: AlarmRates
    centre: float
    spread: float
    odd: tuple[Odd, ...]


def calibrate(
    probe: Probe,
    videos: Sequence[VideoLike],
    backbone: Backbone,
    *,
    alarms_per_day: float | None = None,
    false_alarms: float | None = None,
    run: Run = DEFAULT_RUN,
) -> Probe:
    """Fit a probe's threshold to a camera, by ordinary footage of it without labels.

    Scores keep their scale: a threshold of the camera's own does all that moving its scores would do. A few events
    hidden in the footage do no harm, if they stand out from the rest of it. Pictures as dark or as blurred as the
    footage is are known to the probe from then on.

    Parameters
    ----------
    probe : Probe
        Of either sort. It is left as it is.
    videos : sequence of VideoRef or path
        Ordinary footage of the camera: the more, the surer.
    backbone : Backbone
        That of the probe.
    alarms_per_day, false_alarms : float
        Alarms that are wanted at most, a day or an hour: one of the two.
    run : Run
        Where hidden states are kept, and who is told the progress.

    Raises
    ------
    UsageError
        If both rates are given or none, or one is not over 0.
    CalibrationError
        If nothing of the footage can be judged.
    ProbeError
        If the probe is of another backbone.
    FailedVideosError
        If some videos cannot be read.

    Examples
    --------
    >>> site = calibrate(probe, ["ordinary-hour.mp4"], backbone, alarms_per_day=2)      # doctest: +SKIP
    """
    return calibrate_to(probe, videos, backbone, per_hour(alarms_per_day, false_alarms), run).probe


def per_hour(alarms_per_day: float | None, false_alarms: float | None) -> float:
    """Return the rate an hour that is asked for in one of two ways. Raises UsageError unless it is one, and over 0."""
    if (alarms_per_day is None) == (false_alarms is None):
        raise UsageError("Say how many alarms are wanted: a day or an hour, one of the two.")
    return check_rate(false_alarms if alarms_per_day is None else alarms_per_day / 24)  # pyright: ignore


def calibrate_to(
    probe: Probe, videos: Sequence[VideoLike], backbone: Backbone, per_hour: float, run: Run = DEFAULT_RUN
) -> Calibrated:
    """Calibrate as :func:`calibrate` does, and return what the footage said too."""
    check_backbone(probe, backbone.info)
    features, failures = extract_all([VideoRef.of(video) for video in videos], backbone, probe.extraction, run)
    raise_failures(failures, "mend them or leave them out, and calibrate again; the others are kept:")
    return calibrate_features(probe, features, per_hour)


def calibrate_features(
    probe: Probe, features: Sequence[Features], per_hour: float, within: tuple[float, float] | None = None
) -> Calibrated:
    """Calibrate by features that are at hand, of the probe's extraction.

    With ``within``, seconds from the start, only that stretch of each video is ordinary footage. Raises as
    :func:`calibrate` does.
    """
    settings, stretches = probe.localize, list[tuple[Features, OrdinaryScores, float]]()
    first, last = within or (0.0, np.inf)
    inside = [(item.starts >= first) & (item.ends <= last) for item in features]
    familiar = _at_home(probe, features, inside)
    for item, ordinary in zip(features, inside, strict=True):
        verdicts = verdicts_of(item, familiar)
        segments, _, _ = score(item, probe, settings, verdicts)
        smoothed = np.array([segment.smoothed for segment in segments])
        ordinary = judged(verdicts) & ordinary
        begins = item.starts[ordinary & ~np.concatenate([[False], ordinary[:-1]])] if not ordinary.all() else [0.0]
        stretches += [(item, *pair) for pair in zip(stretches_of(item, smoothed, ordinary), begins, strict=True)]
    if not stretches:
        raise CalibrationError("No segment of the footage can be judged; give ordinary footage of the camera.")
    whole = AlarmRates.of([scores for _, scores, _ in stretches], settings, probe.probabilities)
    cut = whole.standing_out()
    alarms = whole.up_to(cut).asking(per_hour)
    found = [
        Odd(VideoRef.from_info(item.video), _moved(event, begin))
        for item, of, begin in stretches
        for event in find_events(of.smoothed, of.centres, of.duration, cut, settings.min_duration, settings.merge_gap)
    ]
    scores = np.concatenate([of.smoothed for _, of, _ in stretches])
    centre = float(np.median(scores))
    spread = float(1.4826 * np.median(np.abs(scores - centre)))
    note = (
        f"Calibrated on {length_text(alarms.hours)} of ordinary footage for {rate_text(per_hour)}; its scores have "
        f"median {centre:.3f} and spread {spread:.3f}. All other figures are of the probe that it was made from."
    )
    return Calibrated(probe.calibrated(alarms, note, familiar), alarms, centre, spread, tuple(found))


def _at_home(probe: Probe, features: Sequence[Features], ordinary: Sequence[BoolArray]) -> Familiar | None:
    """Return the pictures that the probe knows, and those of the camera's ordinary footage that show something."""
    if probe.familiar is None:
        return None
    looks = [
        item.looks[rows & judged(blind(item))]
        for item, rows in zip(features, ordinary, strict=True)
        if item.looks is not None
    ]
    return probe.familiar.widened(np.concatenate(looks)) if looks else probe.familiar


def _moved(event: Event, by: float) -> Event:
    return Event(event.start + by, event.end + by, event.peak_time + by, event.peak, event.mean)
