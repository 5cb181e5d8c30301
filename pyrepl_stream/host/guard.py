"""A process that ends what a host leaves behind when it is killed. Imports nothing, to stay small."""

from __future__ import annotations

import os

__all__ = ("guard",)


def guard(*descriptors: int) -> int:
    """Start it; returns where to write the mark of the processes that it is to end, after this one.

    It closes its copies of ``descriptors``. It is needed because a worker whose code keeps the GIL does not
    notice that its host has gone. (To have the kernel end the worker, by PR_SET_PDEATHSIG, would leave what
    the worker has started.)
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(reader)
        os.waitpid(child, 0)
        return writer
    try:
        if os.fork() == 0:  # nobody's child, so that it is not taken for one that an execution left
            os.setsid()
            for descriptor in (writer, *descriptors):
                os.close(descriptor)
            with open(reader, "rb", buffering=0) as file:
                mark = file.readall().decode("ascii")
            if mark:
                from .removal import end_marked

                end_marked(mark)
    finally:
        os._exit(0)
