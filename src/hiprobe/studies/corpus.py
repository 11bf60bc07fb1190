"""Labelled videos and what a backbone read of them: what every study computes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from hiprobe.arrays import FloatArray
from hiprobe.backbones import Backbone, Pooling, Site
from hiprobe.datasets import LabelledVideo, Manifest, check_intervals, segment_labels
from hiprobe.errors import UndefinedMetricError
from hiprobe.evaluation import interval_labels
from hiprobe.features import Features, FeatureSpec, FeatureStore, Progress, extract_all, raise_failures
from hiprobe.localize import LocalizeSettings, frame_scores, smooth
from hiprobe.pipeline import DEFAULT_PROMPT
from hiprobe.studies.readings import SiteReading, StepReading, Together, Way
from hiprobe.video import Sampling, open_video


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
        return self.features[0].spec.layers

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
            replace(item, spec=replace(item.spec, layers=numbers), states=item.states[:, layers, width])
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
    store: FeatureStore | None = None
    fps: float | None = None
    report: Callable[[Progress], None] = field(default=lambda progress: None)

    def read(
        self,
        manifest: Manifest,
        sampling: Sampling | None = None,
        prompt: str = DEFAULT_PROMPT,
        pooling: Pooling | None = None,
    ) -> Corpus:
        """Read every layer of every video.

        Raises
        ------
        FailedVideosError
            If a video cannot be read: no study leaves one out.
        ManifestError
            If an interval runs past the end of its video.
        """
        spec = FeatureSpec.for_backbone(self.backbone.info, sampling or Sampling(), prompt, pooling)
        paths = [video.path for video in manifest.videos]
        features, failures = extract_all(paths, self.backbone, spec, self.store, self.fps, self.report)
        raise_failures(failures, "a study leaves no video out, so mend them or take them out of the manifest:")
        for video, item in zip(manifest.videos, features, strict=True):
            check_intervals(video, item.video.duration)
        times = [open_video(path, fps=self.fps if path.is_dir() else None).frame_times() for path in paths]
        return Corpus(manifest.source.stem, tuple(manifest.videos), tuple(features), tuple(times))

    def read_together(self, manifest: Manifest, ways: Sequence[Way]) -> list[Corpus]:
        """Read every layer of every video in several ways, in one pass; errors are those of :meth:`read`.

        What is kept of it serves the same ways alone.
        """
        read = replace(self, backbone=Together(self.backbone, ways)).read(manifest)
        count = self.backbone.info.layers
        return [read.part(slice(start, start + count)) for start in range(0, len(read.layers), count)]

    def read_site(self, manifest: Manifest, site: Site) -> Corpus:
        """Read every place of a site; its layers are the places. Raises UsageError too if the backbone has none."""
        return replace(self, backbone=SiteReading(self.backbone, site)).read(manifest)

    def read_steps(self, manifest: Manifest) -> tuple[Corpus, int]:
        """Read each step of time by itself, and return the steps of a segment, too; see :class:`StepReading`.

        Raises UsageError too if the backbone gives no states of single tokens.
        """
        reading = StepReading(self.backbone, Sampling().frames)
        return replace(self, backbone=reading).read(manifest), reading.steps


def frame_auc(truth: NDArray[np.bool_], scores: FloatArray) -> float:
    """Return the AUC of frames. Raises UndefinedMetricError if all are of one class."""
    if truth.all() or not truth.any():
        raise UndefinedMetricError("AUC is undefined: all frames are of one class; add videos of the other.")
    return float(roc_auc_score(truth, scores))


def _spans(video: LabelledVideo) -> Sequence[tuple[float, float]]:
    return [(interval.start, interval.end) for interval in video.intervals]
