"""What the backbone says about an event."""

from hiprobe.explain.text import EXPLAIN_PROMPT, Explanation, explain_events

__all__ = ["EXPLAIN_PROMPT", "Explanation", "explain_events"]
