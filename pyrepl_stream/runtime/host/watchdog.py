"""A process that kills what a killed host leaves running. It imports little, to use little memory."""

from __future__ import annotations

import os

__all__ = ("start_watchdog",)


def start_watchdog(*descriptors: int) -> int:
    """Start a process that waits until this one has ended and then kills the processes that it left running.

    It is needed because a worker whose code keeps the GIL does not notice that its host has ended. (With
    PR_SET_PDEATHSIG the kernel would end the worker, but not the processes that the worker has started.)

    Args:
        descriptors: File descriptors that the watchdog inherits from this process and must close.

    Returns:
        The file descriptor to which the caller writes the mark of the processes to kill.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(reader)
        os.waitpid(child, 0)
        return writer
    try:
        # Fork again: an orphan is not mistaken for a child that an execution has left running.
        if os.fork() == 0:
            os.setsid()
            for descriptor in (writer, *descriptors):
                os.close(descriptor)
            with open(reader, "rb", buffering=0) as file:
                mark = file.readall().decode("ascii")
            if mark:
                from .processes import MarkedProcesses

                MarkedProcesses(mark).kill_all()
    finally:
        os._exit(0)
