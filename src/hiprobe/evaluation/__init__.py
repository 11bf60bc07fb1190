"""How good detections are: frame metrics, event metrics, false alarms per hour.

A metric that the labels do not define is None with a note in :class:`EvalReport`, never 0, and raises
UndefinedMetricError from the function that is only about it.
"""

from hiprobe.evaluation.events import EventScores, event_scores, false_alarms_per_hour
from hiprobe.evaluation.frames import WithinVideoAuc, pooled_ap, pooled_auc, within_video_auc
from hiprobe.evaluation.report import EvalReport, evaluate
from hiprobe.evaluation.video_scores import VideoScores, interval_labels

__all__ = [
    "EvalReport",
    "EventScores",
    "VideoScores",
    "WithinVideoAuc",
    "evaluate",
    "event_scores",
    "false_alarms_per_hour",
    "interval_labels",
    "pooled_ap",
    "pooled_auc",
    "within_video_auc",
]
