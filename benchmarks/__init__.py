"""What is measured, and the bounds that it has to keep: ``python -m benchmarks [names...]``."""
