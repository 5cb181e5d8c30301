"""Marks in the environment of processes, by which an execution's processes are found.

The host sets one mark (``process.tree.MARK``) in the environment of its worker. While an execution runs,
the worker keeps the result of :func:`with_execution` in ``os.environ``, and every process that it starts
inherits that value.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

__all__ = ("with_execution", "execution_of")


def with_execution(marks: str, ordinal: int) -> str:
    """Return ``marks``, the value in the worker's environment, with the mark of an execution added."""
    host = marks.rpartition(":")[2]
    return f"{marks}:{host}-{ordinal}"


def execution_of(marks: Iterable[bytes], host: str) -> Optional[int]:
    """Return the ordinal of the execution that a process belongs to.

    Args:
        marks: The marks in the environment of the process.
        host: The mark of the host.

    Returns:
        0 if the process belongs to the host but to none of its executions; None if it does not belong to
        the host.
    """
    found = None
    for mark in marks:
        owner, _, ordinal = mark.decode("ascii", "replace").partition("-")
        if owner == host and (ordinal.isdigit() or not ordinal):
            found = int(ordinal or 0)
    return found
