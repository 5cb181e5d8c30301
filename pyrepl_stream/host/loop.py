"""The host's one loop: descriptors and timers, and what is done at the end of each turn."""

from __future__ import annotations

import heapq
import itertools
import selectors
import sys
import time
import traceback
from typing import Any, Callable, Optional

__all__ = ("Loop", "Timer", "READ", "WRITE")

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Timer:
    """A call to come. ``cancel`` may be called at any time, also afterwards."""

    def __init__(self, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.function: Optional[Callable[..., object]] = function
        self.args = args

    def cancel(self) -> None:
        self.function = None
        self.args = ()


class Loop:
    """What is called may raise: it is told on stderr, and the others go on unharmed."""

    def __init__(self, end_of_turn: Callable[[], object]) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._number = itertools.count()
        self._end_of_turn = end_of_turn
        self._stopped = False

    def watch(self, descriptor: int, events: int, function: Callable[[int], object]) -> None:
        """Call ``function`` with what ``descriptor`` is ready for; no ``events``: not any more."""
        known = self._selector.get_map().get(descriptor)
        if known is None:
            if events:
                self._selector.register(descriptor, events, function)
        elif not events:
            self._selector.unregister(descriptor)
        elif known.events != events or known.data != function:
            self._selector.modify(descriptor, events, function)

    def later(self, seconds: float, function: Callable[..., object], *args: object) -> Timer:
        timer = Timer(function, args)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._number), timer))
        return timer

    def stop(self) -> None:
        """Return from :meth:`run` at the end of this turn."""
        self._stopped = True

    def run(self) -> None:
        while not self._stopped:
            self._turn()

    def close(self) -> None:
        self._selector.close()

    def _turn(self) -> None:
        for key, events in self._selector.select(self._wait_for()):
            # What was called before in this turn may have closed this one, and opened another in its place.
            known = self._selector.get_map().get(key.fd)
            if known is not None and known.data is key.data:
                _call(key.data, (events,))
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.function is not None:
                _call(timer.function, timer.args)
        _call(self._end_of_turn, ())

    def _wait_for(self) -> Optional[float]:
        while self._timers and self._timers[0][2].function is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return None
        return max(0.0, self._timers[0][0] - time.monotonic())


def _call(function: Callable[..., object], args: tuple[Any, ...]) -> None:
    try:
        function(*args)
    except Exception:
        traceback.print_exc(file=sys.stderr)
