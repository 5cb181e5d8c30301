"""The text of a stream without its progress bars, as lines for a reader."""

from __future__ import annotations

import re

from wcwidth import clip

from ...terminal.controls import action
from ...terminal.page import Page
from ...terminal.parser import Escapes, runs
from ...terminal.terminal import Terminal
from ...terminal.widths import columns
from .bar import Bar, BarFormat
from .effects import OTHER, ROW, STYLE, TEXT, Effect
from .finder import Finder
from .tracker import Tracker
from .watch import HIDE, LONGEST_LINE, SHOW, BarWatch

_STYLE = re.compile(r"(?:\x1b\[|\x9b)[0-9;:]*[ -/]*m")
_ROWS = 200  # rows above the lowest one that the program can reach
_WIDEST = 1 << 12  # columns; the width of the program's terminal is not known
_LONGEST = 1 << 16  # maximum number of characters that are held
_PIECE = 16  # the overhead of a piece, counted as characters

_Piece = tuple[str, Effect, int]
"""A text, its effect, and the column where it begins."""


class TextWatch(BarWatch):
    """Removes the bars from a stream of text. ``out`` gets the text that passes and the messages, in order.

    The stream is drawn, without colours, on a terminal. The cursor starts at the bottom, because there may be
    rows above it that it can reach. Text written on a row is held until the cursor leaves the row, or until
    it is known not to be a bar; then it passes unchanged. At the end of a chunk an unfinished line passes
    unless it may become a bar. Lines without any mark of a bar are not drawn.

    The *reader* is the terminal that shows the text that passes. Its lines correspond to the rows of the
    page. As long as nothing has been left out, cursor movements pass. After that, the reader's cursor is
    moved to the row of each text that passes.
    """

    def __init__(self, finder: Finder, tracker: Tracker) -> None:
        terminal = Terminal(Page(2 * _ROWS), "", _ROWS + 1, _WIDEST)
        terminal.append([""] * _ROWS, missed=0)
        terminal.window.scrolled = -_ROWS
        super().__init__(terminal, finder, tracker)
        self._escapes = Escapes()
        self._held: list[_Piece] = []
        self._size = 0  # the size of the held text, in characters
        self._exact = True  # nothing has been left out
        self._at_line = self._last = self._number()  # the line of the reader's cursor, and the lowest line
        self._at_column = 0  # the column of the reader's cursor
        self._fresh = True  # the reader's lowest line is still empty
        self._reader_hides = False  # the reader's cursor is hidden

    def __bool__(self) -> bool:
        """Return True when discarding the watch would lose text or state."""
        return bool(
            self.tracker
            or self._held
            or self._bars
            or self._escapes
            or self._terminal.x
            or not self._is_plain
            or self.row != self._lowest
            or self._terminal.window.alternate
        )

    def read(self, text: str) -> None:
        """Read the next chunk of the stream."""
        if not self._is_at_plain_line() or self._escapes:
            end = text.find("\n") + 1 or len(text)  # the end of the line that has begun
            self._draw(text[:end])
            text = text[end:]
            if not text:
                return
        # A control string may span lines: then nothing may overtake what is held of it.
        if end := 0 if self._escapes else self.plain(text):
            self._pass_lines(text[:end], text[:end])
        if end < len(text):
            self._draw(text[end:])

    def skip(self, text: str) -> None:
        """Account for undecodable bytes that pass; ``text`` is their approximate decoding."""
        self.release()
        self._bars.discard(self.row)
        self.out += self.tracker.cover(self.row)
        self._pass_lines("".join(one for one in text if one == "\n" or one.isprintable()), "")

    def release(self) -> None:
        """Pass the held text: the next output may be unrelated to it."""
        if text := self._escapes.flush():
            self._add(text, STYLE, self._terminal.x)
        super().release()

    def _pass_lines(self, text: str, passed: str) -> None:
        """Draw the end of ``text``, which has no mark of a bar, and pass ``passed`` in its place."""
        self._go(None)
        self._terminal.skip_lines(text.count("\n"))
        self._write(text[text.rfind("\n") + 1 :])
        self.skipped()
        self.out.append(passed)
        self._at_line = self._last = self._number()
        self._at_column = self._terminal.x
        self._fresh = not self._at_column

    def _draw(self, text: str) -> None:
        terminal = self._terminal
        for shown, control in runs(self._escapes.complete(text)):
            start = terminal.x
            if control:
                self.control(control, action(control))
            elif plain := _STYLE.sub("", shown) if "\x1b" in shown else shown:
                self._write(plain)
                self.wrote(shown, start)
            else:
                self._add(shown, STYLE, start)
        self.end_chunk()

    def _write(self, text: str) -> None:
        """Draw text; beyond the columns that are examined, it only moves the cursor."""
        terminal = self._terminal
        room = LONGEST_LINE - terminal.x
        if text and room > 0:
            terminal.write(text[:room])
        if len(text) > room:
            terminal.x += columns(text[max(room, 0) :])

    # -- events on rows ------------------------------------------------------------------------

    def plain(self, text: str) -> int:
        """See :class:`BarWatch`. On the alternate screen all text is drawn, to find its end."""
        return 0 if self._terminal.window.alternate else super().plain(text)

    def end_chunk(self) -> None:
        """See :class:`BarWatch`."""
        if not self._drawn and self._held and self._has_row() and not self._may_become_bar(""):
            self._show()
        super().end_chunk()

    def _is_at_plain_line(self) -> bool:
        return super()._is_at_plain_line() and not self._held and self._number() >= self._last

    def _pass(self, shown: str) -> None:
        self.out += [text for text, _, _ in self._take_held()]
        self.out.append(shown)

    def _take_beginning(self, library: BarFormat, bar: Bar, line: str) -> None:
        if self._passing:
            return
        rest = self._held_from(columns(line))
        super()._take_beginning(library, bar, line)
        self._held = rest
        self._size = sum(len(text) + _PIECE for text, _, _ in rest)

    def _add(self, text: str, effect: Effect, start: int) -> None:
        if effect is ROW and not self._exact:
            return
        if effect is OTHER or "\x1b" in text:
            super()._add(text, effect, start)
        if self._passing:
            self._emit(text, start)
            return
        self._held.append((text, effect, start))
        self._size += len(text) + _PIECE
        if self._size > _LONGEST:
            if self.row in self._bars and not self._drawn:
                self._hide()
            else:
                self._show()
                self._passing = True

    def _lift(self) -> None:
        if not self._has_row():
            super()._lift()

    def _hide(self) -> None:
        super()._hide()
        if self._held:
            self._pass_others()
            self._exact = False

    def _show(self) -> None:
        hidden, lifted = self._is_hidden(), self._terminal.window.is_lifted(self._terminal.y)
        super()._show()
        if lifted:
            self._insert_line()
        if not self._held:
            return
        first = next((place for place, piece in enumerate(self._held) if piece[1] is TEXT), None)
        if first is None and not self._exact and not self._has_row():
            self._pass_others()
            return
        held = self._take_held()
        start = None if held[0][0] == "\r" else held[0][2]
        if hidden:  # the reader never had the bar that the first pieces erase, so the text begins its line
            kept = [piece for piece in held[:first] if piece[1] in (STYLE, OTHER)]
            held = kept + held[first:]
            start = 0
        self._emit("".join([text for text, _, _ in held]), start)

    def _feed(self, control: str) -> None:
        super()._feed(control)
        if self._exact or (not self._is_hidden() and self._number() >= self._last):
            self._go(None)
            self.out.append(control)
            self._at_line, self._at_column = self._at_line + 1, 0
            if self._at_line > self._last:
                self._last, self._fresh = self._at_line, True

    # -- the held text -------------------------------------------------------------------------

    def _take_held(self) -> list[_Piece]:
        held, self._held, self._size = self._held, [], 0
        return held

    def _pass_others(self) -> None:
        """Drop the held text, but pass controls that do not depend on a position or hide the cursor."""
        for text, effect, _ in self._take_held():
            if effect is OTHER and text != HIDE and (text != SHOW or self._reader_hides):
                self.out.append(text)
                self._reader_hides = self._reader_hides and text != SHOW

    def _held_from(self, end: int) -> list[_Piece]:
        """Return the held text from the column ``end`` on, with columns counted from ``end``."""
        found: list[_Piece] = []
        for text, effect, start in self._held:
            if effect is TEXT and start < end:
                rest = clip(text, end - start, len(text) * 2, propagate_sgr=False)
                found = [(rest, TEXT if _STYLE.sub("", rest) else STYLE, 0)]
            else:
                found.append((text, effect, max(0, start - end)))
        return found

    # -- the lines of the reader ---------------------------------------------------------------

    def _number(self) -> int:
        """Return the page's number for the cursor's row; the reader's line has the same number."""
        return self._terminal.window.number(self._terminal.y)

    def _has_row(self) -> bool:
        """Return True when the reader has a line for the cursor's row."""
        return 0 <= self._number() < self._last + (not self._fresh)

    def _is_hidden(self) -> bool:
        """Return True when the reader has no line for the cursor's row because a bar is on it."""
        return self.row in self._bars and not self._has_row()

    def _insert_line(self) -> None:
        """Insert a line for the cursor's row, which is back on the page, if rows follow it."""
        number = self._number()
        if 0 <= number <= self._last and number + 1 < self._terminal.window.page.own_end:
            self._up_or_down(number)
            self.out.append("\r\x1b[L")
            self._last += 1
            self._at_column = 0

    def _emit(self, text: str, start: int | None) -> None:
        """Pass text that moves the cursor from the column ``start`` (None: any) to its current position."""
        self._go(start)
        self.out.append(text)
        self._at_column = self._terminal.x
        if (at := text.rfind("\x1b[?25")) >= 0:
            self._reader_hides = text.startswith(HIDE, at)

    def _go(self, column: int | None) -> None:
        """Move the reader's cursor to the row of the terminal's cursor and to ``column`` (None for any)."""
        number = self._number()
        if self._exact:
            self._at_line = number
            if number > self._last:
                self._last = number
        elif number > self._last:
            self._up_or_down(self._last)
            self.out.append("\n" * (number - self._last))
            self._at_line = self._last = number
            self._at_column = 0
        else:
            self._up_or_down(number)
        if number == self._last:
            self._fresh = False
        if not self._exact and column is not None and column != self._at_column:
            self.out.append(f"\r\x1b[{column}C" if column else "\r")

    def _up_or_down(self, line: int) -> None:
        if count := line - self._at_line:
            self.out.append(f"\x1b[{abs(count)}{'B' if count > 0 else 'A'}")
            self._at_line = line
