"""Output as log records of the standard library's `logging` module."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ..runtime.messages import (
    CompleteMessage,
    ErrorMessage,
    EventMessage,
    GapMessage,
    LogMessage,
    Message,
    OutputMessage,
    StreamType,
)
from .lines import WholeLines
from .sink import Sink
from .strip_ansi import stripped

__all__ = ("ToLogging",)

_LEVELS: Mapping[StreamType, int] = MappingProxyType(
    {StreamType.STDOUT: logging.INFO, StreamType.STDERR: logging.WARNING}
)


class ToLogging(Sink):
    """Logs each line of output as ``Remote | line``, and passes all messages.

    Records have the attributes ``execution_id``, ``sequence`` and ``source``. Lines are logged without
    colours, and redrawn lines only in their last state. `log` messages keep their level. Errors are logged
    with the level ``ERROR``, as is a `complete` unless the execution succeeded.

    Args:
        logger: The logger, or its name.
        levels: The level of each stream (default: ``INFO`` for stdout, ``WARNING`` for stderr).
        label: Text before each line.
    """

    def __init__(
        self,
        logger: logging.Logger | str = "pyrepl_stream.remote",
        *,
        levels: Mapping[StreamType, int] = _LEVELS,
        label: str = "Remote",
    ) -> None:
        super().__init__()
        self._logger = logging.getLogger(logger) if isinstance(logger, str) else logger
        self._levels = {**_LEVELS, **levels}
        self._label = label
        self._lines = WholeLines()

    def take(self, message: Message) -> None:
        """Log one message."""
        for one in self._lines(message):
            for level, text in self._records(one):
                if self._logger.isEnabledFor(level):
                    source = f"[{one.source}] " if one.source else ""
                    place = {"execution_id": one.execution_id, "sequence": one.sequence, "source": one.source}
                    self._logger.log(level, "%s | %s%s", self._label, source, text, extra=place)

    def _records(self, message: Message) -> Iterable[tuple[int, str]]:
        if isinstance(message, OutputMessage):
            for line in message.text.replace("\r\n", "\n").split("\n"):
                if shown := stripped(line.rpartition("\r")[2]):
                    yield self._levels[message.stream], shown
        elif isinstance(message, LogMessage):
            level = logging.getLevelNamesMapping().get(message.level, logging.INFO)
            yield level, f"{message.logger}: {message.text}" if message.logger else message.text
        elif isinstance(message, ErrorMessage):
            yield logging.ERROR, stripped("\n".join(message.traceback)) or f"{message.name}: {message.value}"
        elif isinstance(message, EventMessage):
            yield logging.INFO, f"{message.name}: {message.data!r}"
        elif isinstance(message, GapMessage):
            yield logging.WARNING, message.text
        elif isinstance(message, CompleteMessage):
            how = f"{message.status} after {message.duration:.2f} s"
            why = f": {message.error}" if message.error else ""
            yield (logging.DEBUG if message.success else logging.ERROR), how + why
