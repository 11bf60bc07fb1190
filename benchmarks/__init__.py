"""Measurements on real footage; their tables are in docs/measurements.md."""
