"""The ordered record of an execution: a ring in memory. Standard library only, Python 3.9."""

from .ring import NEVER_DROPPED, Cursor, Journal, Overflow, cost_of

__all__ = ("Journal", "Cursor", "Overflow", "NEVER_DROPPED", "cost_of")
