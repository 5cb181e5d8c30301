"""What will be known when another side has answered, for any thread and any event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from ..engine.loop import engine_loop
from ..waiting import wait_async, wait_sync

__all__ = ("Answer",)

T = TypeVar("T")


class Answer(Generic[T]):
    """Await it on asyncio or trio, or :meth:`wait` for it without an event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards what follows
        self._done = False
        self._value: Any = None
        self._error: Exception | None = None
        self._wakers: list[Callable[[], None]] = []

    @property
    def done(self) -> bool:
        return self._done

    def set(self, value: T) -> None:
        self._settle(value, None)

    def fail(self, error: Exception) -> None:
        self._settle(None, error)

    def _settle(self, value: Any, error: Exception | None) -> None:
        with self._lock:
            if self._done:
                return
            self._value, self._error, self._done = value, error, True
            wakers, self._wakers = self._wakers, []
        for wake in wakers:
            wake()

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when the answer has come."""
        with self._lock:
            if not self._done:
                self._wakers.append(wake)
                return
        wake()

    def result(self) -> T:
        """What was answered, once it is done. Raises what the other side had against it."""
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def __await__(self) -> Generator[Any, None, T]:
        yield from wait_async(self.when_done).__await__()
        return self.result()

    def wait(self, timeout: float | None = None) -> T:
        """Wait without an event loop. Raises :class:`TimeoutError`."""
        if not self._done and threading.get_ident() == engine_loop().ident:
            raise RuntimeError("the engine's thread is what brings the answer: it cannot wait for it")
        if not wait_sync(self.when_done, timeout):
            raise TimeoutError(f"no answer within {timeout:g} s")
        return self.result()
