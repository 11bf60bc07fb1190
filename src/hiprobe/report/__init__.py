"""Results as files: JSON per video, CSV of events, their clips, and the video with all of it drawn in."""

from hiprobe.report.clips import MARGIN, check_margin, write_event_clips
from hiprobe.report.files import EventCsv, detection_json, result_path, write_json
from hiprobe.report.overlay import write_overlay

__all__ = [
    "MARGIN",
    "EventCsv",
    "check_margin",
    "detection_json",
    "result_path",
    "write_event_clips",
    "write_json",
    "write_overlay",
]
