"""Pumps: each moves bytes between the descriptors of a command and this process, in one thread.

:class:`SelectorPump` waits with a selector (POSIX). Windows has its own pump, with a thread for each
descriptor.
"""

from __future__ import annotations

import errno
import os
import selectors
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from typing import Any, Callable, NamedTuple, Optional

_READ_BYTES = 64 * 1024  # bytes read from a descriptor before the others get their turn
_BUFFER_BYTES = 256 * 1024
_PIPE_BYTES = 1024 * 1024  # capacity of a pipe: large output then arrives in large pieces
_F_SETPIPE_SZ = 1031  # from fcntl(2) of Linux; the module `fcntl` has it since Python 3.10


class Event(NamedTuple):
    """Bytes read from the descriptor with this tag. Empty data is the end of the descriptor or process."""

    tag: Any
    data: bytes


class Pump(ABC):
    """The interface of a pump and its shared parts.

    Only :meth:`call` may be used by a thread other than the one that calls :meth:`wait`.

    Attributes:
        reading: The number of descriptors that have not reached their end.
        feed_broken: True once the command has stopped reading its input.
    """

    def __init__(self) -> None:
        self._calls: deque[Callable[[], object]] = deque()
        self._feed: deque[memoryview] = deque()
        self._feed_descriptor: Optional[int] = None
        self._feed_ends = False
        self.feed_broken = False
        self.reading = 0

    @abstractmethod
    def read_from(self, descriptor: int, tag: object) -> None:
        """Make :meth:`wait` return the bytes of ``descriptor`` under ``tag``; close it at its end."""

    @abstractmethod
    def watch_exit(self, process: subprocess.Popen[bytes], tag: object) -> None:
        """Make :meth:`wait` return one event under ``tag`` when the process has ended."""

    def feed_to(self, descriptor: int) -> None:
        """Set the descriptor that :meth:`feed` writes to. It is closed when the feed ends."""
        self._feed_descriptor = descriptor

    def feed(self, data: bytes) -> None:
        """Queue input for the command. It is dropped if the command has stopped reading."""
        if data and not self._feed_ends and self._feed_descriptor is not None:
            self._feed.append(memoryview(data))
            self._continue_feed()

    def end_feed(self) -> None:
        """Close the feed after all queued input has been written."""
        if not self._feed_ends:
            self._feed_ends = True
            self._continue_feed()

    @abstractmethod
    def _continue_feed(self) -> None: ...

    def call(self, function: Callable[[], object]) -> None:
        """Schedule a call of ``function`` in the pump's thread. May be called from any thread."""
        self._calls.append(function)
        self._wake()

    @abstractmethod
    def _wake(self) -> None: ...

    def _run_calls(self) -> None:
        for _ in range(len(self._calls)):  # not calls added meanwhile: the command's output is next
            self._calls.popleft()()
        if self._calls:
            self._wake()

    @abstractmethod
    def wait(self, timeout: Optional[float]) -> list[Event]:
        """Wait for events or calls, and return the events.

        Args:
            timeout: Maximum seconds to wait; None for no limit.
        """

    @abstractmethod
    def close(self) -> None:
        """Close every descriptor that is still open."""


class SelectorPump(Pump):
    """A pump that waits with a selector."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, self._drain_wake)
        # Guards _wake_write and _closed: a call may arrive just after the pump's thread has closed the pipe.
        self._lock = threading.Lock()
        self._closed = False
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))

    def read_from(self, descriptor: int, tag: object) -> None:
        """Implement :meth:`Pump.read_from`."""
        os.set_blocking(descriptor, False)
        enlarge_pipe(descriptor, _PIPE_BYTES)
        self._selector.register(descriptor, selectors.EVENT_READ, _Source(tag))
        self.reading += 1

    def watch_exit(self, process: subprocess.Popen[bytes], tag: object) -> None:
        """Implement :meth:`Pump.watch_exit`."""
        self._selector.register(_exit_descriptor(process), selectors.EVENT_READ, Event(tag, b""))

    def feed_to(self, descriptor: int) -> None:
        """Implement :meth:`Pump.feed_to`."""
        os.set_blocking(descriptor, False)
        super().feed_to(descriptor)

    def wait(self, timeout: Optional[float]) -> list[Event]:
        """Implement :meth:`Pump.wait`."""
        events: list[Event] = []
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, _Source):
                self._read(key.fd, key.data, events)
            elif isinstance(key.data, Event):  # a process has ended
                self._drop(key.fd)
                events.append(key.data)
            else:
                key.data()
        self._run_calls()
        return events

    def _read(self, descriptor: int, source: _Source, events: list[Event]) -> None:
        if source.floods:
            data = os.read(descriptor, _BUFFER_BYTES)
            source.floods = len(data) >= _READ_BYTES
            source.ended = not data
        else:
            data = self._read_small(descriptor, source)
        if data:
            events.append(Event(source.tag, data))
        if source.ended:
            self._drop(descriptor)
            self.reading -= 1
            events.append(Event(source.tag, b""))

    def _read_small(self, descriptor: int, source: _Source) -> bytes:
        """Read and join the bytes that are available: a terminal returns at most 4 KB at a time."""
        size = 0
        while size < _READ_BYTES:
            try:
                count = os.readv(descriptor, [self._buffer[size:]])
            except BlockingIOError:
                break
            except OSError as exc:
                if exc.errno != errno.EIO:  # the end of a terminal on Linux
                    raise
                count = 0
            if not count:
                source.ended = True
                break
            source.floods = count >= _READ_BYTES
            size += count
        return bytes(self._buffer[:size])

    def _continue_feed(self) -> None:
        descriptor = self._feed_descriptor
        if descriptor is None:
            return
        is_registered = descriptor in self._selector.get_map()
        while self._feed:
            try:
                count = os.write(descriptor, self._feed[0])
            except BlockingIOError:
                if not is_registered:
                    self._selector.register(descriptor, selectors.EVENT_WRITE, self._continue_feed)
                return
            except OSError:  # EPIPE from a pipe, EIO from a terminal: the reader is gone
                self.feed_broken = True
                self._feed.clear()
                self._feed_ends = True
                break
            self._feed[0] = self._feed[0][count:]
            if not self._feed[0]:
                self._feed.popleft()
        if is_registered:
            self._selector.unregister(descriptor)
        if self._feed_ends:
            os.close(descriptor)
            self._feed_descriptor = None

    def _drop(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)

    def _wake(self) -> None:
        with self._lock:
            if not self._closed:
                with suppress(BlockingIOError):  # the pipe is full, so the thread will wake anyway
                    os.write(self._wake_write, b"x")

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_read, _READ_BYTES)

    def close(self) -> None:
        """Implement :meth:`Pump.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._wake_write)
        descriptors = {key.fd for key in self._selector.get_map().values()}
        if self._feed_descriptor is not None:
            descriptors.add(self._feed_descriptor)
            self._feed_descriptor = None
        self._selector.close()
        for descriptor in descriptors:
            os.close(descriptor)


def enlarge_pipe(descriptor: int, size: int) -> None:
    """Set the capacity of a pipe to ``size`` bytes if the system allows it (Linux)."""
    if sys.platform.startswith("linux"):
        import fcntl

        with suppress(OSError):  # it is a terminal, or the user's quota for large pipes is used up
            fcntl.fcntl(descriptor, _F_SETPIPE_SZ, size)


class _Source:
    def __init__(self, tag: object) -> None:
        self.tag = tag
        self.floods = False  # one read returns so much that copying would cost more than joining later
        self.ended = False


def _exit_descriptor(process: subprocess.Popen[bytes]) -> int:
    """Return a descriptor that becomes readable when the process has ended."""
    if hasattr(os, "pidfd_open"):
        with suppress(OSError):  # a kernel before 5.3, or a sandbox that forbids it
            return os.pidfd_open(process.pid)
    read, write = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(write)

    threading.Thread(target=wait, name=f"wait for {process.pid}", daemon=True).start()
    return read
