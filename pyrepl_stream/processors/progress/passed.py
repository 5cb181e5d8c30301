"""Where the text that is passed on puts the reader's cursor, when the rows of bars are left out."""

from __future__ import annotations

from .screen import WINDOW
from .tracker import Update

__all__ = ("Passed",)

_MOST_MOVES = 64


class Passed:
    """Re-expresses movements between rows for a reader who does not have all rows.

    Text goes out by :meth:`emit`, for a place of the screen. As long as nothing was dropped, movements go
    out as they came; else they are made anew: by the number of the reader's rows between, and a column.
    The reader's lines are numbered from 0, in his order.
    """

    def __init__(self) -> None:
        self.out: list[str | Update] = []  # text, and among it what its owner puts there
        self.hidden: set[int] = set()  # rows that were drawn on, and that the reader does not have
        self._lines: dict[int, int] = {}  # the reader's line of each row
        self._first = 0  # row; above it all are taken to be the reader's, one after another
        self._first_line = 0
        self._line = 0  # where his cursor is
        self._column = 0
        self._last = 0  # his lowest line
        self._fresh = True  # and whether no row has it yet
        self.exact = True  # his cursor is where the program's was, but for these movements
        self._moves: list[str] = []

    def has(self, row: int) -> bool:
        """Whether the reader has this row, so that whatever is on it was shown to him."""
        return row in self._lines or (row < self._first and row not in self.hidden)

    def is_lowest(self, row: int) -> bool:
        """Whether what is written on the program's lowest row is on the reader's lowest line."""
        line = self._lines.get(row)
        return row not in self.hidden and (self._fresh if line is None else line == self._last)

    def emit(self, text: str, row: int, start: int | None, end: int) -> None:
        """``text`` takes the program's cursor from column ``start`` (None: any) of ``row`` to ``end``."""
        self._go(row, start)
        self.out.append(text)
        self._column = end

    def line_feed(self, row: int, lowest: int, text: str) -> None:
        """The program left ``row`` by a line feed; ``lowest`` is the lowest row before it."""
        if row in self.hidden:
            self.drop(row)
        elif row < lowest and self._known(row) != self._last:
            self.move(text)
        else:
            self._go(row, None)
            self.out.append(text)
            self._line += 1
            self._column = 0
            if self._line > self._last:
                self._last, self._fresh = self._line, True

    def lines(self, row: int, count: int, column: int, text: str) -> None:
        """``text`` took the cursor from the lowest row ``row`` over ``count`` line feeds to ``column``."""
        self._go(row, None)
        self.out.append(text)
        known = min(count, WINDOW + 1)
        if count > known:
            self._lines.clear()
        after = self._line + count
        self._lines.update(
            zip(range(row + count - known, row + count), range(after - known, after), strict=True)
        )
        self._line = self._last = after
        self._column, self._fresh = column, True
        if len(self._lines) > 2 * WINDOW + 2 or count > known:
            self.forget(row + count - WINDOW)
        if column:
            self._lines[row + count], self._fresh = after, False

    def move(self, text: str) -> None:
        """The program moved its cursor to another row."""
        if self.exact and not self.hidden and len(self._moves) < _MOST_MOVES:
            self._moves.append(text)
        else:
            self.exact = False
            self._moves.clear()

    def drop(self, row: int) -> None:
        """Something on this row is not passed on."""
        if not self.has(row):
            self.hidden.add(row)
        self.exact = False
        self._moves.clear()

    def flush(self, row: int, column: int) -> None:
        """Movements after which nothing came."""
        if self._moves:
            self._go(row, column)

    def forget(self, before: int) -> None:
        """The program cannot come back to the rows above this one."""
        self.hidden = {row for row in self.hidden if row >= before}
        kept = {row: line for row, line in self._lines.items() if row >= before}
        if kept and len(kept) < len(self._lines):
            self._first = min(kept)
            self._first_line = kept[self._first]
            self._lines = kept

    # ------------------------------------------------------------------------------------------

    def _go(self, row: int, column: int | None) -> None:
        """Take the reader's cursor to a place of the screen; any column will do for None."""
        line = self._known(row)
        if self.exact:
            self.out += self._moves
            self._moves.clear()
            if line is None:
                line = self._last = self._last if self._fresh else self._last + 1
            self._line, self._column = line, column or 0
        else:
            if line is None:
                line = self._last if self._fresh else self._new_line()
            self._up_or_down(line)
            if column is not None and column != self._column:
                self.out.append(f"\r\x1b[{column}C" if column else "\r")
            self.exact = True
        if not self.has(row):
            self._lines[row] = line
            self._fresh = self._fresh and line != self._last
            self.hidden.discard(row)

    def _known(self, row: int) -> int | None:
        if row < self._first and row not in self.hidden:
            return self._first_line - (self._first - row)
        return self._lines.get(row)

    def _new_line(self) -> int:
        """Also for a row between others: the reader has no room for it there."""
        self._up_or_down(self._last)
        self.out.append("\n")
        self._last += 1
        self._line, self._column = self._last, 0
        return self._last

    def _up_or_down(self, line: int) -> None:
        count = line - self._line
        if count:
            self.out.append(f"\x1b[{abs(count)}{'B' if count > 0 else 'A'}")
            self._line = line
