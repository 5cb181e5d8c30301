"""Flow control of a writer: its states, the gate at which threads wait, its pace, and its lost output."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum
from typing import Optional, Protocol

from ..errors import BufferOverflowError
from ..messages import Message
from .loop import LoopThread, process_is_leaving, runs_event_loop

__all__ = ("MOVES", "SLOW_TICK", "TICK", "Flow", "FlowState", "Losses", "Pace", "WriterSink", "next_state")

TICK = 0.002  # seconds between two moves of text to the sink while text flows
SLOW_TICK = 0.05  # seconds between two looks for text from a `write` that user code saved while text flowed
_SAMPLE = 256  # writes in a sample
_SMALL = 256  # characters; writes that are smaller on average bypass the checks
_FLOOD_TICK = 0.008  # seconds: the tick of a flood, which slows down whenever the engine takes the GIL
_FLOOD = 64 << 10  # bytes read by internal readers in one tick that count as a flood
_MOVED = 1 << 20  # bytes after which internal readers call the engine themselves


class WriterSink(Protocol):
    """Where messages go: a journal, or a channel to one."""

    def append(self, message: Message, *, wake: bool) -> object:
        """Accept a message. If ``wake`` is false, readers are notified at the next :meth:`wake`."""

    def wake(self) -> None:
        """Notify the readers of the messages that were appended with ``wake=False``."""

    def has_room(self) -> bool:
        """Return False when the writer must wait until the sink calls :meth:`Writer.tick`."""

    def close(self) -> None:
        """Accept no further messages."""

    @property
    def overflowed(self) -> bool:
        """True once output was dropped because the reader lagged."""


class FlowState(Enum):
    """The state of a writer. Only the engine's thread changes it."""

    IDLE = "idle"  # no text is waiting; the next write wakes the engine
    FLOWING = "flowing"  # small writes bypass all checks; a timer moves them to the sink
    GATED = "gated"  # the sink has no room; a thread that is allowed to block waits before it writes
    FAILED = "failed"  # output was lost under the policy "fail"; each write raises
    CLOSED = "closed"  # the session has ended; text goes to the fallback


_IDLE, _FLOWING, _GATED, _FAILED, _CLOSED = FlowState  # access to members is slow before Python 3.12

MOVES: Mapping[FlowState, frozenset[FlowState]] = {
    _IDLE: frozenset({_FLOWING, _GATED, _FAILED, _CLOSED}),
    _FLOWING: frozenset({_IDLE, _GATED, _FAILED, _CLOSED}),
    _GATED: frozenset({_IDLE, _FLOWING, _FAILED, _CLOSED}),
    _FAILED: frozenset({_CLOSED}),
    _CLOSED: frozenset(),
}
"""The states that may follow each state, besides the state itself."""


def next_state(state: FlowState, *, failed: bool, backlog: bool, found: bool, asked: bool) -> FlowState:
    """Return the state after the engine has moved the written text.

    Args:
        state: The previous state.
        failed: The sink lost output, and the policy is "fail".
        backlog: The sink had no room for all of the text.
        found: Some text was moved.
        asked: A caller requested the move, so that finding no text does not count as a pause.
    """
    if state is _CLOSED:
        return _CLOSED
    if failed or state is _FAILED:
        return _FAILED
    if backlog:
        return _GATED
    if found or (asked and state is not _IDLE):
        return _FLOWING
    return _IDLE


class Flow:
    """The state of one writer, and the gate at which its threads wait.

    The gate is a plain lock that is held while the gate is shut, not an event: the methods of an event are
    Python code, so an asynchronous exception in them could leave the event's own lock held, and the engine
    would wait for that lock for ever. An exception that leaves this lock held delays a thread by `SLOW_TICK`.
    """

    def __init__(self, sink: WriterSink, engine: LoopThread, *, fail: bool, remote: bool) -> None:
        self.state = _IDLE
        self.is_open = True  # neither GATED nor FAILED
        self.woken = False  # a write has scheduled a call on the engine, which has not run yet
        self.released = False  # the execution is being stopped: no thread waits any more
        self.escaped = 0  # bytes written while the gate was shut
        self._sink = sink
        self._engine = engine
        self._fail = fail
        self._remote = remote  # the sink's reader is another process
        self._gate = threading.Lock()

    @property
    def failed(self) -> bool:
        """True once output was lost under the policy "fail"."""
        return self._fail and self._sink.overflowed

    def enter(self, state: FlowState) -> None:
        """Change the state, and open or shut the gate. Called in the engine's thread."""
        assert state is self.state or state in MOVES[self.state], f"{self.state} -> {state}"
        self.state = state
        self.is_open = state is not _GATED and state is not _FAILED
        if self.is_open:
            self.escaped = 0
            self._open()
        else:
            self._gate.acquire(blocking=False)

    def close_in_child(self) -> None:
        """Enter CLOSED in a forked child, which has no engine."""
        self.state, self.is_open = _CLOSED, True

    def release(self) -> None:
        """Let all waiting threads continue, and let no thread wait from now on."""
        self.released = True
        self._open()

    def wait(self) -> bool:
        """Wait until the gate is open.

        Returns:
            False when the gate is still shut: the caller runs an event loop, which must not be blocked, or
            the execution or the process is ending.

        Raises:
            BufferOverflowError: Output was lost, and the policy is "fail".
        """
        may_wait = not runs_event_loop() or (self._remote and threading.get_ident() != self._engine.ident)
        while not self.is_open and not self.released and not process_is_leaving():
            if self.failed:
                raise BufferOverflowError(
                    "the reader lags by more than buffer_bytes, and overflow is 'fail': "
                    "read faster, raise buffer_bytes, or choose another overflow policy"
                )
            if not may_wait:
                return False
            if self._gate.acquire(timeout=SLOW_TICK) and (self.is_open or self.released):
                self._open()  # for the next thread that waits
        return self.is_open

    def _open(self) -> None:
        if self._gate.locked():
            with suppress(RuntimeError):  # another thread has opened it
                self._gate.release()


class Pace:
    """Decides which writes bypass the checks, and how often text is moved.

    The first depends on a sample of the sizes of writes, the second on the number of bytes that internal
    readers have read since the last tick.
    """

    def __init__(self) -> None:
        self.small = False  # text flows, and its writes are small
        self._count = 0  # writes in the sample
        self._characters = 0
        self._read = 0  # bytes that internal readers have read since the last tick

    def sample(self, size: int) -> bool:
        """Count a write of ``size`` characters. Return True if this has updated ``small``."""
        self._characters = self._characters + size if self._count else size
        self._count += 1
        if self._count < _SAMPLE:
            return False
        self.small = self._characters <= _SMALL * self._count
        self._count = 0
        return True

    def pause(self) -> None:
        """Discard the sample after a time without writes."""
        self.small = False
        self._count = 0

    def read(self, size: int) -> bool:
        """Count ``size`` bytes read by an internal reader. Return True when the engine should be called."""
        self._read += size
        if self._read < _MOVED:
            return False
        self._read = 0  # the tick resets it too; a few unnecessary calls do no harm
        return True

    def tick(self) -> float:
        """Begin a tick. Return the seconds until the next one."""
        flood, self._read = self._read >= _FLOOD, 0
        return _FLOOD_TICK if flood else TICK


class Losses:
    """Totals of dropped output. Each thread has its own totals, which no other thread changes.

    So no lock is needed, and the memory used does not grow with the number of losses.
    """

    def __init__(self) -> None:
        self._totals: dict[int, tuple[int, int]] = {}  # number of writes and of bytes, by thread
        self._reported = (0, 0)  # the sums that `take` has reported

    def add(self, size: int) -> None:
        """Count a write of ``size`` bytes as lost. May be called from any thread."""
        thread = threading.get_ident()
        count, total = self._totals.get(thread, (0, 0))
        self._totals[thread] = count + 1, total + size

    def take(self) -> Optional[int]:
        """Return the bytes lost since the last call, or None if no write was lost.

        Called in the engine's thread.
        """
        totals = list(self._totals.values())
        count, size = sum(total[0] for total in totals), sum(total[1] for total in totals)
        before, self._reported = self._reported, (count, size)
        return None if count == before[0] else size - before[1]
