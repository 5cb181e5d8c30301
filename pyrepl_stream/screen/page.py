"""The rows that are kept: a ring in which each has a number of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..errors import UsageError
from .row import Content, Row

__all__ = ("Page", "Sheet")

Retire: TypeAlias = Callable[[int, Sequence[str]], object]

_WEIGHED = 1 << 22  # characters
_SLACK = 1024  # rows that have left and are still in the list, so that it does not move at each new one


class Page:
    """Rows of one or more screens, in the order of their first line; the newest ``limit`` are kept.

    Rows are numbered from 0. ``first`` is the number of the oldest row that is kept, ``end`` one past the
    newest. Rows of alternate screens (:class:`Sheet`) stand behind all others and have the numbers after
    theirs; they are no part of the limit. ``end`` falls when such a screen is left, and when the last rows
    are erased; the next lines have these numbers then. Otherwise no number ever means another line.

    ``changed`` are the rows that changed since the page's one reader, who clears it, looked last; new rows
    may be missing in it, as ``end`` tells them. ``retire`` is called with the first number and the texts of
    rows that leave the ring, in order. Raises :class:`UsageError` for limits below 1.

    Rows that are very long leave earlier: all together have about ``size`` characters at most.
    """

    def __init__(self, limit: int = 10_000, *, size: int = 64 << 20, retire: Retire | None = None) -> None:
        for name, value in (("limit", limit), ("size", size)):
            if value < 1:
                raise UsageError(f"{name} is {value}, but must be at least 1")
        self._limit = limit
        self._size = size
        self._fed = 0  # characters since the rows were weighed
        self._retire = retire
        self._rows: list[Content] = []
        self._sheets: list[Sheet] = []
        self._base = 0  # the number of the first one in the list
        self._highest = 0  # the highest `end` that there was
        self.first = 0
        self.screens = 0  # how many write to it
        self.changed: set[int] = set()

    @property
    def end(self) -> int:
        return self.own_end + sum(sheet.end for sheet in self._sheets)

    def row(self, number: int) -> Row:
        """Raises :class:`IndexError` for a row that is not kept."""
        content = self.content(number)
        return Row(content) if isinstance(content, str) else content

    def texts(self, start: int, end: int) -> list[str]:
        """The texts of the rows ``start`` to ``end - 1``, of those that are kept."""
        rows = self._rows[max(start, self.first) - self._base : max(end - self._base, 0)]
        rows += [self.content(number) for number in range(max(start, self.own_end), min(end, self.end))]
        return [row if isinstance(row, str) else row.text for row in rows]

    def clear(self) -> None:
        """All rows leave, but for those of alternate screens."""
        self.leave(self.own_end)

    # -- for screens ---------------------------------------------------------------------------

    @property
    def own_end(self) -> int:
        """One past the newest row that is no alternate screen's."""
        return self._base + len(self._rows)

    def content(self, number: int) -> Content:
        """Raises :class:`IndexError` for a row that is not kept."""
        if self.first <= number < self.own_end:
            return self._rows[number - self._base]
        rows, place = self._place(number)
        return rows[place]

    def put(self, number: int, content: Content) -> None:
        """Change a row that is kept."""
        self._rows[number - self._base] = content
        self.changed.add(number)

    def compact(self, number: int, content: Content) -> None:
        """Keep a row in another form, which shows the same."""
        self._rows[number - self._base] = content

    def fed(self, count: int) -> None:
        """So many characters came. Now and then, all rows are weighed."""
        self._fed += count
        if self._fed < _WEIGHED:
            return
        self._fed = 0
        first = self.first
        weights = [_weight(self.content(number)) for number in range(first, self.end)]
        surplus = sum(weights) - self._size
        while surplus > 0 and first < self.own_end - 1:
            surplus -= weights[first - self.first]
            first += 1
        self.leave(first)
        if surplus > 0:
            self._strip()

    def _strip(self) -> None:
        """What is left is too much: styles and links go."""
        for number in range(self.first, self.end):
            rows, place = self._place(number)
            if isinstance(row := rows[place], Row):
                rows[place] = row.bare()
                self.changed.add(number)

    def _place(self, number: int) -> tuple[list[Content], int]:
        """A list of rows, and where in it the row is."""
        if not self.first <= number < self.end:
            raise IndexError(f"row {number} is not one of {self.first} to {self.end - 1}")
        if number < self.own_end:
            return self._rows, number - self._base
        place = number - self.own_end
        for sheet in self._sheets:
            if place < sheet.end:
                break
            place -= sheet.end
        return sheet.rows, place

    def surplus(self, count: int) -> int:
        """How many of so many new rows need not be made, as they would leave at once and nobody is told."""
        return 0 if self._retire is not None else max(count - self._limit, 0)

    def extend(self, rows: Sequence[Content], missed: int = 0) -> None:
        """New rows at the end, behind ``missed`` ones that are not made, with which all older ones leave."""
        if missed:
            self.leave(self.own_end)
            self.first = self._base = self._base + missed
        start = self.own_end
        self._rows += rows
        self._renumbered(start)
        if self.own_end - self.first > self._limit:
            self.leave(self.own_end - self._limit)

    def withdraw(self, count: int) -> None:
        """The newest rows go."""
        del self._rows[len(self._rows) - count :]
        self._renumbered(self.own_end)

    def leave(self, first: int) -> None:
        """Rows before ``first`` leave the ring."""
        if self._retire is not None and first > self.first:
            self._retire(self.first, self.texts(self.first, first))
        self.first = max(first, self.first)
        if self.first - self._base >= _SLACK or self.first == self.own_end:
            del self._rows[: self.first - self._base]
            self._base = self.first
        if len(self.changed) > 2 * self._limit:
            self.changed -= {number for number in self.changed if number < self.first}

    def sheet(self) -> Sheet:
        """An alternate screen, behind all rows that there are."""
        self._sheets.append(sheet := Sheet(self))
        return sheet

    def remove(self, sheet: Sheet) -> None:
        start = self._start_of(sheet)
        self._sheets.remove(sheet)
        self._renumbered(start)

    def sheet_changed(self, sheet: Sheet, place: int, *, moved: bool = False) -> None:
        """A row of a sheet has changed; ``moved``: there are more or fewer from it on."""
        number = self._start_of(sheet) + place
        if moved:
            self._renumbered(number)
        else:
            self.changed.add(number)

    def _start_of(self, sheet: Sheet) -> int:
        place = self._sheets.index(sheet)
        return self.own_end + sum(before.end for before in self._sheets[:place])

    def _renumbered(self, start: int) -> None:
        """The numbers from ``start`` on are those of other rows than before, if of any."""
        end = self.end
        if start < self._highest:
            self.changed.update(range(start, min(end, self._highest)))
            if end < self._highest:
                self.changed.difference_update(range(end, self._highest))
        self._highest = max(self._highest, end)


class Sheet:
    """The rows of an alternate screen, numbered from 0, for the :class:`Window` that shows it.

    Has what windows use of a page. None of its rows ever leaves, but all of them when it is closed.
    """

    first = 0

    def __init__(self, page: Page) -> None:
        self._page = page
        self.rows: list[Content] = []

    @property
    def end(self) -> int:
        return len(self.rows)

    own_end = end  # as all of them are

    def content(self, number: int) -> Content:
        return self.rows[number]

    def put(self, number: int, content: Content) -> None:
        self.rows[number] = content
        self._page.sheet_changed(self, number)

    def compact(self, number: int, content: Content) -> None:
        self.rows[number] = content

    def extend(self, rows: Sequence[Content], missed: int = 0) -> None:
        start = self.end
        self.rows += rows
        self._page.sheet_changed(self, start, moved=True)

    def withdraw(self, count: int) -> None:
        del self.rows[self.end - count :]
        self._page.sheet_changed(self, self.end, moved=True)

    def close(self) -> None:
        self._page.remove(self)


def _weight(content: Content) -> int:
    return len(content) if isinstance(content, str) else content.weight
