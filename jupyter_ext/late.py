"""Updates of displays for what runs a notebook without a person, and takes only what belongs to its cell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

__all__ = ("LateUpdates",)


class LateUpdates:
    """Has updates sent once more when the next cell begins: nobody may have listened between two cells."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._events = shell.events
        self._updates: dict[str, Callable[[], object]] = {}  # the newest of each display
        self._events.register("pre_run_cell", self._again)

    def add(self, display_id: str, send: Callable[[], object]) -> None:
        """``send`` is called once, in the main thread. To be called in any thread."""
        self._updates[display_id] = send

    def close(self) -> None:
        self._events.unregister("pre_run_cell", self._again)

    def _again(self, info: object = None) -> None:
        while self._updates:
            _, send = self._updates.popitem()
            send()
