"""The processes that executions started, found by their marks (see ``worker/marks.py``)."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import Optional

from ..process.tree import marked_processes
from ..worker.marks import execution_of

__all__ = ("Family", "clock_ticks")

_TICKS = os.sysconf("SC_CLK_TCK")
_ROUNDS = 20  # of SIGKILL: one that forks all the time is found sooner or later


def clock_ticks() -> int:
    """Now, in the unit and from the start that the kernel uses for the start of a process."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0 if clock is None else int(time.clock_gettime(clock) * _TICKS)


class Family:
    """All that the workers of one host started; ``mark`` is what the host gives them."""

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def pids(self, first: int, last: Optional[int] = None, *, worker: Optional[int], since: int) -> list[int]:
        """What the executions with the ordinals ``first``..``last`` (None: to the newest) started.

        A copy of the worker itself (``fork``) has no execution's mark, and what was given an environment of
        its own has none at all: these count when they began after ``since`` (:func:`clock_ticks`) and are
        the worker's children, or ours since they have lost their parents. Raises OSError when there is no
        descriptor to look with.
        """
        near = {worker, os.getpid()}
        found: set[int] = set()
        parents: dict[int, list[int]] = {}
        for pid, parent, started, marks in marked_processes():
            parents.setdefault(parent, []).append(pid)
            ordinal = execution_of(marks, self._mark)
            if pid == worker:
                continue
            if ordinal and first <= ordinal and (last is None or ordinal <= last):
                found.add(pid)
            elif started >= since and (ordinal == 0 or (ordinal is None and parent in near)):
                found.add(pid)
        # What cleared its environment is known by its parents.
        waiting = list(found)
        while waiting:
            for child in parents.get(waiting.pop(), ()):
                if child not in found and child != worker:
                    found.add(child)
                    waiting.append(child)
        return sorted(found)

    def signal(
        self, number: int, first: int, last: Optional[int] = None, *, worker: Optional[int], since: int
    ) -> None:
        """Signal them; SIGKILL until none is found that was not yet signalled."""
        signalled: set[int] = set()
        for _ in range(_ROUNDS):
            try:
                new = set(self.pids(first, last, worker=worker, since=since)) - signalled
            except OSError:  # no descriptor is left to look with
                return
            for pid in new:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
            signalled |= new
            if not new or number != signal.SIGKILL:
                return
