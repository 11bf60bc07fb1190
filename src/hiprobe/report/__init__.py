"""Results as files: JSON per video, and CSV of events."""

from hiprobe.report.files import EventCsv, detection_json, result_path, write_json

__all__ = ["EventCsv", "detection_json", "result_path", "write_json"]
