"""The version of the package. A host reports it to its clients without importing the package root."""

from __future__ import annotations

__version__ = "0.1.0"
