"""Finds JSON in one stream of text: the values that become events, and the text that passes."""

from __future__ import annotations

import json
import re
from enum import Enum

from ..runtime.text import utf8_size
from .document_events import Document, Item
from .json_values import DEEPEST, Brackets, Stop, count_brackets, decode, end_of, error_position, is_cut
from .text import beginning


class _Line(Enum):
    """The contents of the current line so far."""

    FRESH = "fresh"  # empty, or only blanks and values
    VALUES = "values"  # like FRESH, but events for some of the values were returned already
    MIXED = "mixed"  # it has text
    REST = "rest"  # it has text, and the rest of the line is text, too


class _OpenValue:
    """A value whose end has not been read yet."""

    def __init__(self) -> None:
        self.brackets = Brackets()
        self.pieces: list[str] = []  # not joined each time, which would take quadratic time
        self.size = 0  # bytes of UTF-8
        self.next_attempt = 0  # the size at which it is decoded again
        self.passes = False  # True if it passes as text up to its end

    def add(self, piece: str) -> None:
        self.pieces.append(piece)
        self.size += utf8_size(piece)

    @property
    def text(self) -> str:
        self.pieces = ["".join(self.pieces)]
        return self.pieces[0]


class JsonReader:
    """The state of one stream. Text is held while it can still become an event or a part of one.

    A value is decoded where it begins. If its end has not arrived yet, it is decoded again when its brackets
    are closed, when a character that JSON cannot contain arrives, and each time its size has doubled (while
    it is short, with each new text). So the time is proportional to the length of the text however it is
    split, and a text stops being JSON at the position that `json` reports.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = _Line.FRESH
        self._pending: list[Document] = []  # values and blanks of a line that may turn out to contain text
        self._pending_size = 0  # bytes of UTF-8
        self._value: _OpenValue | None = None
        self._colour = ""  # the start of a colour sequence, at the end of the text
        self._refused = 0  # how many times a value in the text being read was not JSON

    def __bool__(self) -> bool:
        held = self._value is not None or self._pending or self._colour
        return self._line is not _Line.FRESH or bool(held)

    def pass_over(self, text: str) -> bool:
        """Return True if all of ``text`` passes. This check is cheap, and suffices for most output."""
        if "{" in text or "[" in text or text[-1:] in _MAY_GO_ON:
            return False
        if self._value is not None or self._pending or self._colour:
            return False
        if self._line is _Line.VALUES or (self._line is _Line.REST and "\n" not in text):
            return False
        self._line = _Line.FRESH if text.endswith("\n") else _Line.MIXED
        return True

    def read(self, text: str) -> list[Item]:
        """Read the next text; return the text that passes and the values, in order."""
        text, self._colour = self._colour + text, ""
        cut = _CUT_COLOUR.search(text, max(0, len(text) - _LONGEST_COLOUR))
        if cut is not None:
            text, self._colour = text[: cut.start()], cut[0]
        out: list[Item] = []
        self._read(text, out)
        if self._colour and self._value is None and self._line in _WITH_TEXT:
            out.append(self._colour)
            self._colour = ""
        return out

    def end(self) -> list[Item]:
        """Return the held items at the end of the stream, which also ends the line."""
        out = self._settle()
        if self._value is not None or self._colour:
            return out + self.release()
        self._end_line("", out)
        return out

    def release(self) -> list[Item]:
        """Return the held text, because it cannot be held any longer."""
        out = self._settle()
        if self._value is not None or self._pending or self._colour:
            self._end_values(out)
            if self._value is not None:
                out += self._value.pieces
            out.append(self._colour)
            self._value, self._colour = None, ""
        return out

    def after_bytes(self, data: bytes) -> None:
        """Record that bytes which are not UTF-8 have passed."""
        self._line = _Line.FRESH if data.endswith(b"\n") else _Line.MIXED

    def _read(self, text: str, out: list[Item]) -> None:
        position = self._refused = 0
        while position < len(text):
            if self._value is not None:
                text, position = self._read_value(self._value, text, position, out)
            elif self._line in _WITH_TEXT:
                position = self._read_text(text, position, out)
            elif text[position] in "{[":
                position = self._begin_value(text, position, out)
            else:
                position = self._read_between(text, position, out)
            if self._refused == _REBASED:  # `json` takes time proportional to the position of an error
                text, position, self._refused = text[position:], 0, 0

    def _settle(self) -> list[Item]:
        """Decode the open value once more: it may have stopped being JSON since it was last decoded."""
        out: list[Item] = []
        value = self._value
        if value is not None and value.pieces and (wrong := error_position(_plain(value.text))) is not None:
            self._read(self._refuse(value, wrong, out), out)
        return out

    # -- lines ---------------------------------------------------------------------------------

    def _read_text(self, text: str, start: int, out: list[Item]) -> int:
        stop = (_OBJECT_OR_LINE_END if self._line is _Line.MIXED else _LINE_END).search(text, start)
        end = stop.start() if stop else len(text)
        ended = text.startswith("\n", end)
        out.append(text[start : end + ended])
        if ended:
            self._line = _Line.FRESH
        elif end < len(text):  # a brace stopped the search
            return self._begin_value(text, end, out)
        return end + ended

    def _read_between(self, text: str, start: int, out: list[Item]) -> int:
        """Read text that does not begin a value, on a line without text so far."""
        if not self and (end := end_of(_PLAIN_LINES, text, start)) > start:
            out.append(text[start:end])
            return end
        end = end_of(_BLANKS, text, start)
        if end > start:
            self._hold(Document(None, text[start:end]), out)
        elif text[start] == "\n":
            self._end_line("\n", out)
            end = start + 1
        else:
            self._end_values(out)
        return end

    def _hold(self, item: Document, out: list[Item]) -> None:
        self._pending.append(item)
        self._pending_size += utf8_size(item.text)
        if self._pending_size > self._limit:
            self._end_values(out)

    def _end_line(self, end: str, out: list[Item]) -> None:
        """End a line without text: if it has values, their events replace the whole line."""
        values = [item for item in self._pending if item.data is not None]
        if values or self._line is _Line.VALUES:
            out += values
        else:
            out += (*(item.text for item in self._pending), end)
        self._pending, self._pending_size, self._line = [], 0, _Line.FRESH

    def _end_values(self, out: list[Item]) -> None:
        """Treat the line as one with text: among the held values, only objects with members become events."""
        if self._pending:
            out += (item if item.counts_anywhere else item.text for item in self._pending)
            self._pending, self._pending_size = [], 0
        if self._line is not _Line.REST:
            self._line = _Line.MIXED

    # -- values --------------------------------------------------------------------------------

    def _begin_value(self, text: str, start: int, out: list[Item]) -> int:
        """Decode the value at a bracket, or begin an open value; return the position to continue from."""
        if self._line is not _Line.MIXED and text[start] == "[" and not _MAY_BE_ARRAY.match(text, start):
            self._end_values(out)
            return start
        room = (self._limit - self._pending_size) // 4  # a number of characters that cannot exceed the limit
        try:
            data, end = decode(text, start)
        except json.JSONDecodeError as error:
            end = error.pos
            no_limit = end - start + _LONGEST_WORD < room and count_brackets(text, start, end) < DEEPEST
            if no_limit and not is_cut(error) and not _COLOUR_WITHIN.match(text, end):
                self._pass_refused(text[start:end], out)
                return end
        except ValueError:
            pass
        else:
            if end - start <= room:
                value = Document(data, text[start:end])
                if not self and value.counts_anywhere and text.startswith("\n", end):
                    out.append(value)  # the most common case
                    return end + 1
                self._add(value, out)
                return end
        self._value = _OpenValue()
        return start

    def _read_value(self, value: _OpenValue, text: str, start: int, out: list[Item]) -> tuple[str, int]:
        """Read more of an open value; return the text and the position in it to continue from."""
        end = min(len(text), start + _WINDOW)
        if end < len(text) and (cut := _CUT_COLOUR.search(text, end - _LONGEST_COLOUR, end)):
            end = cut.start()
        plain = _plain(text[start:end])
        stop, length = value.brackets.read(plain)
        if stop is not Stop.OPEN:
            end = start + _original(text[start:end], length)
            self._value = None
        if value.passes:
            out.append(text[start:end])
        else:
            value.add(text[start:end])
            wrong = self._decide(value, stop, plain[length : length + 1], out)
            if wrong is not None:
                return self._refuse(value, wrong, out) + text[end:], 0
        if stop is Stop.TOO_DEEP:
            self._end_values(out)
            self._line = _Line.REST
        return text, end

    def _decide(self, value: _OpenValue, stop: Stop, following: str, out: list[Item]) -> int | None:
        """Add the value if it is complete, or let its text pass if it cannot be added.

        Returns:
            The position at which the value stops being JSON; None if it does not, or was not decoded again.
        """
        if self._pending_size + value.size > self._limit:
            self._end_values(out)
        too_long = value.size > self._limit
        if too_long:
            # However the text is split, the same part of it decides: the shortest one that is too long.
            text = value.text[: len(beginning(value.text, self._limit)) + 1]
        elif stop is not Stop.OPEN:
            text = value.text + following
        elif _EAGER < value.size < value.next_attempt:
            return None
        else:
            text = value.text
            value.next_attempt = 2 * value.size
        if stop is Stop.CLOSED and not too_long:
            try:
                self._add(Document(decode(_plain(text))[0], value.text), out)
                return None
            except ValueError:
                pass
        wrong = error_position(_plain(text))
        if wrong is None and (too_long or stop is not Stop.OPEN):
            self._end_values(out)
            out.append(value.text)
            value.pieces, value.passes = [], True
        return wrong

    def _add(self, value: Document, out: list[Item]) -> None:
        if self._line is _Line.MIXED:
            out.append(value if value.counts_anywhere else value.text)
        elif value.counts_anywhere and not self._pending:
            out.append(value)
            self._line = _Line.VALUES
        else:
            self._hold(value, out)

    def _refuse(self, value: _OpenValue, wrong: int, out: list[Item]) -> str:
        """Pass the text up to the position at which it stopped being JSON; return the rest."""
        text = value.text
        end = _original(text, wrong)
        self._value = None
        self._pass_refused(text[:end], out)
        return text[end:]

    def _pass_refused(self, text: str, out: list[Item]) -> None:
        """Pass text that is not JSON. It is not searched again, which would take quadratic time."""
        self._refused += 1
        self._end_values(out)
        ended = text.rfind("\n") + 1
        blanks = text[ended:]
        if ended and not _plain(blanks).strip(_BLANK):  # it stopped being JSON at the start of a line
            out.append(text[:ended])
            self._line = _Line.FRESH
            if blanks:
                self._hold(Document(None, blanks), out)
        else:
            out.append(text)


_EAGER = 1024  # up to this size in bytes, a value is decoded with each text, which takes little time
_WINDOW = 4096  # characters of an open value that are read at a time
_REBASED = 16
_LONGEST_WORD = 16  # maximum characters of a word or an escape; an error in it is reported at its start
_BLANK = " \t\r"
_MAY_GO_ON = _BLANK + "\x1b"
_WITH_TEXT = (_Line.MIXED, _Line.REST)
# Colours may be anywhere in JSON, as in the output of `jq -C`.
_LONGEST_COLOUR = 36  # maximum characters of a colour sequence
_SGR = r"\x1b\[[0-9;:]{0,32}m"
_COLOUR = re.compile(_SGR)
_CUT_COLOUR = re.compile(r"\x1b(?:\[[0-9;:]{0,32})?\Z")
# A colour and the word before it, where the parser may report the error.
_COLOUR_WITHIN = re.compile(rf"[-+.\w\\]{{0,16}}{_SGR}")
_BLANKS = re.compile(rf"(?:[ \t\r]+|{_SGR}){{0,100}}")
# `re` keeps about 100 bytes for each repetition of a group until the match ends, so repetitions are limited.
_PLAIN_LINES = re.compile(r"(?:(?![ \t\r]*[\x1b\[])[^{\n]*\n){0,1000}")
_LINE_END = re.compile(r"\n")
# A brace may begin an object with members unless it is followed by `}`, possibly after blanks, or by a
# character other than a blank, a line feed, a quote or an escape.
_OBJECT_OR_LINE_END = re.compile(r'\n|\{(?![^ \t\r\n"}\x1b]|[ \t\r]*\})')
# `[INFO]`, `[3/7]` and `[12:30]` are refused here, because the parser would take longer to refuse them.
_MAY_BE_ARRAY = re.compile(
    r'\[(?:[ \t\r\n"\[\]{\x1b]|[0-9-][0-9.eE+-]*(?:[ \t\r\n,\]I\x1b]|\Z)'
    r"|t(?:r|\Z)|f(?:a|\Z)|n(?:u|\Z)|N(?:a|\Z)|I(?:n|\Z)|\Z)"
)


def _plain(text: str) -> str:
    """Return ``text`` without colour sequences, including an incomplete one at its end."""
    return _CUT_COLOUR.sub("", _COLOUR.sub("", text)) if "\x1b" in text else text


def _original(text: str, position: int) -> int:
    """Return the position in ``text`` that corresponds to ``position`` in ``_plain(text)``."""
    if "\x1b" in text:
        for match in _COLOUR.finditer(text):
            if match.start() >= position:
                break
            position += match.end() - match.start()
    return position
