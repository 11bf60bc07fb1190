"""What was seen: in words, by the same backbone, and where in the picture, by the probe."""

from hiprobe.backbones import EVENT_PROMPT, EXPLAIN_PROMPT
from hiprobe.explain.anomaly_map import AnomalyMap, blend
from hiprobe.explain.checking import Stance, shown, stance, told
from hiprobe.explain.evidence import evidence, place_of
from hiprobe.explain.keeping import MapKeeper
from hiprobe.explain.mapping import read_anomaly_map
from hiprobe.explain.text import Explanation, explain_events

__all__ = [
    "EVENT_PROMPT",
    "EXPLAIN_PROMPT",
    "AnomalyMap",
    "Explanation",
    "MapKeeper",
    "Stance",
    "blend",
    "evidence",
    "explain_events",
    "place_of",
    "read_anomaly_map",
    "shown",
    "stance",
    "told",
]
