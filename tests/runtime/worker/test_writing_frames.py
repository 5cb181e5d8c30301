"""The stack frames of a write, in which an interrupt finds code that writes."""

from __future__ import annotations

import sys
from types import FrameType

from support.sinks import RoomySink

from pyrepl_stream.runtime.engine.loop import engine_loop
from pyrepl_stream.runtime.engine.writer import Writer
from pyrepl_stream.runtime.worker.interrupts import _caller_of_write


class Descriptors:
    """Descriptors that note the frames which call them."""

    def __init__(self) -> None:
        self.callers: list[FrameType] = []

    def unread(self) -> bool:
        return False

    def wait(self) -> bool:
        return False

    def entered(self) -> None:
        self.callers.append(sys._getframe(1))

    def flush(self) -> bool:
        self.callers.append(sys._getframe(1))
        return True


def test_the_caller_of_a_write_is_found_from_each_place_where_a_write_waits() -> None:
    descriptors = Descriptors()
    writer = Writer(RoomySink(), engine_loop(), order=descriptors)
    writer.write("a line\n")
    writer.flush()
    callers = [_caller_of_write(frame) for frame in descriptors.callers]
    assert callers == [sys._getframe()] * 3
