"""The times at which a connection is retried."""

from __future__ import annotations

from collections.abc import Callable

_FIRST = 0.1  # seconds
_LONGEST = 10.0


class Retries:
    """Delays that double from 0.1 s to 10 s, each shortened at random by up to half.

    Patience is counted from the first failure after the last :meth:`reset`.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self.at = 0.0
        """The time of the next attempt."""
        self._random = random
        self.reset()

    def reset(self) -> None:
        """Start again with the shortest delay, after a success."""
        self._delay = _FIRST
        self._since: float | None = None
        self.at = 0.0

    def failed(self, now: float, patience: float) -> bool:
        """Record a failed attempt at ``now``; return True to try again, False after ``patience`` s."""
        if self._since is None:
            self._since = now
        if now - self._since >= patience:
            return False
        self.at = now + self._delay * (0.5 + 0.5 * self._random())
        self._delay = min(_LONGEST, 2 * self._delay)
        return True
