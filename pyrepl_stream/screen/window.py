"""The rows of a page that a terminal shows now, and that its program can reach."""

from __future__ import annotations

from collections.abc import Sequence

from .edited_row import EditedRow
from .page import Page, Sheet
from .row import LONGEST_ROW, Content, Row, blank, is_blank, raw_text, width_of
from .style import PLAIN, Style
from .widths import JOINER, characters_of, columns, exact_columns, joins, kept

__all__ = ("Window",)


class Window:
    """``height`` rows, of which those exist on the page that something was written to, and all above them.

    Rows are counted from 0 at the top. What a row is changed to is lost where it has left the ring. The
    window of an alternate screen has a sheet of the page.
    """

    def __init__(self, page: Page | Sheet, height: int, width: int, source: str) -> None:
        self.page = page
        self.height = height
        self._width = width
        self._source = source
        self._numbers: list[int] = []  # of the rows that exist, on the page
        # A row and its width, which for text that is not ASCII takes long to find.
        self._known: Content = ""
        self._width_of_known = 0

    @property
    def size(self) -> int:
        """How many rows exist."""
        return len(self._numbers)

    @property
    def alternate(self) -> bool:
        return isinstance(self.page, Sheet)

    def new(self, text: str = "", style: Style = PLAIN, *, display: str = "") -> Content:
        """A row that this window would have."""
        text = text.rstrip(" ") if style.is_usual else text
        if not (self._source or display) and (style is PLAIN or not text):
            return text
        runs = None if style is PLAIN else [(len(text), style)]
        return Row(text, runs, source=self._source, display=display)

    def lost(self, y: int) -> bool:
        """Whether the row has left the ring, as others wrote so much."""
        return y < len(self._numbers) and self._numbers[y] < self.page.first

    def make(self, y: int) -> None:
        """Let the row exist."""
        if y >= len(self._numbers):
            self.append([self.new() for _ in range(len(self._numbers), y + 1)])

    def content(self, y: int) -> Content:
        if y >= len(self._numbers) or self.lost(y):
            return self.new()
        return self.page.content(self._numbers[y])

    def put(self, y: int, content: Content) -> int:
        """Change a row, which exists from now on; its number on the page."""
        self.make(y)
        if not self.lost(y):
            self.page.put(self._numbers[y], content)
        return self._numbers[y]

    def edited(self, y: int) -> EditedRow:
        """The row, to be changed in its middle."""
        content = self.content(y)
        row = content if isinstance(content, EditedRow) else EditedRow(content)
        self.put(y, row)
        return row

    def occupied(self, y: int) -> bool:
        """Whether anything is in the row."""
        content = self.content(y)
        return self.width(y) > 0 or (isinstance(content, Row) and bool(content.display))

    # -- text ----------------------------------------------------------------------------------

    def width(self, y: int) -> int:
        """How many columns of the row have been written."""
        content = self.content(y)
        if content is not self._known:
            self._known, self._width_of_known = content, width_of(content)
        return content.width if isinstance(content, EditedRow) else self._width_of_known

    def blanks_before(self, y: int, x: int, most: int) -> int:
        """How many blanks are before the column; from ``most`` on it does not matter how many."""
        missing = x - self.width(y)
        content = self.content(y)
        if missing < 0 or isinstance(content, EditedRow):
            before = self.edited(y).before(x, most)
        else:
            before = raw_text(content)[-most:]
        return max(missing, 0) + len(before) - len(before.rstrip(" "))

    def write(self, y: int, x: int, text: str, style: Style) -> int:
        """Write text without controls; the column behind it."""
        content = self.content(y)
        if _joins_row(text, x, content):
            return self.edited(y).type(x, text, style)
        if joins(text):
            text = kept(text)
            width = exact_columns(text)
        else:
            width = columns(text)
        old = self.width(y)
        end = x + width
        if x == 0 and LONGEST_ROW >= width >= old and not (isinstance(content, Row) and content.cut):
            content, old = blank(content), 0
        if end > LONGEST_ROW or x < old or isinstance(content, EditedRow):
            self.edited(y).write(x, characters_of(text), style)
        else:
            self._append(y, content, x - old, text, style, end)
        return end

    def _append(self, y: int, content: Content, blanks: int, text: str, style: Style, end: int) -> None:
        """Write behind what is there; its end is then the column ``end``."""
        if isinstance(content, str) and style is PLAIN:
            written = f"{content}{' ' * blanks}{text}"
            content = written.rstrip(" ")
            end -= len(written) - len(content)
        else:
            content = Row(content) if isinstance(content, str) else content
            content.append(blanks, text, style)
        self.put(y, content)
        self._known, self._width_of_known = content, end

    def erase(self, start: int, end: int, style: Style) -> None:
        """Of the rows from ``start`` to before ``end`` those that exist, or where it can be seen, all."""
        for y in range(start, end if style is not PLAIN else min(end, self.size)):
            row = blank(self.content(y))
            if style is not PLAIN:
                row = Row(row) if isinstance(row, str) else row
                row.append(0, " " * self._width, style)
            self.put(y, row)

    def trim(self, start: int) -> None:
        """The rows from ``start`` on that end the page and of which nothing can be seen exist no longer."""
        numbers, page = self._numbers, self.page
        if len(numbers) <= start:
            return
        count = 0
        while len(numbers) > start and numbers[-1] == page.own_end - 1 - count >= page.first:
            if not is_blank(page.content(numbers[-1])):
                break
            numbers.pop()
            count += 1
        if count:
            page.withdraw(count)

    # -- moving rows ---------------------------------------------------------------------------

    def append(self, rows: Sequence[Content], missed: int = 0) -> None:
        """New rows below those that exist, behind ``missed`` ones that nobody shall see."""
        if missed:
            self.restart()
        start = self.page.own_end + missed
        self.page.extend(rows, missed)
        count = min(len(rows), self.height)
        self._numbers += range(start + len(rows) - count, start + len(rows))
        self.release(len(self._numbers) - self.height)

    def release(self, count: int) -> None:
        """The topmost rows are never written to again."""
        if count <= 0:
            return
        for number in self._numbers[:count]:
            if number >= self.page.first and isinstance(row := self.page.content(number), EditedRow):
                self.page.compact(number, row.stripped())
        del self._numbers[:count]

    def restart(self) -> None:
        """All rows are out of reach; the next ones will be new."""
        self.release(len(self._numbers))

    def forget(self) -> None:
        """What has scrolled away is cleared, unless it may be another's too."""
        if isinstance(self.page, Page) and self.page.screens == 1:
            self.page.leave(self._numbers[0] if self._numbers else self.page.own_end)

    def scroll_up(self, top: int, bottom: int, count: int, style: Style, *, keep: bool = True) -> None:
        """Rows ``top`` to ``bottom`` move up; those that leave the top of the screen stay on the page."""
        count = min(count, bottom - top + 1)
        if keep and top == 0 and not self.alternate:
            self.make(count - 1)
            if style is PLAIN and self.size <= bottom + 1:  # nothing below moves, nothing comes in
                self.release(count)
                return
            rows = self._contents(bottom)[count:]
            self.release(count)
            bottom -= count
        else:
            rows = self._contents(bottom)
            del rows[top : top + count]
            bottom -= count
        self._assign([*rows[: bottom + 1], *self._fills(count, style), *rows[bottom + 1 :]])

    def scroll_down(self, top: int, bottom: int, count: int, style: Style) -> None:
        """Rows ``top`` to ``bottom`` move down, and those at the bottom go."""
        count = min(count, bottom - top + 1)
        rows = self._contents(bottom)
        del rows[bottom + 1 - count : bottom + 1]
        self._assign([*rows[:top], *self._fills(count, style), *rows[top:]])

    def _contents(self, bottom: int) -> list[Content | None]:
        """All rows that exist, and None for others down to ``bottom``."""
        rows: list[Content | None] = [self.content(y) for y in range(self.size)]
        return rows + [None] * (bottom + 1 - len(rows))

    def _fills(self, count: int, style: Style) -> list[Content | None]:
        if style is PLAIN:
            return [None] * count
        return [self.new(" " * self._width, style) for _ in range(count)]

    def _assign(self, rows: list[Content | None]) -> None:
        for y, row in enumerate(rows):
            if row is None:
                if y < self.size:
                    self.put(y, self.new())
            elif y >= self.size or self.content(y) is not row:
                self.put(y, row)


def _joins_row(text: str, x: int, content: Content) -> bool:
    """Whether the text may begin in the cell before ``x``."""
    if text[0].isascii():
        return False
    if isinstance(content, EditedRow):
        return joins(text[0]) or content.joins(x, text[0])
    return joins(text[0]) or JOINER in raw_text(content)
