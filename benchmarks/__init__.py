"""Measurements on real footage; their tables are in docs/results.md."""
