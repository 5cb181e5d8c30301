"""Whole lines, however the output was cut."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ..chain import listed
from ..errors import UsageError
from ..failures import Failures
from ..messages import CompleteMessage, Message, OutputMessage
from .text import TextProcessor

__all__ = ("LineProcessor", "Lines", "LinesState")

# A carriage return ends a line that is drawn anew; with a line feed behind it, it is one line end.
_LINES = re.compile(r"[^\r\n]*(?:\n|\r\n?)|[^\r\n]+")


@dataclass
class LinesState:
    """A line that has begun."""

    pieces: list[str] = field(default_factory=list)  # what is held of it
    size: int = 0  # bytes of UTF-8
    passing: bool = False  # it is too long: its beginning was handed over
    kept: bool = True  # whether anything was left of that beginning
    returned: bool = False  # a carriage return was the last that came

    def __bool__(self) -> bool:
        return bool(self.pieces) or self.passing

    def take(self) -> str:
        line = "".join(self.pieces)
        self.pieces, self.size, self.returned = [], 0, False
        return line


class LineProcessor(TextProcessor[LinesState]):
    """Hands whole lines to :meth:`_lines`, each with its line end as it was written.

    A line ends with a line feed, a carriage return or both. The last one may have no end, when nothing
    comes after it. Of a line of more than ``max_line_bytes`` bytes (of UTF-8, with its end) that many are
    handed over, and count for the whole: what follows passes, unless nothing was left of them. At most
    ``max_lines`` lines are handed over at a time. Raises :class:`UsageError`.
    """

    def __init__(self, *, max_line_bytes: int = 1 << 16, max_lines: int = 1000) -> None:
        super().__init__()
        for name, value in (("max_line_bytes", max_line_bytes), ("max_lines", max_lines)):
            if value < 1:
                raise UsageError(f"{name} is {value}, but must be at least 1")
        self._max_line_bytes = max_line_bytes
        self._max_lines = max_lines

    @abstractmethod
    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        """What comes of these lines, which ``message`` has completed."""

    def _rest(self, message: OutputMessage, text: str) -> OutputMessage:
        """Of a line that is too long, what passes behind its beginning."""
        return replace(message, data=text)

    def _new_state(self) -> LinesState:
        return LinesState()

    def _read(self, state: LinesState, message: OutputMessage, data: str) -> Iterable[Message]:
        lines = _LINES.findall(data)
        rest = lines.pop() if lines and not lines[-1].endswith("\n") else ""
        messages: list[Message] = []
        if state.returned and data[:1] not in ("\n", ""):
            messages += self._end(state, message)  # the carriage return was the line's end
        if lines and state:
            messages += self._add(state, message, lines.pop(0))
            messages += self._end(state, message)
        whole: list[str] = []
        for line in lines:
            if len(line) > self._max_line_bytes // 4:  # UTF-8 has up to 4 bytes a character
                messages += self._hand_over(whole, message)
                messages += self._add(state, message, line)
                messages += self._end(state, message)
                whole = []
            else:
                whole.append(line)
        messages += self._hand_over(whole, message)
        if rest:
            messages += self._add(state, message, rest)
            state.returned = rest.endswith("\r")
        return messages

    def _release(self, state: LinesState, last: OutputMessage, because: Message) -> Iterable[Message]:
        return self._end(state, last)

    def _hand_over(self, lines: list[str], message: OutputMessage) -> list[Message]:
        parts = range(0, len(lines), self._max_lines)
        return [one for at in parts for one in self._lines(lines[at : at + self._max_lines], message)]

    def _add(self, state: LinesState, message: OutputMessage, text: str) -> Iterable[Message]:
        """Add to the line that has begun; what comes of it already, when it is too long."""
        if state.passing:
            return [self._rest(message, text)] if state.kept else []
        state.pieces.append(text)
        state.size += len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        if state.size <= self._max_line_bytes:
            return []
        line = state.take()
        begin = _beginning(line, self._max_line_bytes)
        messages = list(self._lines([begin], message))
        state.passing = True
        state.kept = any(isinstance(one, OutputMessage) for one in messages)
        return [*messages, *self._add(state, message, line[len(begin) :])]

    def _end(self, state: LinesState, message: OutputMessage) -> Iterable[Message]:
        state.passing = state.returned = False
        return self._lines([state.take()], message) if state.pieces else []


def _beginning(text: str, size: int) -> str:
    """The characters that fit into ``size`` bytes, at least one."""
    encoded = text.encode("utf-8", "surrogatepass")
    while size > 0 and encoded[size : size + 1] and encoded[size] & 0xC0 == 0x80:
        size -= 1  # within a character
    return encoded[:size].decode("utf-8", "surrogatepass") or text[:1]


class _Rest(OutputMessage):
    """What is behind the beginning of a line that is too long."""


class WholeLines(LineProcessor):
    """Output by whole lines, at most ``max_lines`` in a message."""

    def for_reader(self) -> WholeLines:
        return WholeLines(max_line_bytes=self._max_line_bytes, max_lines=self._max_lines)

    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        return [replace(message, data="".join(lines))]

    def _rest(self, message: OutputMessage, text: str) -> OutputMessage:
        return _Rest(**{**vars(message), "data": text})


class Lines:
    """Calls ``function`` with each line of output; what it returns takes the line's place.

    The line has its end. Text becomes output, a message or several stand as they are, None is nothing.
    A line for which it raises passes, and a `log` says so. Options are those of :class:`LineProcessor`.
    """

    def __init__(
        self,
        function: Callable[[str], str | Message | Iterable[Message] | None],
        *,
        max_line_bytes: int = 1 << 16,
        max_lines: int = 1000,
    ) -> None:
        if not callable(function):
            raise UsageError(f"Lines needs a function that takes a line, not {type(function).__name__}")
        self._function = function
        self._whole = WholeLines(max_line_bytes=max_line_bytes, max_lines=max_lines)

    def for_reader(self) -> tuple[WholeLines, _EachLine]:
        # What is held is not held by what calls the function, which may stall: nothing is lost with it.
        return self._whole.for_reader(), _EachLine(self._function)

    def __call__(self, message: Message) -> Iterable[Message]:
        """As its only reader."""
        each = _EachLine(self._function)
        return [made for one in self._whole(message) for made in each(one)]


class _EachLine:
    """Calls a function with each line of messages that have whole ones."""

    def __init__(self, function: Callable[[str], str | Message | Iterable[Message] | None]) -> None:
        self._function = function
        self.__qualname__ = getattr(function, "__qualname__", type(function).__qualname__)
        self._failures = Failures(self.__qualname__)
        self._kept: dict[tuple[str, str], bool] = {}  # of the last line, was anything left
        if hasattr(function, "stall_timeout"):
            self.stall_timeout = function.stall_timeout

    def __call__(self, message: Message) -> Iterable[Message]:
        if isinstance(message, CompleteMessage):
            yield from self._failures.summary(message)
        if isinstance(message, _Rest):
            if self._kept.get((message.stream, message.source), True):
                yield OutputMessage(**vars(message))
        elif not isinstance(message, OutputMessage) or isinstance(message.data, bytes):
            yield message
        else:
            for line in _LINES.findall(message.data):
                yield from self._line(line, message)

    def _line(self, line: str, message: OutputMessage) -> list[Message]:
        try:
            made = self._function(line)
            messages = [replace(message, data=made)] if isinstance(made, str) else listed(made)
        except Exception as exc:
            messages = [*self._failures.logs(exc, message), replace(message, data=line)]
        self._kept[message.stream, message.source] = bool(messages)
        return list(messages)
