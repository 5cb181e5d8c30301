"""Measurements without bounds, shown as tables and plots: ``python -m benchmarks.experiments``."""
