"""Event loops in daemon threads of their own.

Scheduled onto a kernel's loop, nothing would show until the cell ends; so the engine has one of its
own, one per process, and top-level ``await`` runs on another, one per session.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import sys
import threading
from typing import Any, Callable, Optional

__all__ = ("LoopThread", "engine_loop", "process_is_leaving", "runs_event_loop")


def runs_event_loop() -> bool:
    """Whether the calling thread runs an event loop, which must not be made to wait."""
    if asyncio._get_running_loop() is not None:
        return True
    trio = sys.modules.get("trio")
    return trio is not None and bool(trio.lowlevel.in_trio_run())


class LoopThread:
    """A thread that runs an event loop until :meth:`stop`."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        # How long a callback takes is up to the threads of user code, which share the GIL.
        self.loop.slow_callback_duration = float("inf")
        self.on_failure: Callable[[BaseException], object] = lambda exc: None
        """Called in the thread when it ends because the loop itself cannot go on."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        _running.append(self)
        # An empty context: the loop belongs to no execution, whoever starts it.
        contextvars.Context().run(self._thread.start)

    @property
    def ident(self) -> int:
        assert self._thread.ident is not None
        return self._thread.ident

    def call(self, function: Callable[..., Any], *args: Any) -> bool:
        """Have the loop call ``function`` soon, from any thread; False when the loop is gone."""
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:  # closed, at the end of the process
            return False
        return True

    def stop(self, timeout: float = 0.0) -> None:
        """Tell the loop to end, and wait up to ``timeout`` seconds for it: user code may hold it."""
        self._stopping = True
        if self.call(self.loop.stop) and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            while not self._stopping:
                try:
                    self.loop.run_forever()
                except (KeyboardInterrupt, SystemExit):
                    continue  # meant for the code of a task, which had just ended: the loop goes on
            self._cancel_all()
        except BaseException as exc:  # user code has closed the loop's descriptors, or the like
            self.on_failure(exc)
            raise
        finally:
            self.loop.close()
            _running.remove(self)

    def _cancel_all(self) -> None:
        """As ``asyncio.run`` does: no task is destroyed while it waits, and each runs its ``finally``."""
        try:
            tasks = asyncio.all_tasks(self.loop)
            for task in tasks:
                task.cancel()
            if tasks:
                self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        except (KeyboardInterrupt, SystemExit):
            pass  # the rest is left to itself


_running: list[LoopThread] = []
_engine: Optional[LoopThread] = None
_engine_lock = threading.Lock()  # guards _engine, so that two first users share one


def engine_loop() -> LoopThread:
    """The process's one engine loop; it starts on first use and ends with the process."""
    global _engine
    with _engine_lock:
        if _engine is None:
            _engine = LoopThread("pyrepl-stream engine")
        return _engine


def _stop_all() -> None:
    for thread in list(_running):
        thread.stop(0.2)


def _forget() -> None:
    """After a fork the threads are not in the child."""
    global _engine, _engine_lock
    _engine = None
    _engine_lock = threading.Lock()
    _running.clear()


_leaving = False


def process_is_leaving() -> bool:
    """Whether the process is about to end: nobody may be waited for any more."""
    return _leaving


def _leave() -> None:
    global _leaving
    _leaving = True


atexit.register(_stop_all)
# Before `concurrent.futures` waits for its workers, which may wait for a reader; `atexit` is too late.
threading._register_atexit(_leave)  # type: ignore[attr-defined]  # private, and there since Python 3.9
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
