"""``fit_normal``: from normal videos alone to a probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from hiprobe.backbones import Backbone, Reading, States
from hiprobe.datasets import Manifest, load_manifest
from hiprobe.errors import CalibrationError
from hiprobe.features import Extraction, Features, Run, extract_all, raise_failures
from hiprobe.localize import AlarmRates, LocalizeSettings, OrdinaryScores, smooth
from hiprobe.pipeline.ordinary import too_short
from hiprobe.pipeline.pasting import paste
from hiprobe.pipeline.tokens import sample_tokens, sampled_views, token_width
from hiprobe.probing import OneClassMethod, OneClassProbe, OneClassStats, fit_models, token_scorer, view_values
from hiprobe.probing.oneclass import VIEWS, TokenModel, combined, digest, standardiser, two_steps
from hiprobe.version import __version__
from hiprobe.video import VideoRef

DEFAULT_RUN = Run()

FOLDS = 4

FALSE_ALARMS = 1.0
"""Events an hour of normal video that are wanted by default."""

_TOKENS = 50_000
"""Tokens that a model is fitted to at most."""

Values = dict[str, NDArray[np.float64]]
"""The value (n,) of each view of n segments, from models that did not see them."""


@dataclass(frozen=True, eq=False)
class FitNormalResult:
    """A one-class probe and how it came about.

    Attributes
    ----------
    probe : OneClassProbe
    held_out : ndarray of shape (n,)
        Score of every normal segment by models that did not see its group, before smoothing.
    """

    probe: OneClassProbe
    held_out: NDArray[np.float64]


def fit_normal(
    labels: str | Path | Manifest,
    backbone: Backbone,
    *,
    method: OneClassMethod = "gaussian",
    false_alarms: float | None = None,
    reading: Reading | None = None,
    localize: LocalizeSettings | None = None,
    run: Run = DEFAULT_RUN,
) -> FitNormalResult:
    """Fit a one-class probe to normal videos: no anomaly is needed, and none is looked at.

    The videos are read two or three times: for a sample of tokens, to which models are fitted, in folds over groups and
    at a few layers; for the scores of segments that the models did not see; and, to choose the layer, for those of the
    same segments with a piece of the picture pasted elsewhere (some videos only). The layer is the one that tells these
    from the normal ones best, by AUC. The threshold is then set on the held-out scores of the normal videos.

    Parameters
    ----------
    labels : path or Manifest
        Normal videos, see :func:`hiprobe.datasets.load_manifest`.
    backbone : Backbone
        One that gives the states of single tokens.
    method : {"gaussian", "memory-bank"}
        Of the models; see :mod:`hiprobe.probing.oneclass`.
    false_alarms : float, optional
        Events an hour of normal video that are wanted at most: 1 by default.
    reading : Reading, optional
        How the backbone is shown the video: by default ``backbone.info.token_reading()``, whose layers are compared.
    localize : LocalizeSettings, optional
        How scores become events.
    run : Run
        Where what is read is kept; the seed of samples.

    Raises
    ------
    ManifestError
        If the labels cannot be read.
    CalibrationError
        If a video is abnormal, or all are of one group.
    UsageError
        If the backbone gives no token states.
    FailedVideosError
        If some videos cannot be read.
    """
    manifest = labels if isinstance(labels, Manifest) else load_manifest(labels)
    _check(manifest)
    reading = reading or backbone.info.token_reading()
    localize, layers, seed = localize or LocalizeSettings(), reading.layers, run.seed
    width = token_width(backbone.info)
    videos = manifest.refs

    def read(extraction: Extraction, chosen: Sequence[VideoRef]) -> list[Features]:
        features, failures = extract_all(chosen, backbone, extraction, run)
        raise_failures(failures, "mend them or take them out of the manifest, and fit again; the others are kept:")
        return features

    sampled = read(sample_tokens(reading, width, seed), videos)
    fold = _folds(manifest)

    def fitted(index: int, left_out: int | None) -> dict[str, TokenModel]:
        rows = [item.states[:, index] for item, of in zip(sampled, fold, strict=True) if of != left_out]
        views = sampled_views(np.concatenate(rows), width)
        chosen = np.random.default_rng(seed).permutation(len(views["appearance"]))[:_TOKENS]
        return fit_models({view: tokens[chosen] for view, tokens in views.items()}, method, seed)

    normal: dict[int, Features] = {}
    pseudo: dict[int, Features] = {}
    for left_out in range(max(fold) + 1):
        plain, altered = _values_of(reading, {number: fitted(i, left_out) for i, number in enumerate(layers)})
        held_out = [at for at, of in enumerate(fold) if of == left_out]
        normal |= zip(held_out, read(plain, [videos[at] for at in held_out]), strict=True)
        if len(layers) > 1:  # one video of each fold is enough to compare layers by
            pseudo |= zip(held_out[:1], read(altered, [videos[at] for at in held_out[:1]]), strict=True)
    in_order = [normal[at] for at in range(len(videos))]
    values = [_values(in_order, i) for i in range(len(layers))]
    aucs = tuple(
        _auc(values[i], _values([normal[at] for at in pseudo], i), _values(list(pseudo.values()), i))
        for i in range(len(layers))
        if pseudo
    )
    best = int(np.argmax(aucs)) if aucs else 0
    scorer = token_scorer(method, fitted(best, None), values[best])
    scores = scorer.combined(values[best])
    parts = np.split(scores, np.cumsum([len(item.states) for item in in_order])[:-1])
    scored = [
        OrdinaryScores(smooth(part, item.centres, localize.sigma), item.centres, item.video.duration)
        for part, item in zip(parts, in_order, strict=True)
    ]
    asked = false_alarms or localize.false_alarms or FALSE_ALARMS
    alarms = AlarmRates.of(scored, localize).asking(asked)
    threshold = alarms.threshold_for(asked)
    probe = OneClassProbe(
        reading=replace(reading, layers=(layers[best],)),
        scorer=scorer,
        localize=replace(localize, false_alarms=None),
        calibrated_threshold=threshold,
        calibration=OneClassStats(
            n_videos=len(manifest.videos),
            n_segments=len(scores),
            n_groups=len(manifest.groups),
            hours=alarms.hours,
            false_alarms_per_hour=asked,
            events=sum(peak > threshold for peak in alarms.peaks),
            layers=layers if aucs else (),
            layer_auc=aucs,
            source=str(manifest.source),
            notes=too_short(alarms),
        ),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        hiprobe_version=__version__,
        alarms=alarms,
    )
    return FitNormalResult(probe, scores)


def _values_of(reading: Reading, models: dict[int, dict[str, TokenModel]]) -> tuple[Extraction, Extraction]:
    """Return what keeps each view's value by models of each layer, and the same of pseudo-anomalies."""

    def values(states: States) -> NDArray[np.float32]:
        rows = []
        for index, layer in enumerate(reading.layers):
            found = view_values(two_steps(states.values)[:, index], models[layer])
            rows.append(np.stack([found[view] for view in VIEWS], axis=1))
        return np.stack(rows, axis=1).astype(np.float32)

    named = " ".join(f"{layer} {digest(of_layer)}" for layer, of_layer in models.items())
    plain = Extraction(reading, values, f"values {named}")
    return plain, replace(plain, name=f"values of pseudo-anomalies {named}", alter=paste)


def _values(features: Sequence[Features], index: int) -> Values:
    """Return the values of all segments at the layer of that index."""
    table = np.concatenate([item.states[:, index] for item in features]).astype(np.float64)
    return {view: table[:, column] for column, view in enumerate(VIEWS)}


def _auc(of_all: Values, normal: Values, pseudo: Values) -> float:
    """Return the AUC of pseudo-anomalies against normal segments, views standardised over all normal segments."""
    centres, scales = standardiser(of_all)
    scores = [combined(values, centres, scales) for values in (normal, pseudo)]
    return float(roc_auc_score(np.repeat([0, 1], [len(part) for part in scores]), np.concatenate(scores)))


def _folds(manifest: Manifest) -> list[int]:
    """Return the fold in which each video is held out; groups stay whole."""
    groups = [video.group for video in manifest.videos]
    splitter = GroupKFold(min(FOLDS, len(set(groups))))
    fold = np.empty(len(groups), int)
    for number, (_, held_out) in enumerate(splitter.split(groups, groups=groups)):
        fold[held_out] = number
    return fold.tolist()


def _check(manifest: Manifest) -> None:
    abnormal = next((video for video in manifest.videos if video.is_abnormal), None)
    if abnormal is not None:
        raise CalibrationError(
            f"{manifest.source}: {abnormal.path} is labelled {abnormal.label}, and fitting on normal videos only takes "
            "no other; take it out, or fit without --normal-only."
        )
    if len(manifest.groups) < 2:
        raise CalibrationError(
            f"{manifest.source}: all videos are of one group; the threshold is set on videos that were held out, so "
            "add videos of another source or correct the group column."
        )
