"""Measurements and their bounds: ``python -m benchmarks [names...]``."""
