"""The rows of a page that a terminal shows and its program can reach."""

from __future__ import annotations

from collections.abc import Sequence

from .page import Page
from .row import Content, Row, is_blank, row_of
from .style import PLAIN, Style


class Window:
    """The ``height`` rows of a terminal, counted from 0 at the top.

    Rows that were written to, and all rows above them, exist on the page, unless they are *lifted* off it.
    Changes to a row that has left the page's ring are lost. The rows of an alternate screen leave the page
    when the window is closed.
    """

    def __init__(self, page: Page, height: int, width: int, source: str, *, alternate: bool = False) -> None:
        self.alternate = alternate
        self.height = height
        self.page = page
        self.scrolled = 0  # number of rows that went out of reach at the top
        self._width = width
        self._source = source
        # The rows that exist: the number of a row on the page, or the row itself if it was lifted off it.
        self._rows: list[int | Content] = []
        page.shifts.append(self._shift)

    def close(self) -> None:
        """Remove the rows of an alternate screen, which are consecutive, from the page."""
        self.page.remove(self._next() - self.size, self.size)
        self.page.shifts.remove(self._shift)

    @property
    def size(self) -> int:
        """The number of rows that exist."""
        return len(self._rows)

    def new(self, *, display: str = "") -> Content:
        """Return a new row with the source of this window."""
        return Row(source=self._source, display=display) if self._source or display else ""

    def lost(self, y: int) -> bool:
        """Return True when the row has left the page's ring because other screens wrote a lot."""
        row = self._rows[y] if y < len(self._rows) else ""
        return isinstance(row, int) and row < self.page.first

    def make(self, y: int) -> None:
        """Create the row and all rows above it that do not exist yet."""
        if y >= len(self._rows):
            self.append([self.new() for _ in range(len(self._rows), y + 1)])

    def content(self, y: int) -> Content:
        """Return the row ``y``, or a new row if it is not on the page."""
        if y < len(self._rows):
            row = self._rows[y]
            if not isinstance(row, int):
                return row
            if row >= self.page.first:
                return self.page.content(row)
        return self.new()

    def put(self, y: int, content: Content) -> None:
        """Replace a row, and create it if it does not exist yet."""
        self.make(y)
        row = self._rows[y]
        if not isinstance(row, int):
            self._rows[y] = content
        elif row >= self.page.first:
            self.page.put(row, content)

    def edited(self, y: int) -> Row:
        """Return the row in a form that can be edited."""
        self.make(y)
        row = self._rows[y]
        if not isinstance(row, int):
            self._rows[y] = row = row_of(row)
            return row
        return self.page.edited(row) if row >= self.page.first else row_of(self.new())

    def number(self, y: int) -> int:
        """Return the number that a row has on the page, or would get there; -1 for a lifted row."""
        if y >= len(self._rows):
            return self._next() + y - len(self._rows)
        row = self._rows[y]
        return row if isinstance(row, int) else -1

    # -- rows that are not shown on the page ---------------------------------------------------

    def is_lifted(self, y: int) -> bool:
        """Return True when the row is not shown on the page."""
        return y < len(self._rows) and not isinstance(self._rows[y], int)

    def lift(self, y: int) -> None:
        """Take a row off the page. It stays in the window, where it can be written to as before."""
        row = self._rows[y] if y < len(self._rows) else ""
        if isinstance(row, int) and row >= self.page.first and not self.alternate:
            self._rows[y] = self.page.content(row)
            self.page.remove(row, 1)

    def land(self, y: int) -> None:
        """Put a lifted row back on the page, before the next row of this window that is on the page."""
        row = self._rows[y] if y < len(self._rows) else 0
        if not isinstance(row, int):
            after = (one for one in self._rows[y + 1 :] if isinstance(one, int))
            number = max(next(after, self.page.own_end), self.page.first)
            self.page.insert(number, [row])
            self._rows[y] = number

    def _shift(self, start: int, by: int) -> None:
        """Follow the page in adding ``by`` to the numbers of its rows from ``start`` on."""
        for y in range(len(self._rows) - 1, -1, -1):
            row = self._rows[y]
            if isinstance(row, int):
                if row < start:
                    return  # the rows above have lower numbers
                self._rows[y] = row + by

    # -- text ----------------------------------------------------------------------------------

    def text(self, y: int, end: int) -> str:
        """Return the text in the first ``end`` columns of a row."""
        return row_of(self.content(y)).before(end)

    def erase(self, start: int, end: int, style: Style) -> None:
        """Erase the rows ``start`` to ``end`` (exclusive); create missing ones if the style is visible."""
        for y in range(start, end if style is not PLAIN else min(end, self.size)):
            self.edited(y).cut_end(0, self._width, style)

    def trim(self, start: int) -> None:
        """Remove the blank rows at the end of the page, except the rows above ``start``."""
        if len(self._rows) <= start:
            return
        first = end = self._next()
        while len(self._rows) > start and is_blank(self.content(len(self._rows) - 1)):
            row = self._rows[-1]
            if isinstance(row, int):
                if not row == first - 1 >= self.page.first:
                    break
                first = row
            del self._rows[-1]
        self.page.remove(first, end - first)

    # -- moving rows ---------------------------------------------------------------------------

    def append(self, rows: Sequence[Content], missed: int = 0) -> None:
        """Add rows below the existing ones; ``missed`` rows before them were left out."""
        if missed:
            self.restart()
        number = self._next()
        self.page.insert(number, rows, missed=missed, alternate=self.alternate)
        end = number + missed + len(rows)
        count = min(len(rows), self.height)
        self._rows += range(end - count, end)
        self.scrolled += missed + len(rows) - count
        self.release(len(self._rows) - self.height)

    def _next(self) -> int:
        """Return the number that the next new row gets on the page."""
        if not self.alternate:
            return self.page.own_end
        return self.number(self.size - 1) + 1 if self._rows else self.page.end

    def release(self, count: int) -> None:
        """Put the topmost rows out of reach of the program."""
        if count <= 0:
            return
        released = self._rows[:count]
        self.scrolled += len(released)
        for row in released:
            if isinstance(row, int) and row >= self.page.first:
                self.page.compact(row)
        del self._rows[:count]

    def restart(self) -> None:
        """Put all rows out of reach; the next ones will be new."""
        self.release(len(self._rows))

    def forget(self) -> None:
        """Clear the rows that scrolled away, unless other screens write to the page."""
        if not self.alternate and len(self.page.shifts) == 1:
            numbers = (row for row in self._rows if isinstance(row, int))
            self.page.leave(next(numbers, self.page.own_end))

    def scroll(self, top: int, bottom: int, count: int, style: Style, *, keep: bool = False) -> None:
        """Move the rows ``top`` to ``bottom`` up by ``count``, or down if it is negative.

        The count is not 0, and not greater than the number of these rows.
        With ``keep``, rows that leave the screen at its top stay on the page.
        """
        keep = keep and top == 0 and not self.alternate
        if keep:
            self.make(count - 1)
            if style is PLAIN and self.size <= bottom + 1:  # no rows below move, and only blank rows come in
                self.release(count)
                return
        for y in range(self.size):
            self.land(y)
        rows: list[Content | None] = [self.content(y) for y in range(self.size)]
        rows += [None] * (bottom + 1 - len(rows))
        moved = rows[top : bottom + 1]
        new = [None if style is PLAIN else self._filled(style) for _ in range(abs(count))]
        rows[top : bottom + 1] = [*moved[count:], *new] if count > 0 else [*new, *moved[:count]]
        if keep:
            self.release(count)
        for y, row in enumerate(rows):
            if row is None:
                if y < self.size:
                    self.put(y, self.new())
            elif y >= self.size or self.content(y) is not row:
                self.put(y, row)

    def _filled(self, style: Style) -> Row:
        """Return a new row of blanks in a visible style."""
        row = Row(source=self._source)
        row.write(0, " " * self._width, style)
        return row
