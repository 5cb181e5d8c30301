"""Flushes of ordered output: bounded between two pauses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pyrepl_stream.runtime.engine.order import OrderedOutput


class Descriptors:
    """Descriptors that count flushes."""

    def __init__(self, *, sent: bool = True) -> None:
        self.sent = sent
        self.flushes = 0

    def unread(self) -> bool:
        return False

    def wait(self) -> bool:
        return False

    def entered(self) -> None: ...

    def flush(self) -> bool:
        self.flushes += 1
        return self.sent


@pytest.mark.parametrize("flush", [OrderedOutput.flush, OrderedOutput.flush_line])
def test_a_burst_is_not_flushed_line_by_line(flush: Callable[[OrderedOutput], None]) -> None:
    descriptors = Descriptors()
    order = OrderedOutput(descriptors)
    for _ in range(1000):
        flush(order)
    assert descriptors.flushes == 64
    order.pause()
    flush(order)
    assert descriptors.flushes == 65


@pytest.mark.parametrize("flush", [OrderedOutput.flush, OrderedOutput.flush_line])
def test_a_slow_host_is_not_waited_for_again_before_a_pause(flush: Callable[[OrderedOutput], None]) -> None:
    descriptors = Descriptors(sent=False)
    order = OrderedOutput(descriptors)
    for _ in range(10):
        flush(order)
    assert descriptors.flushes == 1


def test_lines_and_requested_flushes_have_bounds_of_their_own() -> None:
    descriptors = Descriptors()
    order = OrderedOutput(descriptors)
    for _ in range(100):
        order.flush_line()
    order.flush()
    assert descriptors.flushes == 65
