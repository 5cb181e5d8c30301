"""When to try again, and when to stop trying."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ("Retries",)

_FIRST = 0.1  # seconds
_LONGEST = 10.0


class Retries:
    """Delays from 0.1 s doubling to 10 s, each less up to a half by chance.

    Patience counts from the first failure after the last :meth:`reset`.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self.at = 0.0
        """When to try next."""
        self._random = random
        self.reset()

    def reset(self) -> None:
        """There was progress."""
        self._delay = _FIRST
        self._since: float | None = None
        self.at = 0.0

    def failed(self, now: float, patience: float) -> bool:
        """A try has failed at ``now``; whether there is to be another one within ``patience`` seconds."""
        if self._since is None:
            self._since = now
        if now - self._since >= patience:
            return False
        self.at = now + self._delay * (0.5 + 0.5 * self._random())
        self._delay = min(_LONGEST, 2 * self._delay)
        return True
