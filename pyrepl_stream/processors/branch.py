"""Processors that run alongside the reader, on their own thread with a bounded queue."""

from __future__ import annotations

import asyncio
import copy
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Enum

from ..pipeline import STALL_TIMEOUT, AnyProcessor, Pipeline, check_processors
from ..processor_errors import log_of
from ..runtime.errors import UsageError
from ..runtime.journal.memory import NEVER_DROPPED, OVERFLOW_POLICIES, Overflow
from ..runtime.journal.sizes import cost_of, output_bytes
from ..runtime.messages import CompleteMessage, GapMessage, LogMessage, Message
from ..runtime.validation import check_at_least_one, check_choice
from ..waiting import Subscribe, wait_async, wait_sync

__all__ = ("Branch",)


class Branch:
    """Passes each message on immediately, and also runs it through processors that may be slow.

    The processors form a separate pipeline on their own thread, which runs an event loop if one of them is
    async. Their results are dropped; their failures are reported by `log` messages, which the reader
    receives. A reader receives `complete` once the branch has processed all messages before it.

    Args:
        *processors: The processors, in order.
        overflow: What happens when the queue is full. ``block``: the reader waits, which eventually delays
            the code. ``drop_oldest`` and ``drop_newest``: the branch gets a `gap` in place of messages, but
            never in place of results, errors, input requests and `complete`. ``fail``: the branch gets no
            more messages, and a `log` message reports it.
        queue_bytes: Maximum memory in bytes for queued messages.
        stall_timeout: Seconds that a call may take. A processor that takes longer is not called again.

    Raises:
        UsageError: An option is not valid.
    """

    stall_timeout = math.inf  # the processors of the branch have their own limits

    def __init__(
        self,
        *processors: AnyProcessor,
        overflow: Overflow = "block",
        queue_bytes: int = 4 << 20,
        stall_timeout: float = STALL_TIMEOUT,
    ) -> None:
        self._worker: _Worker | None = None
        self._processors = check_processors(processors)
        check_choice("overflow policy", overflow, OVERFLOW_POLICIES)
        check_at_least_one(queue_bytes=queue_bytes)
        if not stall_timeout > 0:
            raise UsageError(f"stall_timeout is {stall_timeout}, but must be more than 0 seconds")
        self._overflow = overflow
        self._queue_bytes = queue_bytes
        self._stall_timeout = stall_timeout

    def for_reader(self) -> Branch:
        """Return a branch with the same options and its own thread."""
        reader = copy.copy(self)
        reader._worker = None
        return reader

    def __call__(self, message: Message) -> list[Message]:
        """Process one message."""
        if self._worker is None:
            queue = _Queue(self._overflow, self._queue_bytes)
            self._worker = _Worker(self._processors, self._stall_timeout, queue)
        logs = self._worker.put(message)
        return [*(replace(log, sequence=message.span_start) for log in logs), message]

    def close(self) -> None:
        """Stop the thread, without waiting for a processor that is running."""
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    __del__ = close


class _Queue:
    """A queue of messages with a limit on the memory that they use. Not thread-safe."""

    def __init__(self, overflow: Overflow, limit: int) -> None:
        self.overflow = overflow
        self.limit = limit
        self._messages: deque[tuple[Message, int]] = deque()
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._messages)

    def has_room(self, message: Message) -> bool:
        """Return True if a message fits, or must be added even if it does not."""
        fits = not self._messages or self.size + cost_of(message) <= self.limit
        return fits or (self.overflow != "drop_oldest" and isinstance(message, NEVER_DROPPED))

    def put(self, message: Message) -> bool:
        """Add a message, or a gap in its place. Return False if there is no room and none may be dropped."""
        has_room = self.has_room(message)
        cost = cost_of(message)
        if not has_room and self.overflow == "drop_newest":
            before, before_cost = self._messages[-1]
            if _is_gap(before):
                self._messages.pop()
                self.size -= before_cost
                message, cost = _gap(before, message), before_cost
            else:
                message = _gap(message, message)
                cost = cost_of(message)
        elif not has_room and self.overflow != "drop_oldest":
            return False
        self._messages.append((message, cost))
        self.size += cost
        if not has_room and self.overflow == "drop_oldest":
            self._drop_oldest()
        return True

    def pop(self) -> Message:
        """Remove and return the oldest message."""
        message, cost = self._messages.popleft()
        self.size -= cost
        return message

    def _drop_oldest(self) -> None:
        """Make room: replace the oldest droppable messages with gaps, and adjacent ones with a single gap."""
        kept: list[tuple[Message, int]] = []
        while self.size > self.limit and len(self._messages) > 1:
            message, cost = self._messages.popleft()
            if not isinstance(message, NEVER_DROPPED):
                first = kept.pop()[0] if kept and _is_gap(kept[-1][0]) else message
                self.size -= cost
                # A gap counts as 0 bytes: there is at most one gap between two messages that are kept.
                message, cost = _gap(first, message), 0
            kept.append((message, cost))
        self._messages.extendleft(reversed(kept))


_REASON = "a slow processor lagged"


def _is_gap(message: Message) -> bool:
    return isinstance(message, GapMessage) and message.reason == _REASON


def _gap(first: Message, last: Message) -> GapMessage:
    return GapMessage(
        execution_id=first.execution_id,
        sequence=max(first.sequence, last.sequence),
        timestamp=last.timestamp,
        first=first.span_start,
        bytes=output_bytes(first) + (output_bytes(last) if last is not first else 0),
        reason=_REASON,
    )


class _State(Enum):
    """State of a worker."""

    IDLE = "idle"  # waits for a message
    BUSY = "busy"  # processes a message
    ENDED = "ended"  # takes no more messages


_MOVES: Mapping[_State, tuple[_State, ...]] = {
    _State.IDLE: (_State.IDLE, _State.BUSY, _State.ENDED),
    _State.BUSY: (_State.IDLE, _State.BUSY, _State.ENDED),
    _State.ENDED: (),
}
"""The states that may follow each state. Any other move has no effect."""


class _Worker:
    """A thread that takes messages from a queue and runs them through a pipeline."""

    def __init__(self, processors: Iterable[AnyProcessor], stall_timeout: float, queue: _Queue) -> None:
        self._pipeline = Pipeline(processors, stall_timeout=stall_timeout, report=self._report)
        # Guards all attributes below. Reentrant, since the garbage collector may close a branch while the
        # lock is held.
        self._lock = threading.RLock()
        self._queue = queue
        self._state = _State.IDLE
        self._logs: list[LogMessage] = []
        self._why_ended = ""  # a reason that was not reported yet
        self._waiting: dict[Callable[[], None], Callable[[], bool]] = {}  # callbacks and their conditions
        threading.Thread(target=self._run, name="processors of a branch", daemon=True).start()

    # -- called by the reader's thread ---------------------------------------------------------

    def put(self, message: Message) -> list[LogMessage]:
        """Add a message, waiting for room if necessary; return the log messages to emit."""
        if self._queue.overflow == "block":
            self._wait_until(lambda: self._queue.has_room(message))
        with self._lock:
            if self._state is not _State.ENDED and not self._queue.put(message):
                self._move(_State.ENDED, f"fell behind by {self._queue.limit:,} bytes")
        self._wake()
        if isinstance(message, CompleteMessage):
            self._wait_until(lambda: self._state is _State.IDLE and not self._queue)
        with self._lock:
            logs, self._logs = self._logs, []
            why, self._why_ended = self._why_ended, ""
        return [*logs, log_of(message, f"a branch {why} and gets no more messages")] if why else logs

    def end(self) -> None:
        """Accept no more messages. This does not wait for a running call."""
        with self._lock:
            self._move(_State.ENDED)
        self._wake()

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        with self._lock:
            if condition():
                return
        wait_sync(self._when(condition), None)

    def _report(self, log: LogMessage) -> None:
        with self._lock:
            self._logs.append(log)

    # -- called by both threads ----------------------------------------------------------------

    def _move(self, state: _State, why: str = "") -> None:
        """Change the state, if `_MOVES` allows the change. The caller holds the lock."""
        if state in _MOVES[self._state]:
            self._state = state
            self._why_ended = why

    def _when(self, condition: Callable[[], bool]) -> Subscribe:
        """Return a function that calls its callback once the condition is true or the worker has ended."""

        def subscribe(wake: Callable[[], None]) -> None:
            with self._lock:
                self._waiting[wake] = condition
            self._wake()

        return subscribe

    def _wake(self) -> None:
        """Call the callbacks whose condition is now true, or all of them if the worker has ended."""
        with self._lock:
            waiting = list(self._waiting.items())
            due = [wake for wake, condition in waiting if self._state is _State.ENDED or condition()]
            for wake in due:
                self._waiting.pop(wake, None)
        for wake in due:
            wake()

    # -- called by the worker's thread ---------------------------------------------------------

    def _run(self) -> None:
        try:
            if self._pipeline.is_async:
                asyncio.run(self._run_async())
            else:
                self._run_plain()
        except BaseException as exc:  # such as SystemExit, from a processor called in this thread
            with self._lock:
                self._move(_State.ENDED, f"was ended by {type(exc).__name__}")
        finally:
            self.end()
            self._pipeline.close()

    def _run_plain(self) -> None:
        for message in self._messages():
            if message is None:
                wait_sync(self._when(self._queue.__bool__), None)
                continue
            self._pipeline.add([message])
            self._pipeline.run()
            self._pipeline.ready.clear()

    async def _run_async(self) -> None:
        for message in self._messages():
            if message is None:
                await wait_async(self._when(self._queue.__bool__))
                continue
            self._pipeline.add([message])
            while self._pipeline.busy:
                await self._pipeline.run_async()
                self._pipeline.ready.clear()

    def _messages(self) -> Iterator[Message | None]:
        """Yield each message until the worker ends, and None whenever the queue is empty."""
        while True:
            with self._lock:
                if self._state is _State.ENDED:
                    return
                message = self._queue.pop() if self._queue else None
                self._move(_State.IDLE if message is None else _State.BUSY)
            self._wake()
            yield message
