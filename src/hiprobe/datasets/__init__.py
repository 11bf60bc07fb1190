"""Labelled videos: the manifest that people write, and labels for the segments of a video."""

from hiprobe.datasets.folder import VIDEO_SUFFIXES
from hiprobe.datasets.labels import (
    INTERVAL_TOLERANCE,
    NORMAL,
    Interval,
    LabelledVideo,
    check_intervals,
    segment_labels,
)
from hiprobe.datasets.manifest import Manifest, load_manifest

__all__ = [
    "INTERVAL_TOLERANCE",
    "NORMAL",
    "VIDEO_SUFFIXES",
    "Interval",
    "LabelledVideo",
    "Manifest",
    "check_intervals",
    "load_manifest",
    "segment_labels",
]
