"""Reads one stream of text: which rows are drawn on, and how the cursor moves."""

from __future__ import annotations

import re

from ..escapes import CONTROL, CSI, TEXT, Escapes
from .drawing import Drawing
from .finder import Finder
from .held import Kind
from .plain import has_marks, has_only_lines
from .screen import WINDOW
from .tracker import Tracker, Update

__all__ = ("Reader",)

_PRIVATE = "<=>?"
_FORGET_EVERY = 64  # rows


class Reader:
    """Takes the text of bars out of a stream, and sights the bars.

    What is drawn on a row is held until the cursor leaves it: then :class:`Drawing` decides what it is. At
    the end of a chunk a line that has begun passes unless it may become a bar. Lines without any mark of a
    bar pass by all that. :attr:`out` is what passes and what is to be told, in order.
    """

    def __init__(self, finder: Finder, tracker: Tracker) -> None:
        self.tracker = tracker
        self._finder = finder
        self._escapes = Escapes()
        self._drawing = Drawing(finder, tracker)
        self._screen = self._drawing.screen
        self._passed = self._drawing.passed
        self.out: list[str | Update] = self._drawing.out
        self._plain = True  # the row has only text without any mark of a bar
        self._forgotten = 0  # the row where that was done last

    def __bool__(self) -> bool:
        """Whether it would matter if all were forgotten."""
        return bool(
            self.tracker
            or not self._plain
            or self._drawing.held
            or self._escapes
            or self._passed.hidden
            or self._screen.column
            or self._screen.row != self._screen.bottom
        )

    # -- chunks --------------------------------------------------------------------------------

    def read(self, text: str) -> None:
        if not self._is_at_plain_line():
            end = text.find("\n") + 1 or len(text)  # of the line that has begun
            self._read_tokens(text[:end])
            text = text[end:]
            if not text:
                return
        end = text.rfind("\n") + 1
        lines = text[:end] if end < len(text) else text
        if not self._is_at_plain_line() or not has_only_lines(lines, self._finder):
            self._read_tokens(text)
            return
        if not self.tracker.awaits and not has_marks(text, end):
            end = len(text)
        if end:
            self._read_plain(text[:end])
        if end < len(text):
            self._read_tokens(text[end:])

    def skip(self, text: str) -> None:
        """Something passes that cannot be read; ``text`` is the nearest to it."""
        self.release()
        screen, passed = self._screen, self._passed
        self._drawing.skip()
        passed.emit("", screen.row, screen.column, screen.column)
        for _ in range(min(text.count("\n"), WINDOW)):
            passed.line_feed(screen.row, screen.bottom, "")
            screen.line_feed()
        rest = text[text.rfind("\n") + 1 :]
        self._begin_row(moved=False)
        if rest:
            start = screen.column
            screen.write(rest)
            screen.begin()
            passed.emit("", screen.row, start, screen.column)
        self._drawing.passing = screen.column > 0
        self._plain = not self._drawing.passing

    def release(self) -> None:
        """Let go of what is held: what comes next may have nothing to do with it."""
        if text := self._escapes.flush():
            self._drawing.add(text, Kind.STYLE, self._screen.column)
        self._drawing.end()
        self._drawing.end_row()
        self._passed.flush(self._screen.row, self._screen.column)
        self._screen.begin()

    def finish(self) -> None:
        """All is over."""
        self.release()
        self.out += self.tracker.finish()

    def _is_at_plain_line(self) -> bool:
        screen = self._screen
        return (
            self._plain
            and not self._drawing.held
            and not self._escapes
            and screen.row == screen.bottom
            and self._passed.is_lowest(screen.row)
            and not self.tracker.is_live_at(screen.row - 1)
        )

    def _read_plain(self, text: str) -> None:
        screen = self._screen
        count = text.count("\n")
        rest = text[text.rfind("\n") + 1 :]
        row = screen.row
        if count:
            screen.line_feed(count)
            screen.begin()
        if rest:
            screen.write(rest)
        self._drawing.passing = screen.column > 0
        self._passed.lines(row, count, screen.column, text)
        self._forget()

    def _read_tokens(self, text: str) -> None:
        for kind, part in self._escapes.feed(text):
            if kind == TEXT:
                start = self._screen.column
                self._plain = False
                self._screen.write(part)
                self._drawing.add(part, Kind.SHOWN, start)
            elif kind == CONTROL:
                self._control(part)
            elif kind == CSI:
                self._sequence(part)
            else:
                self._drawing.add(part, Kind.OTHER, self._screen.column)
        self._drawing.end_chunk()

    # -- controls ------------------------------------------------------------------------------

    def _control(self, text: str) -> None:
        screen = self._screen
        if text == "\n":
            self._line_feed(text)
        elif text == "\r":
            self._within_row(text, 0)
            self._drawing.moved, self._drawing.passing = True, False
        elif text == "\b":
            self._within_row(text, screen.column - 1)
        else:
            self._drawing.add(text, Kind.OTHER, screen.column)

    def _sequence(self, text: str) -> None:
        screen, final = self._screen, text[-1]
        if final == "m":
            self._drawing.add(text, Kind.STYLE, screen.column)
            return
        first, second = _numbers(text)
        if any(mark in text for mark in _PRIVATE):
            self._drawing.add(text, Kind.OTHER, screen.column)
        elif final in "ABEF":
            count = max(first, 1)
            self._to_row(text, screen.row + (count if final in "BE" else -count), final in "EF")
        elif final in "Hf":
            self._drawing.end()
            self._drawing.end_row()
            self._passed.move(text)
            screen.home(max(first, 1) - 1, max(second, 1) - 1)
            self._begin_row(moved=True)
        elif final == "D":
            self._within_row(text, screen.column - max(first, 1))
        elif final in "G`":
            self._within_row(text, max(first, 1) - 1)
            self._drawing.moved, self._drawing.passing = True, False
        elif final == "C":
            start = screen.column
            screen.column += max(first, 1)
            self._drawing.add(text, Kind.MOVE, start)
        elif final in "KJ":
            self._erase(text, final, first)
        elif final in "P@X":
            {"P": screen.delete, "@": screen.insert, "X": screen.blank}[final](max(first, 1))
            self._drawing.add(text, Kind.MOVE, screen.column)
        else:
            self._drawing.add(text, Kind.OTHER, screen.column)

    def _line_feed(self, text: str) -> None:
        screen = self._screen
        self._drawing.end()
        self._drawing.end_row()
        self.out += self.tracker.leave(screen.row)
        self._passed.line_feed(screen.row, screen.bottom, text)
        moved = screen.row < screen.bottom
        screen.line_feed()
        self._begin_row(moved=moved)
        self._plain = not moved
        self._forget()

    def _begin_row(self, *, moved: bool) -> None:
        self._drawing.begin_row(moved=moved)
        self._plain = False

    def _to_row(self, text: str, row: int, to_start: bool) -> None:
        self._drawing.end()
        self._drawing.end_row()
        self._screen.to_row(row)
        if to_start:
            self._screen.column = 0
        self._passed.move(text)
        self._begin_row(moved=True)

    def _within_row(self, text: str, column: int) -> None:
        start = self._screen.column
        self._drawing.end()
        self._screen.to_column(column)
        self._drawing.add(text, Kind.MOVE, start)
        self._screen.begin()
        self._plain = False

    def _erase(self, text: str, final: str, how: int) -> None:
        screen = self._screen
        if final == "K" and how == 0 and screen.drawn and screen.column >= screen.end:
            screen.erase_line(0)  # what is drawn stays as it is
            self._drawing.add(text, Kind.MOVE, screen.column)
            return
        self._drawing.end()
        screen.erase_line(min(how, 2))
        self._drawing.blanked()
        if final == "J":
            for row in screen.erase_below():
                self.out += self.tracker.clear(row)
        self._drawing.add(text, Kind.MOVE, screen.column)
        screen.begin()
        self._drawing.moved = self._drawing.moved or screen.here().drawn_over

    def _forget(self) -> None:
        """Nothing can come back to rows above the window."""
        bottom = self._screen.bottom
        if bottom - self._forgotten < _FORGET_EVERY:
            return
        self._forgotten = bottom
        self._drawing.forget(bottom - WINDOW)


def _numbers(sequence: str) -> tuple[int, int]:
    """The first two parameters of a control sequence, 0 where there is none. None is beyond a million."""
    found = _PARAMETERS.match(sequence)
    assert found is not None  # it matches nothing as well
    return min(int(found[1] or 0), 10**6), min(int(found[2] or 0), 10**6)


_PARAMETERS = re.compile(r"[^0-9;]*([0-9]{0,9})[0-9]*;?([0-9]{0,9})")
