"""What was seen: in words, by the same backbone, and where in the picture, by the probe."""

from hiprobe.explain.anomaly_map import AnomalyMap, blend
from hiprobe.explain.keeping import MapKeeper
from hiprobe.explain.mapping import read_anomaly_map
from hiprobe.explain.text import EXPLAIN_PROMPT, Explanation, explain_events

__all__ = ["EXPLAIN_PROMPT", "AnomalyMap", "Explanation", "MapKeeper", "blend", "explain_events", "read_anomaly_map"]
