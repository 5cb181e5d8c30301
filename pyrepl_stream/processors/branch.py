"""Processors beside the reader: on a thread of their own, behind a queue that is bounded."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from ..chain import STALL_TIMEOUT, AnyProcessor, Chain, check_processors
from ..errors import UsageError
from ..failures import log_of
from ..journal import NEVER_DROPPED, OVERFLOW_POLICIES, Overflow, cost_of, output_bytes
from ..messages import CompleteMessage, GapMessage, LogMessage, Message
from ..waiting import wait_async, wait_sync

__all__ = ("Branch",)


class Branch:
    """Gives each message to processors that may be slow, and lets it pass at once.

    The processors are one after the other; what comes of them is not used, but their failures are `log`
    messages among those that pass. ``queue_bytes`` bounds the memory that the messages which wait for
    them take. When it is full, ``overflow`` says what happens: the reader waits, and with it in the end
    the code (``"block"``), the branch gets a `gap` in place of messages (``"drop_oldest"``,
    ``"drop_newest"``; results, errors, requests and `complete` always come), or it gets no more messages
    and a `log` says so (``"fail"``). A processor that takes longer than ``stall_timeout`` seconds over a
    message is not called again.

    A reader gets `complete` when the branch is done with all before it. Async processors run on an event
    loop of the branch's own. Raises :class:`UsageError` for options that make no sense.
    """

    stall_timeout = math.inf  # what stalls is one of its processors, which has a limit of its own

    def __init__(
        self,
        *processors: AnyProcessor,
        overflow: Overflow = "block",
        queue_bytes: int = 4 << 20,
        stall_timeout: float = STALL_TIMEOUT,
    ) -> None:
        self._worker: _Worker | None = None
        processors = check_processors(processors)
        if overflow not in OVERFLOW_POLICIES:
            raise UsageError(f"overflow is {overflow!r}, but must be one of {', '.join(OVERFLOW_POLICIES)}")
        if queue_bytes < 1:
            raise UsageError(f"queue_bytes is {queue_bytes}, but must be at least 1")
        if not stall_timeout > 0:
            raise UsageError(f"stall_timeout is {stall_timeout}, but must be more than 0 seconds")
        self._processors = processors
        self._overflow = overflow
        self._queue_bytes = queue_bytes
        self._stall_timeout = stall_timeout

    def for_reader(self) -> Branch:
        return Branch(
            *self._processors,
            overflow=self._overflow,
            queue_bytes=self._queue_bytes,
            stall_timeout=self._stall_timeout,
        )

    def __call__(self, message: Message) -> list[Message]:
        if self._worker is None:
            queue = _Queue(self._overflow, self._queue_bytes)
            self._worker = _Worker(self._processors, self._stall_timeout, queue)
        logs = self._worker.put(message)
        return [*(replace(log, sequence=message.span_start) for log in logs), message]

    def close(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.end()

    __del__ = close


class _Queue:
    """Messages that wait, bounded by the memory they take. Not safe for threads by itself."""

    def __init__(self, overflow: Overflow, limit: int) -> None:
        self.overflow = overflow
        self.limit = limit
        self._messages: deque[tuple[Message, int]] = deque()
        self.size = 0

    def __bool__(self) -> bool:
        return bool(self._messages)

    def put(self, message: Message) -> bool:
        """Take a message, or what stands for it; False when there is no room for it."""
        cost = cost_of(message)
        full = self._messages and self.size + cost > self.limit
        if not full or (self.overflow != "drop_oldest" and isinstance(message, NEVER_DROPPED)):
            self._append(message, cost)
        elif self.overflow == "drop_oldest":
            self._append(message, cost)
            self._drop_oldest()
        elif self.overflow == "drop_newest":
            before = self._messages[-1][0]
            if _is_ours(before):
                _, size = self._messages.pop()
                self.size -= size
                self._append(_gap(before, message), size)
            else:
                gap = _gap(message)
                self._append(gap, cost_of(gap))
        else:
            return False
        return True

    def pop(self) -> Message:
        message, cost = self._messages.popleft()
        self.size -= cost
        return message

    def _append(self, message: Message, cost: int) -> None:
        self._messages.append((message, cost))
        self.size += cost

    def _drop_oldest(self) -> None:
        """Make room: the oldest that may be dropped become gaps in their places, neighbours one gap."""
        kept: list[tuple[Message, int]] = []
        while self.size > self.limit and len(self._messages) > 1:
            message, cost = self._messages.popleft()
            if isinstance(message, NEVER_DROPPED):
                kept.append((message, cost))
                continue
            self.size -= cost
            if kept and _is_ours(kept[-1][0]):
                message, cost = _gap(kept.pop()[0], message), 0
            elif not _is_ours(message):
                message, cost = _gap(message), 0
            # A gap costs nothing here: only one that grows can stand between two that are kept.
            kept.append((message, 0))
        self._messages.extendleft(reversed(kept))


_REASON = "a slow processor lagged"


def _is_ours(message: Message) -> bool:
    return isinstance(message, GapMessage) and message.reason == _REASON


def _gap(first: Message, last: Message | None = None) -> GapMessage:
    last = last or first
    size = output_bytes(first) + (output_bytes(last) if last is not first else 0)
    return GapMessage(
        execution_id=first.execution_id,
        sequence=max(first.sequence, last.sequence),
        timestamp=last.timestamp,
        first=first.span_start,
        bytes=size,
        reason=_REASON,
    )


class _Worker:
    """A thread that takes messages from a queue and leads them through a chain."""

    def __init__(self, processors: Iterable[AnyProcessor], stall_timeout: float, queue: _Queue) -> None:
        self._chain = Chain(processors, stall_timeout=stall_timeout, report=self._report)
        # Guards all that follows. Reentrant, as the garbage collector may end a branch anywhere in here.
        self._lock = threading.RLock()
        self._queue = queue
        self._state = "idle"  # or busy, ended
        self._failed = ""  # why it has ended by itself
        self._logs: list[LogMessage] = []
        self._wake_worker: Callable[[], None] | None = None
        self._wake_reader: Callable[[], None] | None = None
        threading.Thread(target=self._run, name="processors of a branch", daemon=True).start()

    # -- the reader's side ---------------------------------------------------------------------

    def put(self, message: Message) -> list[LogMessage]:
        """Hand over a message, waiting for room if need be; returns what there is to say."""
        while not self._try_put(message):
            wait_sync(self._when_taken, None)
        if isinstance(message, CompleteMessage):
            while not self._is_done():
                wait_sync(self._when_taken, None)
        with self._lock:
            logs, self._logs = self._logs, []
            failed, self._failed = self._failed, ""
        return [*logs, log_of(message, failed)] if failed else logs

    def end(self) -> None:
        """Take no more messages. What is in a call is left to itself."""
        with self._lock:
            self._state = "ended"
            wakers = [wake for wake in (self._wake_worker, self._wake_reader) if wake is not None]
            self._wake_worker = self._wake_reader = None
        for wake in wakers:
            wake()

    def _try_put(self, message: Message) -> bool:
        wake = None
        with self._lock:
            if self._state == "ended":
                return True
            if self._queue.put(message):
                wake, self._wake_worker = self._wake_worker, None
            elif self._queue.overflow == "block":
                return False
            else:
                self._state = "ended"
                text = f"a branch fell behind by {self._queue.limit:,} bytes, and gets no more messages"
                self._logs.append(log_of(message, text))
                wake, self._wake_worker = self._wake_worker, None
        if wake is not None:
            wake()
        return True

    def _is_done(self) -> bool:
        with self._lock:
            return self._state == "ended" or (self._state == "idle" and not self._queue)

    def _when_taken(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, when the worker has taken a message, or has done all there were."""
        with self._lock:
            if self._state == "busy":
                self._wake_reader = wake
                return
            if self._queue and self._state == "idle":
                self._wake_reader = wake
                return
        wake()

    def _report(self, log: LogMessage) -> None:
        with self._lock:
            self._logs.append(log)

    # -- the worker's thread -------------------------------------------------------------------

    def _run(self) -> None:
        try:
            if self._chain.is_async:
                asyncio.run(self._run_async())
            else:
                self._run_plain()
        except BaseException as exc:  # such as SystemExit, of one that this thread calls itself
            self._failed = f"a branch ended by {type(exc).__name__}, and gets no more messages"
        finally:
            self.end()
            self._chain.close()

    def _run_plain(self) -> None:
        while (message := self._take()) is not None or self._state != "ended":
            if message is None:
                wait_sync(self._when_put, None)
                continue
            self._chain.add([message])
            self._chain.run()
            self._chain.ready.clear()

    async def _run_async(self) -> None:
        while (message := self._take()) is not None or self._state != "ended":
            if message is None:
                await wait_async(self._when_put)
                continue
            self._chain.add([message])
            while self._chain.busy:
                await self._chain.run_async()
                self._chain.ready.clear()

    def _take(self) -> Message | None:
        """The next message; None when there is none, or none is to be taken any more."""
        with self._lock:
            message = self._queue.pop() if self._queue and self._state != "ended" else None
            if self._state != "ended":
                self._state = "idle" if message is None else "busy"
            wake, self._wake_reader = self._wake_reader, None
        if wake is not None:
            wake()
        return message

    def _when_put(self, wake: Callable[[], None]) -> None:
        with self._lock:
            if not self._queue and self._state != "ended":
                self._wake_worker = wake
                return
        wake()
