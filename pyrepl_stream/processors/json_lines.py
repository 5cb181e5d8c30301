"""Lines of JSON in output become events."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import UsageError
from ..messages import (
    CompleteMessage,
    EventMessage,
    GapMessage,
    InputRequestMessage,
    Message,
    OutputMessage,
    StreamType,
)

__all__ = ("JsonLines",)

_BLANK = " \t\r"
# What may come next, by the last character that was no blank. A line that goes on otherwise is no JSON, so
# `[INFO] ...` is shown before its line ends.
_NEXT = {"": "{[", "{": '"}', "[": '[{"]-0123456789tfn'}
_OPEN = "open"  # only the parser can tell now
_DEEPEST = 200  # levels; what parses near Python's limit would fail whoever encodes or copies it


class JsonLines:
    """Turns each line that is one JSON object or array into an `event`; all else passes as it came.

    The event's name is the object's text field ``type`` or ``event``, else ``name``. It stands for the
    line with its end; it has the sequence number, the timestamp and the source of the output that
    completed the line. Lines are put together for each stream and source by itself. Text is held back
    only while it can still become such a line, so over two streams the order is that of the line ends.

    Several values on one line, values over several lines, NaN, numbers that Python cannot hold, more than
    200 levels and lines of more than ``max_line_bytes`` bytes (of UTF-8, without the line end) pass as
    text. With ``keep_text`` all text passes at once, unchanged, and events come beside it.

    It keeps the line that has begun: give each reader one of its own.
    """

    def __init__(self, *, keep_text: bool = False, max_line_bytes: int = 1 << 20, name: str = "json") -> None:
        if max_line_bytes < 1:
            raise UsageError(f"max_line_bytes is {max_line_bytes}, but must be at least 1")
        self._keep_text = keep_text
        self._limit = max_line_bytes
        self._name = name
        self._lines: dict[_Key, _Line] = {}  # those that have begun
        self._completed = ("", 0)

    def __call__(self, message: Message) -> list[Message]:
        if isinstance(message, OutputMessage):
            return self._output(message)
        if isinstance(message, CompleteMessage):
            self._completed = (message.execution_id, message.sequence)
            return [*self._end_lines(message.execution_id, parse=True), message]
        if isinstance(message, GapMessage):
            # What comes next is read as a new line. It may be the rest of one, but the rest of a line of
            # JSON is never JSON itself.
            return [*self._end_lines(message.execution_id, parse=False), message]
        if isinstance(message, InputRequestMessage):
            # `[1-9]: ` is a prompt, and has to be seen before it is answered.
            return [*self._end_lines(message.execution_id, parse=False), message]
        return [message]

    def _output(self, message: OutputMessage) -> list[Message]:
        execution_id, sequence = self._completed
        if message.execution_id == execution_id and message.sequence > sequence:
            return [message]  # no `complete` will come that could release what is held back
        key = (message.execution_id, message.stream, message.source)
        line = self._lines.pop(key, None)
        if line is None or 0 < message.sequence < line.last.sequence:
            line = _Line(message)  # or another read of the same execution has begun
        line.last = message
        data = message.data
        if isinstance(data, bytes):
            messages = self._pass_bytes(line, message, data)
        elif not line.pieces and "{" not in data and "[" not in data and data[-1:] not in _BLANK:
            line.passing = not data.endswith("\n")  # what most output is, so it should cost nothing
            messages = [message]
        else:
            messages = self._read_lines(line, message, data)
        if line.passing or line.pieces:
            self._lines[key] = line
        return messages

    def _read_lines(self, line: _Line, message: OutputMessage, data: str) -> list[Message]:
        messages: list[Message] = []
        text: list[str] = []  # passes, not yet in a message
        *ended, rest = data.split("\n")
        for part in ended:
            text += line.add(part, self._limit)
            if line.passing:
                text.append("\n")
            elif (event := self._event(line)) is None:
                text += (*line.pieces, "\n")
            else:
                if text and not self._keep_text:
                    messages.append(replace(message, data="".join(text)))
                text.clear()
                messages.append(event)
            line.begin()
        text += line.add(rest, self._limit)
        if self._keep_text:
            return [message, *messages]
        joined = "".join(text)
        if not messages and joined == data:
            return [message]
        if joined:
            messages.append(replace(message, data=joined))
        return messages

    def _pass_bytes(self, line: _Line, message: OutputMessage, data: bytes) -> list[Message]:
        held = "".join(line.pieces)
        line.begin()
        line.passing = not data.endswith(b"\n")
        if not held or self._keep_text:
            return [message]
        return [replace(message, data=held), message]

    def _end_lines(self, execution_id: str, *, parse: bool) -> list[Message]:
        messages: list[Message] = []
        ended = [key for key in self._lines if key[0] == execution_id]
        for line in sorted(map(self._lines.pop, ended), key=lambda line: line.last.sequence):
            if parse and (event := self._event(line)) is not None:
                messages.append(event)
            elif line.pieces and not self._keep_text:
                messages.append(replace(line.last, data="".join(line.pieces)))
        return messages

    def _event(self, line: _Line) -> EventMessage | None:
        if line.state != _OPEN:
            return None
        text = "".join(line.pieces)
        try:
            data = _DECODER.decode(text)
        except (ValueError, RecursionError):  # also of numbers with thousands of digits
            return None
        if text.count("[") + text.count("{") > _DEEPEST and _is_too_deep(data):
            return None
        last = line.last
        return EventMessage(
            execution_id=last.execution_id,
            sequence=last.sequence,
            timestamp=last.timestamp,
            source=last.source,
            name=_name_in(data) or self._name,
            data=data,
        )


_Key = tuple[str, StreamType, str]


@dataclass
class _Line:
    """A line that has begun: all of it is held, or (``passing``) none of it and nothing that follows."""

    last: OutputMessage
    pieces: list[str] = field(default_factory=list)  # never one text that grows: that takes quadratic time
    size: int = 0  # bytes of UTF-8
    state: str = ""
    passing: bool = False

    def begin(self) -> None:
        self.pieces, self.size, self.state, self.passing = [], 0, "", False

    def add(self, part: str, limit: int) -> list[str]:
        """Add a part of the line; what of it passes now."""
        if not part:
            return []
        if self.passing:
            return [part]
        self.pieces.append(part)
        self.size += len(part) if part.isascii() else len(part.encode("utf-8", "surrogatepass"))
        if self.size <= limit and self._can_be_json(part):
            return []
        passed, self.pieces, self.state, self.passing = self.pieces, [], "", True
        return passed

    def _can_be_json(self, part: str) -> bool:
        while self.state != _OPEN and (part := part.lstrip(_BLANK)):
            if part[0] not in _NEXT[self.state]:
                return False
            self.state = _OPEN if self.state else part[0]
            part = part[1:]
        return True


def _name_in(data: Any) -> str:
    names = (data.get("type"), data.get("event")) if isinstance(data, dict) else ()
    return next((name for name in names if isinstance(name, str) and name), "")


def _is_too_deep(data: Any) -> bool:
    level = [data]
    for _ in range(_DEEPEST):
        within = (value.values() if isinstance(value, dict) else value for value in level)
        level = [value for values in within for value in values if isinstance(value, (dict, list))]
    return bool(level)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
