"""The state of a terminal: its cursor, its pen and its margins, and all that can be done with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .page import Page, Sheet
from .pen import Pen, State
from .row import LONGEST_ROW, Content
from .style import PLAIN
from .widths import columns
from .window import Window

__all__ = ("Terminal",)

_TAB = 8
_WIDEST_MARK = 2  # columns


class _Cursor(NamedTuple):
    x: int
    y: int
    pen: State
    origin: bool


class Terminal:
    """Rows ``y`` and columns ``x`` are counted from 0 at the top left.

    Nothing wraps: text goes on to the right of ``width``, which bounds only where the cursor is sent to.
    """

    def __init__(self, page: Page, source: str, height: int, width: int) -> None:
        self.height = height
        self.width = width
        page.screens += 1
        self._page = page
        self._source = source
        self._primary = Window(page, height, width, source)
        self.window = self._primary
        self.title = ""
        self.pen = Pen()
        self.x = self.y = 0
        self._begin()
        self._before = self._cursor()  # that of the primary screen while the alternate one is on

    def _begin(self) -> None:
        self.inserting = False  # whether text pushes what is there to the right
        self.top, self.bottom = 0, self.height - 1  # the rows that scroll, and those between
        self.origin = False  # whether rows are counted from the top margin
        self.tabs: set[int] | None = None  # where they were set; None: every 8 columns
        self.last = ""  # character that was written, for REP
        self._saved: _Cursor | None = None

    # -- text ----------------------------------------------------------------------------------

    @property
    def appends(self) -> bool:
        """Whether whole lines of text that come now would be the newest rows as they are."""
        return (
            self.x == 0
            and self.y == self.window.size
            and not (self.inserting or self.pen.draws or self.window.alternate)
            and self.top == 0
            and self.bottom == self.height - 1
            and self.tabs is None
        )

    def append(self, rows: Sequence[Content], missed: int) -> None:
        """What whole lines of text come to, where :attr:`appends`; ``missed`` others went before them."""
        self.window.append(rows, missed)
        if self.window.size == self.height:
            self.window.release(1)
        self.y = self.window.size

    def place(self, display: str) -> int:
        """A row for a display at the cursor, or below all rows where one is there; its number.

        Displays are never on the alternate screen.
        """
        window, cursor = self.window, self._cursor()
        if window.alternate:
            self.window = self._primary
            self._to(self._before)
        number = self._place(display)
        if window.alternate:
            self._before = self._cursor()
            self.window = window
            self._to(cursor)
        return number

    def _place(self, display: str) -> int:
        self._return()
        if self.x or self.window.occupied(self.y):
            self.y = max(self.window.size - 1, self.y)
            self.line_feed()
        number = self.window.put(self.y, self.window.new(display=display))
        self.line_feed()
        return number

    def _return(self) -> None:
        """Begin anew where the cursor's row has left the ring."""
        if self.window.lost(self.y):
            self.window.restart()
            self.x = self.y = 0

    def write(self, text: str) -> None:
        """Text without controls, at the cursor."""
        self._return()
        text = self.pen.drawn(text)
        self.last = text[-1]
        if self.inserting:
            self.insert(columns(text))
        self.x = self.window.write(self.y, self.x, text, self.pen.style)

    def repeat(self, count: int) -> None:
        """The last character that was written, again, but not beyond the width (REP)."""
        count = min(count, self.width - self.x)
        if self.last and count > 0:
            self.write(self.last * count)

    # -- the cursor ----------------------------------------------------------------------------

    def line_feed(self) -> None:
        """To the start of the next row, as LF does where a terminal device adds CR to it."""
        self.index()
        self.x = 0

    def carriage_return(self) -> None:
        """To the start of the row; where blanks have wrapped the line, to that of the next one."""
        if self.x > self.width and self._is_wrapped():
            self.index()
        self.x = 0

    def _is_wrapped(self) -> bool:
        """Whether the blanks before the cursor, beyond the width, are there to wrap the line.

        That is one behind a full row. Or, behind text that may or may not be the end of a line, a mark such
        as ``%`` and then blanks, both together as many columns as the terminal has.
        """
        blanks = self.window.blanks_before(self.y, self.x, self.width + 1)
        if blanks == 1:
            return (self.x - 1) % self.width == 0
        return blanks > 1 and self.width - _WIDEST_MARK <= blanks <= self.width

    def index(self) -> None:
        """Down by one row; at the bottom the rows scroll. The row that is left exists."""
        self.window.make(self.y)
        if self.y == self.bottom:
            # What xterm does in colours other than the usual is left out: a row that comes into view
            # would be painted at the bottom of the screen, but not elsewhere.
            self.window.scroll_up(self.top, self.bottom, 1, PLAIN)
        elif self.y < self.height - 1:
            self.y += 1

    def reverse_index(self) -> None:
        """Up by one row; at the top the rows scroll down."""
        if self.y == self.top:
            self.scroll_down(1)
        else:
            self.y = max(self.y - 1, 0)

    def up(self, count: int) -> None:
        self.y = max(self.y - count, self.top if self.y >= self.top else 0)
        self.window.trim(self.y + 1)

    def down(self, count: int) -> None:
        self.y = min(self.y + count, self.bottom if self.y <= self.bottom else self.height - 1)

    def right(self, count: int) -> None:
        self.x = min(self.x + count, max(self.x, self.width - 1))

    def left(self, count: int) -> None:
        self.x = max(self.x - count, 0)

    def to_column(self, x: int) -> None:
        self.x = min(x, self.width - 1)

    def to_row(self, y: int) -> None:
        self.y = min(y + self.top, self.bottom) if self.origin else min(y, self.height - 1)

    def originate(self, on: bool) -> None:
        """Count rows from the top margin, or from the top again. The cursor goes home."""
        self.origin = on
        self.x = 0
        self.to_row(0)

    def tab(self, count: int) -> None:
        """To one of the next places for tabs, every 8 columns. A line that is too long has them too."""
        if self.tabs is not None:
            behind = sorted(x for x in self.tabs if x > self.x)
            self.x = behind[count - 1] if count <= len(behind) else max(self.x, self.width - 1)
            return
        self.x = min((self.x // _TAB + count) * _TAB, max(self.width - 1, (self.x // _TAB + 1) * _TAB))

    def back_tab(self, count: int) -> None:
        if self.tabs is not None:
            before = sorted(x for x in self.tabs if x < self.x)
            self.x = before[-count] if count <= len(before) else 0
            return
        self.x = max((-(-self.x // _TAB) - count) * _TAB, 0)

    def set_tab(self) -> None:
        """A place for tabs is here (HTS)."""
        self._own_tabs().add(min(self.x, self.width - 1))

    def clear_tabs(self, which: int) -> None:
        """There is none here any more (0), or none at all (3)."""
        if which == 0:
            self._own_tabs().discard(self.x)
        elif which == 3:
            self.tabs = set()

    def _own_tabs(self) -> set[int]:
        if self.tabs is None:
            self.tabs = set(range(_TAB, self.width, _TAB))
        return self.tabs

    def save(self) -> None:
        self._saved = self._cursor()

    def restore(self) -> None:
        self._to(self._saved or _Cursor(0, 0, Pen().state, False))

    def _cursor(self) -> _Cursor:
        return _Cursor(self.x, self.y, self.pen.state, self.origin)

    def _to(self, cursor: _Cursor) -> None:
        self.x, self.y, self.pen.state, self.origin = cursor

    # -- erasing and moving within a row ---------------------------------------------------------

    def erase_line(self, how: int) -> None:
        """From the cursor on (0), up to it (1), or all (2), which is also what is beyond the width."""
        style = self.pen.style.erasing()
        if how == 2 or (how == 0 and self.x == 0):
            self.window.erase(self.y, self.y + 1, style)
        elif how == 1:
            self._erase(0, self.x + 1)
        elif how == 0 and (style is not PLAIN or self.x < self.window.width(self.y)):
            self.window.edited(self.y).erase_rest(self.x, self.width, style)
        self.window.trim(self.y + 1)

    def erase_characters(self, count: int) -> None:
        self._erase(self.x, min(self.x + count, self._edge()))

    def _erase(self, start: int, end: int) -> None:
        style = self.pen.style.erasing()
        if style is not PLAIN or start < self.window.width(self.y):
            self.window.edited(self.y).erase(start, end, style)

    def insert(self, count: int) -> None:
        """Blanks push the rest of the line to the right, as far as a terminal would have wrapped it."""
        if self.x < LONGEST_ROW:
            row = self.window.edited(self.y)
            row.insert(self.x, count, self._edge(), self.pen.style.erasing())

    def delete(self, count: int) -> None:
        """The rest of the line, as far as that, moves to the left."""
        if self.x < LONGEST_ROW:
            row = self.window.edited(self.y)
            row.delete(self.x, count, self._edge(), self.pen.style.erasing())

    def _edge(self) -> int:
        """Where a terminal would have wrapped the line."""
        return min((self.x // self.width + 1) * self.width, LONGEST_ROW)

    # -- rows ----------------------------------------------------------------------------------

    def erase_display(self, how: int) -> None:
        """From the cursor on (0), up to it (1), all (2), or what has scrolled away (3)."""
        style = self.pen.style.erasing()
        if how == 0:
            self.erase_line(0)
            self.window.erase(self.y + 1, self.height, style)
            self.window.trim(self.y + 1)
        elif how == 1:
            self.window.erase(0, self.y, style)
            self.erase_line(1)
        elif how == 2:
            self.window.erase(0, self.height, style)
            self.window.trim(0)
        elif how == 3:
            self.window.forget()

    def insert_lines(self, count: int) -> None:
        if self.top <= self.y <= self.bottom:
            self.window.scroll_down(self.y, self.bottom, count, self.pen.style.erasing())

    def delete_lines(self, count: int) -> None:
        if self.top <= self.y <= self.bottom:
            self.window.scroll_up(self.y, self.bottom, count, self.pen.style.erasing(), keep=False)
            self.window.trim(self.y + 1)

    def scroll_up(self, count: int) -> None:
        self.window.scroll_up(self.top, self.bottom, count, self.pen.style.erasing())

    def scroll_down(self, count: int) -> None:
        self.window.scroll_down(self.top, self.bottom, count, self.pen.style.erasing())

    def margins(self, top: int, bottom: int) -> None:
        """Only these rows scroll; ``bottom`` is the last of them. The cursor goes home."""
        bottom = min(bottom, self.height - 1)
        if top < bottom:
            self.top, self.bottom = top, bottom
            self.x = 0
            self.to_row(0)

    # -- all of it -----------------------------------------------------------------------------

    def alternate(self, on: bool, *, cursor: bool) -> None:
        """Show the alternate screen or no longer; with ``cursor`` that is saved, and restored."""
        if on is self.window.alternate:
            return
        if on:
            self._before = self._cursor()
            self.window = Window(self._page.sheet(), self.height, self.width, self._source)
        else:
            self._leave()
            if cursor:
                self._to(self._before)

    def _leave(self) -> None:
        """The rows of the alternate screen go, if it is on."""
        if isinstance(self.window.page, Sheet):
            self.window.page.close()
        self.window = self._primary

    def finish(self) -> None:
        """Leave the alternate screen, and blank rows from the cursor on."""
        self.alternate(False, cursor=True)
        self.window.trim(self.y)

    def reset(self) -> None:
        """As it was at the start (RIS), but for what has scrolled away."""
        self._leave()
        self.pen.reset()
        self._begin()
        self.erase_display(2)
        self.x = self.y = 0
