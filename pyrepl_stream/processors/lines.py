"""Whole lines, however the output was cut."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ..chain import Failures, listed
from ..errors import UsageError
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
            return [replace(message, data=text)] if state.kept else []
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
    """The characters that fit into ``size`` bytes."""
    encoded = text.encode("utf-8", "surrogatepass")
    while size > 0 and encoded[size : size + 1] and encoded[size] & 0xC0 == 0x80:
        size -= 1  # within a character
    return encoded[:size].decode("utf-8", "surrogatepass")


class Lines(LineProcessor):
    """Calls ``function`` with each line of output; what it returns takes the line's place.

    The line has its end. Text becomes output, a message or several stand as they are, None is nothing.
    A line for which it raises passes, and a `log` says so. Options are those of :class:`LineProcessor`.
    """

    never_waits = False

    def __init__(
        self,
        function: Callable[[str], str | Message | Iterable[Message] | None],
        *,
        max_line_bytes: int = 1 << 16,
        max_lines: int = 1000,
    ) -> None:
        super().__init__(max_line_bytes=max_line_bytes, max_lines=max_lines)
        if not callable(function):
            raise UsageError(f"Lines needs a function that takes a line, not {type(function).__name__}")
        self._function = function
        self._failures = Failures(getattr(function, "__qualname__", type(function).__qualname__))

    def for_reader(self) -> Lines:
        return Lines(self._function, max_line_bytes=self._max_line_bytes, max_lines=self._max_lines)

    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        for line in lines:
            try:
                made = self._function(line)
                made = [replace(message, data=made)] if isinstance(made, str) else listed(made)
            except Exception as exc:
                made = [*self._failures.logs(exc, message), replace(message, data=line)]
            yield from made

    def _release_all(self, because: Message) -> Iterable[Message]:
        messages = super()._release_all(because)
        if isinstance(because, CompleteMessage):
            return [*messages, *self._failures.summary(because)]
        return messages
