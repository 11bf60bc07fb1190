"""The bundled sample clips: generated street scenes with exact ground truth, and nothing of anybody else's."""

from pathlib import Path

SAMPLE_LABELS = Path(__file__).parent / "labels.csv"
"""Manifest of the labelled calibration clips."""

DEMO_VIDEO = Path(__file__).parent / "street.mp4"
"""The video that the demo detects on; no clip of ``SAMPLE_LABELS`` shares its camera or seed."""

DEMO_TRUTH = Path(__file__).parent / "street.csv"
"""Manifest with the true events of ``DEMO_VIDEO``."""
