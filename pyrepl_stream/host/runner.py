"""Executions one after the other in a worker: started, numbered, stopped, seen to their end."""

from __future__ import annotations

import json
import os
import signal
from collections import deque
from collections.abc import Mapping
from typing import Any, Callable, Optional

from ..errors import EndedError, PyreplStreamError
from ..messages import CompleteMessage, GapMessage, StreamType
from ..worker.frames import Frame, FrameType
from .family import Family, clock_ticks
from .loop import Loop
from .options import HostOptions
from .pipe import OutputPipe
from .pipe_reader import PipeReader
from .record import Execution
from .worker_process import WorkerProcess, describe_end, describe_failure

__all__ = ("Runner", "Answered")

Answered = Callable[[Mapping[str, Any]], object]

_SAVE = 0.1  # seconds
_GRACE = 5.0  # seconds between an interrupt because of a timeout, or a kill of a command, and SIGKILL
_LEAVE = 2.0  # seconds for each step of the end of the session
_CLOSED = "the session was closed"


class Runner:
    """``ended`` is called with an execution from which nothing comes any more, ``idle`` when none runs.

    ``gone``: what has become of what the session had in memory; the first execution is told.
    """

    def __init__(
        self,
        options: HostOptions,
        mark: str,
        loop: Loop,
        ended: Callable[[Execution], object],
        idle: Callable[[], object],
        *,
        gone: str = "",
    ) -> None:
        self.running: Optional[Execution] = None
        self.queue: deque[Execution] = deque()
        self._options = options
        self._mark = mark
        self._family = Family(mark)
        self._loop = loop
        self._ended = ended
        self._idle = idle
        self._worker: Optional[WorkerProcess] = None
        self._first = 1  # the ordinal of the worker's first execution
        self._last = 0  # ordinals rise over all workers, so that a mark is of one execution
        self._killed = False  # the worker, by us
        self._live: dict[int, Execution] = {}  # by ordinal
        self._changed: set[Execution] = set()
        self._pipes = PipeReader(loop, self._printed)
        self._controls: dict[int, Answered] = {}
        self._control = 0
        self._gone = gone  # what became of the last worker, until it was said
        self._closed: Optional[Callable[[], object]] = None
        self._heard: Mapping[FrameType, Callable[[Execution, Frame], object]] = {
            FrameType.MESSAGE: self._on_message,
            FrameType.KEPT: self._on_kept,
            FrameType.ASK: self._on_ask,
            FrameType.COMPLETE: self._on_complete,
            FrameType.CLOSED: self._on_closed,
        }

    @property
    def is_idle(self) -> bool:
        return self.running is None and not self.queue

    def ahead_of(self, execution: Execution) -> Optional[Execution]:
        """The one that has to end before this one begins."""
        if execution not in self.queue:
            return None
        index = self.queue.index(execution)
        return self.queue[index - 1] if index else self.running

    # -- what clients ask for ----------------------------------------------------------------

    def warm_up(self) -> None:
        """Start the worker, so that the first execution need not wait for it."""
        try:
            self._need_worker()
        except (OSError, PyreplStreamError):
            pass  # the first execution will say so

    def submit(self, execution: Execution) -> None:
        self.queue.append(execution)
        self._start_next()

    def interrupt(self, execution: Execution) -> None:
        """Raises :class:`EndedError`."""
        self._check_living(execution)
        if execution.reason is None:
            execution.reason = "interrupted", "interrupted"
        if execution in self.queue:
            self._end_queued(execution)
        else:
            self._interrupt(execution)

    def kill(self, execution: Execution) -> None:
        """Raises :class:`EndedError`."""
        self._check_living(execution)
        execution.reason = "killed", "killed"
        if execution in self.queue:
            self._end_queued(execution)
        else:
            self._force(execution)

    def answer(self, execution: Execution, sequence: int, text: Optional[str]) -> None:
        """Raises :class:`EndedError` when nothing is asked (any more)."""
        self._check_living(execution)
        question = execution.answer(sequence, text)
        if question is None:
            raise EndedError(f"message {sequence} of {execution.id} asks nothing, or was answered already")
        self._changed.add(execution)
        self._tell(execution, FrameType.INPUT, {"request": question[0], "text": text})

    def control(self, execution: Execution, do: Mapping[str, Any], answered: Answered) -> None:
        """Raises :class:`EndedError`. ``answered`` gets ``error`` (text or null) and ``pid``."""
        self._check_living(execution)
        self._control += 1
        self._controls[self._control] = answered
        self._tell(execution, FrameType.CONTROL, {**do, "request": self._control})

    def discard(self, execution: Execution) -> None:
        """End all that is left of an execution that has ended, and what it might still print."""
        if execution.ordinal:
            self._family.signal(
                signal.SIGKILL, execution.ordinal, execution.ordinal, worker=self._pid, since=1 << 62
            )
        execution.code_closed = True
        self._pipes.close(execution)
        self._check_ended(execution)

    def close(self, closed: Callable[[], object]) -> None:
        """End everything, then call ``closed``."""
        self._closed = closed
        for execution in list(self.queue):
            execution.reason = "killed", _CLOSED
            self._end_queued(execution)
        if self.running is not None:
            self.running.reason = "killed", _CLOSED
            self._interrupt(self.running)
            self._loop.later(_LEAVE, self._kill_worker)
        elif self._worker is not None:
            self._leave()
        else:
            self._finish()

    # -- the loop's ----------------------------------------------------------------------------

    def commit(self) -> None:
        """Write what was appended in this turn of the loop; wake who reads it."""
        for execution in self._changed:
            execution.commit()
        self._changed.clear()

    def reap(self) -> None:
        """Children have ended: the worker, or orphans that have become ours."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._worker is not None and pid == self._worker.pid:
                self._worker.reaped(status)

    # -- starting ----------------------------------------------------------------------------

    def _start_next(self) -> None:
        while self.running is None and self.queue and self._closed is None:
            execution = self.queue.popleft()
            try:
                self._start(execution)
            except (OSError, PyreplStreamError) as exc:
                execution.code_closed = True
                text = f"it could not be started: {describe_failure(exc)}"
                execution.complete(CompleteMessage(status="error", error=text))
                self._check_ended(execution)
        if self.running is None:
            self._idle()

    def _start(self, execution: Execution) -> None:
        worker = self._need_worker()
        pipes: list[OutputPipe] = []
        try:
            if not execution.is_command:
                pipes.append(OutputPipe(StreamType.STDOUT))
                pipes.append(OutputPipe(StreamType.STDERR))
        except OSError:
            for pipe in pipes:
                pipe.close()
            raise
        assert execution.request is not None
        payload = json.dumps(execution.request.as_json()).encode("ascii")
        self._last += 1
        execution.begin(self._last, clock_ticks(), pipes)
        self._live[self._last] = self.running = execution
        self._changed.add(execution)
        if self._gone:
            execution.warn(f"{self._gone}: this runs in a new one, in which nothing is defined yet")
            self._gone = ""
        worker.send(Frame(FrameType.EXECUTE, self._last, payload), [pipe.give_writer() for pipe in pipes])
        for frame in execution.waiting:
            worker.send(frame._replace(ordinal=self._last))
        execution.waiting.clear()
        # A rename can take milliseconds, and what ends sooner need not say that it has begun.
        self._after(_SAVE, execution, Execution.save)
        self._pipes.watch(execution)
        if not execution.is_command:
            self._pipes.in_order(execution, worker)
        if execution.timeout is not None:
            self._after(execution.timeout, execution, self._time_out)

    def _need_worker(self) -> WorkerProcess:
        if self._worker is None:
            self._first, self._killed = self._last + 1, False
            self._worker = WorkerProcess(
                self._options, self._mark, self._loop, self._hear, self._worker_ended
            )
        return self._worker

    @property
    def _pid(self) -> Optional[int]:
        return None if self._worker is None else self._worker.pid

    def _tell(self, execution: Execution, kind: FrameType, record: Mapping[str, Any]) -> None:
        frame = Frame(kind, execution.ordinal, json.dumps(record).encode("ascii"))
        if execution is self.running and self._worker is not None:
            self._worker.send(frame)
        else:
            execution.waiting.append(frame)

    # -- stopping ----------------------------------------------------------------------------

    def _check_living(self, execution: Execution) -> None:
        if execution.completed:
            raise EndedError(f"execution {execution.id} has ended: {execution.status.status}")

    def _end_queued(self, execution: Execution) -> None:
        self.queue.remove(execution)
        execution.code_closed = True
        execution.complete(CompleteMessage(status="killed"))
        self._check_ended(execution)

    def _interrupt(self, execution: Execution) -> None:
        assert self._worker is not None
        if execution.is_command:
            self._worker.send(Frame(FrameType.STOP, execution.ordinal))
            return
        self._worker.interrupt(execution.ordinal)
        self._family.signal(
            signal.SIGINT, execution.ordinal, execution.ordinal, worker=self._pid, since=execution.since
        )

    def _time_out(self, execution: Execution) -> None:
        if execution.reason is None:
            execution.reason = "timeout", f"timeout: the run took longer than {execution.timeout:g} s"
        self._interrupt(execution)
        self._after(_GRACE, execution, self._force)

    def _force(self, execution: Execution) -> None:
        assert self._worker is not None
        if execution.is_command:
            self._worker.send(Frame(FrameType.STOP, execution.ordinal, b"force"))
            self._after(_GRACE, execution, lambda _: self._kill_worker())
        else:
            self._kill_worker()

    def _kill_worker(self) -> None:
        """The worker, and all that was started in it."""
        if self._worker is not None:
            self._killed = True
            worker, since = self._worker, self._worker.started
            self._family.signal(signal.SIGKILL, self._first, worker=worker.pid, since=since)
            worker.signal(signal.SIGKILL)
            self._family.signal(signal.SIGKILL, self._first, worker=worker.pid, since=since)

    def _after(self, seconds: float, execution: Execution, function: Callable[[Execution], object]) -> None:
        execution.timers.append(self._loop.later(seconds, function, execution))

    # -- what the worker says ----------------------------------------------------------------

    def _hear(self, frame: Frame) -> None:
        if frame.type is FrameType.FLUSHED:
            self._pipes.go_on()
        elif frame.type is FrameType.REPLY:
            reply = json.loads(frame.payload)
            answered = self._controls.pop(reply["request"], None)
            if answered is not None:
                answered(reply)
        elif frame.type in self._heard:
            execution = self._live.get(frame.ordinal)
            if execution is not None:  # else it was discarded
                self._changed.add(execution)
                self._heard[frame.type](execution, frame)

    def _on_message(self, execution: Execution, frame: Frame) -> None:
        execution.append(frame.payload, frame.output)

    def _on_kept(self, execution: Execution, frame: Frame) -> None:
        execution.append(frame.payload, frame.output, kept=True)

    def _on_ask(self, execution: Execution, frame: Frame) -> None:
        question = json.loads(frame.payload)
        execution.ask(frame.payload, question.get("request"), password=bool(question.get("password")))

    def _on_complete(self, execution: Execution, frame: Frame) -> None:
        told = json.loads(frame.payload)
        names = ("success", "status", "exit_code", "error", "value")
        self._complete(execution, CompleteMessage(**{name: told[name] for name in names if name in told}))
        if self._closed is not None:
            self._leave()
        else:
            self._start_next()

    def _on_closed(self, execution: Execution, frame: Frame) -> None:
        execution.code_closed = True
        self._check_ended(execution)

    def _complete(self, execution: Execution, told: CompleteMessage) -> None:
        if execution.completed:
            return
        self._pipes.read_rest(execution)
        self._pipes.in_order(None, None)
        self.running = None
        execution.complete(told)
        self._check_ended(execution)

    def _check_ended(self, execution: Execution) -> None:
        if execution.has_ended:
            self._live.pop(execution.ordinal, None)
            self._changed.discard(execution)
            self._ended(execution)

    def _printed(self, execution: Execution) -> None:
        self._changed.add(execution)
        self._check_ended(execution)

    # -- the end of the worker, and of the session -------------------------------------------

    def _worker_ended(self, worker: WorkerProcess) -> None:
        self._worker = None
        self._pipes.go_on()
        end = "was killed on request" if self._killed else describe_end(worker.exit or 0)
        if worker.ready:
            self._gone = f"the session's worker {end}"
        for answered in self._controls.values():
            answered({"error": f"the worker {end}", "pid": None})
        self._controls.clear()
        if self.running is not None:
            if worker.had_unsent:
                why = f"the worker {end} before it had sent what Python code had just printed"
                self.running.say(GapMessage(bytes=None, reason=why))
            self._complete(self.running, _told_of(worker, self.running, end))
        for execution in list(self._live.values()):
            execution.code_closed = True
            self._check_ended(execution)
        for execution in list(self.queue):
            execution.reason = "killed", f"the worker {end} before it was this one's turn: run it again"
            self._end_queued(execution)
        if self._closed is not None:
            self._finish()
        else:
            self._idle()

    def _leave(self) -> None:
        if self._worker is not None:
            self._worker.send(Frame(FrameType.END))
            self._loop.later(_LEAVE, self._kill_worker)

    def _finish(self) -> None:
        self._family.signal(signal.SIGKILL, 0, worker=None, since=0)
        for execution in list(self._live.values()):
            self._pipes.read_rest(execution)
            self._pipes.close(execution)
            execution.code_closed = True
            self._check_ended(execution)
        assert self._closed is not None
        self._closed()


def _told_of(worker: WorkerProcess, execution: Execution, end: str) -> CompleteMessage:
    """The `complete` of an execution whose worker has gone."""
    code = worker.exit or 0
    exit_code = 128 - code if code < 0 else code or None  # 0 would be taken for success
    if execution.reason is not None and execution.reason[0] != "interrupted":
        return CompleteMessage(status="killed", exit_code=exit_code)
    if worker.ready:
        error = f"the worker {end}; what the session had in memory is lost"
    else:
        error = f"the worker {end} before it was ready: {worker.last_words or 'it said nothing'}"
    return CompleteMessage(status="error", exit_code=exit_code, error=error)
