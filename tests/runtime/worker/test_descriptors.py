"""The pipes that are file descriptors 1 and 2, and writes that wait for them."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator

import pytest

from pyrepl_stream.runtime.protocol.shared_state import SharedState
from pyrepl_stream.runtime.worker.descriptors import Pipes, out_of_reach


class Ends:
    """Both ends of two pipes. The engine is any thread that is not a thread of the test."""

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


def test_a_write_does_not_wait_for_empty_pipes(ends: Ends) -> None:
    assert not ends.pipes.unread()
    assert not ends.pipes.wait()


@pytest.mark.parametrize("which", [0, 1])
def test_a_write_waits_until_the_pipes_have_been_read(ends: Ends, which: int) -> None:
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


def test_a_write_does_not_wait_for_ever_for_a_process_that_writes_without_a_pause(ends: Ends) -> None:
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


def test_a_write_waits_only_once_for_a_host_that_stalls(ends: Ends) -> None:
    os.write(ends.writers[0], b"unread")
    assert ends.pipes.wait()  # until the timeout
    for _ in range(10_000):
        assert ends.pipes.wait()  # not again until the host has read
    os.read(ends.readers[0], 100)
    assert not ends.pipes.wait()


def test_the_engine_never_waits() -> None:
    ends = Ends()
    ends.pipes = Pipes(
        (os.dup(ends.writers[0]), os.dup(ends.writers[1])), ends.shared, threading.get_ident(), ends._flush
    )
    os.write(ends.writers[0], b"unread")
    for _ in range(1000):
        assert ends.pipes.wait()
    ends.close()


def test_each_write_has_its_own_number(ends: Ends) -> None:
    before = ends.shared.written
    ends.pipes.entered()
    first = ends.shared.written
    ends.pipes.entered()
    assert len({before, first, ends.shared.written}) == 3
    assert ends.shared.pending


def test_a_descriptor_closed_by_user_code_counts_as_read(ends: Ends) -> None:
    os.write(ends.writers[0], b"unread")
    ends.pipes.close()
    assert not ends.pipes.wait()


def test_out_of_reach_returns_a_high_number_that_is_not_inherited() -> None:
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
