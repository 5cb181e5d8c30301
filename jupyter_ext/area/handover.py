"""Puts the record in the place of an area, when nobody is in the middle of something there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ("Bundle", "Handover")

Bundle = Mapping[str, Any]

_READING = 60.0  # seconds after the end for which readers may keep an area
_SAVING = 600.0  # and for which those may who save its log


class Handover:
    """The places of one area in cells, and how long its pages keep it there. For any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())  # guards all below, and the replacing
        self._held = {_READING: 0.0, _SAVING: 0.0}  # until when, by how long that counts after the end
        self._places: list[Callable[[Bundle], object]] = []
        self._waiting: list[tuple[Callable[[Bundle], object], Bundle]] = []

    def reads(self, seconds: float) -> None:
        """Keep the area for so long: somebody reads it."""
        self._hold(_READING, seconds)

    def saves(self, seconds: float) -> None:
        """Keep the area for so long, in place of what was said before: a page saves its log."""
        self._hold(_SAVING, seconds)

    def add(self, place: Callable[[Bundle], object]) -> None:
        """``place`` shows what it is called with in place of the area."""
        with self._changed:
            self._places.append(place)

    def end(self, record: Callable[[], Bundle]) -> None:
        """The run has ended: replace the area, now or later, by what ``record`` gives now."""
        with self._changed:
            if not self._places:
                return
            bundle = record()
            self._waiting += [(place, bundle) for place in self._places]
            self._places = []
            if not self._left(time.monotonic()):
                self.replace()
                return
        threading.Thread(target=self._wait, name="end of an area", daemon=True).start()

    def replace(self) -> None:
        """Replace it now if its run has ended."""
        with self._changed:
            waiting, self._waiting = self._waiting, []
            for place, bundle in waiting:
                place(bundle)
            self._changed.notify_all()

    def _hold(self, most: float, seconds: float) -> None:
        with self._changed:
            self._held[most] = time.monotonic() + seconds
            self._changed.notify_all()

    def _left(self, ended: float) -> float:
        """For how many seconds from now on."""
        until = max(min(held, ended + most) for most, held in self._held.items())
        return max(0.0, until - time.monotonic())

    def _wait(self) -> None:
        ended = time.monotonic()
        with self._changed:
            while self._waiting and (seconds := self._left(ended)):
                self._changed.wait(seconds)
            self.replace()
