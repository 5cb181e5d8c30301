"""Questions without a bound, answered with tables and plots: ``python -m benchmarks.experiments``."""
