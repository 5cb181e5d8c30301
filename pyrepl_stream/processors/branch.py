"""Processors that run alongside the reader, on their own thread with a bounded queue."""

from __future__ import annotations

import asyncio
import copy
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..pipeline import STALL_TIMEOUT, AnyProcessor, Pipeline, check_processors
from ..processor_errors import log_of
from ..runtime.errors import UsageError
from ..runtime.journal.memory import NEVER_DROPPED, OVERFLOW_POLICIES, Overflow
from ..runtime.journal.sizes import cost_of, output_bytes
from ..runtime.messages import CompleteMessage, GapMessage, LogMessage, Message
from ..runtime.validation import check_at_least_one, check_choice
from ..waiting import TURN, wait_async, wait_sync

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
    """A queue of messages with a limit on the memory that they use. Not thread-safe.

    A gap counts as 0 bytes: there is at most one gap between two messages that are kept.
    """

    def __init__(self, overflow: Overflow, limit: int) -> None:
        self.overflow = overflow
        self.limit = limit
        self._messages: deque[tuple[Message, int]] = deque()
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._messages)

    def put(self, message: Message) -> bool:
        """Add a message, or a gap in its place. Return False if there is no room and none may be dropped."""
        cost = cost_of(message)
        fits = not self._messages or self.size + cost <= self.limit
        if fits or self.overflow == "drop_oldest" or isinstance(message, NEVER_DROPPED):
            self._messages.append((message, cost))
            self.size += cost
            if not fits and self.overflow == "drop_oldest":
                self._drop_oldest()
        elif self.overflow == "drop_newest":
            first = message
            if _is_gap(self._messages[-1][0]):  # one of this queue, or from a branch before it
                first, cost = self._messages.pop()
                self.size -= cost
            self._messages.append((_gap(first, message), 0))
        else:
            return False
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


class _Worker:
    """A thread that takes messages from a queue and runs them through a pipeline."""

    def __init__(self, processors: Iterable[AnyProcessor], stall_timeout: float, queue: _Queue) -> None:
        self._pipeline = Pipeline(processors, stall_timeout=stall_timeout, report=self._report)
        # Guards all attributes below, and wakes the reader. Reentrant, since the garbage collector may close
        # a branch while the lock is held.
        self._changed = threading.Condition()
        self._queue = queue
        self._busy = False  # a message is being processed
        self._ended = False  # takes no more messages
        self._why_ended = ""  # a reason that was not reported yet
        self._logs: list[LogMessage] = []
        self._wake: Callable[[], None] | None = None  # wakes the thread, which waits for a message
        threading.Thread(target=self._run, name="processors of a branch", daemon=True).start()

    # -- called by the reader's thread ---------------------------------------------------------

    def put(self, message: Message) -> list[LogMessage]:
        """Add a message, waiting for room if necessary; return the log messages to emit."""
        with self._changed:
            if self._queue.overflow == "block":
                self._wait_until(lambda: self._queue.put(message))
            elif not self._ended and not self._queue.put(message):
                self.end(f"fell behind by {self._queue.limit:,} bytes")
            self._wake_thread()
            if isinstance(message, CompleteMessage):
                self._wait_until(lambda: not self._busy and not self._queue)
            logs, self._logs = self._logs, []
            why, self._why_ended = self._why_ended, ""
        return [*logs, log_of(message, f"a branch {why} and gets no more messages")] if why else logs

    def end(self, why: str = "") -> None:
        """Accept no more messages. This does not wait for a running call."""
        with self._changed:
            if not self._ended:
                self._ended, self._why_ended = True, why
            self._changed.notify_all()
            self._wake_thread()

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        while not (self._ended or condition()):
            self._changed.wait(TURN)

    def _report(self, log: LogMessage) -> None:
        with self._changed:
            self._logs.append(log)

    def _wake_thread(self) -> None:
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    # -- called by the worker's thread ---------------------------------------------------------

    def _run(self) -> None:
        try:
            if self._pipeline.is_async:
                asyncio.run(self._run_async())
            else:
                self._run_plain()
        except BaseException as exc:  # such as SystemExit, from a processor called in this thread
            self.end(f"was ended by {type(exc).__name__}")
        finally:
            self.end()
            self._pipeline.close()

    def _run_plain(self) -> None:
        while not self._ended:
            if self._take():
                self._pipeline.run()
                self._pipeline.ready.clear()
            else:
                wait_sync(self._when_put, None)

    async def _run_async(self) -> None:
        while not self._ended:
            if not self._take():
                await wait_async(self._when_put)
            while self._pipeline.busy:
                await self._pipeline.run_async()
                self._pipeline.ready.clear()

    def _take(self) -> bool:
        """Add the next message to the pipeline. Return False if the queue is empty."""
        with self._changed:
            self._busy = bool(self._queue)
            if self._busy:
                self._pipeline.add([self._queue.pop()])
            self._changed.notify_all()
            return self._busy

    def _when_put(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once there is a message, or the worker has ended."""
        with self._changed:
            self._wake = wake
            if self._queue or self._ended:
                self._wake_thread()
