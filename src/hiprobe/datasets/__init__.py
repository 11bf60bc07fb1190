"""Labelled videos: the manifest that people write, public datasets, and labels for the segments of a video.

A public dataset is read from a copy in the layout of its authors::

    dataset = find_dataset("ucf-crime")
    manifest = dataset.load("UCF_Crimes", split="test")     # intervals in seconds, by the true times of the frames
    write_manifest(sample_calibration(dataset.load("UCF_Crimes", "train"), share=0.01), "calibration.csv")
"""

from hiprobe.datasets.adapters import ALL, Dataset, FrameLabels, datasets, find_dataset
from hiprobe.datasets.checking import Finding, check_dataset
from hiprobe.datasets.folder import VIDEO_SUFFIXES
from hiprobe.datasets.labels import (
    INTERVAL_TOLERANCE,
    NORMAL,
    Interval,
    LabelledVideo,
    check_intervals,
    partly_covered,
    segment_labels,
)
from hiprobe.datasets.manifest import Manifest, load_manifest
from hiprobe.datasets.sampling import sample_calibration
from hiprobe.datasets.writing import write_manifest

__all__ = [
    "ALL",
    "INTERVAL_TOLERANCE",
    "NORMAL",
    "VIDEO_SUFFIXES",
    "Dataset",
    "Finding",
    "FrameLabels",
    "Interval",
    "LabelledVideo",
    "Manifest",
    "check_dataset",
    "check_intervals",
    "datasets",
    "find_dataset",
    "load_manifest",
    "partly_covered",
    "sample_calibration",
    "segment_labels",
    "write_manifest",
]
