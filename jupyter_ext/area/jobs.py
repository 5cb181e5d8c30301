"""Does one thing after the other in a thread, so that whoever asks for them need not wait."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

__all__ = ("Jobs",)

_log = logging.getLogger(__name__)


class Jobs:
    """There is a thread as long as there is something to do. It never holds the process."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()  # guards _jobs and _running
        self._running = False

    def add(self, job: Callable[[], object]) -> None:
        """Do that behind what was added before; from any thread."""
        with self._lock:
            self._jobs.append(job)
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _next(self) -> Callable[[], object] | None:
        with self._lock:
            self._running = bool(self._jobs)
            return self._jobs.popleft() if self._jobs else None

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except Exception:  # of one page's question: the others go on
                _log.exception("A question of a live area failed")
