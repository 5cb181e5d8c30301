"""Ending a run: SIGINT, then SIGTERM, then SIGKILL, each with its own time to take effect."""

from __future__ import annotations

import signal
from typing import Optional

from ..errors import UsageError
from ..validation import short_repr
from .tree import KILL

Grace = tuple[float, float, float]
"""Seconds to wait after SIGINT, after SIGTERM and (at least 1) after SIGKILL."""

DEFAULT_GRACE: Grace = (2.0, 2.0, 1.0)

_SIGNALS = (signal.SIGINT, signal.SIGTERM, KILL)
_MIN_KILL = 1.0  # seconds: a process that survives SIGKILL for longer is stuck in the kernel
_ORPHANS = 0.3  # seconds: once the command itself has ended, its background processes need no more time


def check_grace(grace: object) -> None:
    """Check the seconds to wait after each signal.

    Raises:
        UsageError: ``grace`` is not three numbers of seconds, each 0 or more.
    """
    if not isinstance(grace, (tuple, list)) or len(grace) != 3 or not all(map(_is_duration, grace)):
        raise UsageError(
            "grace must be seconds to wait after SIGINT, SIGTERM and SIGKILL, each 0 or more, "
            f"not {short_repr(grace)}"
        )


def _is_duration(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")


class Termination:
    """Determines which signal is due while a run is being ended.

    It sends no signals itself. Times are values of :func:`time.monotonic`, passed in by the caller.

    Args:
        grace: Seconds to wait after each signal.
    """

    def __init__(self, grace: Grace) -> None:
        interrupt, terminate, kill = grace
        self._grace = (interrupt, terminate, max(kill, _MIN_KILL))
        self._next = 0  # index of the next signal in `_SIGNALS`
        self.deadline: Optional[float] = None
        """The time at which to call :meth:`due` again; None until the end of the run is requested."""

    @property
    def begun(self) -> bool:
        """True once the end of the run has been requested."""
        return self.deadline is not None

    @property
    def seconds(self) -> float:
        """The maximum number of seconds from the first signal to the end."""
        return sum(self._grace)

    def escalate(self, now: float, *, force: bool = False) -> None:
        """Request the end of the run, or make the next signal due at once.

        Args:
            now: The current time.
            force: Make SIGKILL the next signal.
        """
        self.deadline = now
        if force and not self.exhausted:
            self._next = len(_SIGNALS) - 1

    def hurry(self, now: float) -> None:
        """Shorten the wait for the next signal, because the command itself has ended."""
        assert self.deadline is not None
        self.deadline = min(self.deadline, now + _ORPHANS)

    def due(self, now: float) -> Optional[int]:
        """Return the signal to send now, or None. Call :meth:`sent` after sending it."""
        if self.deadline is None or now < self.deadline or self.exhausted:
            return None
        return _SIGNALS[self._next]

    def sent(self, now: float) -> None:
        """Start the wait after the signal that :meth:`due` returned."""
        self.deadline = now + self._grace[self._next]
        self._next += 1

    @property
    def exhausted(self) -> bool:
        """True once SIGKILL has been sent."""
        return self._next == len(_SIGNALS)

    def abandoned(self, now: float) -> bool:
        """Return True once SIGKILL has been sent and its time to take effect has passed."""
        return self.exhausted and self.deadline is not None and now >= self.deadline
