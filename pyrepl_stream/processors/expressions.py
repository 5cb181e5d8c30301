"""Users' regular expressions, with a time limit: an expression that backtracks too much is switched off."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import regex

from ..processor_errors import log_of
from ..runtime.errors import UsageError
from ..runtime.messages import LogMessage, Message
from ..runtime.validation import short_repr

TIME_LIMIT = 0.1
"""Seconds that one expression may take for one line. Its reader, or an event loop, is blocked meanwhile."""

_BUDGET = 10  # times the limit, for all slow searches together
_SLOW = 1e-3  # seconds; an expression that does not backtrack takes microseconds
_FAIR = 1e-6  # seconds per character of a long line, 100 times as many as without backtracking


class TimedRegex:
    """A compiled expression.

    Args:
        pattern: An expression in the syntax of the `regex` package.
        time_limit: Seconds that the expression may take for one line.

    Raises:
        UsageError: An argument is not valid.
    """

    def __init__(self, pattern: str, *, time_limit: float = TIME_LIMIT) -> None:
        if not isinstance(pattern, str):
            raise UsageError(f"an expression must be text, not {short_repr(pattern)}")
        if not time_limit > 0:
            raise UsageError(f"time_limit is {time_limit}, but must be more than 0 seconds")
        try:
            self._regex = regex.compile(pattern)
        except regex.error as exc:
            raise UsageError(f"{pattern!r} is not a regular expression: {exc}") from exc
        self.pattern = pattern
        self.off = False
        """True once the expression has taken too long; it then no longer matches anything."""
        self.time_limit = time_limit
        self._spent = 0.0  # total seconds spent in slow searches

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the expression's groups, in order."""
        return tuple(sorted(self._regex.groupindex, key=self._regex.groupindex.__getitem__))

    def fresh(self) -> TimedRegex:
        """Return the same expression, switched on."""
        return TimedRegex(self.pattern, time_limit=self.time_limit)

    def search(self, text: str, message: Message, logs: list[Message]) -> regex.Match[str] | None:
        """Return the first match in ``text``, a line of ``message``.

        An expression that takes too long is switched off, and a `log` message in ``logs`` reports it.
        """
        if self.off:
            return None
        slow = max(_SLOW, _FAIR * len(text))
        match, seconds = self._timed_search(text, time.perf_counter)
        if seconds > slow:
            # Repeated, since other threads or the garbage collector may have caused the delay.
            match, seconds = self._timed_search(text, time.thread_time)
            self._spent += seconds if seconds > slow else 0.0
            if self._spent > _BUDGET * self.time_limit:
                self.off = True
                logs.append(self._timeout_log(message))
                return None
        return match

    def _timed_search(self, text: str, clock: Callable[[], float]) -> tuple[regex.Match[str] | None, float]:
        started = clock()
        try:
            match = self._regex.search(text, timeout=self.time_limit)
        except TimeoutError:
            return None, math.inf
        return match, clock() - started

    def _timeout_log(self, message: Message) -> LogMessage:
        text = (
            f"the expression {self.pattern!r} took more than {self.time_limit:g} s for one line, or "
            f"{_BUDGET * self.time_limit:g} s for many, and is switched off: it backtracks too much; "
            "avoid nested repetitions"
        )
        return log_of(message, text, "WARNING")
