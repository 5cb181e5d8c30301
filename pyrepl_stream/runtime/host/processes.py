"""Finds and signals the processes that executions started, by their marks (``runtime/protocol/marks.py``)."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import time
from typing import Optional

from ..process.tree import kill_until_gone, marked_processes
from ..protocol.marks import execution_of

__all__ = ("MarkedProcesses", "clock_ticks")

_TICKS = os.sysconf("SC_CLK_TCK")
_ROUNDS = 20  # maximum rounds of SIGKILL, so that a fork bomb cannot keep the host busy forever


def clock_ticks() -> int:
    """Return the current time in the unit in which the kernel gives the start times of processes."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return 0 if clock is None else int(time.clock_gettime(clock) * _TICKS)


# The mark of a host. A host that user code of another session starts is adopted by that session's host, but
# must not be killed with it; its workers have their own mark.
HOST_MARK = "host"


class MarkedProcesses:
    """The processes that the workers of one host started.

    Args:
        mark: The mark that the host puts into the environment of its workers.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark

    def pids(self, ordinals: range, *, worker: Optional[int], since: int) -> list[int]:
        """Return the pids of the processes that the executions with these ordinals started.

        A forked copy of the worker itself does not have an execution's mark, and a process that was started
        with its own environment has no mark at all. Such processes are included if they started after
        ``since``; those without any mark must also be children of the worker, or of this process, which
        adopts orphans.

        Args:
            ordinals: The ordinals of the executions.
            worker: The pid of the worker, which is not returned, or None.
            since: The earliest start, in :func:`clock_ticks`, of a process without an execution's mark.

        Raises:
            OSError: No file descriptor is left to read ``/proc`` with.
        """
        near = {worker, os.getpid()}
        found: set[int] = set()
        others: set[int] = set()
        parents: dict[int, list[int]] = {}
        for pid, parent, started, marks in marked_processes():
            parents.setdefault(parent, []).append(pid)
            ordinal = execution_of(marks, self._mark)
            if pid == worker:
                continue
            if marks and ordinal is None:  # it belongs to another session, which user code started
                others.add(pid)
                continue
            if ordinal and ordinal in ordinals:
                found.add(pid)
            elif started >= since and (ordinal == 0 or (ordinal is None and parent in near)):
                found.add(pid)
        # Descendants that have cleared their environment are found through their parents.
        waiting = list(found)
        while waiting:
            for child in parents.get(waiting.pop(), ()):
                if child not in found and child not in others and child != worker:
                    found.add(child)
                    waiting.append(child)
        return sorted(found)

    def kill_all(self) -> None:
        """Kill the workers and every process that they started."""
        self.signal(signal.SIGKILL, range(1 << 32), worker=None, since=0)

    def signal(self, number: int, ordinals: range, *, worker: Optional[int], since: int) -> set[int]:
        """Signal the processes that :meth:`pids` returns; with SIGKILL, repeat until there are no new ones.

        Returns:
            The pids that were signalled.
        """
        find = functools.partial(self.pids, ordinals, worker=worker, since=since)
        if number == signal.SIGKILL:
            return kill_until_gone(find, rounds=_ROUNDS)
        signalled: set[int] = set()
        with contextlib.suppress(OSError):  # no file descriptor is left to read `/proc` with
            for pid in find():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
                    signalled.add(pid)
        return signalled
