"""The replacement of an area by its record, delayed while a reader is busy in the area."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

Bundle = Mapping[str, Any]


class Replacement:
    """Replaces one area by its record in all cells that show the area. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())  # guards all attributes and the replacing
        self._held_until: dict[float, float] = {}  # by maximum seconds after the end
        self._places: list[Callable[[Bundle], object]] = []
        self._waiting: list[tuple[Callable[[Bundle], object], Bundle]] = []

    def hold(self, seconds: float, *, limit: float) -> None:
        """Keep the area for ``seconds`` from now on, but at most ``limit`` seconds after the end of the run.

        This replaces an earlier hold with the same limit.
        """
        with self._changed:
            self._held_until[limit] = time.monotonic() + seconds
            self._changed.notify_all()

    def add(self, place: Callable[[Bundle], object]) -> None:
        """Add a cell that shows the area. ``place(bundle)`` shows a bundle there instead of the area."""
        with self._changed:
            self._places.append(place)

    def end(self, record: Callable[[], Bundle]) -> None:
        """Replace the area at the end of its run: at once, or in a thread once all holds have expired.

        Args:
            record: Returns the record. It is called immediately.
        """
        with self._changed:
            if not self._places:
                return
            bundle = record()
            self._waiting += [(place, bundle) for place in self._places]
            self._places = []
            if not self._remaining(time.monotonic()):
                self.replace()
                return
        threading.Thread(target=self._wait, name="end of an area", daemon=True).start()

    def replace(self) -> None:
        """Replace the area now if its run has ended."""
        with self._changed:
            waiting, self._waiting = self._waiting, []
            for place, bundle in waiting:
                place(bundle)
            self._changed.notify_all()

    def _remaining(self, ended: float) -> float:
        """Return the seconds for which the area is still held."""
        until = max((min(held, ended + limit) for limit, held in self._held_until.items()), default=0.0)
        return max(0.0, until - time.monotonic())

    def _wait(self) -> None:
        ended = time.monotonic()
        with self._changed:
            while self._waiting and (seconds := self._remaining(ended)):
                self._changed.wait(seconds)
            self.replace()
