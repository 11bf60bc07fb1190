"""``fit``: from a few labelled videos to a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hiprobe.arrays import BoolArray, FloatArray
from hiprobe.backbones import Backbone, Reading
from hiprobe.backbones.views import observed_part
from hiprobe.datasets import (
    NORMAL,
    LabelledVideo,
    Manifest,
    check_intervals,
    load_manifest,
    partly_covered,
    segment_labels,
)
from hiprobe.errors import CalibrationError, ProbeError
from hiprobe.features import Features, Run, extract_all, raise_failures
from hiprobe.localize import AlarmRates, LocalizeSettings
from hiprobe.pipeline.guards import learn_pictures, with_looks
from hiprobe.pipeline.ordinary import ordinary_footage, too_short
from hiprobe.probing import (
    CalibrationSegment,
    CalibrationStats,
    DlspResult,
    FittedKinds,
    FittedScorer,
    LogisticProbe,
    Probe,
    SaliencySettings,
    SegmentIndex,
    check_same,
    fit_chosen,
    fit_kinds,
    index_segments,
    kept_rows,
    probe_layers,
    scores_without_group,
)
from hiprobe.version import __version__

DEFAULT_RUN = Run()

COUNTED, FEWEST, MOST = 5, 1.0, 60.0
"""By default as many false alarms are asked for as calibration can count, and so many an hour at least and at most."""

VIDEO_LEVEL_NOTE = (
    "Some abnormal videos have no start and end: all of their segments count as abnormal. Give intervals where you "
    "can; segments that are normal in truth blur the probe."
)

KEPT_NOTE = (
    "The layer was kept from an earlier probe: what is said of the layers (saliency, silhouette, AUC, stability) is of "
    "the labels that it was fitted on, not of these."
)


@dataclass(frozen=True, eq=False)
class FitResult:
    """A probe and how it came about.

    Attributes
    ----------
    probe : LogisticProbe
    dlsp : DlspResult
        The saliency of every layer; also in the probe.
    scorer : FittedScorer
        With the regularisation strengths that were tried.
    n_segments, n_abnormal : int
        Calibration segments.
    n_partly : int
        Segments that an event covers by less than half: left out of fit and threshold.
    kept : bool
        Whether the layer was kept from an earlier probe; ``dlsp`` is that probe's then.
    kinds : FittedKinds, optional
        How well kinds of events are told apart.
    """

    probe: LogisticProbe
    dlsp: DlspResult
    scorer: FittedScorer
    n_segments: int
    n_abnormal: int
    n_partly: int = 0
    kept: bool = False
    kinds: FittedKinds | None = None


def fit(
    labels: str | Path | Manifest,
    backbone: Backbone,
    *,
    reading: Reading | None = None,
    localize: LocalizeSettings | None = None,
    false_alarms: float | None = None,
    saliency: SaliencySettings | None = None,
    keep: Probe | None = None,
    run: Run = DEFAULT_RUN,
) -> FitResult:
    """Fit a probe: choose the layer, fit logistic regression there, and calibrate the threshold.

    With ``keep``, after relabelling, the layer and its DLSP curves stay those of an earlier probe: only the scorer
    and the threshold are fitted anew, which takes seconds, and only that layer is read. Segments that an event covers
    by less than half are left out: see :func:`hiprobe.datasets.partly_covered`.

    Parameters
    ----------
    labels : path or Manifest
        The calibration set, see :func:`hiprobe.datasets.load_manifest`.
    backbone : Backbone
        Frozen; only read.
    reading : Reading, optional
        How the backbone is shown the video, and the layers to choose among: by default ``backbone.info.reading()``,
        2 s segments every 1 s with 8 frames, a general question, the backbone's own pooling, every layer; or what
        ``keep`` was fitted with.
    localize, saliency : optional
        Settings kept in the probe; by what the layer is chosen (``layer_by``), and the estimators of DLSP.
    false_alarms : float, optional
        Events an hour of ordinary footage that the threshold is to let through at most. It is set on smoothed scores
        of normal video by scorers that did not see it; ``probe.alarms`` says how sure that is. By default as many as
        the footage can count, 5 in all of it, but from 1 to 60 an hour.
    keep : Probe, optional
        A probe of this backbone whose layer is kept.
    run : Run
        Where hidden states are kept, so that a second fit need not run the backbone; the seed of folds and bootstrap.

    Raises
    ------
    ManifestError
        If the labels cannot be read, or an interval runs past the end of its video.
    CalibrationError
        If one class or a second group is missing.
    ProbeError
        If ``keep`` is of another backbone, prompt, sampling or pooling, or was fitted on normal video alone.
    FailedVideosError
        If some videos cannot be read; the others' features are in the store by then.

    References
    ----------
    HiProbe-VAD, arXiv 2507.17394: Dynamic Layer Saliency Probing, then logistic regression on layer l*.

    Examples
    --------
    >>> wide = replace(backbone.info.reading(), sampling=Sampling(4.0, 2.0))       # doctest: +SKIP
    >>> fit("labels.csv", backbone, reading=wide).probe.save("yard.probe")         # doctest: +SKIP
    """
    manifest = labels if isinstance(labels, Manifest) else load_manifest(labels)
    _check_classes(manifest)
    if keep is None:
        reading = reading or backbone.info.reading()
    else:
        reading = replace(reading or keep.reading, layers=keep.reading.layers)
        reading = replace(reading, backbone=backbone.info.fingerprint, name=backbone.info.name)
        _check_kept(keep, reading)
    localize = localize or (keep.localize if keep else LocalizeSettings())
    features, failures = extract_all(manifest.refs, backbone, reading, run)
    raise_failures(failures, "mend them or take them out of the manifest, and fit again; the others are kept:")
    features = [with_looks(ref, item, backbone.info) for ref, item in zip(manifest.refs, features, strict=True)]
    width = backbone.info.width
    return fit_features(manifest, features, localize, saliency, keep, run.seed, false_alarms, width)


def fit_features(
    manifest: Manifest,
    features: Sequence[Features],
    localize: LocalizeSettings,
    saliency: SaliencySettings | None = None,
    keep: Probe | None = None,
    seed: int = 0,
    false_alarms: float | None = None,
    width: int | None = None,
) -> FitResult:
    """Fit a probe to features that are known already, one per video of the manifest, in its order.

    With ``keep``, the features need hold its layer only. ``width`` is that of a hidden state: of the pooling
    ``observed``, kinds are then told by the observer alone. Raises as :func:`fit` does.
    """
    reading = features[0].reading
    kept = None if keep is None else _check_kept(keep, reading)
    labels, known = _labels(manifest, features)
    groups = np.repeat([video.group for video in manifest.videos], [len(item.states) for item in features])
    n_segments, n_abnormal = int(known.sum()), int(labels.sum())
    if n_abnormal in (0, n_segments):
        only, missing = ("abnormal", "normal") if n_abnormal else ("normal", "abnormal")
        raise CalibrationError(
            f"{manifest.source}: every segment is {only}; add videos or intervals that are {missing}, or shorten the "
            "segments if events are shorter than half of one."
        )
    if kept is None:
        states = np.concatenate([item.states for item in features])[known]
        dlsp = probe_layers(states, labels[known], groups[known], reading.layers, saliency or SaliencySettings(), seed)
    else:
        dlsp = kept
    layer = dlsp.layer if keep is None else keep.reading.layer

    def at(number: int) -> np.ndarray:
        return np.concatenate([item.at(number) for item in features])

    at_layer, by_fold = at(layer), () if keep else dlsp.fold_layers
    scorer = fit_chosen(lambda number: at(number)[known], layer, by_fold, labels[known], groups[known], seed)
    out_of_fold = np.empty(len(labels))
    out_of_fold[known] = scorer.out_of_fold
    if not known.all():
        out_of_fold[~known] = scores_without_group(at_layer, labels, groups, known, scorer.C, seed)
    ordinary = ordinary_footage(manifest.videos, features, out_of_fold, known & ~labels, localize.sigma)
    alarms = AlarmRates.of(ordinary, localize, probabilities=True)
    asked = false_alarms or localize.false_alarms or float(np.clip(COUNTED / alarms.hours, FEWEST, MOST))
    alarms = alarms.asking(asked)
    video_level = any(video.video_level for video in manifest.videos)
    kinds = {interval.label for video in manifest.videos for interval in video.intervals}
    kinds |= {video.label for video in manifest.videos if video.video_level}
    standardised = scorer.scorer.standardised(at_layer)
    columns = slice(None) if width is None else observed_part(reading, standardised.shape[1], width)
    told = fit_kinds(standardised[labels], *_events(manifest, features, labels), groups[labels], seed, columns)
    familiar, notes = learn_pictures(features, groups)
    probe = LogisticProbe(
        reading=replace(reading, layers=(layer,)),
        scorer=scorer.scorer,
        dlsp=dlsp,
        localize=replace(localize, false_alarms=None),
        calibrated_threshold=alarms.threshold_for(asked),
        calibration=CalibrationStats(
            n_videos=len(manifest.videos),
            n_segments=n_segments,
            n_abnormal=n_abnormal,
            n_groups=len(manifest.groups),
            kinds=tuple(sorted(kinds)),
            cv_auc=scorer.auc,
            C=scorer.C,
            video_level=video_level,
            source=str(manifest.source),
            notes=(
                *([VIDEO_LEVEL_NOTE] if video_level else []),
                *([KEPT_NOTE] if keep else []),
                *told.notes,
                *too_short(alarms),
                *notes,
            ),
        ),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        hiprobe_version=__version__,
        index=_segment_index(manifest, features, labels, known, standardised),
        kinds=told.scorer,
        alarms=alarms,
        familiar=familiar,
    )
    return FitResult(probe, dlsp, scorer, n_segments, n_abnormal, len(known) - n_segments, keep is not None, told)


def _check_kept(keep: Probe, reading: Reading) -> DlspResult:
    """Refuse to keep the layer of a probe that reads other states than these; return why it reads that layer."""
    if keep.dlsp is None:
        raise ProbeError(
            "The probe whose layer is to be kept was fitted with --normal-only, and its layer cannot be kept; name "
            "another."
        )
    check_same(keep.reading, reading)
    if keep.reading.pooling != reading.pooling:
        raise ProbeError(
            f"The probe whose layer is kept pools by {keep.reading.pooling!r}, and {reading.pooling!r} is asked for; "
            "use its pooling, or fit a new one."
        )
    if keep.reading.layer not in reading.layers:
        raise ProbeError(
            f"The probe whose layer is kept reads layer {keep.reading.layer}, and the features hold {reading.layers}; "
            "extract that layer, or fit a new one."
        )
    return keep.dlsp


def _check_classes(manifest: Manifest) -> None:
    """Refuse what cannot be fitted before the backbone spends minutes on it."""
    if not any(video.is_abnormal for video in manifest.videos):
        raise CalibrationError(
            f"{manifest.source}: every video is normal; add some with an event, labelled with its kind, or fit on "
            "normal video alone with --normal-only."
        )
    if all(video.video_level for video in manifest.videos):
        raise CalibrationError(f"{manifest.source}: every video is abnormal; add some labelled normal.")
    if len(manifest.groups) < 2:
        raise CalibrationError(
            f"{manifest.source}: all videos are of one group; cross-validation needs two or more, so add videos of "
            "another source or correct the group column."
        )


def _labels(manifest: Manifest, features: Sequence[Features]) -> tuple[BoolArray, BoolArray]:
    """Return which segments (n,) of all videos are abnormal, and which have a label: no event covers them in part."""
    labels, partly = [], []
    for video, item in zip(manifest.videos, features, strict=True):
        check_intervals(video, item.video.duration)
        labels.append(segment_labels(video, item.starts, item.ends))
        partly.append(partly_covered(video, item.starts, item.ends))
    return np.concatenate(labels), ~np.concatenate(partly)


def _segment_index(
    manifest: Manifest, features: Sequence[Features], labels: BoolArray, known: BoolArray, standardised: FloatArray
) -> SegmentIndex:
    """Keep some calibration segments, by the names of their videos alone: a probe may be sent on."""
    segments = [
        CalibrationSegment(video.path.name, start, end, _kind(video, start, end))
        for video, item in zip(manifest.videos, features, strict=True)
        for start, end in zip(item.starts.tolist(), item.ends.tolist(), strict=True)
    ]
    rows = np.flatnonzero(known)[kept_rows(labels[known])]
    kept = [segments[row] if labels[row] else replace(segments[row], label=NORMAL) for row in rows]
    return index_segments(kept, standardised[rows])


def _kind(video: LabelledVideo, start: float, end: float) -> str:
    """Return the label of the interval that covers most of a segment; without intervals, that of the video."""
    at = _covering(video, start, end)
    return video.label if at is None else video.intervals[at].label


def _covering(video: LabelledVideo, start: float, end: float) -> int | None:
    """Return the index of the interval that covers most of a segment; None without intervals."""
    shared = [min(end, interval.end) - max(start, interval.start) for interval in video.intervals]
    return int(np.argmax(shared)) if shared else None


def _events(manifest: Manifest, features: Sequence[Features], labels: np.ndarray) -> tuple[list[str], NDArray[np.intp]]:
    """Return the kind of each abnormal segment, and the number of the event that it is of."""
    found = [
        (_kind(video, start, end), (number, _covering(video, start, end)))
        for number, (video, item) in enumerate(zip(manifest.videos, features, strict=True))
        for start, end in zip(item.starts.tolist(), item.ends.tolist(), strict=True)
    ]
    abnormal = [found[row] for row in np.flatnonzero(labels)]
    numbers = {event: number for number, event in enumerate(dict.fromkeys(event for _, event in abnormal))}
    return [kind for kind, _ in abnormal], np.array([numbers[event] for _, event in abnormal])
