"""Journals: a ring in memory (``ring``), and a spool on disk (``spool``). Python 3.9, nothing else."""

from .cost import cost_of, output_bytes
from .ring import NEVER_DROPPED, OVERFLOW_POLICIES, Cursor, Journal, Overflow

__all__ = (
    "Journal",
    "Cursor",
    "Overflow",
    "OVERFLOW_POLICIES",
    "NEVER_DROPPED",
    "cost_of",
    "output_bytes",
)
