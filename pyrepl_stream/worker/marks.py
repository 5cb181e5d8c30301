"""How processes that an execution started are known: by a mark in the environment they inherit.

The host gives its worker one mark (``process.tree.MARK``). While an execution runs, the worker has
:func:`with_execution` of it in ``os.environ``, and so has everything that it starts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

__all__ = ("with_execution", "execution_of")


def with_execution(marks: str, ordinal: int) -> str:
    """``marks``, as the worker was given them, with that of an execution more."""
    return f"{marks}:{_host_of(marks)}-{ordinal}"


def execution_of(marks: Iterable[bytes], host: str) -> Optional[int]:
    """The ordinal of the execution that a process is of; 0 for none of them, None for another host's."""
    found = None
    for mark in marks:
        ours, _, ordinal = mark.decode("ascii", "replace").partition("-")
        if ours == host and (ordinal.isdigit() or not ordinal):
            found = int(ordinal or 0)
    return found


def _host_of(marks: str) -> str:
    return marks.rpartition(":")[2]
