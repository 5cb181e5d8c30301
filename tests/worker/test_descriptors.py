"""Pipes that are descriptors 1 and 2, and how a write waits for them."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator

import pytest

from pyrepl_stream.worker.descriptors import Pipes, out_of_reach
from pyrepl_stream.worker.shared import SharedState


class Ends:
    """Both ends of two pipes; what is asked of the engine is that it is no thread of a test."""

    def __init__(self) -> None:
        descriptor = SharedState.create()
        self.shared = SharedState(descriptor)
        os.close(descriptor)
        pairs = os.pipe(), os.pipe()
        self.readers = [reader for reader, _ in pairs]
        self.writers = [os.dup(writer) for _, writer in pairs]
        self.flushed = 0
        self.pipes = Pipes((pairs[0][1], pairs[1][1]), self.shared, -1, self._flush)

    def _flush(self) -> None:
        self.flushed += 1

    def close(self) -> None:
        self.pipes.close()
        for descriptor in (*self.readers, *self.writers):
            os.close(descriptor)
        self.shared.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def test_empty_pipes_are_not_waited_for(ends: Ends) -> None:
    assert not ends.pipes.unread()
    assert not ends.pipes.wait()


@pytest.mark.parametrize("which", [0, 1])
def test_a_write_waits_until_what_is_there_has_been_read(ends: Ends, which: int) -> None:
    os.write(ends.writers[which], b"unread")
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(ends.pipes.wait()))
    thread.start()
    assert ends.pipes.unread()
    assert not found
    os.read(ends.readers[which], 100)
    thread.join()
    assert found == [True]
    assert not ends.pipes.wait()


def test_who_writes_without_a_pause_is_not_waited_for_for_ever(ends: Ends) -> None:
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            os.write(ends.writers[0], b"x" * 1000)

    def read() -> None:
        while os.read(ends.readers[0], 256 << 10) != b"end":
            pass

    threads = [threading.Thread(target=flood), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        ends.pipes.wait()
    stop.set()
    threads[0].join()
    ends.pipes.wait()
    os.write(ends.writers[0], b"end")
    threads[1].join()


def test_a_host_that_stalls_is_waited_for_once(ends: Ends) -> None:
    os.write(ends.writers[0], b"unread")
    assert ends.pipes.wait()  # up to its bound
    for _ in range(10_000):
        assert ends.pipes.wait()  # and no more, until it has read
    os.read(ends.readers[0], 100)
    assert not ends.pipes.wait()


def test_the_engine_never_waits() -> None:
    ends = Ends()
    ends.pipes = Pipes((os.dup(ends.writers[0]), os.dup(ends.writers[1])), ends.shared, threading.get_ident(), ends._flush)
    os.write(ends.writers[0], b"unread")
    for _ in range(1000):
        assert ends.pipes.wait()
    ends.close()


def test_each_write_has_a_number_of_its_own(ends: Ends) -> None:
    before = ends.shared.written
    ends.pipes.entered()
    first = ends.shared.written
    ends.pipes.entered()
    assert len({before, first, ends.shared.written}) == 3
    assert ends.shared.pending


def test_what_user_code_has_closed_is_read(ends: Ends) -> None:
    os.write(ends.writers[0], b"unread")
    ends.pipes.close()
    assert not ends.pipes.wait()


def test_a_descriptor_out_of_reach_is_high_and_not_inherited() -> None:
    reader, writer = os.pipe()
    high = out_of_reach(writer)
    try:
        assert high > 100
        assert not os.get_inheritable(high)
        assert fcntl.fcntl(high, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(writer)
        os.write(high, b"x")
        assert os.read(reader, 10) == b"x"
    finally:
        os.close(high)
        os.close(reader)
