"""SIGINT for the execution that it is meant for, and for no other.

The host writes the ordinal of an execution into shared memory, then signals. The handler runs in the
main thread, between two instructions of whatever runs there: so what it may interrupt is told by the
frame in which it finds itself.

A signal that comes a moment before the main thread goes into a system call does not wake it there (5 of
3,000 were lost so). So the engine, which learns of each signal by a descriptor, knocks a few times more:
with a signal that means nothing, and has the handlers run that are due.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any, Callable, Optional, TypeVar

from ..engine.context import current
from ..engine.loop import LoopThread
from ..engine.run import Run
from .descriptors import out_of_reach
from .shared import SharedState

__all__ = ("Interrupts",)

T = TypeVar("T")

_KNOCK = signal.SIGURG  # ignored by default, so it harms nobody
_KNOCKS = (0.005, 0.02, 0.1, 0.6, 2.0)  # seconds after a signal
_HELD = 0.5  # seconds after which a loop that does not come round to a cancellation is held by code
_PACKAGE = __name__.rpartition(".worker.")[0]
_LOOP = ("asyncio.", f"{_PACKAGE}.")
# What a loop calls that is written in Python: in debug mode it looks at the stack with each callback.
_HELPERS: frozenset[str] = getattr(
    sys,
    "stdlib_module_names",  # before Python 3.10 those that were seen there
    frozenset(
        "_py_abc _weakrefset abc codecs collections concurrent contextlib encodings enum functools "
        "genericpath heapq inspect linecache logging os posixpath re reprlib selectors socket threading "
        "tokenize traceback types warnings weakref".split()
    ),
)
_INSISTED = 3  # interrupts of the same code
# What code is in while it writes, or waits for what it has written.
_WRITING = (
    "threading",
    *(f"{_PACKAGE}.engine.{name}" for name in ("loop", "outbox", "run", "streams", "writer")),
    *(f"{_PACKAGE}.worker.{name}" for name in ("channel", "children", "descriptors")),
)


class Interrupts:
    """All methods are for the main thread."""

    def __init__(self, shared: SharedState, engine: LoopThread) -> None:
        self._shared = shared
        self._engine = engine
        self._main = threading.get_ident()
        reader, writer = os.pipe()
        self._told, self._tell = out_of_reach(reader), out_of_reach(writer)
        os.set_blocking(self._told, False)
        os.set_blocking(self._tell, False)
        engine.call(engine.loop.add_reader, self._told, self._on_signal)
        self._ordinal = 0
        self._guard: Optional[FrameType] = None  # what is called by this frame may be interrupted
        self._task: Optional[asyncio.Task[Any]] = None  # what a signal that finds its loop waiting cancels
        self._run: Optional[Run] = None
        self._unraisable = sys.unraisablehook
        self._asked = 0.0  # when a cancellation was asked for that the loop has not come round to
        self._early = (0, 0.0)  # the ordinal of one that was interrupted before it could begin, and when
        self.raised = False
        """Whether the code that ran last was interrupted."""
        self.cancelled = False
        """Whether the task was cancelled by a signal."""
        self._count = 0  # of interrupts of the code that runs

    def install(self) -> None:
        """Take SIGINT, again where user code has taken it."""
        for number, handler in ((signal.SIGINT, self._handle), (_KNOCK, self._on_knock)):
            if signal.getsignal(number) != handler:
                signal.signal(number, handler)
        before = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        if before not in (-1, self._tell):  # a loop of user code has handlers of its own
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
        if sys.unraisablehook != self._on_unraisable:
            self._unraisable = sys.unraisablehook
            sys.unraisablehook = self._on_unraisable

    def guard(self, run: Run, ordinal: int, function: Callable[[], T]) -> T:
        """Call ``function``: while it runs, interrupts of the execution raise KeyboardInterrupt in it."""
        self._run, self._ordinal = run, ordinal
        self.cancelled = self.raised = False
        self._asked = 0.0
        self._count = 0
        self._guard = sys._getframe()
        try:
            return self._begin(function)
        finally:
            # A signal that comes here finds this frame, and does nothing: the code has ended.
            self._guard = None
            self._task = self._run = None

    def task(self, task: Optional[asyncio.Task[Any]]) -> None:
        """What the guarded function does is to wait for ``task``: a signal cancels it."""
        self._task = task

    @property
    def insisted(self) -> bool:
        """Whether the code was interrupted so often that it is to be left to itself."""
        return self._count >= _INSISTED

    def _begin(self, function: Callable[[], T]) -> T:
        if self._shared.interrupted == self._ordinal:  # it came before there was code to interrupt
            raise KeyboardInterrupt
        return function()

    # -- handlers ----------------------------------------------------------------------------

    def _handle(self, number: int, frame: Optional[FrameType]) -> None:
        if self._guard is None:
            self._interrupt_waiting(frame)
        if not self._is_meant(frame):
            return
        assert frame is not None
        task = self._task
        self.raised = True
        self._count += 1
        if task is None or self.insisted or not self._is_to_cancel(frame):
            raise KeyboardInterrupt
        self.cancelled = True
        self._asked = self._asked or time.monotonic()
        task.get_loop().call_soon_threadsafe(self._cancel, task)

    def _interrupt_waiting(self, frame: Optional[FrameType]) -> None:
        """It may be for an execution that has not begun: that ends as it does. Unless code that an earlier
        one has left on the loop does not let it begin: a second interrupt ends that."""
        ordinal, now = self._shared.interrupted, time.monotonic()
        if ordinal <= self._ordinal or frame is None or _is_of_loop(frame):
            return
        if self._early[0] != ordinal:
            self._early = (ordinal, now)
        elif now - self._early[1] > _HELD:
            raise KeyboardInterrupt

    def _on_knock(self, number: int, frame: Optional[FrameType]) -> None:
        """Does nothing by itself, unless code holds the loop that was to come round to a cancellation."""
        if not self._asked or not self._is_meant(frame):
            return
        # Code that does nothing but write is found in our frames, each time.
        if (code := _of_who_writes(frame)) is not None and not self._is_to_cancel(code):
            self._asked = 0.0
            raise KeyboardInterrupt

    def _is_meant(self, frame: Optional[FrameType]) -> bool:
        return (
            self._guard is not None
            and frame is not self._guard
            and self._shared.interrupted == self._ordinal
        )

    def _is_to_cancel(self, frame: FrameType) -> bool:
        """Whether what was found at work on the loop is no code of this execution."""
        if _is_of_loop(frame):  # an exception in there would leave tasks that nobody goes on with
            return True
        # Code that an earlier execution has left on the loop: it is not meant, unless it holds the loop.
        held = self._asked and time.monotonic() - self._asked > _HELD
        return current.get() is not self._run and not held

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self._asked = 0.0
        task.cancel()

    def _on_unraisable(self, unraisable: Any) -> None:
        """What is raised in a finalizer goes no further: an interrupt has to come again."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt) and self._guard is not None:
            self._engine.call(self._later, _KNOCKS[0], signal.SIGINT)
        else:
            self._unraisable(unraisable)

    # -- the engine's thread -----------------------------------------------------------------

    def _on_signal(self) -> None:
        with contextlib.suppress(BlockingIOError):
            if signal.SIGINT in os.read(self._told, 4096):
                for seconds in _KNOCKS:
                    self._later(seconds, _KNOCK)

    def _later(self, seconds: float, number: int) -> None:
        self._engine.loop.call_later(seconds, self._signal, number, self._shared.interrupted)

    def _signal(self, number: int, ordinal: int) -> None:
        """Signal the main thread, if it is still at the execution: what comes next is not to be cut short."""
        if self._guard is not None and self._ordinal == ordinal:
            signal.pthread_kill(self._main, number)


def _is_of_loop(frame: Optional[FrameType]) -> bool:
    while frame is not None:
        module = _module_of(frame)
        if module.startswith(_LOOP):
            return True
        if module.partition(".")[0] not in _HELPERS:
            return False
        frame = frame.f_back  # who calls it
    return False


def _of_who_writes(frame: Optional[FrameType]) -> Optional[FrameType]:
    while frame is not None and _module_of(frame) in _WRITING:
        frame = frame.f_back
    return frame


def _module_of(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""
