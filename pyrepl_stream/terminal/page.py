"""A ring of numbered rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from ..runtime.validation import check_at_least_one
from .row import Content, Row, row_of

__all__ = ("Page",)

Retire: TypeAlias = Callable[[int, Sequence[str]], object]
Shift: TypeAlias = Callable[[int, int], object]

_WEIGHED = 1 << 22  # characters that are shown before the rows are weighed again
_SLACK = 1024  # removed rows that stay in the list for a while, so that it is not moved for each new row


class Page:
    """Rows of one or more screens, in the order in which they began; the newest ``limit`` rows are kept.

    Rows are numbered from 0. ``first`` is the number of the oldest row that is kept; ``end`` is one past the
    number of the newest. Rows of alternate screens come after all others, from ``own_end`` on, and do not
    count towards the limit. ``end`` decreases when such a screen is closed, and when the last rows are
    erased; new rows then reuse these numbers. When a row is inserted or removed, the rows after it are
    renumbered. Otherwise a number always refers to the same row.

    ``changed`` contains the numbers of the rows that changed since the page's only reader last cleared it.
    New rows may be missing from it: compare ``end`` to find them.

    Args:
        limit: The maximum number of rows to keep.
        size: The approximate number of characters to keep in all rows together.
        retire: Called, in order, with the number of the first row and the texts of rows that leave the ring.

    Raises:
        UsageError: A limit is below 1.
    """

    def __init__(self, limit: int = 10_000, *, size: int = 64 << 20, retire: Retire | None = None) -> None:
        check_at_least_one(limit=limit, size=size)
        self._limit = limit
        self._size = size
        self._fed = 0  # characters shown since the rows were last weighed
        self._retire = retire
        self._rows: list[Content] = []
        self._base = 0  # the number of the first row in the list
        self._highest = 0  # the highest `end` so far
        self.first = 0
        self.own_end = 0
        self.changed: set[int] = set()
        # Each window that writes to the page adds a function: `shift(start, by)` is called when `by` is added
        # to the numbers of the rows from `start` on.
        self.shifts: list[Shift] = []

    @property
    def end(self) -> int:
        """One past the number of the newest row."""
        return self._base + len(self._rows)

    def row(self, number: int) -> Row:
        """Return a row. Raises :class:`IndexError` if the row is not kept."""
        return row_of(self.content(number))

    def texts(self, start: int, end: int) -> list[str]:
        """Return the texts of the kept rows from ``start`` to ``end`` (exclusive)."""
        rows = self._rows[max(start, self.first) - self._base : max(end - self._base, 0)]
        return [row if isinstance(row, str) else row.text for row in rows]

    def clear(self) -> None:
        """Remove all rows except the rows of alternate screens."""
        self.leave(self.own_end)

    # -- for windows ---------------------------------------------------------------------------

    def content(self, number: int) -> Content:
        """Return a row in its kept form. Raises :class:`IndexError` if the row is not kept."""
        if not self.first <= number < self._base + len(self._rows):
            raise IndexError(f"row {number} is not one of {self.first} to {self.end - 1}")
        return self._rows[number - self._base]

    def put(self, number: int, content: Content) -> None:
        """Replace a row that is kept."""
        self._rows[number - self._base] = content
        self.changed.add(number)

    def edited(self, number: int) -> Row:
        """Return a row that is kept, in the form that can be edited."""
        place = number - self._base
        self._rows[place] = row = row_of(self._rows[place])
        self.changed.add(number)
        return row

    def compact(self, number: int) -> None:
        """Keep a row in its smallest form, because it will not change again."""
        row = self._rows[number - self._base]
        if isinstance(row, Row):
            self._rows[number - self._base] = row.kept()

    def insert(
        self, number: int, rows: Sequence[Content], *, missed: int = 0, alternate: bool = False
    ) -> None:
        """Insert rows before the row ``number``; the oldest rows leave if there are too many.

        Args:
            number: The number of the row that will follow them.
            rows: The rows.
            missed: The number of rows that were left out before them; if not 0, ``number`` is ``own_end``.
            alternate: The rows belong to an alternate screen.
        """
        if missed:
            self.leave(number)
            self.first = self._base = number + missed
        place = number + missed - self._base
        self._rows[place:place] = rows
        self._renumber(number, missed + len(rows), own=not alternate)
        if self.own_end - self.first > self._limit:
            self.leave(self.own_end - self._limit)

    def remove(self, number: int, count: int) -> None:
        """Remove rows."""
        if count:
            place = number - self._base
            del self._rows[place : place + count]
            self._renumber(number, -count, own=number < self.own_end)

    def _renumber(self, start: int, by: int, *, own: bool) -> None:
        """Update the state after ``by`` was added to the numbers of the rows from ``start`` on."""
        if own:
            self.own_end += by
        end = self.end
        if start < end and start + by < end:  # rows follow the change
            for shift in self.shifts:
                shift(start, by)
        if start < self._highest:
            self.changed.update(range(start, min(end, self._highest)))
            if end < self._highest:
                self.changed.difference_update(range(end, self._highest))
        if end > self._highest:
            self._highest = end

    def surplus(self, count: int) -> int:
        """Return how many of ``count`` new rows would leave at once; 0 if ``retire`` has to receive them."""
        return 0 if self._retire is not None else max(count - self._limit, 0)

    def leave(self, first: int) -> None:
        """Remove the rows before ``first``."""
        if self._retire is not None and first > self.first:
            self._retire(self.first, self.texts(self.first, first))
        self.first = max(first, self.first)
        if self.first - self._base >= _SLACK or self.first == self.own_end:
            del self._rows[: self.first - self._base]
            self._base = self.first
        if len(self.changed) > 2 * self._limit:
            self.changed -= {number for number in self.changed if number < self.first}

    def fed(self, count: int) -> None:
        """Count characters that were shown, and remove old rows when the page is too large."""
        self._fed += count
        if self._fed < _WEIGHED:
            return
        self._fed = 0
        first = self.first
        kept = self._rows[first - self._base :]
        weights = [len(row) if isinstance(row, str) else row.weight for row in kept]
        surplus = sum(weights) - self._size
        while surplus > 0 and first < self.own_end - 1:
            surplus -= weights[first - self.first]
            first += 1
        self.leave(first)
        if surplus > 0:
            self._strip()

    def _strip(self) -> None:
        """Remove styles and links, because the rows that must stay are too large."""
        for number in range(self.first, self.end):
            row = self.content(number)
            if isinstance(row, Row):
                self.put(number, row.bare())
