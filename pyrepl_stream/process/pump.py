"""Moves bytes between descriptors of a command and one thread that waits for whatever comes first.

Two pumps with one interface: by a selector (POSIX), and by a thread for each descriptor, for where
pipes cannot be selected (Windows). What other threads have to say comes through :meth:`Pump.call`.
"""

from __future__ import annotations

import errno
import os
import queue
import selectors
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Callable, NamedTuple, Optional

__all__ = ("Pump", "SelectorPump", "ThreadPump", "Event", "make_pump")

_READ = 64 * 1024  # bytes after which others get their turn
_BUFFER = 256 * 1024
_PIPE = 1024 * 1024  # bytes that a pipe should hold: a flood then comes in large pieces
_SET_PIPE_SIZE = 1031  # fcntl(2) of Linux; in Python's module since 3.10
_QUEUED = 16  # reads that the thread of a descriptor is ahead at most


class Event(NamedTuple):
    """Something came: bytes under a tag (none: the end of that descriptor)."""

    tag: Any
    data: bytes


class Pump(ABC):
    """What both pumps share. Only :meth:`call` may be used by another thread."""

    def __init__(self) -> None:
        self._calls: deque[Callable[[], object]] = deque()
        self._feed: deque[memoryview] = deque()
        self._feed_descriptor: Optional[int] = None
        self._feed_ends = False
        self.feed_broken = False  # the command reads no more
        self.reading = 0  # descriptors that have not ended

    @abstractmethod
    def read_from(self, descriptor: int, tag: object) -> None:
        """Yield what comes from ``descriptor`` under ``tag``. It is closed at its end."""

    @abstractmethod
    def watch_exit(self, process: subprocess.Popen[bytes], tag: object) -> None:
        """Yield an event when the process has ended."""

    def feed_to(self, descriptor: int) -> None:
        """Where :meth:`feed` goes. It is closed when the feed ends."""
        self._feed_descriptor = descriptor

    def feed(self, data: bytes) -> None:
        """Queue input for the command. What it does not read any more is dropped."""
        if data and not self._feed_ends and self._feed_descriptor is not None:
            self._feed.append(memoryview(data))
            self._go_on_feeding()

    def end_feed(self) -> None:
        """Close the feed when everything queued was taken."""
        if not self._feed_ends:
            self._feed_ends = True
            self._go_on_feeding()

    @abstractmethod
    def _go_on_feeding(self) -> None: ...

    def call(self, function: Callable[[], object]) -> None:
        """Have the pump's thread call ``function`` soon. Any thread may."""
        self._calls.append(function)
        self._wake()

    @abstractmethod
    def _wake(self) -> None: ...

    def _run_calls(self) -> None:
        for _ in range(len(self._calls)):  # and not those that come meanwhile: the command's turn is next
            self._calls.popleft()()
        if self._calls:
            self._wake()

    @abstractmethod
    def wait(self, timeout: Optional[float]) -> list[Event]:
        """Wait until something comes, or a call was made, or ``timeout`` seconds have passed."""

    @abstractmethod
    def close(self) -> None:
        """Close every descriptor that is still open."""


class SelectorPump(Pump):
    def __init__(self) -> None:
        super().__init__()
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._selector.register(self._wake_read, selectors.EVENT_READ, None)
        # Guards _wake_write: a call may come when the pump's thread has just closed it.
        self._lock = threading.Lock()
        self._closed = False
        self._fed = False  # the feed's descriptor is in the selector
        self._buffer = memoryview(bytearray(_BUFFER))

    def read_from(self, descriptor: int, tag: object) -> None:
        os.set_blocking(descriptor, False)
        _enlarge(descriptor)
        self._selector.register(descriptor, selectors.EVENT_READ, _Source(tag))
        self.reading += 1

    def watch_exit(self, process: subprocess.Popen[bytes], tag: object) -> None:
        descriptor = _exit_descriptor(process)
        self._selector.register(descriptor, selectors.EVENT_READ, _Exit(tag))

    def feed_to(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        super().feed_to(descriptor)

    def wait(self, timeout: Optional[float]) -> list[Event]:
        events: list[Event] = []
        ready = self._selector.select(timeout)
        for key, _ in ready:
            if key.data is None:
                self._drain_wake()
            elif isinstance(key.data, _Exit):
                self._drop(key.fd)
                events.append(Event(key.data.tag, b""))
            elif isinstance(key.data, _Source):
                self._read(key.fd, key.data, events)
            else:
                self._go_on_feeding()
        self._run_calls()
        return events

    def _read(self, descriptor: int, source: _Source, events: list[Event]) -> None:
        if source.floods:
            data = os.read(descriptor, _BUFFER)
            source.floods = len(data) >= _READ
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
        """Read what is there, joined: a terminal hands over 4 KB at a time."""
        size = 0
        while size < _READ:
            try:
                count = os.readv(descriptor, [self._buffer[size:]])
            except BlockingIOError:
                break
            except OSError as exc:
                if exc.errno != errno.EIO:  # on Linux that is how a terminal ends
                    raise
                count = 0
            if not count:
                source.ended = True
                break
            source.floods = count >= _READ
            size += count
        return bytes(self._buffer[:size])

    def _go_on_feeding(self) -> None:
        descriptor = self._feed_descriptor
        if descriptor is None:
            return
        while self._feed:
            try:
                count = os.write(descriptor, self._feed[0])
            except BlockingIOError:
                if not self._fed:
                    self._selector.register(descriptor, selectors.EVENT_WRITE, self._go_on_feeding)
                    self._fed = True
                return
            except OSError:  # EPIPE, and EIO of a terminal: nobody reads any more
                self.feed_broken = True
                self._feed.clear()
                self._feed_ends = True
                break
            self._feed[0] = self._feed[0][count:]
            if not self._feed[0]:
                self._feed.popleft()
        if self._fed:
            self._selector.unregister(descriptor)
            self._fed = False
        if self._feed_ends:
            os.close(descriptor)
            self._feed_descriptor = None

    def _drop(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)
        os.close(descriptor)

    def _wake(self) -> None:
        with self._lock:
            if not self._closed:
                try:
                    os.write(self._wake_write, b"x")
                except BlockingIOError:
                    pass  # it is awake

    def _drain_wake(self) -> None:
        try:
            os.read(self._wake_read, _READ)
        except BlockingIOError:
            pass

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed = True
            os.close(self._wake_write)
        for key in list(self._selector.get_map().values()):
            if key.fd != self._feed_descriptor:
                os.close(key.fd)
        self._selector.close()
        if self._feed_descriptor is not None:
            os.close(self._feed_descriptor)
            self._feed_descriptor = None


def _enlarge(descriptor: int) -> None:
    if sys.platform.startswith("linux"):
        import fcntl

        try:
            fcntl.fcntl(descriptor, _SET_PIPE_SIZE, _PIPE)
        except OSError:
            pass  # a terminal, or the user's share of large pipes is used up


class _Source:
    def __init__(self, tag: object) -> None:
        self.tag = tag
        self.floods = False  # it hands over so much at once that to copy it would cost more than to join it
        self.ended = False


class _Exit(NamedTuple):
    tag: Any


def _exit_descriptor(process: subprocess.Popen[bytes]) -> int:
    """A descriptor that becomes readable when the process has ended."""
    if hasattr(os, "pidfd_open"):
        try:
            return os.pidfd_open(process.pid)
        except OSError:
            pass  # a kernel before 5.3, or a sandbox that does not let us
    read, write = os.pipe()

    def wait() -> None:
        process.wait()
        os.close(write)

    threading.Thread(target=wait, name=f"wait for {process.pid}", daemon=True).start()
    return read


class ThreadPump(Pump):
    """A thread for each descriptor. A reading thread is ahead of :meth:`wait` by a bounded amount."""

    def __init__(self) -> None:
        super().__init__()
        self._events: queue.Queue[Optional[Event]] = queue.Queue()
        self._more: Optional[queue.SimpleQueue[Optional[memoryview]]] = None

    def read_from(self, descriptor: int, tag: object) -> None:
        self.reading += 1
        room = threading.Semaphore(_QUEUED)

        def read() -> None:
            data = b"x"
            while data:
                room.acquire()
                try:
                    data = os.read(descriptor, _READ)
                except OSError:
                    data = b""
                self._events.put(_Metered(tag, data, room))
            os.close(descriptor)

        threading.Thread(target=read, name=f"read {tag}", daemon=True).start()

    def watch_exit(self, process: subprocess.Popen[bytes], tag: object) -> None:
        def wait() -> None:
            process.wait()
            self._events.put(Event(tag, b""))

        threading.Thread(target=wait, name=f"wait for {process.pid}", daemon=True).start()

    def feed_to(self, descriptor: int) -> None:
        super().feed_to(descriptor)
        more = self._more = queue.SimpleQueue()

        def write() -> None:
            while (data := more.get()) is not None:
                while data and not self.feed_broken:
                    try:
                        data = data[os.write(descriptor, data) :]
                    except OSError:
                        self.feed_broken = True
            os.close(descriptor)

        threading.Thread(target=write, name="feed", daemon=True).start()

    def _go_on_feeding(self) -> None:
        if self._more is None:
            return
        while self._feed:
            self._more.put(self._feed.popleft())
        if self._feed_ends:
            self._more.put(None)
            self._more = None

    def wait(self, timeout: Optional[float]) -> list[Event]:
        deadline = None if timeout is None else time.monotonic() + timeout
        events: list[Event] = []
        try:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            event = self._events.get(timeout=left)
            while True:
                if event is not None:
                    events.append(event)
                    if isinstance(event, _Metered):
                        event.room.release()
                        self.reading -= not event.data
                event = self._events.get_nowait()
        except queue.Empty:
            pass
        self._run_calls()
        return events

    def _wake(self) -> None:
        self._events.put(None)

    def close(self) -> None:
        """The threads close what they have when it ends."""
        self.end_feed()


class _Metered(Event):
    """An event that took a place of its reader's; the place is free again when it was handed over."""

    room: threading.Semaphore

    def __new__(cls, tag: object, data: bytes, room: threading.Semaphore) -> _Metered:
        self = super().__new__(cls, tag, data)
        self.room = room
        return self


def make_pump() -> Pump:
    return ThreadPump() if sys.platform == "win32" else SelectorPump()
