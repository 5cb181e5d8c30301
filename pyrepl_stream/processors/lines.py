"""Processors of whole lines, however the output was split into messages."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from ..pipeline import listed
from ..processor_errors import Failures
from ..runtime.errors import UsageError
from ..runtime.messages import CompleteMessage, Message, OutputMessage
from ..runtime.text import utf8_size
from ..runtime.validation import check_at_least_one, short_repr
from .text import TextProcessor, beginning

__all__ = ("LineProcessor", "Lines", "LinesState")

# A carriage return ends a line that is redrawn; together with a line feed it is one line end.
_split = re.compile(r"[^\r\n]*(?:\n|\r\n?)|[^\r\n]+").findall


@dataclass
class LinesState:
    """A line that has begun."""

    pieces: list[str] = field(default_factory=list)  # the held text of the line
    size: int = 0  # bytes of UTF-8
    passing: bool = False  # the line is too long, and its beginning was processed
    kept: bool = True  # the beginning of the line was not dropped
    returned: bool = False  # the held text ends with a carriage return

    def __bool__(self) -> bool:
        return bool(self.pieces) or self.passing

    def take(self) -> str:
        """Return the held text, and clear it."""
        line = "".join(self.pieces)
        self.pieces, self.size, self.returned = [], 0, False
        return line


class LineProcessor(TextProcessor[LinesState]):
    """Calls :meth:`_lines` with whole lines, each with its line end as written.

    A line ends with a line feed, a carriage return or both. The last line of a stream may have no line end.

    Args:
        max_line_bytes: Maximum length of a line in bytes of UTF-8, including its end. Only this many bytes
            of a longer line are processed; the rest of the line passes, unless those bytes were dropped.
        max_lines: Maximum number of lines in one call of :meth:`_lines`.

    Raises:
        UsageError: An option is below 1.
    """

    def __init__(self, *, max_line_bytes: int = 1 << 16, max_lines: int = 1000) -> None:
        super().__init__()
        check_at_least_one(max_line_bytes=max_line_bytes, max_lines=max_lines)
        self._max_line_bytes = max_line_bytes
        self._max_lines = max_lines

    @abstractmethod
    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        """Return the messages that replace ``lines``, which ``message`` has completed."""

    def _rest(self, message: OutputMessage, text: str) -> OutputMessage:
        """Return the message for the rest of a line that is too long."""
        return replace(message, data=text)

    def _new_state(self) -> LinesState:
        return LinesState()

    def _read(self, state: LinesState, message: OutputMessage, data: str) -> Iterable[Message]:
        messages: list[Message] = []
        if state.returned and data[:1] not in ("\n", ""):
            messages += self._end(state, message)  # the carriage return ended the line
        lines = _split(data)
        rest = lines.pop() if lines and not lines[-1].endswith("\n") else ""
        short = self._max_line_bytes // 4  # characters: UTF-8 uses up to 4 bytes for each
        begun = bool(state)
        whole: list[str] = []
        for line in lines:
            if len(line) <= short and not begun:
                whole.append(line)
                continue
            messages += self._process(whole, message)
            messages += self._add(state, message, line)
            messages += self._end(state, message)
            begun, whole = False, []
        messages += self._process(whole, message)
        if rest:
            messages += self._add(state, message, rest)
            state.returned = rest.endswith("\r")
        return messages

    def _release(self, state: LinesState, last: OutputMessage, because: Message) -> Iterable[Message]:
        return self._end(state, last)

    def _process(self, lines: list[str], message: OutputMessage) -> list[Message]:
        parts = range(0, len(lines), self._max_lines)
        return [one for at in parts for one in self._lines(lines[at : at + self._max_lines], message)]

    def _add(self, state: LinesState, message: OutputMessage, text: str) -> Iterable[Message]:
        """Add text to the line that has begun. Once the line is too long, return the line's messages."""
        if state.passing:
            return [self._rest(message, text)] if state.kept else []
        state.pieces.append(text)
        state.size += utf8_size(text)
        if state.size <= self._max_line_bytes:
            return []
        line = state.take()
        begin = beginning(line, self._max_line_bytes)
        messages = list(self._lines([begin], message))
        state.passing = True
        state.kept = any(isinstance(one, OutputMessage) for one in messages)
        return [*messages, *self._add(state, message, line[len(begin) :])]

    def _end(self, state: LinesState, message: OutputMessage) -> Iterable[Message]:
        state.passing = state.returned = False
        return self._lines([state.take()], message) if state.pieces else []


class _Rest(OutputMessage):
    """The rest of a line that is too long."""


class WholeLines(LineProcessor):
    """Passes output in whole lines, at most ``max_lines`` per message."""

    def _lines(self, lines: list[str], message: OutputMessage) -> Iterable[Message]:
        return [replace(message, data="".join(lines))]

    def _rest(self, message: OutputMessage, text: str) -> OutputMessage:
        return _Rest(**{**vars(message), "data": text})


class Lines:
    """Replaces each line of output with the result of a function.

    Args:
        function: Called with each line, including its end. It returns text (which becomes output), a
            message, several messages, or None to drop the line. If it raises an exception, the line passes
            and a `log` message reports the exception.
        max_line_bytes: As in :class:`LineProcessor`.
        max_lines: As in :class:`LineProcessor`.

    Raises:
        UsageError: An argument is not valid.
    """

    def __init__(
        self,
        function: Callable[[str], str | Message | Iterable[Message] | None],
        *,
        max_line_bytes: int = 1 << 16,
        max_lines: int = 1000,
    ) -> None:
        if not callable(function):
            raise UsageError(f"function must be a function that takes a line, not {short_repr(function)}")
        self._whole = WholeLines(max_line_bytes=max_line_bytes, max_lines=max_lines)
        self._each = _EachLine(function)

    def for_reader(self) -> tuple[WholeLines, _EachLine]:
        """Return the processors for one reader."""
        # Two processors, so that held text is not lost if the function never returns.
        return self._whole.for_reader(), _EachLine(self._each.function)

    def __call__(self, message: Message) -> Iterable[Message]:
        """Process one message, for programs with a single reader."""
        return [made for one in self._whole(message) for made in self._each(one)]


class _EachLine:
    """Calls a function with each line of messages that contain whole lines."""

    def __init__(self, function: Callable[[str], str | Message | Iterable[Message] | None]) -> None:
        self.function = function
        self.__qualname__ = getattr(function, "__qualname__", type(function).__qualname__)
        self._failures = Failures(self.__qualname__)
        self._kept: dict[tuple[str, str], bool] = {}  # True unless the last line was dropped
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
            for line in _split(message.data):
                yield from self._line(line, message)

    def _line(self, line: str, message: OutputMessage) -> list[Message]:
        try:
            made = self.function(line)
            messages = [replace(message, data=made)] if isinstance(made, str) else listed(made)
        except Exception as exc:
            messages = [*self._failures.logs(exc, message), replace(message, data=line)]
        self._kept[message.stream, message.source] = bool(messages)
        return list(messages)
