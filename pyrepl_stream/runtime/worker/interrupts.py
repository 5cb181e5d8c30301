"""Lets SIGINT interrupt the code of an execution, as in a plain interpreter.

While code runs, SIGINT has the handler of a plain interpreter, so that signals which the code, its libraries
or its children send work as usual, and event loops find what they look for. Between executions, it has a
handler that does nothing. The host sends SIGINT before it sends the next code, so a signal that comes too
late for its execution is handled before the next one begins. For a signal that comes too early, the host
writes the ordinal of the execution into shared memory.

A signal that arrives just before the main thread enters a system call does not interrupt that call (5 of
3,000 signals were lost in this way). Therefore the engine repeats a signal of the host a few times as another
signal, which has no effect except that pending handlers run.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Callable, Optional, TypeVar

from ..clock import monotonic
from ..engine.context import current
from ..engine.loop import LoopThread
from ..engine.run import Run
from ..protocol.shared_state import SharedState

__all__ = ("Interrupts",)

T = TypeVar("T")

_NUDGE = signal.SIGURG  # ignored by default, so it does no harm
_NUDGES = (0.005, 0.02, 0.1, 0.6, 2.0)  # seconds after a signal at which it is repeated
_HELD = 0.5  # seconds after which a loop that has not run a cancellation is considered blocked
_PACKAGE = __name__.rpartition(".worker.")[0]
_LOOP = ("asyncio.", f"{_PACKAGE}.")
# Modules written in Python that a loop calls; in debug mode, it inspects the stack for each callback.
_HELPERS: frozenset[str] = getattr(
    sys,
    "stdlib_module_names",  # missing before Python 3.10; the modules below were observed there
    frozenset(
        "_py_abc _weakrefset abc codecs collections concurrent contextlib encodings enum functools "
        "genericpath heapq inspect linecache logging os posixpath re reprlib selectors socket threading "
        "tokenize traceback types warnings weakref".split()
    ),
)
_interrupt_main = _thread.interrupt_main
_MOST_CANCELLATIONS = 3  # interrupts after which the task is abandoned
# Modules whose frames are on top of the stack while code writes, or waits for its output to be sent.
_WRITING = (
    "threading",
    f"{_PACKAGE}.protocol.shared_state",
    *(f"{_PACKAGE}.engine.{name}" for name in ("binding", "context", "flow", "loop", "order", "run")),
    *(f"{_PACKAGE}.engine.{name}" for name in ("streams", "write_buffer", "writer")),
    *(f"{_PACKAGE}.worker.{name}" for name in ("channel", "children", "descriptors")),
)


class Interrupts:
    """Handles SIGINT in the main thread. Except for :meth:`repeat`, methods are called in that thread.

    Args:
        shared: The state that is shared with the host.
        engine: The engine.
    """

    def __init__(self, shared: SharedState, engine: LoopThread) -> None:
        self._shared = shared
        self._engine = engine
        self._main = threading.get_ident()
        self._ordinal = 0  # of the execution that began last
        self._running = 0  # the ordinal of the execution whose code runs; 0 while none runs
        self._early = (0, 0.0)  # ordinal and time of an interrupt before its execution began
        self._sending = False  # the engine's thread is about to send a signal
        self._run: Optional[Run] = None
        # The task that the code waits for. A signal that arrives while its loop waits cancels it.
        self._task: Optional[asyncio.Task[Any]] = None
        self._cancelled_at = 0.0  # when a cancellation was requested, if the loop has not run it yet
        self._unraisable = sys.unraisablehook
        self.cancelled = False  # the task was cancelled by a signal
        self._count = 0  # number of signals that the task has received
        _thread.interrupt_main = self._interrupt_main
        os.register_at_fork(after_in_child=self._after_fork)

    def install(self) -> None:
        """Install the handlers that apply while no execution runs."""
        self._running = 0
        signal.signal(signal.SIGINT, self._on_signal_between)
        if signal.getsignal(_NUDGE) != self._on_nudge:
            signal.signal(_NUDGE, self._on_nudge)

    def guard(self, run: Run, ordinal: int, function: Callable[[], T]) -> T:
        """Call ``function`` so that SIGINT raises KeyboardInterrupt in it.

        Args:
            run: The execution.
            ordinal: The host's number for the execution.
            function: Runs the code.
        """
        self._run, self._ordinal = run, ordinal
        self.cancelled = False
        self._cancelled_at = 0.0
        self._count = 0
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._on_unraisable
        try:
            self._running = ordinal
            signal.signal(signal.SIGINT, signal.default_int_handler)
            if self.requested:  # before the code began
                raise KeyboardInterrupt
            return function()
        finally:
            # Here and not in a method, since an interrupt can be raised at the start of any function.
            while True:
                try:
                    self.install()
                    while self._sending:
                        time.sleep(0)
                    signal.pthread_sigmask(signal.SIG_BLOCK, ())  # the last moment at which it is handled
                    break
                except KeyboardInterrupt:  # it has no effect, as the code has ended
                    continue
            if sys.unraisablehook == self._on_unraisable:
                sys.unraisablehook = self._unraisable
            self._run = None

    @property
    def requested(self) -> bool:
        """True if the host has interrupted the execution that began last."""
        return self._shared.interrupted == self._ordinal

    @property
    def exhausted(self) -> bool:
        """True if the code was interrupted so often that its task is abandoned."""
        return self._count >= _MOST_CANCELLATIONS

    @contextlib.contextmanager
    def cancelling(self, task: asyncio.Task[Any]) -> Iterator[None]:
        """Let SIGINT cancel ``task`` or raise KeyboardInterrupt in its code, unless user code handles it."""
        self._task = task
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield
        finally:
            self._task = None
            if signal.getsignal(signal.SIGINT) == self._on_signal:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupt_main(self, *args: Any) -> None:
        _interrupt_main(*args)
        signal.pthread_kill(self._main, _NUDGE)  # otherwise, a system call of the main thread would go on

    # -- handlers ----------------------------------------------------------------------------

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        """Handle SIGINT while the main thread waits for a task."""
        task = self._task
        self._count += 1
        if task is None or frame is None or self.exhausted or not self._must_cancel(frame):
            raise KeyboardInterrupt
        self.cancelled = True
        self._cancelled_at = self._cancelled_at or monotonic()
        task.get_loop().call_soon_threadsafe(self._cancel, task)

    def _on_signal_between(self, number: int, frame: Optional[FrameType]) -> None:
        """Handle SIGINT while no execution runs.

        A signal of the host is meant for an execution that has not begun, which will end at once. If code
        that an earlier execution left on the loop delays its beginning, a second signal interrupts that code.
        """
        ordinal, now = self._shared.interrupted, monotonic()
        if ordinal <= self._ordinal or _is_loop(frame):
            return
        if self._early[0] != ordinal:
            self._early = (ordinal, now)
        elif now - self._early[1] > _HELD:
            raise KeyboardInterrupt

    def _on_nudge(self, number: int, frame: Optional[FrameType]) -> None:
        """Interrupt code that keeps a loop from running a cancellation; otherwise do nothing."""
        if not self._running or not self.requested:
            return
        if not self._cancelled_at:
            self._watch_loop_of_user()
            return
        # In code that does little but write, most signals arrive in a frame of this package.
        if (code := _caller_of_write(frame)) is not None and not self._must_cancel(code):
            self._cancelled_at = 0.0
            raise KeyboardInterrupt

    def _watch_loop_of_user(self) -> None:
        """Find out whether code blocks the loop of ``asyncio.run``, which cancels its task at a signal."""
        handler = getattr(signal.getsignal(signal.SIGINT), "func", None)
        if isinstance(getattr(handler, "__self__", None), getattr(asyncio, "Runner", ())):
            loop = asyncio._get_running_loop()
            if loop is not None:  # not while the runner is being closed
                self._cancelled_at = monotonic()
                loop.call_soon_threadsafe(self._reached)

    def _must_cancel(self, frame: FrameType) -> bool:
        """Return True if the frame is not code of this execution, so that its task must be cancelled."""
        if _is_loop(frame):  # an exception in the loop would leave tasks that never continue
            return True
        # Code that an earlier execution left on the loop is not interrupted unless it blocks the loop.
        held = self._cancelled_at and monotonic() - self._cancelled_at > _HELD
        return (self._task is None or current.get() is not self._run) and not held

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self._reached()
        task.cancel()

    def _reached(self) -> None:
        self._cancelled_at = 0.0

    def _on_unraisable(self, unraisable: Any) -> None:
        """Repeat an interrupt that was raised in a finalizer, from which exceptions do not propagate."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt) and self._running:
            self._engine.call(self._later, _NUDGES[0], signal.SIGINT, self._ordinal)
        else:
            self._unraisable(unraisable)

    def _after_fork(self) -> None:
        """Restore the handlers of a plain interpreter in a forked child."""
        self._sending = False
        _thread.interrupt_main = _interrupt_main
        for number, handlers, default in (
            (signal.SIGINT, (self._on_signal, self._on_signal_between), signal.default_int_handler),
            (_NUDGE, (self._on_nudge,), signal.SIG_DFL),
        ):
            if signal.getsignal(number) in handlers:
                signal.signal(number, default)
        if sys.unraisablehook == self._on_unraisable:
            sys.unraisablehook = self._unraisable

    # -- the engine's thread -----------------------------------------------------------------

    def repeat(self, ordinal: int) -> None:
        """Make sure that the host's signal for the execution with that ordinal takes effect."""
        for seconds in _NUDGES:
            self._later(seconds, _NUDGE, ordinal)

    def _later(self, seconds: float, number: int, ordinal: int) -> None:
        self._engine.loop.call_later(seconds, self._send, number, ordinal)

    def _send(self, number: int, ordinal: int) -> None:
        """Signal the main thread if it runs the execution with that ordinal."""
        self._sending = True
        try:
            if self._running == ordinal:
                signal.pthread_kill(self._main, number)
        finally:
            self._sending = False


def _is_loop(frame: Optional[FrameType]) -> bool:
    while frame is not None:
        module = _module_of(frame)
        if module.startswith(_LOOP):
            return True
        if module.partition(".")[0] not in _HELPERS:
            return False
        frame = frame.f_back
    return False


def _caller_of_write(frame: Optional[FrameType]) -> Optional[FrameType]:
    while frame is not None and _module_of(frame) in _WRITING:
        frame = frame.f_back
    return frame


def _module_of(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""
