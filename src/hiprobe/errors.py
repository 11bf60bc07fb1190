"""Every error that HiProbe raises on purpose: one small tree.

A message is one sentence that names the file or value, says what is wrong with it, and what to do.
The command line prints that sentence alone; a traceback appears only with ``--debug``.
"""

from __future__ import annotations


class HiProbeError(Exception):
    """Base of all errors raised on purpose. ``exit_code`` is what the command line ends with."""

    exit_code = 1


class UsageError(HiProbeError):
    """The caller's mistake: a wrong option, path or value. Exit code 2."""

    exit_code = 2


class NotFoundError(UsageError):
    """A number that names nothing in a project: no such video, job, label, probe or result."""


class LimitError(UsageError):
    """More was asked of a server than it takes at a time."""


class TooLargeError(UsageError):
    """An upload of more bytes than a server takes."""


class ManifestError(UsageError):
    """A manifest, or a folder used as one, that cannot be read as labels."""


class ScoresError(UsageError):
    """Scores of a system that cannot be read, or do not fit the videos they are for."""


class DatasetError(HiProbeError):
    """A copy of a dataset with videos missing, unreadable, or of another length than their labels say."""


class CalibrationError(UsageError):
    """Labels that cannot be fitted: one class only, fewer than two groups, too few segments."""


class ProbeError(UsageError):
    """A probe file that is damaged, of another schema, or made for another backbone or sampling."""


class VideoError(HiProbeError):
    """A video that cannot be read, wholly or in part."""


class VideoNotFoundError(VideoError, UsageError):
    """A video path that does not exist. Exit code 2."""

    exit_code = 2


class BackboneError(HiProbeError):
    """A backbone that cannot be fetched, assembled, loaded or run."""


class FeatureError(HiProbeError):
    """A feature file that is damaged or does not belong to the video, sampling or backbone at hand."""


class OutputError(HiProbeError):
    """A result that could not be written, a full disk for instance."""


class UndefinedMetricError(HiProbeError):
    """A metric that has no value for the given labels, such as an AUC of one class."""


class FailedVideosError(HiProbeError):
    """Some videos of a run failed; the others are done. The message names each with its reason."""
