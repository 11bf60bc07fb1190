"""Labelled videos and what a backbone read of them: what every study computes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from hiprobe.arrays import FloatArray
from hiprobe.backbones import Backbone, Pooling, Reading, Site
from hiprobe.datasets import LabelledVideo, Manifest, check_intervals, partly_covered, segment_labels
from hiprobe.errors import UndefinedMetricError, UsageError
from hiprobe.evaluation import interval_labels
from hiprobe.features import Features, Run, extract_together, raise_failures
from hiprobe.localize import LocalizeSettings, frame_scores, smooth


@dataclass(frozen=True, eq=False)
class Corpus:
    """Labelled videos, read in one way.

    Attributes
    ----------
    name : str
        Of the manifest.
    videos : tuple of LabelledVideo
    features : tuple of Features
        One per video.
    times : tuple of ndarray of shape (frames,)
        True timestamps of the frames of each video, in seconds.
    """

    name: str
    videos: tuple[LabelledVideo, ...]
    features: tuple[Features, ...]
    times: tuple[FloatArray, ...]

    @property
    def layers(self) -> tuple[int, ...]:
        """Numbers of the layers that were read."""
        return self.features[0].layers

    @cached_property
    def states(self) -> NDArray[np.float32]:
        """Hidden states of all segments: (n, layers, D)."""
        return np.concatenate([item.states for item in self.features])

    @cached_property
    def video_of(self) -> NDArray[np.intp]:
        """Index of the video of each segment: (n,)."""
        return np.repeat(np.arange(len(self.videos)), [len(item.states) for item in self.features])

    @cached_property
    def labels(self) -> NDArray[np.bool_]:
        """Whether each segment is abnormal: (n,)."""
        pairs = zip(self.videos, self.features, strict=True)
        return np.concatenate([segment_labels(video, item.starts, item.ends) for video, item in pairs])

    @cached_property
    def known(self) -> NDArray[np.bool_]:
        """Whether each segment may be fitted to (n,): no event covers it in part, by less than half."""
        pairs = zip(self.videos, self.features, strict=True)
        return ~np.concatenate([partly_covered(video, item.starts, item.ends) for video, item in pairs])

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        """Name of the source of each segment: (n,)."""
        return np.array([video.group for video in self.videos])[self.video_of]

    @cached_property
    def truth(self) -> tuple[NDArray[np.bool_], ...]:
        """Whether each frame is abnormal, for every video: (frames,) each."""
        return tuple(
            np.full(len(times), True) if video.video_level else interval_labels(times, _spans(video))
            for video, times in zip(self.videos, self.times, strict=True)
        )

    @cached_property
    def seconds_per_segment(self) -> float:
        """Seconds of video that there are for each segment."""
        return sum(item.video.duration for item in self.features) / len(self.labels)

    def part(self, layers: slice = slice(None), width: slice = slice(None)) -> Corpus:
        """Return the corpus of some of its layers, counted anew from 1, and of some of their features."""
        numbers = tuple(range(1, len(self.layers[layers]) + 1))
        features = tuple(
            replace(item, reading=replace(item.reading, layers=numbers), states=item.states[:, layers, width])
            for item in self.features
        )
        return replace(self, features=features)

    def smoothed(self, scores: FloatArray, sigma: float = LocalizeSettings().sigma) -> list[FloatArray]:
        """Smooth the scores (n,) of all segments, video by video, as detection does."""
        parts = np.split(scores, np.cumsum([len(item.states) for item in self.features])[:-1])
        return [smooth(part, item.centres, sigma) for part, item in zip(parts, self.features, strict=True)]

    def frame_scores(self, scores: FloatArray, sigma: float = LocalizeSettings().sigma) -> list[FloatArray]:
        """Turn the scores (n,) of all segments into those of every frame of each video, as detection does."""
        smoothed = self.smoothed(scores, sigma)
        return [
            frame_scores(part, item.centres, times)
            for part, item, times in zip(smoothed, self.features, self.times, strict=True)
        ]

    def auc(self, scores: FloatArray, sigma: float = LocalizeSettings().sigma) -> float:
        """Return the pooled frame AUC of scores (n,) of all segments."""
        return frame_auc(np.concatenate(self.truth), np.concatenate(self.frame_scores(scores, sigma)))


@dataclass(frozen=True)
class Reader:
    """How studies read videos: with which backbone, and where hidden states are kept, so that studies share them."""

    backbone: Backbone
    run: Run = field(default_factory=Run)

    def read(self, manifest: Manifest, reading: Reading | None = None) -> Corpus:
        """Read every video; by default every layer, as ``fit`` does.

        Raises
        ------
        FailedVideosError
            If a video cannot be read: no study leaves one out.
        ManifestError
            If an interval runs past the end of its video.
        UsageError
            If the backbone has no such reading.
        """
        (corpus,) = self.read_together(manifest, [reading or self.backbone.info.reading()])
        return corpus

    def read_together(self, manifest: Manifest, readings: Sequence[Reading]) -> list[Corpus]:
        """Read every video in several ways, of one sampling, in one pass; errors are those of :meth:`read`."""
        found, failures = extract_together(manifest.refs, self.backbone, readings, self.run)
        raise_failures(failures, "a study leaves no video out, so mend them or take them out of the manifest:")
        for video, items in zip(manifest.videos, found, strict=True):
            check_intervals(video, items[0].video.duration)
        times = tuple(ref.open().frame_times() for ref in manifest.refs)
        return [Corpus(manifest.source.stem, manifest.videos, features, times) for features in zip(*found, strict=True)]

    def read_site(self, manifest: Manifest, site: Site) -> Corpus:
        """Read every place of a site beside the decoder's blocks; its layers are the places."""
        pooling: Pooling = "last" if site == "heads" else "pair"
        return self.read(manifest, replace(self.backbone.info.reading(), layers=(), site=site, pooling=pooling))

    def read_steps(self, manifest: Manifest) -> tuple[Corpus, int]:
        """Read each step of time by itself, and return the steps of a segment, too.

        A vector holds the means over the tokens of each step, one after the other: (steps * D,).

        Raises UsageError too if the backbone gives no states of single tokens.
        """
        info = self.backbone.info
        if info.tokens is None:
            raise UsageError(f"The {info.name} backbone gives no states of single tokens; use another.")
        corpus = self.read(manifest, replace(info.token_reading(), pooling="steps"))
        return corpus, corpus.states.shape[2] // info.tokens.width


def frame_auc(truth: NDArray[np.bool_], scores: FloatArray) -> float:
    """Return the AUC of frames. Raises UndefinedMetricError if all are of one class."""
    if truth.all() or not truth.any():
        raise UndefinedMetricError("AUC is undefined: all frames are of one class; add videos of the other.")
    return float(roc_auc_score(truth, scores))


def _spans(video: LabelledVideo) -> Sequence[tuple[float, float]]:
    return [(interval.start, interval.end) for interval in video.intervals]
