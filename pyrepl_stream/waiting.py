"""Wait for a callback from another thread: on asyncio, on trio, or without an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import math
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ("Subscribe", "wait_async", "wait_sync")

# Seconds for each turn of waiting. A signal that arrives just before the main thread waits does not wake it,
# nor does a signal that the system delivers to another thread. The main thread handles it after the turn.
TURN = 0.25

Subscribe = Callable[[Callable[[], None]], None]
"""A function that takes a callback, and calls it once, from any thread, when an event happens."""


async def wait_async(subscribe: Subscribe, timeout: float | None = None) -> bool:
    """Wait, on asyncio or trio, until ``subscribe`` calls its callback, in any thread.

    Args:
        subscribe: Called once, with the callback.
        timeout: Seconds to wait; None waits without a limit.

    Returns:
        True if the callback was called, False after the timeout.
    """
    loop = asyncio._get_running_loop()
    if loop is None:
        return await _wait_trio(subscribe, timeout)
    arrived = asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed, so no task waits in it
            loop.call_soon_threadsafe(arrived.set)

    subscribe(wake)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await arrived.wait()
    return arrived.is_set()


async def _wait_trio(subscribe: Subscribe, timeout: float | None) -> bool:
    trio = sys.modules["trio"]  # imported by the running program; this package does not need it
    token = trio.lowlevel.current_trio_token()
    arrived = trio.Event()

    def wake() -> None:
        with contextlib.suppress(trio.RunFinishedError):  # the loop has ended, so no task waits in it
            token.run_sync_soon(arrived.set)

    subscribe(wake)
    with trio.move_on_after(math.inf if timeout is None else timeout):
        await arrived.wait()
    return bool(arrived.is_set())


async def wait_limited(awaitable: Awaitable[Any], timeout: float | None) -> tuple[bool, Any]:
    """Await ``awaitable``, on asyncio or trio, for at most ``timeout`` seconds.

    It is cancelled after the timeout, and when the caller is cancelled.

    Returns:
        True and the result, or False and None after the timeout.

    Raises:
        RuntimeError: Other code cancelled it.
        Exception: The error of the awaited work.
    """
    if asyncio._get_running_loop() is None:
        with sys.modules["trio"].move_on_after(math.inf if timeout is None else timeout):
            return True, await awaitable
        return False, None
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=timeout)
        if task.cancelled():
            raise RuntimeError("it was cancelled")
        return (True, task.result()) if task.done() else (False, None)
    finally:
        task.cancel()


def wait_sync(subscribe: Subscribe, timeout: float | None) -> bool:
    """Wait like :func:`wait_async`, but without an event loop.

    A KeyboardInterrupt in the main thread ends the wait.
    """
    event = threading.Event()
    subscribe(event.set)
    if threading.current_thread() is not threading.main_thread():
        return event.wait(timeout)
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while not event.wait(min(TURN, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            return False
    return True
