"""How a run is ended: INT, then TERM, then KILL, each with its own time to work."""

from __future__ import annotations

import signal
import sys
from typing import Optional

from ..errors import UsageError

__all__ = ("Ending", "Grace", "DEFAULT_GRACE", "check_grace")

Grace = tuple[float, float, float]
"""Seconds that are given to what got SIGINT, to what got SIGTERM, and to what got SIGKILL."""

DEFAULT_GRACE: Grace = (2.0, 2.0, 1.0)


def check_grace(grace: object) -> None:
    """Raises :class:`UsageError` unless ``grace`` is three times in seconds, 0 or more each."""
    if not isinstance(grace, (tuple, list)) or len(grace) != 3 or not all(_is_time(part) for part in grace):
        raise UsageError(f"grace is {grace!r}, but must be seconds for (INT, TERM, KILL), each 0 or more")


def _is_time(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")


_SIGNALS = (
    (signal.SIGTERM,) * 3  # Windows: there is one way, and it is not gentle
    if sys.platform == "win32"
    else (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
)
_ORPHANS = 0.3  # seconds: once the command itself has ended, what it left has no reason to take longer


class Ending:
    """Says which signal is due. Times are of :func:`time.monotonic`, and given by the caller."""

    def __init__(self, grace: Grace) -> None:
        self._grace = grace
        self._step = 0
        self.deadline: Optional[float] = None
        """When :meth:`due` is to be asked again; None before the ending has begun."""

    @property
    def begun(self) -> bool:
        return self.deadline is not None

    @property
    def seconds(self) -> float:
        """How long the whole ending takes at most."""
        return sum(self._grace)

    def hasten(self, now: float, *, force: bool = False) -> None:
        """Begin, or go on to the next step at once; ``force`` goes to the last."""
        self.deadline = now
        if force:
            self._step = max(self._step, len(_SIGNALS) - 1)

    def orphaned(self, now: float) -> None:
        """The command itself has ended: what it left gets its next signal soon."""
        if self.deadline is not None:
            self.deadline = min(self.deadline, now + _ORPHANS)

    def due(self, now: float) -> Optional[int]:
        """The signal to send now, if any."""
        if self.deadline is None or now < self.deadline or self._step >= len(_SIGNALS):
            return None
        number = _SIGNALS[self._step]
        self.deadline = now + self._grace[self._step]
        self._step += 1
        return number

    def given_up(self, now: float) -> bool:
        """Whether everything was tried, and waited for."""
        return self._step >= len(_SIGNALS) and self.deadline is not None and now >= self.deadline
