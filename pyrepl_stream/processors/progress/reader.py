"""Reads one stream of text: which rows show bars, and what of the text passes."""

from __future__ import annotations

import re

from ..escapes import CONTROL, CSI, TEXT, Escapes
from .bar import Bar, Library
from .finder import Finder
from .passed import Passed
from .screen import LONGEST_ROW, WINDOW, Screen
from .tracker import Tracker, Update

__all__ = ("Reader",)

_GLYPHS = "\u2500-\u257b\u2580-\u259f\u25a0-\u25ff\u2800-\u28ff"  # lines, blocks, shapes, braille
_MARKS = re.compile(f"[\b\r\x1b\x80-\x9f%{_GLYPHS}]")
_NOT_PLAIN = re.compile(f"[\x80-\x9f{_GLYPHS}]")
_PRIVATE = "<=>?"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor
_LONGEST_HELD = 1 << 16  # characters
_MOST_HELD = 1 << 12  # pieces
_FORGET_EVERY = 64  # rows


class Reader:
    """Takes the text of bars out of a stream, and sights the bars.

    What is drawn on a row is held until the cursor leaves it: then the drawing is a bar's and dropped, or
    it is text and passes, or it would be a bar if it were drawn over. At the end of a chunk a line that
    has begun passes unless it may become a bar. :attr:`out` is what passes and what is to be told, in order.
    """

    def __init__(self, finder: Finder, tracker: Tracker) -> None:
        self.tracker = tracker
        self._finder = finder
        self._escapes = Escapes()
        self._screen = Screen()
        self._passed = Passed()
        self.out: list[str | Update] = self._passed.out
        self._bars: set[int] = set()  # rows whose last drawing was a bar, or that are blank since then
        self._held: list[_Held] = []
        self._held_size = 0
        self._cursor_hidden = False  # by what has passed
        self._passing = False  # what is drawn passes at once
        self._plain = True  # the row has only text without any mark of a bar
        self._moved = False  # the cursor came to where it draws otherwise than by a line feed
        self._candidate: tuple[Library, Bar, str] | None = None  # a bar if it is drawn over
        self._forgotten = 0

    def __bool__(self) -> bool:
        """Whether it would matter if all were forgotten."""
        return bool(
            self.tracker
            or not self._plain
            or self._held
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
        if not self._is_at_plain_line() or not self._has_only_lines(text[:end] if end < len(text) else text):
            self._read_tokens(text)
            return
        if not self.tracker.awaits and not _MARKS.search(text, end):
            end = len(text)
        if end:
            self._read_plain(text[:end])
        if end < len(text):
            self._read_tokens(text[end:])

    def _has_only_lines(self, text: str) -> bool:
        """Whether this is text, in colours at most, and no bar: as most output is, so it has to be fast."""
        if "\b" in text or ("\r" in text and text.count("\r") != text.count("\r\n")):
            return False
        has_colours = "\x1b" in text
        if has_colours and not _COLOURED.fullmatch(text):
            return False
        if "%" not in text and (text.isascii() or not _NOT_PLAIN.search(text)):
            return True
        if _C1.search(text):
            return False
        return not self._finder.may_believe(_COLOUR.sub("", text) if has_colours else text)

    def skip(self, text: str) -> None:
        """Something passes that cannot be read; ``text`` is the nearest to it."""
        self.release()
        screen, passed = self._screen, self._passed
        self._bars.discard(screen.row)
        self.out += self.tracker.cover(screen.row)
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
        self._passing = screen.column > 0
        self._plain = not self._passing

    def release(self) -> None:
        """Let go of what is held: what comes next may have nothing to do with it."""
        if text := self._escapes.flush():
            self._add(text, _STYLE, self._screen.column)
        self._end_drawing()
        self._end_row()
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
            and not self._held
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
        self._passing = screen.column > 0
        self._passed.lines(row, count, screen.column, text)
        self._forget()

    def _read_tokens(self, text: str) -> None:
        for kind, part in self._escapes.feed(text):
            if kind == TEXT:
                start = self._screen.column
                self._plain = False
                self._screen.write(part)
                self._add(part, _SHOWN, start)
            elif kind == CONTROL:
                self._control(part)
            elif kind == CSI:
                self._sequence(part)
            else:
                self._add(part, _OTHER, self._screen.column)
        self._end_chunk()

    # -- controls ------------------------------------------------------------------------------

    def _control(self, text: str) -> None:
        screen = self._screen
        if text == "\n":
            self._line_feed(text)
        elif text == "\r":
            self._within_row(text, 0)
            self._moved, self._passing = True, False
        elif text == "\b":
            self._within_row(text, screen.column - 1)
        else:
            self._add(text, _OTHER, screen.column)

    def _sequence(self, text: str) -> None:
        screen, final = self._screen, text[-1]
        if final == "m":
            self._add(text, _STYLE, screen.column)
            return
        first, second = _numbers(text)
        if any(mark in text for mark in _PRIVATE):
            self._add(text, _OTHER, screen.column)
        elif final in "ABEF":
            count = max(first, 1)
            self._to_row(text, screen.row + (count if final in "BE" else -count), final in "EF")
        elif final in "Hf":
            self._end_drawing()
            self._end_row()
            self._passed.move(text)
            screen.home(max(first, 1) - 1, max(second, 1) - 1)
            self._begin_row(moved=True)
        elif final == "D":
            self._within_row(text, screen.column - max(first, 1))
        elif final in "G`":
            self._within_row(text, max(first, 1) - 1)
            self._moved, self._passing = True, False
        elif final == "C":
            start = screen.column
            screen.column += max(first, 1)
            self._add(text, _MOVE, start)
        elif final in "KJ":
            self._erase(text, final, first)
        elif final in "P@X":
            {"P": screen.delete, "@": screen.insert, "X": screen.blank}[final](max(first, 1))
            self._add(text, _MOVE, screen.column)
        else:
            self._add(text, _OTHER, screen.column)

    def _line_feed(self, text: str) -> None:
        screen = self._screen
        self._end_drawing()
        self._end_row()
        self.out += self.tracker.leave(screen.row)
        self._passed.line_feed(screen.row, screen.bottom, text)
        moved = screen.row < screen.bottom
        screen.line_feed()
        self._begin_row(moved=moved)
        self._plain = not moved
        self._forget()

    def _to_row(self, text: str, row: int, to_start: bool) -> None:
        self._end_drawing()
        self._end_row()
        self._screen.to_row(row)
        if to_start:
            self._screen.column = 0
        self._passed.move(text)
        self._begin_row(moved=True)

    def _within_row(self, text: str, column: int) -> None:
        start = self._screen.column
        self._end_drawing()
        self._screen.to_column(column)
        self._add(text, _MOVE, start)
        self._screen.begin()
        self._plain = False

    def _erase(self, text: str, final: str, how: int) -> None:
        screen = self._screen
        if final == "K" and how == 0 and screen.drawn and screen.column >= screen.end:
            screen.erase_line(0)  # what is drawn stays as it is
            self._add(text, _MOVE, screen.column)
            return
        self._end_drawing()
        screen.erase_line(min(how, 2))
        if self._candidate is not None and not screen.here().cells:
            self._sight(*self._candidate)
        if not screen.here().cells:
            self.out += self.tracker.clear(screen.row)
        if final == "J":
            for row in screen.erase_below():
                self.out += self.tracker.clear(row)
        self._add(text, _MOVE, screen.column)
        screen.begin()
        self._moved = self._moved or screen.here().drawn_over

    # -- drawings ------------------------------------------------------------------------------

    def _end_drawing(self) -> None:
        """The cursor leaves what was drawn: decide what it was."""
        screen = self._screen
        if not screen.drawn:
            return
        line = screen.line()
        short = line if screen.end <= LONGEST_ROW else ""
        if not line:
            if screen.row in self._bars:
                self.out += self.tracker.clear(screen.row)
                self._drop_held()
        elif (beginning := self._finder.find_beginning(short)) is not None:
            self._take_beginning(*beginning, short)
            self._take_text()
        elif (found := self._finder.find(short)) is None:
            self._take_text()
        elif self._is_believed(*found):
            if self._candidate is not None and self._candidate[0] is found[0]:
                self._sight(*self._candidate)
            self._sight(*found, line)
        else:
            self._candidate = (*found, line)
            screen.here().candidate = found[0].name
        screen.begin()

    def _take_text(self) -> None:
        """The drawing is no bar."""
        row = self._screen.row
        self.out += self.tracker.end_guess()
        self.out += self.tracker.cover(row)
        self._bars.discard(row)
        self._pass_held()
        self._candidate = None

    def _take_beginning(self, library: Library, bar: Bar, end: int, line: str) -> None:
        """Somebody printed behind a bar, as `print` does while tqdm runs: only the bar is dropped."""
        for index in range(len(self._held) - 1, -1, -1):
            text, kind, start = self._held[index]
            if kind == _SHOWN and start < end:
                break
        else:
            return
        rest = [(text, kind, max(0, start - end)) for text, kind, start in self._held[index + 1 :]]
        if start + len(text) > end:
            rest.insert(0, (text[end - start :], _SHOWN, 0))
        del self._held[index + 1 :]
        self._sight(library, bar, line[:end])
        self._held = rest

    def _end_row(self) -> None:
        """The cursor leaves the row: what is held has to go."""
        if screen_is_bar := self._screen.row in self._bars:
            self._drop_held()
        else:
            self._pass_held()
        if self._candidate is not None and not screen_is_bar:
            self.out += self.tracker.cover(self._screen.row)
        self._candidate = None
        self._passing = False

    def _begin_row(self, *, moved: bool) -> None:
        self._screen.begin()
        self._moved = moved
        self._plain = False

    def _end_chunk(self) -> None:
        """Show what there is, as long as nothing more comes."""
        screen = self._screen
        if not screen.drawn:
            if self._passed.has(screen.row) and not self._may_become_bar(""):
                self._pass_held()
            return
        line = screen.line()
        if not self._passing and not self._may_become_bar(line):
            self._pass_held()
            self._passing = True
        found = self._finder.find(line) if line and screen.end <= LONGEST_ROW else None
        if found is None or not self._is_believed(*found):
            return
        library, bar = found
        if self._is_styled():
            return  # its last column is not whole
        if library.name == self.tracker.library_at(screen.row) or (not library.redrawn and self._is_live()):
            self.out += self.tracker.guess(screen.row, library.name, bar, line)

    def _is_live(self) -> bool:
        """Whether somebody draws here, and does not only print lines."""
        return self._moved or self._cursor_hidden or self.tracker.is_live_at(self._screen.row - 1)

    def _is_styled(self) -> bool:
        """Whether what is held ends in a colour."""
        styles = [text for text, kind, _ in self._held if kind == _STYLE]
        return bool(styles) and styles[-1] not in ("\x1b[0m", "\x1b[m", "\x1b[39m")

    def _is_believed(self, library: Library, bar: Bar) -> bool:
        if not library.redrawn and not bar.doubtful:
            return True
        number, row = self._screen.row, self._screen.here()
        if library.redrawn and bar.doubtful:
            known = library.name in (row.candidate, self.tracker.library_at(number))
            return row.drawn_over and known
        return row.drawn_over or self.tracker.library_at(number - 1) == library.name

    def _may_become_bar(self, line: str) -> bool:
        row = self._screen.row
        return (
            self._moved
            or self._cursor_hidden
            or any(text == _HIDE for text, _, _ in self._held)
            or self._candidate is not None
            or row in self._bars
            or _MARKS.search(line) is not None
            or self.tracker.awaits
            or self.tracker.is_live_at(row - 1)
        )

    def _sight(self, library: Library, bar: Bar, line: str) -> None:
        row = self._screen.row
        self._drop_held()
        self.out += self.tracker.sight(row, library.name, bar, line)
        self._bars.add(row)
        self._candidate = None

    # -- what is held --------------------------------------------------------------------------

    def _add(self, text: str, kind: str, start: int) -> None:
        """``text`` took the cursor from the column ``start`` to where it is."""
        if self._passing:
            self._passed.emit(text, self._screen.row, start, self._screen.column)
            self._note_cursor(text)
            return
        self._held.append((text, kind, start))
        self._held_size += len(text)
        if self._held_size > _LONGEST_HELD or len(self._held) > _MOST_HELD:
            if self._screen.row in self._bars and not self._screen.drawn:
                self._drop_held()
            else:
                self._pass_held()
                self._passing = True

    def _pass_held(self) -> None:
        if not self._held:
            return
        row, held = self._screen.row, self._held
        if row in self._passed.hidden:  # what wiped the bar away is not for the reader, who never had it
            first = next((index for index, item in enumerate(held) if item[1] == _SHOWN), len(held))
            held = [item for item in held[:first] if item[1] != _MOVE] + held[first:]
        shows = any(kind == _SHOWN for _, kind, _ in held)
        if not shows and not self._passed.exact and not self._passed.has(row):
            self._pass_controls()
            return
        if held:
            start: int | None = held[0][2]
            if held[0][0] == "\r":
                start = None
            elif row in self._passed.hidden:
                start = next((start for _, kind, start in held if kind == _SHOWN), start)
            self._passed.emit("".join(item[0] for item in held), row, start, self._screen.column)
            for text, kind, _ in held:
                if kind == _OTHER:
                    self._note_cursor(text)
        self._held, self._held_size = [], 0

    def _drop_held(self) -> None:
        if not self._held:
            return
        self._pass_controls()
        self._passed.drop(self._screen.row)

    def _pass_controls(self) -> None:
        """Of what is held, only that which has nothing to do with places: titles, bells."""
        for text, kind, _ in self._held:
            if kind == _OTHER and text != _HIDE and (text != _SHOW or self._cursor_hidden):
                self.out.append(text)
                self._note_cursor(text)
        self._held, self._held_size = [], 0

    def _note_cursor(self, text: str) -> None:
        if text in (_HIDE, _SHOW):
            self._cursor_hidden = text == _HIDE

    def _forget(self) -> None:
        """Nothing can come back to rows above the window."""
        bottom = self._screen.bottom
        if bottom - self._forgotten < _FORGET_EVERY:
            return
        self._forgotten = bottom
        before = bottom - WINDOW
        self._screen.forget(before)
        self._passed.forget(before)
        self._bars = {row for row in self._bars if row >= before}
        self.out += self.tracker.forget(before)


_Held = tuple[str, str, int]
"""What was written, what it does, and the column before it."""
_SHOWN, _STYLE, _MOVE, _OTHER = "shown", "style", "move", "other"

_C1 = re.compile("[\x80-\x9f]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_COLOURED = re.compile(r"[^\x1b\x80-\x9f]*(?:\x1b\[[0-9;:]*m[^\x1b\x80-\x9f]*)*")


def _numbers(sequence: str) -> tuple[int, int]:
    """The first two parameters of a control sequence, 0 where there is none. None is beyond a million."""
    found = _PARAMETERS.match(sequence)
    assert found is not None  # it matches nothing as well
    return min(int(found[1] or 0), 10**6), min(int(found[2] or 0), 10**6)


_PARAMETERS = re.compile(r"[^0-9;]*([0-9]{0,9})[0-9]*;?([0-9]{0,9})")
