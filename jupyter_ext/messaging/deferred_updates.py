"""Display updates for programs that run a notebook (nbclient, papermill).

Such a program handles only messages that belong to the current cell, and drops those that arrive between
two cells.
"""

from __future__ import annotations

from collections.abc import Callable

from IPython.core.interactiveshell import InteractiveShell


class DeferredUpdates:
    """Sends the newest update of each display once more when the next cell begins."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._events = shell.events
        self._updates: dict[str, Callable[[], object]] = {}  # by display id
        self._registered = False

    def add(self, display_id: str, send: Callable[[], object]) -> None:
        """Call ``send`` later in the main thread, in place of an earlier one for the display. Thread-safe."""
        self._updates[display_id] = send
        if not self._registered:
            self._registered = True
            self._events.register("pre_run_cell", self._send_all)

    def close(self) -> None:
        """Stop sending updates."""
        if self._registered:
            self._registered = False
            self._events.unregister("pre_run_cell", self._send_all)

    def _send_all(self, info: object = None) -> None:
        self.close()
        while self._updates:
            _, send = self._updates.popitem()
            send()
