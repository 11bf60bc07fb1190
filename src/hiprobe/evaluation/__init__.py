"""How good detections are: frame metrics, event metrics, false alarms per hour, and how sure these are.

A metric that the labels do not define is None with a note in :class:`EvalReport`, never 0, and raises
UndefinedMetricError from the function that is only about it.
"""

from hiprobe.evaluation.confidence import Bootstrap, Confidence, bootstrap
from hiprobe.evaluation.events import (
    DetectionDelay,
    EventScores,
    detection_delay,
    event_scores,
    false_alarms_per_hour,
)
from hiprobe.evaluation.frames import (
    WithinVideoAuc,
    abnormal_videos_auc,
    pooled_ap,
    pooled_auc,
    within_video_auc,
)
from hiprobe.evaluation.kinds import KindReport, KindScores, kind_report
from hiprobe.evaluation.report import DEFAULT_IOUS, EvalReport, evaluate
from hiprobe.evaluation.scores_file import GivenScores, read_scores
from hiprobe.evaluation.timelines import ScoresSettings
from hiprobe.evaluation.video_scores import VideoScores, interval_labels

__all__ = [
    "DEFAULT_IOUS",
    "Bootstrap",
    "Confidence",
    "DetectionDelay",
    "EvalReport",
    "EventScores",
    "GivenScores",
    "KindReport",
    "KindScores",
    "ScoresSettings",
    "VideoScores",
    "WithinVideoAuc",
    "abnormal_videos_auc",
    "bootstrap",
    "detection_delay",
    "evaluate",
    "event_scores",
    "false_alarms_per_hour",
    "interval_labels",
    "kind_report",
    "pooled_ap",
    "pooled_auc",
    "read_scores",
    "within_video_auc",
]
