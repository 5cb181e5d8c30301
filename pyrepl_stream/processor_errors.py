"""Log messages about processors that fail."""

from __future__ import annotations

import re
import traceback
from dataclasses import replace

from .runtime.messages import LogMessage, Message

_LOGGER = "pyrepl_stream.processors"
_LONGEST = 2000  # maximum characters of an exception's text
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class StalledError(Exception):
    """Raised when a call to a processor does not return in time."""


class Failures:
    """The failures of one processor: the first is reported in full, the others are counted."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def logs(self, exc: Exception, message: Message) -> list[LogMessage]:
        """Return the log messages about a failure at ``message``."""
        if isinstance(exc, StalledError):
            return [log_of(message, f"processor {self._name} {exc}")]
        self._count += 1
        if self._count > 1:
            return []
        frames = traceback.extract_tb(exc.__traceback__)
        where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        error = "".join(traceback.format_exception_only(type(exc), exc)).strip()
        error = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", error[:_LONGEST])
        text = f"processor {self._name} failed; messages pass it unchanged: {error}{where}"
        return [log_of(message, text)]

    def summary(self, complete: Message) -> list[LogMessage]:
        """Return the log messages that precede `complete`."""
        if self._count < 2:
            return []
        return [log_of(complete, f"processor {self._name} failed {self._count:,} times")]


def log_of(message: Message, text: str, level: str = "ERROR") -> LogMessage:
    """Return a log message of this package with the sequence number of ``message``."""
    log = LogMessage(*message.stamp, level=level, logger=_LOGGER, text=text)
    return replace(log, sequence=message.span_start)
