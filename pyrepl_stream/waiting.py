"""Waiting, on asyncio, on trio or without an event loop, for what another thread will say."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Callable, Optional

__all__ = ("Subscribe", "wait_async", "wait_sync")

Subscribe = Callable[[Callable[[], None]], None]
"""Takes a callback, and calls it once, from any thread, when what it is about has come."""


async def wait_async(subscribe: Subscribe) -> None:
    """Wait, on asyncio or trio, until the callback given to ``subscribe`` is called, by any thread."""
    if asyncio._get_running_loop() is None:
        await _wait_trio(subscribe)
    else:
        await _wait_asyncio(subscribe)


async def _wait_asyncio(subscribe: Subscribe) -> None:
    loop = asyncio.get_running_loop()
    news = asyncio.Event()

    def wake() -> None:
        try:
            loop.call_soon_threadsafe(news.set)
        except RuntimeError:
            pass  # the loop was closed: nobody waits any more

    subscribe(wake)
    await news.wait()


async def _wait_trio(subscribe: Subscribe) -> None:
    trio = sys.modules["trio"]  # whoever runs it has imported it; we do not need it
    token = trio.lowlevel.current_trio_token()
    news = trio.Event()

    def wake() -> None:
        try:
            token.run_sync_soon(news.set)
        except trio.RunFinishedError:
            pass  # nobody waits any more

    subscribe(wake)
    await news.wait()


def wait_sync(subscribe: Subscribe, timeout: Optional[float]) -> bool:
    event = threading.Event()
    subscribe(event.set)
    return event.wait(timeout)
