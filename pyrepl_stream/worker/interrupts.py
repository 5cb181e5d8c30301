"""SIGINT for the execution that it is meant for, and for no other.

The host writes the ordinal of an execution into shared memory, then signals. The handler runs in the
main thread, between two instructions of whatever runs there: so what it may interrupt is told by the
frame in which it finds itself.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from types import FrameType
from typing import Any, Callable, Optional, TypeVar

from ..engine.context import current
from ..engine.run import Run
from .shared import SharedState

__all__ = ("Interrupts",)

T = TypeVar("T")

_LOOP = ("asyncio.", "selectors", f"{__name__.rpartition('.worker.')[0]}.")


class Interrupts:
    """All methods are for the main thread."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared
        self._ordinal = 0
        self._guard: Optional[FrameType] = None  # what is called by this frame may be interrupted
        self._task: Optional[asyncio.Task[Any]] = None  # what a signal that finds its loop waiting cancels
        self._run: Optional[Run] = None
        self._asked = False  # for a cancellation that the loop has not come round to
        self.cancelled = False
        """Whether the task was cancelled by a signal."""

    def install(self) -> None:
        """Take SIGINT, again where user code has taken it."""
        if signal.getsignal(signal.SIGINT) != self._handle:
            signal.signal(signal.SIGINT, self._handle)

    def guard(self, run: Run, ordinal: int, function: Callable[[], T]) -> T:
        """Call ``function``: while it runs, interrupts of the execution raise KeyboardInterrupt in it."""
        self._run, self._ordinal = run, ordinal
        self.cancelled = self._asked = False
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

    def _begin(self, function: Callable[[], T]) -> T:
        if self._shared.interrupted == self._ordinal:  # it came before there was code to interrupt
            raise KeyboardInterrupt
        return function()

    def _handle(self, number: int, frame: Optional[FrameType]) -> None:
        if self._guard is None or frame is self._guard or self._shared.interrupted != self._ordinal:
            return
        task = self._task
        if task is None or frame is None or not self._is_to_cancel(task, frame):
            raise KeyboardInterrupt
        self.cancelled = self._asked = True
        task.get_loop().call_soon_threadsafe(self._cancel, task)

    def _is_to_cancel(self, task: asyncio.Task[Any], frame: FrameType) -> bool:
        """Whether what was found at work is no code of this execution."""
        if asyncio.current_task(task.get_loop()) is None and _is_of_loop(frame):
            return True
        # Code that an earlier execution has left on the loop: it is not meant, unless it holds the loop.
        return current.get() is not self._run and not self._asked

    def _cancel(self, task: asyncio.Task[Any]) -> None:
        self._asked = False
        task.cancel()


def _is_of_loop(frame: FrameType) -> bool:
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and name.startswith(_LOOP)
