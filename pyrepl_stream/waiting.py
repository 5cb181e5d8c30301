"""Waiting, on asyncio, on trio or without an event loop, for what another thread will say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

__all__ = ("Subscribe", "wait_async", "wait_sync")

Subscribe = Callable[[Callable[[], None]], None]
"""Takes a callback, and calls it once, from any thread, when what it is about has come."""


async def wait_async(subscribe: Subscribe) -> None:
    """Wait, on asyncio or trio, until the callback given to ``subscribe`` is called, by any thread."""
    import anyio  # here, so that `import pyrepl_stream` does not pay for it

    event = anyio.Event()
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        import trio

        token = trio.lowlevel.current_trio_token()

        def wake() -> None:
            try:
                token.run_sync_soon(event.set)
            except trio.RunFinishedError:
                pass  # nobody waits any more
    else:

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(event.set)
            except RuntimeError:
                pass  # the loop was closed: nobody waits any more

    subscribe(wake)
    await event.wait()


def wait_sync(subscribe: Subscribe, timeout: float | None) -> bool:
    event = threading.Event()
    subscribe(event.set)
    return event.wait(timeout)
