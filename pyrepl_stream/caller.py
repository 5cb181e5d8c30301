"""Calls by another thread, for whoever cannot wait for what may never return."""

from __future__ import annotations

import queue
import threading
from typing import Any, Callable, Optional

__all__ = ()


class Call:
    """One call of a function."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._lock = threading.Lock()  # guards what follows
        self._done = False
        self._wake: Optional[Callable[[], None]] = None
        self._value: Any = None
        self._error: Optional[BaseException] = None

    def run(self) -> None:
        try:
            self._value = self._function()
        except BaseException as exc:  # SystemExit, too, is not for the thread that calls
            self._error = exc
        with self._lock:
            self._done = True
            wake = self._wake
        if wake is not None:
            wake()

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when the function has returned or raised."""
        with self._lock:
            if not self._done:
                self._wake = wake
                return
        wake()

    def result(self) -> Any:
        """What it returned. Raises what it raised; RuntimeError for what is no :class:`Exception`."""
        if self._error is None:
            return self._value
        if isinstance(self._error, Exception):
            raise self._error
        raise RuntimeError(f"it raised {type(self._error).__name__}") from self._error


class Caller:
    """A thread that makes calls, one after the other, as long as somebody holds this object."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Optional[Call]] = queue.SimpleQueue()
        threading.Thread(target=_run, args=(self._calls,), name="processors", daemon=True).start()

    def start(self, function: Callable[[], Any]) -> Call:
        call = Call(function)
        self._calls.put(call)
        return call

    def end(self) -> None:
        """Make no more calls after those that were started."""
        self._calls.put(None)

    __del__ = end


def _run(calls: queue.SimpleQueue[Optional[Call]]) -> None:
    for call in iter(calls.get, None):
        call.run()
        del call  # what it returned is not kept until the next one comes
