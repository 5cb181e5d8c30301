"""Regular expressions of users, with a time limit: one that backtracks without end is switched off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import regex

from ..errors import UsageError
from ..failures import log_of
from ..messages import LogMessage, Message

__all__ = ("TIME_LIMIT", "Expression", "compiled")

TIME_LIMIT = 0.1
"""Seconds that one expression may take for one line. Meanwhile its reader waits, and so may an event loop."""

_BUDGET = 10  # times the limit, for all slow searches together
_SLOW = 1e-3  # seconds; what does not backtrack takes microseconds
_FAIR = 1e-6  # seconds a character, for long lines; what does not backtrack takes a hundredth of it


class Expression:
    """A compiled expression. Raises :class:`UsageError` for what is none."""

    def __init__(self, pattern: str, *, time_limit: float = TIME_LIMIT) -> None:
        if not isinstance(pattern, str):
            raise UsageError(f"an expression is text, not {type(pattern).__name__}")
        if not time_limit > 0:
            raise UsageError(f"time_limit is {time_limit}, but must be more than 0 seconds")
        try:
            self._regex = regex.compile(pattern)
        except regex.error as exc:
            raise UsageError(f"{pattern!r} is no regular expression: {exc}") from exc
        self.pattern = pattern
        self.off = False
        """Whether it took too long once. It finds nothing any more."""
        self._time_limit = time_limit
        self._clock: Callable[[], float] = time.perf_counter
        self._spent = 0.0  # seconds of slow searches

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of its groups, in their order."""
        return tuple(sorted(self._regex.groupindex, key=self._regex.groupindex.__getitem__))

    def search(self, text: str) -> regex.Match[str] | None:
        """The first match. Raises :class:`TimeoutError`, once."""
        if self.off:
            return None
        started = self._clock()
        try:
            match = self._regex.search(text, timeout=self._time_limit)
        except TimeoutError:
            self.off = True
            raise
        seconds = self._clock() - started
        if seconds > max(_SLOW, _FAIR * len(text)):
            self._spend(seconds)
        return match

    def _spend(self, seconds: float) -> None:
        """Count a slow search. Raises :class:`TimeoutError` when there were too many."""
        if self._clock is not time.thread_time:
            self._clock = time.thread_time  # from now on without the time of other threads; it costs more
            return
        self._spent += seconds
        if self._spent > _BUDGET * self._time_limit:
            self.off = True
            raise TimeoutError

    def told(self, message: Message) -> LogMessage:
        """What there is to say of one that was switched off."""
        text = (
            f"the expression {self.pattern!r} took more than {self._time_limit:g} s for one line, or "
            f"{_BUDGET * self._time_limit:g} s for many, and is switched off: it backtracks too much, as "
            "nested repetitions do"
        )
        return log_of(message, text, "WARNING")


def compiled(patterns: str | Iterable[str], time_limit: float) -> tuple[Expression, ...]:
    """Expressions of one or several texts. Raises :class:`UsageError`."""
    patterns = [patterns] if isinstance(patterns, str) else patterns
    return tuple(Expression(pattern, time_limit=time_limit) for pattern in patterns)
