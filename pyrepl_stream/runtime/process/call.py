"""Python callables as steps of an execution, each in its own thread."""

from __future__ import annotations

import contextvars
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Callable, Optional

from .. import clock
from ..engine.raising import raise_in
from ..engine.run import Run
from ..engine.streams import LineWriter
from ..engine.writer import Writer
from ..messages import StreamType
from .child import Outcome
from .idle import IdleMonitor, IdlePolicy
from .termination import Termination

_LOOK = 0.05  # seconds between two checks of a callable that was interrupted
_MAX_WAIT = 3600.0  # seconds; the timeout of a queue overflows at a few centuries


@dataclass(frozen=True)
class CallStep:
    """A callable to run as a step.

    Args:
        function: Called with a text writer; it fails by raising an exception.
        source: Label of the messages.
    """

    function: Callable[[Any], object]
    source: str

    @property
    def name(self) -> str:
        """The qualified name of the function."""
        return getattr(self.function, "__qualname__", repr(self.function))


class CallThread:
    """Runs a callable in a thread that can be interrupted.

    Args:
        step: The callable.
        run: The execution, which receives the output.
        termination: Determines when the callable is interrupted.
        idle: When the callable counts as idle.
    """

    pid: Optional[int] = None  # as a child has one

    def __init__(self, step: CallStep, run: Run, termination: Termination, idle: IdlePolicy) -> None:
        self._step = step
        self._run = run
        self._termination = termination
        self._monitor = IdleMonitor(idle, None, self._warn, clock.monotonic())
        self._writer = _MonitoredWriter(run.writer, step.source, self._monitor)
        self._thread = threading.Thread(target=self._main, name=f"step {step.source}", daemon=True)
        self._exception: Optional[BaseException] = None
        self._calls: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._over = threading.Event()

    def call(self, function: Callable[[], object]) -> None:
        """Schedule a call of ``function`` in the thread of :meth:`run`. May be called from any thread."""
        self._calls.put(function)

    def start(self) -> None:
        """Start the thread."""
        contextvars.Context().run(self._thread.start)

    def run(self) -> Outcome:
        """Wait for the callable to return.

        Raises:
            BaseException: The exception of the callable, unless the callable was interrupted on purpose.
        """
        idle = ""
        while not self._has_ended() and not self._termination.abandoned(clock.monotonic()):
            with suppress(Empty):
                self._calls.get(timeout=self._seconds_to_wait())()
            if self._termination.due(clock.monotonic()) is not None:
                assert self._thread.ident is not None
                raise_in(self._thread.ident, KeyboardInterrupt)
                self._termination.sent(clock.monotonic())
            if not self._termination.begun and self._monitor.is_idle(clock.monotonic()):
                idle = self._monitor.describe()
                self._termination.escalate(clock.monotonic())
        if not self._has_ended():
            self._warn("the callable does not react to the interrupt and continues in the background")
            return Outcome(None, idle=idle)
        if self._exception is not None and not self._termination.begun:
            raise self._exception
        return Outcome(0 if self._exception is None else 130, idle=idle)

    def abandon(self) -> None:
        """Do nothing: the callable has ended."""

    def _has_ended(self) -> bool:
        return self._over.is_set() or not self._thread.is_alive()

    def _seconds_to_wait(self) -> float:
        if self._termination.begun:
            return _LOOK  # an interrupt may have ended the thread before it could report it
        deadline = self._monitor.deadline
        return _MAX_WAIT if deadline is None else min(max(0.0, deadline - clock.monotonic()), _MAX_WAIT)

    def _warn(self, text: str) -> None:
        self._run.log("WARNING", text, self._step.source)

    def _main(self) -> None:
        try:
            try:
                self._step.function(self._writer)
            except BaseException as exc:
                self._exception = exc
            self._writer.flush()
        except KeyboardInterrupt:
            pass  # an interrupt that arrived just after the callable had returned
        finally:
            self._over.set()
            self._calls.put(lambda: None)  # ends the wait in `run`


class _MonitoredWriter(LineWriter):
    """A text writer whose use counts as activity."""

    def __init__(self, writer: Writer, source: str, monitor: IdleMonitor) -> None:
        super().__init__(writer, StreamType.STDOUT, source)
        self._monitor = monitor

    def write(self, text: str) -> int:
        """Write ``text``, and return its length."""
        count = super().write(text)
        self._monitor.output(clock.monotonic())
        return count
