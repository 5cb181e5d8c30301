"""Reads the pipes of executions, in order with what Python code writes through the channel."""

from __future__ import annotations

from typing import Callable, Optional

from ..worker.frames import Frame, FrameType
from .loop import READ, Loop, Timer
from .pipe import OutputPipe
from .record import Execution
from .worker_process import WorkerProcess

__all__ = ("PipeReader",)

_FLUSH = 0.5  # seconds that a pipe waits for the text that Python code wrote before
_REST = 4 << 20  # bytes that are read of each pipe, at most, before `complete`: more than it can hold


class PipeReader:
    """``printed`` is called with an execution when something was read, or a pipe has ended."""

    def __init__(self, loop: Loop, printed: Callable[[Execution], object]) -> None:
        self._loop = loop
        self._printed = printed
        self._running: Optional[Execution] = None
        self._worker: Optional[WorkerProcess] = None
        self._paused: list[tuple[Execution, OutputPipe]] = []
        self._flush_timer: Optional[Timer] = None

    def in_order(self, execution: Optional[Execution], worker: Optional[WorkerProcess]) -> None:
        """The one whose code runs now, and where; None when none does."""
        self._running, self._worker = execution, worker

    def watch(self, execution: Execution) -> None:
        for pipe in execution.pipes:
            self._watch(execution, pipe)

    def read_rest(self, execution: Execution) -> None:
        """Read all that is there."""
        for pipe in list(execution.pipes):
            left = _REST
            while left > 0 and (size := self._read(execution, pipe)):
                left -= size

    def close(self, execution: Execution) -> None:
        for pipe in list(execution.pipes):
            self._close(execution, pipe)

    def go_on(self) -> None:
        """What came before is here: the pipes that waited for it are read."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        paused, self._paused = self._paused, []
        for execution, pipe in paused:
            if pipe.reader >= 0:
                self._read(execution, pipe)
            if pipe.reader >= 0:
                self._watch(execution, pipe)

    def _watch(self, execution: Execution, pipe: OutputPipe) -> None:
        self._loop.watch(pipe.reader, READ, lambda _: self._on_pipe(execution, pipe))

    def _on_pipe(self, execution: Execution, pipe: OutputPipe) -> None:
        # In this order: what Python code wrote before is in the channel, or is told as pending.
        worker = self._worker
        if worker is not None and worker.exit is None:
            pending = worker.shared.pending and execution is self._running
            worker.drain()
            if pipe.reader < 0:
                return
            if pending and execution is self._running:
                self._pause(execution, pipe, worker)
                return
        self._read(execution, pipe)

    def _pause(self, execution: Execution, pipe: OutputPipe, worker: WorkerProcess) -> None:
        self._loop.watch(pipe.reader, 0, lambda _: None)
        self._paused.append((execution, pipe))
        if self._flush_timer is None:
            worker.send(Frame(FrameType.FLUSH, execution.ordinal))
            self._flush_timer = self._loop.later(_FLUSH, self._flush_late, worker)

    def _flush_late(self, worker: WorkerProcess) -> None:
        worker.drain()
        self.go_on()

    def _read(self, execution: Execution, pipe: OutputPipe) -> int:
        """Read once; how much it was."""
        data = pipe.read()
        if data is None:
            execution.end_text(pipe)
            self._close(execution, pipe)
            self._printed(execution)
            return 0
        if data:
            execution.print(pipe, data)
            self._printed(execution)
        return len(data)

    def _close(self, execution: Execution, pipe: OutputPipe) -> None:
        self._loop.watch(pipe.reader, 0, lambda _: None)
        pipe.close()
        execution.pipes.remove(pipe)
