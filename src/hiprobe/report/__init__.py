"""Results as files: JSON per video, CSV of events, one HTML page for a person, clips, the video with all drawn in."""

from hiprobe.report.clips import MARGIN, check_margin, write_event_clips
from hiprobe.report.files import EventCsv, detection_json, parse_detection, read_json, result_path, write_json
from hiprobe.report.html import HtmlReport, write_report
from hiprobe.report.overlay import write_overlay

__all__ = [
    "MARGIN",
    "EventCsv",
    "HtmlReport",
    "check_margin",
    "detection_json",
    "parse_detection",
    "read_json",
    "result_path",
    "write_event_clips",
    "write_json",
    "write_overlay",
    "write_report",
]
