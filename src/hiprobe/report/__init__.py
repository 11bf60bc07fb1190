"""Results as files: JSON per video, CSV of events, and one HTML page for a person."""

from hiprobe.report.files import EventCsv, detection_json, read_json, result_path, write_json
from hiprobe.report.html import HtmlReport, write_report

__all__ = ["EventCsv", "HtmlReport", "detection_json", "read_json", "result_path", "write_json", "write_report"]
