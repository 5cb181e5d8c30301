"""A label before each line, as several programs side by side need it."""

from __future__ import annotations

import platform
import string
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from ..errors import UsageError
from ..messages import Message, OutputMessage
from .lines import LineProcessor

__all__ = ("Prefix",)

_LONGEST = 1000  # characters of a prefix
_LONGEST_FORMAT = 40
_FIELDS = ("source", "stream", "time", "elapsed", "host")


class Prefix(LineProcessor):
    """Puts ``template`` before each line of output.

    Its fields: ``{source}`` (the last part of the label, or the stream's name where there is none),
    ``{stream}``, ``{time}`` (the message's, local; ``{time:%H:%M}`` takes the format of `strftime`),
    ``{elapsed}`` (seconds since the execution's first message; ``{elapsed:.3f}``) and ``{host}``. Text
    is handed on by whole lines, so that several sources do not mix in one. Options are those of
    :class:`LineProcessor`. Raises :class:`UsageError` for a template that makes no sense.
    """

    def __init__(
        self, template: str = "[{source}] ", *, max_line_bytes: int = 1 << 16, max_lines: int = 1000
    ) -> None:
        super().__init__(max_line_bytes=max_line_bytes, max_lines=max_lines)
        _check(template)
        self._template = template
        self._host = platform.node() if "{host" in template else ""
        self._started: dict[str, float] = {}  # the newest execution: when it began

    def for_reader(self) -> Prefix:
        return Prefix(self._template, max_line_bytes=self._max_line_bytes, max_lines=self._max_lines)

    def __call__(self, message: Message) -> Iterable[Message]:
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
    """Raises :class:`UsageError` for what could not be filled in."""
    known = ", ".join(f"{{{field}}}" for field in _FIELDS)
    sample = {"source": "a", "stream": "b", "time": datetime.now(), "elapsed": 1.0, "host": "c"}
    try:
        # Names alone: `{source.attribute}` would reach into objects.
        for _, name, how, _ in string.Formatter().parse(template):
            if how and ("{" in how or len(how) > _LONGEST_FORMAT):
                raise ValueError(f"{how!r} is no format")
            if name is not None and name not in _FIELDS:
                near = get_close_matches(name, _FIELDS, 1)
                hint = f"did you mean {{{near[0]}}}? " if near else ""
                raise UsageError(f"a prefix has no field {{{name}}}: {hint}known are {known}")
        if len(_Formatter().vformat(template, (), sample)) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST} characters")
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError, MemoryError) as exc:
        if isinstance(exc, UsageError):
            raise
        raise UsageError(
            f"the prefix {template!r} cannot be filled in: {exc} (known are {known}; {{{{ is a brace)"
        ) from exc
