"""What a terminal shows of a stream: rows of text, a cursor, and what was drawn last."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ("Row", "Screen", "LONGEST_ROW", "WINDOW")

LONGEST_ROW = 4096
"""Characters of a row that are kept; the cursor goes on beyond them."""
WINDOW = 200
"""Rows above the lowest one that the cursor can reach, and that are kept."""


@dataclass
class Row:
    """What a row shows, and whether the cursor came back to draw there again.

    ``candidate`` is for the owner: whose line it may have been.
    """

    cells: str = ""
    drawn_over: bool = False
    candidate: str = ""


class Screen:
    """Rows are numbered from where the stream began; a line feed also returns the carriage.

    There is no width: what a program wraps by itself is more than one row, and what a terminal would
    wrap is one. A *drawing* is what was written since the cursor last went back or came to this row.
    """

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}  # those that were drawn on by this class
        self.row = 0
        self.column = 0
        self.bottom = 0
        self._page: int | None = None  # the row to which the cursor's home is
        self._start = 0  # of the drawing
        self.end = 0  # how far to the right it went
        self.drawn = False  # whether anything was written in it

    # -- the drawing ---------------------------------------------------------------------------

    def line(self) -> str:
        """What the drawing shows: all of the row where it changed only a part of it."""
        cells = self.here().cells
        return (cells if self._start else cells[: self.end]).rstrip()

    def begin(self) -> None:
        """The next drawing begins where the cursor is."""
        self._start = self.end = self.column
        self.drawn = False

    # -- within the row ------------------------------------------------------------------------

    def here(self) -> Row:
        row = self.rows.get(self.row)
        if row is None:
            row = self.rows[self.row] = Row()
        return row

    def write(self, text: str) -> None:
        row, column = self.here(), self.column
        self.column += len(text)
        self.end = max(self.end, self.column)
        self.drawn = True
        if column >= LONGEST_ROW:
            return
        cells = row.cells
        if len(cells) <= column:
            row.cells = (cells.ljust(column) + text)[:LONGEST_ROW]
        else:
            row.cells = (cells[:column] + text + cells[self.column :])[:LONGEST_ROW]

    def to_column(self, column: int) -> None:
        """Whatever is drawn next is drawn over what is there."""
        row = self.rows.get(self.row)
        if row is not None and column < len(row.cells) - 1:  # one back is bold print, as in manual pages
            row.drawn_over = True
        self.column = max(0, column)

    def erase_line(self, how: int) -> None:
        """0: from the cursor on, 1: up to it, 2: all."""
        row = self.here()
        if how == 2 or (self.column == 0 and row.cells):
            row.drawn_over = True  # nobody clears a line that is to stay as it is
        if how == 0:
            row.cells = row.cells[: self.column]
        elif how == 1:
            row.cells = " " * min(self.column + 1, len(row.cells)) + row.cells[self.column + 1 :]
        else:
            row.cells = ""

    def erase_below(self) -> list[int]:
        """The rows below the cursor's; these are empty then."""
        below = [number for number in self.rows if number > self.row]
        for number in below:
            self.rows[number].cells = ""
        return below

    def delete(self, count: int) -> None:
        row = self.here()
        row.cells = row.cells[: self.column] + row.cells[self.column + count :]

    def insert(self, count: int) -> None:
        row, blanks = self.here(), " " * min(count, LONGEST_ROW)
        row.cells = (row.cells[: self.column] + blanks + row.cells[self.column :])[:LONGEST_ROW]

    def blank(self, count: int) -> None:
        row = self.here()
        count = max(0, min(count, len(row.cells) - self.column))
        row.cells = row.cells[: self.column] + " " * count + row.cells[self.column + count :]

    # -- between rows --------------------------------------------------------------------------

    def line_feed(self, count: int = 1) -> None:
        self.row += count
        self.column = 0
        self.bottom = max(self.bottom, self.row)

    def to_row(self, row: int) -> None:
        """Up to the top of the window, or down to the lowest row."""
        self.row = min(max(row, self.bottom - WINDOW), self.bottom)
        if (there := self.rows.get(self.row)) is not None and there.cells:
            there.drawn_over = True

    def home(self, row: int, column: int) -> None:
        """To a place of the terminal's screen (from 0). Where that is, is not known: it begins a new page."""
        if self._page is None or self._page < self.bottom - WINDOW:
            self._page = self.bottom + 1
        self.row = max(self._page + min(row, WINDOW), self.bottom - WINDOW)
        self.bottom = max(self.bottom, self.row)
        self.column = min(column, LONGEST_ROW)

    def forget(self, before: int) -> None:
        for number in [number for number in self.rows if number < before]:
            del self.rows[number]
