"""The ordered record of an execution: a ring in memory. Standard library only, Python 3.9."""

from .ring import Cursor, Journal, Overflow

__all__ = ("Journal", "Cursor", "Overflow")
