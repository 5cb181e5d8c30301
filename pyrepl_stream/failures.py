"""What there is to say when a processor fails.

Standard library only, Python 3.9 or newer, as all that the far end shares.
"""

from __future__ import annotations

import re
import traceback

from .messages import LogMessage, Message

__all__ = ()

_LOGGER = "pyrepl_stream.processors"
_LONGEST_TOLD = 2000  # characters of an exception
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class StalledError(Exception):
    """A processor has not returned in time."""


class Failures:
    """The failures of one processor: the first is told in full, the others by their number at the end."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def logs(self, exc: Exception, message: Message) -> list[LogMessage]:
        """What there is to say when it has failed at ``message``."""
        if isinstance(exc, StalledError):
            return [log_of(message, f"processor {self._name} {exc}")]
        self._count += 1
        if self._count > 1:
            return []
        frames = traceback.extract_tb(exc.__traceback__)
        where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
        told = "".join(traceback.format_exception_only(type(exc), exc)).strip()
        told = _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", told[:_LONGEST_TOLD])
        text = f"processor {self._name} failed, and messages pass it as they are: {told}{where}"
        return [log_of(message, text)]

    def summary(self, complete: Message) -> list[LogMessage]:
        """What there is to say at the end."""
        if self._count < 2:
            return []
        return [log_of(complete, f"processor {self._name} failed {self._count:,} times")]


def log_of(message: Message, text: str, level: str = "ERROR") -> LogMessage:
    """What the product has to say, in the place of ``message``."""
    return LogMessage(
        execution_id=message.execution_id,
        sequence=message.span_start,
        timestamp=message.timestamp,
        source=message.source,
        level=level,
        logger=_LOGGER,
        text=text,
    )
