"""Reads the pipes of executions, and keeps their data in order with text from the worker's channel."""

from __future__ import annotations

from typing import Callable, Optional

from ..protocol.frames import Frame, FrameType
from .execution import ExecutionState, HostedExecution, OutputPipe
from .loop import READ, Loop, Timer
from .worker_process import WorkerProcess

__all__ = ("PipeReader",)

_FLUSH = 0.5  # seconds without new text of Python code after which a waiting pipe is read anyway
_REST = 4 << 20  # maximum bytes to read from a pipe before `complete`: more than a pipe can hold


class PipeReader:
    """Reads pipes and appends their output to executions.

    Args:
        loop: The host's event loop.
        on_output: Called with an execution when output was appended, or when one of its pipes has ended.
    """

    def __init__(self, loop: Loop, on_output: Callable[[HostedExecution], object]) -> None:
        self._loop = loop
        self._on_output = on_output
        self._worker: Optional[WorkerProcess] = None
        self._paused: list[tuple[HostedExecution, OutputPipe]] = []
        self._flush_timer: Optional[Timer] = None

    def watch(self, execution: HostedExecution, worker: WorkerProcess) -> None:
        """Read the pipes of ``execution``, which ``worker`` has just started, whenever they hold data."""
        self._worker = worker
        for pipe in execution.pipes:
            self._watch(execution, pipe)

    def read_rest(self, execution: HostedExecution) -> None:
        """Read everything that the pipes of ``execution`` hold now."""
        for pipe in list(execution.pipes):
            left = _REST
            while left > 0 and (size := self._read(execution, pipe)):
                left -= size

    def close(self, execution: HostedExecution) -> None:
        """Close the pipes of ``execution``."""
        for pipe in list(execution.pipes):
            self._close(execution, pipe)

    def resume(self) -> None:
        """Read the pipes that waited for text of Python code, and watch them again."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        paused, self._paused = self._paused, []
        for execution, pipe in paused:
            if pipe.reader >= 0:
                self._read(execution, pipe)
            if pipe.reader >= 0:
                self._watch(execution, pipe)

    def _watch(self, execution: HostedExecution, pipe: OutputPipe) -> None:
        self._loop.watch(pipe.reader, READ, lambda _: self._on_readable(execution, pipe))

    def _on_readable(self, execution: HostedExecution, pipe: OutputPipe) -> None:
        # Read `pending` before the channel: text that Python code has written by now is then either counted
        # as pending or already in the channel.
        worker = self._worker
        if worker is not None and worker.exit is None:
            pending = worker.shared.pending
            worker.drain()
            if pipe.reader < 0:
                return
            if pending and execution.state is ExecutionState.RUNNING:
                self._loop.watch(pipe.reader, 0, lambda _: None)
                self._paused.append((execution, pipe))
                if self._flush_timer is None:
                    worker.send(Frame(FrameType.FLUSH, execution.ordinal))
                    self._wait_for_text(worker)
                return
        self._read(execution, pipe)

    def _wait_for_text(self, worker: WorkerProcess) -> None:
        self._flush_timer = self._loop.call_later(_FLUSH, self._on_flush_timeout, worker, worker.received)

    def _on_flush_timeout(self, worker: WorkerProcess, received: int) -> None:
        timer = self._flush_timer
        worker.drain()
        if self._flush_timer is not timer:
            return  # the text has arrived
        if worker.received > received:  # more has arrived: the text is long, or the machine slow
            self._wait_for_text(worker)
        else:
            self.resume()

    def _read(self, execution: HostedExecution, pipe: OutputPipe) -> int:
        """Read from a pipe once, and return the number of bytes read."""
        data = pipe.read()
        if data is None:
            execution.end_text(pipe)
            self._close(execution, pipe)
            self._on_output(execution)
            return 0
        if data:
            execution.append_output(pipe, data)
            self._on_output(execution)
        return len(data)

    def _close(self, execution: HostedExecution, pipe: OutputPipe) -> None:
        self._loop.watch(pipe.reader, 0, lambda _: None)
        pipe.close()
        execution.pipes.remove(pipe)
