"""A label before each line of output."""

from __future__ import annotations

import platform
import string
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from ..runtime.errors import UsageError
from ..runtime.messages import Message, OutputMessage
from ..runtime.validation import suggest
from .lines import LineProcessor

__all__ = ("Prefix",)

_LONGEST = 1000  # maximum characters of a prefix
_LONGEST_FORMAT = 40
_FIELDS = ("source", "stream", "time", "elapsed", "host")


class Prefix(LineProcessor):
    """Adds text before each line of output.

    Text passes in whole lines, so that different sources are not mixed within a line.

    Args:
        template: The text, with these fields: ``{source}`` (the last part of the source's label, or the
            name of the stream if there is no source), ``{stream}``, ``{time}`` (the message's local time,
            optionally with a `strftime` format: ``{time:%H:%M}``), ``{elapsed}`` (seconds since the first
            message of the execution, optionally with a format: ``{elapsed:.3f}``) and ``{host}``.
        max_line_bytes: As in :class:`LineProcessor`.
        max_lines: As in :class:`LineProcessor`.

    Raises:
        UsageError: The template has an unknown field or cannot be filled in.
    """

    def __init__(
        self, template: str = "[{source}] ", *, max_line_bytes: int = 1 << 16, max_lines: int = 1000
    ) -> None:
        super().__init__(max_line_bytes=max_line_bytes, max_lines=max_lines)
        _check(template)
        self._template = template
        self._host = platform.node() if "{host" in template else ""

    def _reset(self) -> None:
        super()._reset()
        self._started: dict[str, float] = {}  # by execution: the time of its first message

    def __call__(self, message: Message) -> Iterable[Message]:
        """Process one message."""
        if message.execution_id not in self._started:
            self._started = {message.execution_id: message.timestamp}
        return super().__call__(message)

    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        prefix = _Formatter().vformat(self._template, (), self._values(message))
        return [replace(message, data="".join([prefix + line for line in lines]))]

    def _values(self, message: OutputMessage) -> Mapping[str, Any]:
        stream = message.stream.value
        return {
            "source": message.source.rpartition(":")[2] or message.source or stream,
            "stream": stream,
            "time": datetime.fromtimestamp(message.timestamp),
            "elapsed": message.timestamp - self._started[message.execution_id],
            "host": self._host,
        }


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        if isinstance(value, datetime):
            return value.strftime(format_spec or "%H:%M:%S")
        if isinstance(value, float):
            format_spec = format_spec or ".1f"
        return super().format_field(value, format_spec)


def _check(template: str) -> None:
    """Raise :class:`UsageError` for a template that cannot be filled in."""
    sample = {"source": "a", "stream": "b", "time": datetime.now(), "elapsed": 1.0, "host": "c"}
    try:
        # Only plain names are allowed: `{source.attribute}` would read attributes of objects.
        for _, name, how, _ in string.Formatter().parse(template):
            if how and ("{" in how or len(how) > _LONGEST_FORMAT):
                raise ValueError(f"{how!r} is not a format")
            if name is not None and name not in _FIELDS:
                raise UsageError(f"a prefix has no field {name!r}; {suggest(name, _FIELDS)}")
        if len(_Formatter().vformat(template, (), sample)) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST} characters")
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, MemoryError) as exc:
        if isinstance(exc, UsageError):
            raise
        raise UsageError(
            f"the prefix {template!r} cannot be filled in: {exc}; its fields are {', '.join(_FIELDS)}, "
            "and {{ stands for a brace"
        ) from exc
