"""Waiting, on asyncio, on trio or without an event loop, for what another thread will say, or a time."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
import time
from collections.abc import Awaitable
from typing import Any, Callable, Optional

__all__ = ("Subscribe", "wait_async", "wait_sync")

# Seconds. A signal that comes a moment before the main thread waits does not wake it, nor does one that the
# system gives to another thread: it is seen at the next turn.
_TURN = 0.1

Subscribe = Callable[[Callable[[], None]], None]
"""Takes a callback, and calls it once, from any thread, when what it is about has come."""


async def wait_async(subscribe: Subscribe, timeout: Optional[float] = None) -> bool:
    """Wait, on asyncio or trio, until the callback given to ``subscribe`` is called, by any thread.

    Returns whether it was, within ``timeout`` seconds.
    """
    if asyncio._get_running_loop() is None:
        return await _wait_trio(subscribe, timeout)
    return await _wait_asyncio(subscribe, timeout)


async def _wait_asyncio(subscribe: Subscribe, timeout: Optional[float]) -> bool:
    loop = asyncio.get_running_loop()
    news = asyncio.Event()
    came = False

    def arrive() -> None:
        nonlocal came
        came = True
        news.set()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(arrive)
        except RuntimeError:
            pass  # the loop was closed: nobody waits any more

    timer = None if timeout is None else loop.call_later(timeout, news.set)
    try:
        subscribe(wake)
        await news.wait()
    finally:
        if timer is not None:
            timer.cancel()
    return came


async def _wait_trio(subscribe: Subscribe, timeout: Optional[float]) -> bool:
    trio = sys.modules["trio"]  # whoever runs it has imported it; we do not need it
    token = trio.lowlevel.current_trio_token()
    news = trio.Event()

    def wake() -> None:
        try:
            token.run_sync_soon(news.set)
        except trio.RunFinishedError:
            pass  # nobody waits any more

    subscribe(wake)
    with trio.move_on_after(math.inf if timeout is None else timeout):
        await news.wait()
    return bool(news.is_set())


async def wait_limited(awaitable: Awaitable[Any], timeout: Optional[float]) -> tuple[bool, Any]:
    """Await, on asyncio or trio, for at most ``timeout`` seconds: whether it returned, and what.

    What has not returned is cancelled, as it is when the caller is. Raises what it raises, and
    RuntimeError when it was cancelled by somebody else.
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


def wait_sync(subscribe: Subscribe, timeout: Optional[float]) -> bool:
    """As :func:`wait_async`, without an event loop. An interrupt of the main thread ends it."""
    event = threading.Event()
    subscribe(event.set)
    if threading.current_thread() is not threading.main_thread():
        return event.wait(timeout)
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    while not event.wait(min(_TURN, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            return False
    return True
