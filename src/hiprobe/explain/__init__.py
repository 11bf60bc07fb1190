"""What was seen: in words, by the same backbone, and where in the picture, by the probe."""

from hiprobe.explain.heatmap import HeatMap, blend
from hiprobe.explain.reading import read_heat
from hiprobe.explain.text import EXPLAIN_PROMPT, Explanation, explain_events
from hiprobe.explain.witness import Witness

__all__ = ["EXPLAIN_PROMPT", "Explanation", "HeatMap", "Witness", "blend", "explain_events", "read_heat"]
