"""How a run is ended: INT, then TERM, then KILL, each with its own time to work."""

from __future__ import annotations

import signal
import sys
from typing import Optional

from ..errors import UsageError

__all__ = ("Ending", "Grace", "DEFAULT_GRACE", "check_grace")

Grace = tuple[float, float, float]
"""Seconds that are given to what got SIGINT, to what got SIGTERM, and (at least 1) to what got SIGKILL."""

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
_LEAST_KILL = 1.0  # seconds: what SIGKILL does not end by then is stuck in the kernel
_ORPHANS = 0.3  # seconds: once the command itself has ended, what it left has no reason to take longer


class Ending:
    """Says which signal is due. Times are of :func:`time.monotonic`, and given by the caller."""

    def __init__(self, grace: Grace) -> None:
        self._grace = (*grace[:2], max(grace[2], _LEAST_KILL))
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
        assert self.deadline is not None
        self.deadline = min(self.deadline, now + _ORPHANS)

    def due(self, now: float) -> Optional[int]:
        """The signal to send now, if any. Tell :meth:`sent` then."""
        if self.deadline is None or now < self.deadline or self.exhausted:
            return None
        return _SIGNALS[self._step]

    def sent(self, now: float) -> None:
        """It was sent: its time begins."""
        self.deadline = now + self._grace[self._step]
        self._step += 1

    @property
    def exhausted(self) -> bool:
        """Whether the last signal was sent."""
        return self._step >= len(_SIGNALS)

    def given_up(self, now: float) -> bool:
        """Whether everything was tried, and waited for."""
        return self.exhausted and self.deadline is not None and now >= self.deadline
