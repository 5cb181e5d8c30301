"""Runs executions one after the other in a worker: starts, numbers, stops and completes them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Optional

from ..errors import ExecutionEndedError, PyreplStreamError
from ..fields import from_record
from ..messages import CompleteMessage, GapMessage, InputRequestMessage, LogMessage, StreamType
from ..protocol.frames import Frame, FrameType
from ..wire import decode_unnumbered
from .execution import HostedExecution, OutputPipe, Reply, StopReason
from .loop import Loop
from .paths import HostOptions
from .pipe_drain import PipeReader
from .processes import MarkedProcesses, clock_ticks
from .worker_process import WorkerProcess, describe_end, describe_failure

__all__ = ("Scheduler",)

_SAVE = 0.1  # seconds after which a started execution is recorded as running
_GRACE = 5.0  # seconds from an interrupt after a timeout, or a request to kill a command, to SIGKILL
_LEAVE = 2.0  # seconds for each step of closing the session
_RETRY = 0.5  # seconds from a failed write to the next attempt
_CLOSED = "the session was closed"
_control_numbers = itertools.count(1)


@dataclass(frozen=True)
class _ControlReply:
    """The fields of ``FrameType.REPLY``."""

    request: int
    error: Optional[str] = None
    pid: Optional[int] = None


@dataclass(eq=False, repr=False)
class Scheduler:
    """The queue of executions and the worker that runs them.

    Attributes:
        options: The options of the session.
        mark: The mark of the processes that the workers start.
        loop: The host's event loop.
        on_ended: Called with each execution that can produce no more output.
        on_change: Called when an execution has been queued, or has completed.
        lost: Why the session's namespace was lost, for a warning in the next execution; empty if not.
        running: The execution that runs now.
        queue: The executions that wait for their turn.
        is_closing: True once the session is being closed; executions are no longer started.
    """

    options: HostOptions
    mark: str
    loop: Loop
    on_ended: Callable[[HostedExecution], object]
    on_change: Callable[[], object]
    lost: str = ""
    running: Optional[HostedExecution] = None
    queue: deque[HostedExecution] = field(default_factory=deque)
    is_closing: bool = False
    _on_closed: Callable[[], object] = lambda: None
    _worker: Optional[WorkerProcess] = None
    _last: int = 0  # never reset for a new worker, so that a mark belongs to one execution
    _killed: bool = False  # the host has killed the worker, whose end it has not seen yet
    _live: dict[int, HostedExecution] = field(default_factory=dict)  # by ordinal
    _changed: set[HostedExecution] = field(default_factory=set)  # changed in this turn of the loop
    _unwritten: set[HostedExecution] = field(default_factory=set)  # the disk had no room for messages
    _retrying: bool = False  # a timer for `_retry` is running
    _controls: dict[int, Reply] = field(default_factory=dict)  # by the number of the request

    def __post_init__(self) -> None:
        self._processes = MarkedProcesses(self.mark)
        self._pipes = PipeReader(self.loop, self._on_output)

    @property
    def is_idle(self) -> bool:
        """True when no execution runs or waits."""
        return self.running is None and not self.queue

    def ahead_of(self, execution: HostedExecution) -> Optional[HostedExecution]:
        """Return the execution after which this one starts; None if it does not wait for another one."""
        order = [self.running, *self.queue]
        return order[order.index(execution) - 1] if execution in self.queue else None

    # -- operations ------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Start the worker before the first execution needs it."""
        with contextlib.suppress(OSError, PyreplStreamError):  # the first execution will report the error
            self._ensure_worker()

    def submit(self, execution: HostedExecution) -> None:
        """Run ``execution`` after those that are already queued."""
        self.queue.append(execution)
        self._start_next()

    def interrupt(self, execution: HostedExecution) -> None:
        """Interrupt an execution. Raises :class:`ExecutionEndedError`."""
        reason = execution.reason or StopReason("interrupted", "interrupted")
        self._stop(execution, reason, self._interrupt)

    def kill(self, execution: HostedExecution) -> None:
        """Kill an execution; with Python code, the worker too. Raises :class:`ExecutionEndedError`."""
        self._stop(execution, StopReason("killed", "killed"), self._force)

    def answer(self, execution: HostedExecution, sequence: int, text: Optional[str]) -> None:
        """Answer a question of an execution.

        Args:
            execution: The execution that asks.
            sequence: The sequence number of the question.
            text: The line that was entered; None for the end of the input.

        Raises:
            ExecutionEndedError: The execution has ended, or the question has been answered.
        """
        self._check_not_completed(execution)
        request = execution.answer(sequence, text)
        self._changed.add(execution)
        self._send(execution, FrameType.INPUT, {"request": request, "text": text})

    def control(self, execution: HostedExecution, request: Mapping[str, Any]) -> Reply:
        """Control the command that an execution runs, and return the reply with the answer.

        Args:
            execution: The execution.
            request: The fields of ``FrameType.CONTROL``.

        Raises:
            ExecutionEndedError: The execution has ended.
        """
        self._check_not_completed(execution)
        number = next(_control_numbers)
        reply = self._controls[number] = Reply()
        self._send(execution, FrameType.CONTROL, {**request, "request": number})
        return reply

    def discard(self, execution: HostedExecution) -> set[int]:
        """Kill the processes that a completed execution left; ignore their output, and return their pids."""
        left = self._signal(signal.SIGKILL, execution, since=1 << 62) if execution.ordinal else set()
        self._pipes.close(execution)
        self._code_closed(execution)
        return left

    def close(self, on_closed: Callable[[], object]) -> None:
        """End every execution and the worker, then call ``on_closed``."""
        self.is_closing, self._on_closed = True, on_closed
        for execution in list(self.queue):
            execution.reason = StopReason("killed", _CLOSED)
            self._end_queued(execution)
        if self.running is not None:
            self.running.reason = StopReason("killed", _CLOSED)
            self._interrupt(self.running)
            self.loop.call_later(_LEAVE, self._kill_worker)
        elif self._worker is not None:
            self._end_worker()
        else:
            self._finish()

    # -- called by the host ------------------------------------------------------------------------

    def commit(self) -> None:
        """Write the messages appended in this turn of the loop, and wake the readers."""
        self._unwritten |= {execution for execution in self._changed if not execution.commit()}
        self._changed.clear()
        if self._unwritten and not self._retrying:
            self._retrying = True
            self.loop.call_later(_RETRY, self._retry)

    def _retry(self) -> None:
        """Try again, at the end of this turn, to write what the disk had no room for."""
        self._retrying = False
        self._changed |= self._unwritten
        self._unwritten.clear()

    def reap(self) -> None:
        """Reap children that have ended: the worker, and orphans that this process has adopted."""
        with contextlib.suppress(ChildProcessError):  # no child is left
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if self._worker is not None and pid == self._worker.pid:
                    self._worker.reaped(status)

    # -- starting ----------------------------------------------------------------------------------

    def _start_next(self) -> None:
        while self.running is None and self.queue and not self.is_closing and not self._killed:
            execution = self.queue.popleft()
            try:
                self._start(execution)
            except (OSError, PyreplStreamError) as exc:
                self._pipes.close(execution)
                text = f"the execution could not be started: {describe_failure(exc)}"
                execution.complete(CompleteMessage(status="error", error=text))
                self._code_closed(execution)
        self.on_change()

    def _start(self, execution: HostedExecution) -> None:
        worker = self._ensure_worker()
        for stream in () if execution.is_command else (StreamType.STDOUT, StreamType.STDERR):
            execution.pipes.append(OutputPipe(stream))
        self._last += 1
        execution.start(self._last, clock_ticks())
        self._live[self._last] = self.running = execution
        self._changed.add(execution)
        if self.lost:
            text = f"{self.lost}; this execution runs in a new worker, whose namespace is empty"
            execution.emit(LogMessage(level="WARNING", logger="pyrepl_stream", text=text))
            self.lost = ""
        writers = [pipe.take_writer() for pipe in execution.pipes]
        for frame in execution.pending:
            worker.send(frame._replace(ordinal=self._last), writers)
            writers = []  # they are sent with the first frame, the request
        execution.pending.clear()
        # Saved later, because a rename can take milliseconds; never, if the execution ends sooner.
        self._call_later(_SAVE, execution, HostedExecution.save)
        self._pipes.watch(execution, worker)
        if execution.timeout is not None:
            self._call_later(execution.timeout, execution, self._on_timeout)

    def _ensure_worker(self) -> WorkerProcess:
        if self._worker is None:
            self._worker = WorkerProcess(
                self.options, self.mark, self.loop, self._on_frame, self._on_worker_exit, self._last + 1
            )
        return self._worker

    def _send(self, execution: HostedExecution, kind: FrameType, record: Mapping[str, Any]) -> None:
        frame = Frame(kind, execution.ordinal, json.dumps(record).encode("ascii"))
        if execution is self.running and self._worker is not None:
            self._worker.send(frame)
        else:
            execution.pending.append(frame)

    # -- stopping ----------------------------------------------------------------------------------

    def _check_not_completed(self, execution: HostedExecution) -> None:
        if execution.completed:
            raise ExecutionEndedError(f"execution {execution.id} has ended: {execution.status.status}")

    def _stop(
        self, execution: HostedExecution, reason: StopReason, stop: Callable[[HostedExecution], object]
    ) -> None:
        self._check_not_completed(execution)
        execution.reason = reason
        if execution in self.queue:
            self._end_queued(execution)
        else:
            stop(execution)

    def _end_queued(self, execution: HostedExecution) -> None:
        self.queue.remove(execution)
        execution.complete(CompleteMessage(status="killed"))
        self._code_closed(execution)

    def _interrupt(self, execution: HostedExecution) -> None:
        assert self._worker is not None
        if execution.is_command:
            self._worker.send(Frame(FrameType.STOP, execution.ordinal))
            return
        self._worker.interrupt(execution.ordinal)
        self._signal(signal.SIGINT, execution, since=execution.since)

    def _signal(self, number: int, execution: HostedExecution, *, since: int) -> set[int]:
        """Signal the processes that an execution started, but not the worker, and return their pids."""
        worker = None if self._worker is None else self._worker.pid
        ordinals = range(execution.ordinal, execution.ordinal + 1)
        return self._processes.signal(number, ordinals, worker=worker, since=since)

    def _on_timeout(self, execution: HostedExecution) -> None:
        if execution.reason is None:
            text = f"timeout: the run took longer than {execution.timeout:g} s"
            execution.reason = StopReason("timeout", text)
        self._interrupt(execution)
        self._call_later(_GRACE, execution, self._force)

    def _force(self, execution: HostedExecution) -> None:
        assert self._worker is not None
        if execution.is_command:
            self._worker.send(Frame(FrameType.STOP, execution.ordinal, b"force"))
            self._call_later(_GRACE, execution, lambda _: self._kill_worker())
        else:
            self._kill_worker()

    def _kill_worker(self) -> None:
        """Kill the worker and all processes that executions started from it."""
        if self._worker is not None:
            self._killed = True
            worker, ordinals = self._worker, range(self._worker.first, self._last + 1)
            for _ in range(2):  # the worker may start another process before it is killed
                self._processes.signal(signal.SIGKILL, ordinals, worker=worker.pid, since=worker.started)
                worker.signal(signal.SIGKILL)

    def _call_later(
        self, seconds: float, execution: HostedExecution, function: Callable[[HostedExecution], object]
    ) -> None:
        """Call ``function`` with ``execution`` after ``seconds``, unless the execution completes first."""
        execution.timers.append(self.loop.call_later(seconds, function, execution))

    # -- frames from the worker ----------------------------------------------------------------------

    def _on_frame(self, frame: Frame) -> None:
        if frame.type is FrameType.FLUSHED:
            self._pipes.resume()
        elif frame.type is FrameType.REPLY:
            found = from_record(_ControlReply, json.loads(frame.payload))
            reply = self._controls.pop(found.request, None)
            if reply is not None:
                answer = {"error": "usage", "message": found.error} if found.error else {"pid": found.pid}
                self.loop.call_later(0, reply.set_result, answer)
        elif frame.ordinal in self._live:  # frames of discarded executions are ignored
            execution = self._live[frame.ordinal]
            self._changed.add(execution)
            if frame.type is FrameType.CLOSED:
                self._code_closed(execution)
            else:
                self._on_message(execution, frame)

    def _on_message(self, execution: HostedExecution, frame: Frame) -> None:
        # User code can write into the channel, so a message is checked before it is recorded.
        message = decode_unnumbered(frame.payload)
        if isinstance(message, CompleteMessage):
            self._on_complete(execution, message)
        elif isinstance(message, InputRequestMessage):
            execution.ask(frame.payload, message.extra.get("request"), password=message.password)
        else:
            execution.append(frame.payload, frame.output, kept=frame.type is FrameType.KEPT)

    def _on_complete(self, execution: HostedExecution, message: CompleteMessage) -> None:
        extra = {"printed": True} if message.extra.get("printed") is True else {}
        self._complete(execution, replace(message, timestamp=0.0, source="", extra=extra))
        if self.is_closing:
            self._end_worker()
        else:
            self._start_next()

    def _complete(self, execution: HostedExecution, complete: CompleteMessage) -> None:
        if execution.completed:
            return
        self._pipes.read_rest(execution)
        self.running = None
        execution.complete(complete)
        self._check_ended(execution)

    def _code_closed(self, execution: HostedExecution) -> None:
        """Record that the Python code of an execution can no longer write."""
        execution.code_closed = True
        self._check_ended(execution)

    def _check_ended(self, execution: HostedExecution) -> None:
        if execution.end_if_silent():
            self._live.pop(execution.ordinal, None)
            self._changed.discard(execution)
            self._unwritten.discard(execution)
            self.on_ended(execution)

    def _on_output(self, execution: HostedExecution) -> None:
        self._changed.add(execution)
        self._check_ended(execution)

    # -- the end of the worker, and of the session ---------------------------------------------------

    def _on_worker_exit(self, worker: WorkerProcess) -> None:
        self._worker = None
        self._pipes.resume()
        if worker.refused:
            end = f"was killed because the host could not read what it sent ({worker.refused})"
        else:
            end = "was killed on request" if self._killed else describe_end(worker.exit or 0)
        self._killed = False
        if worker.was_ready:
            self.lost = f"the session's worker {end}"
        for reply in self._controls.values():
            reply.set_result({"error": "usage", "message": f"the worker {end}"})
        self._controls.clear()
        if worker.had_unsent:
            # Whose text it was is not known: code of an earlier execution may still have been printing.
            reason = f"the worker {end} before it could send the last output of the Python code"
            for execution in self._live.values():
                if not execution.code_closed:
                    execution.emit(GapMessage(bytes=None, reason=reason))
        if self.running is not None:
            self._complete(self.running, _complete_of_lost_worker(worker, self.running, end))
        for execution in list(self._live.values()):
            self._code_closed(execution)
        for execution in list(self.queue):
            text = f"the worker {end} before this execution started; run it again"
            execution.reason = StopReason("killed", text)
            self._end_queued(execution)
        if self.is_closing:
            self._finish()
        else:
            self.on_change()

    def _end_worker(self) -> None:
        if self._worker is not None:
            self._worker.send(Frame(FrameType.END))
            self.loop.call_later(_LEAVE, self._kill_worker)

    def _finish(self) -> None:
        self._processes.kill_all()
        for execution in list(self._live.values()):
            self._pipes.read_rest(execution)
            self._pipes.close(execution)
            self._code_closed(execution)
        self._on_closed()


def _complete_of_lost_worker(worker: WorkerProcess, execution: HostedExecution, end: str) -> CompleteMessage:
    """Return the `complete` of an execution whose worker has ended; ``end`` describes how."""
    code = worker.exit or 0
    exit_code = 128 - code if code < 0 else code or None  # 0 would mean success
    if execution.reason is not None and execution.reason.status != "interrupted":
        return CompleteMessage(status="killed", exit_code=exit_code)
    if worker.was_ready:
        error = f"the worker {end}; everything that the session had in memory is lost"
    else:
        error = f"the worker {end} before it was ready: {worker.startup_output or 'it printed nothing'}"
    return CompleteMessage(status="error", exit_code=exit_code, error=error)
