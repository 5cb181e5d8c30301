"""One execution, from its start to its only `complete` message.

The engine's thread does everything but run the code: it moves output, interrupts the code, and ends the
execution. So there is no lock here; other threads only write, or schedule a call on the engine.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import replace
from typing import Any, Callable, Optional, Protocol

from ..clock import monotonic
from ..journal.memory import Journal, Overflow
from ..messages import (
    CompleteMessage,
    ExecutionStatus,
    InputRequestMessage,
    LogMessage,
    Message,
    Status,
    StreamType,
)
from .flow import SLOW_TICK, WriterSink
from .loop import LoopThread
from .order import DescriptorOrder
from .questions import Questions
from .streams import OutputStream
from .writer import Writer

__all__ = ("Run", "Runner", "READER_GRACE")

READER_GRACE = 5.0  # seconds for which a full journal waits for its first reader


class Runner(Protocol):
    """The work of an execution. All methods are called in the engine's thread."""

    def start(self, run: Run) -> None:
        """Begin the work. Once it has emitted everything, :meth:`Run.finished` must be called."""

    def stop(self, *, force: bool) -> float:
        """Interrupt the work. May be called again.

        Args:
            force: Kill it, where that is possible.

        Returns:
            The seconds that the work may take to end before the execution is abandoned.
        """

    def ended(self) -> None:
        """Record that :meth:`Run.finished` was handled: ``stop`` will not be called again."""

    def abandoned(self) -> str:
        """Record that the execution ends while the work continues. Return the text of a warning about it."""


class Run:
    """The machinery of one execution: its journal, its writer, its streams, its end."""

    def __init__(
        self,
        execution_id: str,
        code: str,
        runner: Runner,
        engine: LoopThread,
        *,
        limit: Optional[int] = None,
        overflow: Overflow = "block",
        timeout: Optional[float] = None,
        on_end: Callable[[Run], None] = lambda run: None,
        sink: Optional[WriterSink] = None,
        order: Optional[DescriptorOrder] = None,
        descriptors: tuple[Optional[int], Optional[int]] = (None, None),
        main: Optional[dict[str, Any]] = None,
        on_settled: Callable[[Run], None] = lambda run: None,
    ) -> None:
        """Prepare an execution; :meth:`start` begins it.

        Args:
            execution_id: The id of the execution.
            code: The code, as users see it.
            runner: The work of the execution.
            engine: The loop that runs everything else.
            limit: Bytes of memory that the messages may take; None for no limit.
            overflow: What happens when a reader lags by more than ``limit``.
            timeout: Seconds after which the work is interrupted; None for no limit.
            on_end: Called in the engine's thread when the execution has ended.
            sink: Takes the messages instead of a journal in memory; ``limit`` is then not used.
            order: Keeps order with file descriptors 1 and 2, for an execution that has them to itself.
            descriptors: What ``fileno()`` of stdout and stderr returns; None for a stream without one.
            main: The namespace of the module ``__main__`` for the code; None for the existing module.
            on_settled: Called in the engine's thread when the execution and its threads have ended.
        """
        self.id = execution_id
        self.code = code
        self.engine = engine
        if sink is None:
            sink = Journal(execution_id, limit=limit, overflow=overflow, on_room=self._on_room)
        self._sink = sink
        self.writer = Writer(sink, engine, fail=overflow == "fail", on_shut=self._on_shut, order=order)
        self.stdout = OutputStream(self.writer, StreamType.STDOUT, descriptors[0])
        self.stderr = OutputStream(self.writer, StreamType.STDERR, descriptors[1])
        self.done = False  # `complete` was posted; it reaches the journal when the reader has made room
        self.runner = runner
        self._timeout = timeout
        self._on_end = on_end
        self.main = main
        self._on_settled = on_settled
        # Threads and jobs that the code has started, by id, until they end.
        self._users: dict[int, object] = {}
        self._started: Optional[float] = None
        self._reason: Optional[tuple[Status, str]] = None  # why the code was interrupted: status and text
        self._timers: list[asyncio.TimerHandle] = []
        self._reader_timer: Optional[asyncio.TimerHandle] = None
        self._wakers: list[Callable[[], None]] = []
        self.questions = Questions(self.emit, self._on_room)
        self.writer.waiting = self.questions.waiting

    @property
    def journal(self) -> Journal:
        """The journal in memory. Only an execution that was given no ``sink`` has one."""
        assert isinstance(self._sink, Journal)
        return self._sink

    @property
    def status(self) -> ExecutionStatus:
        """``queued``, ``running``, or the status in the `complete` message."""
        if self.journal.completion is not None:
            return self.journal.completion.status
        return "queued" if self._started is None else "running"

    @property
    def in_use(self) -> bool:
        """True while the execution is being read, or any of its threads still runs."""
        return self.writer.alive or self.writer.binding.count > 0 or self.journal.is_read

    @property
    def settled(self) -> bool:
        """True when the execution and all threads and jobs that it has started have ended."""
        return self.done and not self.writer.alive and not self._users

    # -- called from any thread --------------------------------------------------------------

    def emit(self, message: Message) -> None:
        """Emit a message in order with the output."""
        self.writer.post(None, message)

    def log(self, level: str, text: str, source: str = "") -> None:
        """Emit a notice of this package."""
        self.emit(LogMessage(level=level, logger="pyrepl_stream", text=text, source=source))

    def answer(self, request: InputRequestMessage, text: Optional[str]) -> bool:
        """See :meth:`Questions.answer`."""
        return self.questions.answer(request, text)

    def asks(self, request: InputRequestMessage) -> bool:
        """Return True while ``request`` waits for an answer."""
        return not self.done and self.questions.is_open(request)

    def finished(self, complete: CompleteMessage) -> None:
        """Report that the code has ended. A thread that is interrupted in this call may repeat it."""
        self.engine.call(self._on_finished, complete)

    def request_stop(self, status: Status) -> None:
        """Schedule :meth:`stop`."""
        self.engine.call(self.stop, status)

    def repeat_interrupt(self) -> bool:
        """Schedule another interrupt of work that has lost one. Return False if it was not interrupted."""

        def repeat() -> None:
            if not self.done:  # a moment later, when the calling thread is in the code again
                self._later(SLOW_TICK, functools.partial(self.runner.stop, force=False))

        return self._reason is not None and self.engine.call(repeat)

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, when the execution has ended, even if it is not being read."""
        if not self.engine.call(self._add_waker, wake):
            wake()

    def begin_use(self, user: object) -> None:
        """Record that a thread or a job of the execution, ``user``, may run from now on."""
        self._users[id(user)] = user

    def end_use(self, user: object) -> None:
        """Record that ``user`` has ended. May be called again."""
        self._users.pop(id(user), None)
        if self.done:
            self.engine.call(self._check_settled)

    def _on_room(self) -> None:
        self.engine.call(self.writer.tick)

    # -- called in the engine's thread -------------------------------------------------------

    def start(self) -> None:
        """Begin the work."""
        if self.done:
            return
        self._started = monotonic()
        if self._timeout is not None:
            text = f"timeout: the run took longer than {self._timeout:g} s"
            self._later(self._timeout, self.stop, "timeout", text)
        try:
            self.runner.start(self)
        except RuntimeError as exc:  # since Python 3.12, no thread starts while the interpreter ends
            self._end(CompleteMessage(status="killed", error=str(exc)))

    def stop(self, status: Status, error: str = "") -> None:
        """Interrupt the work.

        Args:
            status: The status with which the execution ends; "killed" kills the work, if that is possible.
            error: The error in the `complete` message; by default the status.
        """
        if self.done:
            return
        # The first reason counts, since it caused the end; but a kill is always reported as a kill.
        if self._reason is None or status == "killed":
            self._reason = status, error or status
        self.writer.release()
        if self._started is None:
            self.writer.alive = False
            self._end(CompleteMessage())
            self._check_settled()
            return
        self._later(self.runner.stop(force=status == "killed"), self._give_up)

    def close(self) -> None:
        """Write the messages emitted so far and end the journal, because the session is being closed."""
        if not self.done:
            self._end(CompleteMessage(status="killed"))
        self.writer.close()
        self._sink.close()
        self.questions.close()

    def _give_up(self) -> None:
        """Abandon work that cannot be interrupted, so that its caller regains control."""
        if not self.done:
            self.log("WARNING", self.runner.abandoned())
            self._end(CompleteMessage())

    def _on_finished(self, complete: CompleteMessage) -> None:
        self.runner.ended()
        self.writer.alive = False
        if not self.done:
            self._end(complete)
        self._check_settled()

    def _end(self, complete: CompleteMessage) -> None:
        self.done = True
        for timer in self._timers:
            timer.cancel()
        status, error = complete.status, complete.error
        if not complete.success and self._reason is not None and status in ("ok", "interrupted"):
            status = self._reason[0]
            error = self._reason[1] if status == "timeout" else error or self._reason[1]
        self.writer.flush_bytes()
        journal = self._sink
        if (
            isinstance(journal, Journal)
            and journal.overflow == "fail"
            and journal.overflowed
            and complete.success
        ):
            status, error = "error", "BufferOverflowError: the reader lagged, and output was lost"
        duration = 0.0 if self._started is None else monotonic() - self._started
        self.emit(replace(complete, success=status == "ok", status=status, error=error, duration=duration))
        self.writer.tick()
        for wake in self._wakers:
            wake()
        self._on_end(self)

    def _check_settled(self) -> None:
        if self.settled:
            self._on_settled(self)

    def _add_waker(self, wake: Callable[[], None]) -> None:
        if self.done:
            wake()
        else:
            self._wakers.append(wake)

    def _on_shut(self) -> None:
        if self._reader_timer is None:
            self._reader_timer = self.engine.loop.call_later(READER_GRACE, self._stop_waiting)

    def _stop_waiting(self) -> None:
        self._reader_timer = None
        if isinstance(self._sink, Journal):
            self._sink.release_unread()

    def _later(self, seconds: float, function: Callable[..., object], *args: object) -> None:
        self._timers.append(self.engine.loop.call_later(seconds, function, *args))
