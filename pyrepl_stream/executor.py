"""Calls in a daemon thread, for callers that must not wait for a function that may never return.

The threads of :class:`concurrent.futures.ThreadPoolExecutor` are joined when the process ends; these are not.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from .reply import Reply

T = TypeVar("T")

_IDLE = 1.0  # seconds after which a thread without work ends; the next call starts another one


class Executor:
    """Runs functions one at a time, in the order of :meth:`submit`, in a daemon thread.

    The thread starts with the first function and ends after a second without work.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards _running, so that no call is left without a thread
        self._running = False

    def submit(self, function: Callable[[], T]) -> Reply[T]:
        """Call ``function`` after all earlier functions; return its reply. See :meth:`Reply.settle`."""
        reply: Reply[T] = Reply()
        with self._lock:
            self._calls.put(lambda: reply.settle(function))
            if self._running:
                return reply
            self._running = True
        threading.Thread(target=self._run, name=self._name, daemon=True).start()
        return reply

    def close(self) -> None:
        """End the thread after the functions submitted so far, without waiting for it."""
        self._calls.put(None)

    def _run(self) -> None:
        while True:
            try:
                call = self._calls.get(timeout=_IDLE)
            except queue.Empty:
                call = None
            if call is not None:
                call()
                del call  # so that its result is not kept until the next call
                continue
            with self._lock:
                if self._calls.empty():
                    self._running = False
                    return


def call_in_thread(name: str, function: Callable[[], T]) -> Reply[T]:
    """Call ``function`` in a new daemon thread. If none can be started, call it in this thread."""
    reply: Reply[T] = Reply()
    try:
        threading.Thread(target=reply.settle, args=(function,), name=name, daemon=True).start()
    except RuntimeError:  # Python 3.12 and newer start no threads while the interpreter shuts down
        reply.settle(function)
    return reply
