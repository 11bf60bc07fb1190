"""What was seen: in words, by the same backbone, and where in the picture, by the probe."""

from hiprobe.explain.heatmap import HeatMap, blend
from hiprobe.explain.reading import check_heat, read_heat
from hiprobe.explain.text import EXPLAIN_PROMPT, Explanation, explain_events

__all__ = ["EXPLAIN_PROMPT", "Explanation", "HeatMap", "blend", "check_heat", "explain_events", "read_heat"]
