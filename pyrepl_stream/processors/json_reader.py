"""Reads one stream of text for JSON: which values become events, and what of the text passes."""

from __future__ import annotations

import re
from enum import Enum
from typing import Any, NamedTuple

from .json_scanner import JsonScanner, Scan, parse

__all__ = ("Item", "JsonReader", "Value")


class Value(NamedTuple):
    """What becomes an event, and the text that it stands for."""

    data: Any
    text: str

    @property
    def counts_anywhere(self) -> bool:
        """`f() {}` and `[3/7] Building` are no data."""
        return isinstance(self.data, dict) and len(self.data) > 0


Item = str | Value


class _Line(Enum):
    """What is known of the line that is being read."""

    FRESH = "nothing but blanks and values so far, if anything"
    VALUES = "the same, and some values are events already"
    MIXED = "there is text on it"
    REST = "there is text on it, and more text comes up to its end"


class JsonReader:
    """The state of one stream: of what it holds back, all can still become events, or belong to them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = _Line.FRESH
        self._pending: list[Item] = []  # blanks and values of a line whose end decides what they are
        self._pending_size = 0  # bytes of UTF-8
        self._scanner: JsonScanner | None = None  # of a value that has begun
        self._pieces: list[str] = []  # of this value; never one text that grows: that takes quadratic time
        self._size = 0
        self._too_long = False  # this value: it passes as text, up to its end
        self._failures = 0

    def __bool__(self) -> bool:
        return self._line is not _Line.FRESH or self._scanner is not None or bool(self._pending)

    def pass_over(self, text: str) -> bool:
        """Whether nothing in ``text`` has to be looked at, as in most output: so that this costs nothing."""
        if "{" in text or "[" in text or text[-1:] in _BLANK or self._scanner is not None or self._pending:
            return False
        if self._line is _Line.VALUES or (self._line is _Line.REST and "\n" not in text):
            return False
        self._line = _Line.FRESH if text.endswith("\n") else _Line.MIXED
        return True

    def read(self, text: str) -> list[Item]:
        """What comes of the next text."""
        out: list[Item] = []
        position, self._failures = 0, 0
        while position < len(text):
            if self._scanner is not None:
                position = self._read_value(self._scanner, text, position, out)
            elif self._line in _WITH_TEXT:
                position = self._read_text(text, position, out)
            elif text[position] in "{[":
                position = self._begin_value(text, position, out)
            else:
                position = self._read_between(text, position, out)
        return out

    def end(self) -> list[Item]:
        """No more will come: the line has ended here."""
        if self._scanner is not None:
            return self.let_go()
        out: list[Item] = []
        self._end_line("", out)
        return out

    def let_go(self) -> list[Item]:
        """Nothing can be held back any longer."""
        out: list[Item] = []
        if self._scanner is not None or self._pending:
            self._meet_text(out)
            out += self._pieces
            self._forget_value()
        return out

    def after_bytes(self, data: bytes) -> None:
        self._line = _Line.FRESH if data.endswith(b"\n") else _Line.MIXED

    # -- lines ---------------------------------------------------------------------------------

    def _read_text(self, text: str, start: int, out: list[Item]) -> int:
        end = _match(_NO_OBJECT if self._line is _Line.MIXED else _NO_LINE_END, text, start)
        ended = text.startswith("\n", end)
        out.append(text[start : end + ended])
        if ended:
            self._line = _Line.FRESH
        elif end < len(text):  # at a brace
            return self._begin_value(text, end, out)
        return end + ended

    def _read_between(self, text: str, start: int, out: list[Item]) -> int:
        """What is no value, on a line without text so far."""
        if not self and (end := _match(_PLAIN_LINES, text, start)) > start:
            out.append(text[start:end])
            return end
        end = _match(_BLANKS, text, start)
        if end > start:
            self._hold(text[start:end], out)
        elif text[start] == "\n":
            self._end_line("\n", out)
            end = start + 1
        else:
            self._meet_text(out)
        return end

    def _hold(self, item: Item, out: list[Item]) -> None:
        self._pending.append(item)
        self._pending_size += _size(item if isinstance(item, str) else item.text)
        if self._pending_size > self._limit:
            self._meet_text(out)

    def _end_line(self, end: str, out: list[Item]) -> None:
        """There was no text on it: all values count, and it belongs to them."""
        values = [item for item in self._pending if isinstance(item, Value)]
        if values or self._line is _Line.VALUES:
            out += values
        else:
            out += (*self._pending, end)
        self._pending, self._pending_size, self._line = [], 0, _Line.FRESH

    def _meet_text(self, out: list[Item]) -> None:
        """There is text on it: of what is held, only what counts anywhere becomes an event."""
        for item in self._pending:
            out.append(item if isinstance(item, str) or item.counts_anywhere else item.text)
        self._pending, self._pending_size = [], 0
        if self._line is not _Line.REST:
            self._line = _Line.MIXED

    # -- values --------------------------------------------------------------------------------

    def _begin_value(self, text: str, start: int, out: list[Item]) -> int:
        """At a bracket. The parser is several times faster than the scanner, if all of the value is here."""
        if self._line is not _Line.MIXED and text[start] == "[" and not _MAY_BE_ARRAY.match(text, start):
            self._meet_text(out)
            return start
        if self._failures < _FAILURES and not self._pending:
            try:
                data, end = parse(text, start)
            except ValueError:
                self._failures += 1
            else:
                value = Value(data, text[start:end])
                if (end - start) * 4 <= self._limit or _size(value.text) <= self._limit:
                    if self._line is _Line.FRESH and value.counts_anywhere and text.startswith("\n", end):
                        out.append(value)  # as most of them are
                        return end + 1
                    self._add(value, out)
                    return end
        self._scanner = JsonScanner()
        return start

    def _read_value(self, scanner: JsonScanner, text: str, start: int, out: list[Item]) -> int:
        scan, end = scanner.feed(text, start)
        self._extend(text[start:end], out)
        if scan is not Scan.OPEN:
            value = None if self._too_long else "".join(self._pieces)
            self._forget_value()
            if value is not None and scan is Scan.ENDED:
                self._add_text(value, out)
            elif value is not None:
                self._refuse(value, out)
            if scan is Scan.TOO_DEEP:
                self._meet_text(out)
                self._line = _Line.REST
        return end

    def _extend(self, piece: str, out: list[Item]) -> None:
        if not self._too_long:
            self._pieces.append(piece)
            self._size += _size(piece)
            if self._pending_size + self._size <= self._limit:
                return
            self._meet_text(out)
            if self._size <= self._limit and self._pieces[0][0] == "{":
                return  # it counts without what was before it
            piece = "".join(self._pieces)
            self._pieces, self._too_long = [], True
        out.append(piece)

    def _add_text(self, text: str, out: list[Item]) -> None:
        try:
            data, _ = parse(text)
        except ValueError:
            self._meet_text(out)
            out.append(text)
        else:
            self._add(Value(data, text), out)

    def _add(self, value: Value, out: list[Item]) -> None:
        if self._line is _Line.MIXED:
            out.append(value if value.counts_anywhere else value.text)
        elif value.counts_anywhere and not self._pending:
            out.append(value)
            self._line = _Line.VALUES
        else:
            self._hold(value, out)

    def _refuse(self, text: str, out: list[Item]) -> None:
        """What was no value is text. It is not searched again, which would take quadratic time."""
        self._meet_text(out)
        ended = text.rfind("\n") + 1
        blanks = text[ended:]
        if ended and not blanks.strip(_BLANK):  # so it was refused at the beginning of a line
            out.append(text[:ended])
            self._line = _Line.FRESH
            if blanks:
                self._hold(blanks, out)
        else:
            out.append(text)

    def _forget_value(self) -> None:
        self._scanner, self._pieces, self._size, self._too_long = None, [], 0, False


_BLANK = " \t\r"
_BLANKS = re.compile(r"[ \t\r]*+")
_PLAIN_LINES = re.compile(r"(?:(?![ \t\r]*+\[)[^{\n]*+\n)*+")
_NO_LINE_END = re.compile(r"[^\n]*+")
# Up to a brace that may begin an object with members.
_NO_OBJECT = re.compile(r'(?:[^{\n]++|\{(?=[^ \t\r\n"}]|[ \t\r]*+\}))*+')
# `[INFO]`, `[3/7]` and `[12:30]` are refused here, as the scanner would do more slowly.
_MAY_BE_ARRAY = re.compile(
    r'\[(?:[ \t\r\n"\[\]{]|[0-9-][0-9.eE+-]*+(?:[ \t\r\n,\]I]|\Z)'
    r"|t(?:r|\Z)|f(?:a|\Z)|n(?:u|\Z)|N(?:a|\Z)|I(?:n|\Z)|\Z)"
)
_WITH_TEXT = (_Line.MIXED, _Line.REST)
_FAILURES = 16  # of the parser in one text: the time of each is in proportion to its position there


def _match(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    assert match is not None  # all of these match nothing, too
    return match.end()


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
