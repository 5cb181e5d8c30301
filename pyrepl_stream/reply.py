"""The future that functions of this package return if their result is available only later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from .runtime.engine.loop import engine_loop
from .waiting import wait_async, wait_sync

__all__ = ("Reply",)

T = TypeVar("T")
R = TypeVar("R")


class Reply(Future[T]):
    """A future result. Await it on asyncio or trio, or call :meth:`wait` without an event loop.

    It is a :class:`concurrent.futures.Future`, so ``done()``, ``result()``, ``add_done_callback()`` and
    :func:`concurrent.futures.wait` work. It may be awaited several times, in any thread. The work continues
    when its caller stops waiting, so it cannot be cancelled.
    """

    def cancel(self) -> bool:
        """Return False: the requested work continues."""
        return False

    def __await__(self) -> Generator[Any, None, T]:
        yield from wait_async(self.when_done).__await__()
        return self.result()

    def wait(self, timeout: float | None = None) -> T:
        """Wait without an event loop and return the result.

        Args:
            timeout: Seconds to wait; None waits without a limit.

        Raises:
            TimeoutError: There was no result in time. The work continues, and waiting again is possible.
            Exception: The error with which the work failed.
        """
        if not self.done() and threading.get_ident() == engine_loop().ident:
            raise RuntimeError("the engine's thread sets the results of replies, so it cannot wait for one")
        if not wait_sync(self.when_done, timeout):
            raise TimeoutError(f"there was no reply within {timeout:g} s")
        return self.result()

    def settle(self, function: Callable[[], T]) -> Self:
        """Call ``function`` and set its result, or its error. Return this reply.

        An error that is not an :class:`Exception`, such as SystemExit, becomes the cause of a RuntimeError.
        """
        try:
            result = function()
        except Exception as exc:
            self.set_exception(exc)
        except BaseException as exc:
            error = RuntimeError(f"the function raised {type(exc).__name__}")
            error.__cause__ = exc
            self.set_exception(error)
        else:
            self.set_result(result)
        return self

    def when_done(self, wake: Callable[[], None]) -> None:
        """Call ``wake`` once, from any thread, when there is a result or an error."""
        self.add_done_callback(lambda reply: wake())

    def then(
        self, function: Callable[[T], R | Reply[R]], *, despite: type[Exception] | tuple[()] = ()
    ) -> Reply[R]:
        """Return a new reply, whose result is ``function(result)``, or which fails with this reply's error.

        If ``function`` itself returns a reply, the new reply takes over its result or error. ``function`` is
        called by the thread that sets the result, and must not wait.

        Args:
            function: Called with the result.
            despite: A class of errors for which ``function`` is called with None, instead of failing.
        """
        following: Reply[R] = Reply()

        def follow(future: Future[Any], function: Any = function, despite: Any = despite) -> None:
            error = future.exception()
            try:
                if error is not None and not isinstance(error, despite):
                    raise error
                result = function(None if error is not None else future.result())
            except Exception as exc:
                following.set_exception(exc)
            else:
                if isinstance(result, Reply):
                    result.add_done_callback(lambda reply: follow(reply, lambda settled: settled, ()))
                else:
                    following.set_result(result)

        self.add_done_callback(follow)
        return following
