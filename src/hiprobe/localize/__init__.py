"""From scores per segment to events: smoothing, thresholds, event finding.

::

    smoothed = smooth(scores, centres, settings.sigma)          # once, and nowhere else
    threshold = adaptive_threshold(smoothed, settings.kappa)    # or the probe's calibrated one
    events = find_events(smoothed, centres, duration, threshold, settings.min_duration, settings.merge_gap)

A score is abnormal where it is strictly over the threshold; this holds for thresholds and events alike.
"""

from hiprobe.localize.alarms import AlarmRates, expected_text, rate_text
from hiprobe.localize.events import Event, find_events, frame_scores
from hiprobe.localize.peaks import OrdinaryScores, event_peaks
from hiprobe.localize.settings import LocalizeSettings, ThresholdChoice
from hiprobe.localize.smoothing import smooth
from hiprobe.localize.thresholds import adaptive_threshold, calibrated_threshold
from hiprobe.localize.unjudged import Unjudged

__all__ = [
    "AlarmRates",
    "Event",
    "LocalizeSettings",
    "OrdinaryScores",
    "ThresholdChoice",
    "Unjudged",
    "adaptive_threshold",
    "calibrated_threshold",
    "event_peaks",
    "expected_text",
    "find_events",
    "frame_scores",
    "rate_text",
    "smooth",
]
