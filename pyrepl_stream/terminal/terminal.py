"""The state of a terminal: cursor, pen and margins, and the operations on them."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

from .attributes import Pen
from .page import Page
from .row import LONGEST_ROW, Content, is_blank, row_of
from .style import PLAIN
from .widths import columns
from .window import Window

_TAB = 8
_WIDEST_MARK = 2  # columns


class _Cursor(NamedTuple):
    x: int
    y: int
    pen: Pen
    origin: bool


class Terminal:
    """A terminal. Rows ``y`` and columns ``x`` are counted from 0 at the top left.

    Lines do not wrap: text continues to the right of ``width``, which only bounds cursor movements.
    """

    def __init__(self, page: Page, source: str, height: int, width: int) -> None:
        self.height = height
        self.width = width
        self._page = page
        self._source = source
        self.window = self._primary = Window(page, height, width, source)
        self.title = ""
        self.pen = Pen()
        self.x = self.y = 0
        self._begin()
        # The primary screen's cursor while the alternate screen is on.
        self._before = _Cursor(0, 0, Pen(), False)

    def _begin(self) -> None:
        self.inserting = False  # text pushes the rest of the row to the right
        self.top, self.bottom = 0, self.height - 1  # the first and the last row that scroll
        self.origin = False  # rows are counted from the top margin
        self.tabs: set[int] | None = None  # the columns of tab stops; None: every 8 columns
        self.last = ""  # the last character that was written, for REP
        self._saved: dict[bool, _Cursor] = {}  # DECSC; of the primary (False) and the alternate screen (True)

    # -- text ----------------------------------------------------------------------------------

    @property
    def appends(self) -> bool:
        """True when whole lines of text would become the newest rows unchanged."""
        return (
            self.x == 0
            and self.y == self.window.size
            and not (self.inserting or self.pen.draws or self.window.alternate)
            and self.top == 0
            and self.bottom == self.height - 1
            and self.tabs is None
        )

    def append(self, rows: Sequence[Content], missed: int) -> None:
        """Add rows; :attr:`appends` must be true. ``missed`` rows before them were left out."""
        self.window.append(rows, missed)
        if self.window.size == self.height:
            self.window.release(1)
        self.y = self.window.size

    def skip_lines(self, count: int) -> None:
        """Move down by ``count`` lines from the lowest row, on a terminal without a source.

        The rows of lines that are not shown stay blank, or are missed.
        """
        if count:
            self.window.make(self.y)
            blank = min(count, self.height) - 1
            self.append([""] * blank, missed=count - 1 - blank)
            self.x = 0

    def place(self, display: str) -> int:
        """Reserve a row for a display at the cursor, or below all rows if the cursor's row is used.

        A display is never placed on the alternate screen. Returns the number of the row.
        """
        window, cursor = self.window, self._cursor()
        if window.alternate:
            self.window = self._primary
            self._to(self._before)
        number = self._place(display)
        if window.alternate:
            was_saved = self._saved.get(False) is self._before
            self._before = self._cursor()
            if was_saved:
                self._saved[False] = self._before
            self.window = window
            self._to(cursor)
        return number

    def _place(self, display: str) -> int:
        if self.window.lost(self.y):
            self._return()
        if self.x or not is_blank(self.window.content(self.y)):
            self.y = max(self.window.size - 1, self.y)
            self.line_feed()
        self.window.land(self.y)
        self.window.put(self.y, self.window.new(display=display))
        number = self.window.number(self.y)
        self.line_feed()
        return number

    def _return(self) -> None:
        """Start again at the top, because the cursor's row has left the ring."""
        self.window.restart()
        self.x = self.y = 0

    def write(self, text: str) -> None:
        """Write text without controls at the cursor."""
        if self.window.lost(self.y):
            self._return()
        text = self.pen.drawn(text)
        self.last = text[-1]
        if self.inserting:
            self.insert(columns(text))
        self.x = self.window.edited(self.y).write(self.x, text, self.pen.style)

    def repeat(self, count: int) -> None:
        """Repeat the last character, up to the width (REP)."""
        count = min(count, self.width - self.x)
        if self.last and count > 0:
            self.write(self.last * count)

    # -- the cursor ----------------------------------------------------------------------------

    def line_feed(self) -> None:
        """Move to the start of the next row, as LF does where a terminal device adds CR."""
        self.index()
        self.x = 0

    def carriage_return(self) -> None:
        """Move to the start of the row, or of the next row if blanks have wrapped the line."""
        if self.x > self.width and self._is_wrapped():
            self.index()
        self.x = 0

    def _is_wrapped(self) -> bool:
        """Return True when the blanks before the cursor, beyond the width, wrap the line.

        One blank after a full row does. So do blanks after a mark such as ``%``, which shells write after
        output that may lack a line feed, if mark and blanks take as many columns as the terminal has.
        """
        blanks = row_of(self.window.content(self.y)).blanks_before(self.x, self.width + 1)
        if blanks == 1:
            return (self.x - 1) % self.width == 0
        return blanks > 1 and self.width - _WIDEST_MARK <= blanks <= self.width

    def index(self) -> None:
        """Move down by one row; at the bottom margin, scroll."""
        self.window.make(self.y)
        if self.y == self.bottom:
            # Unlike xterm, do not fill the row that scrolls into view with the current background: new
            # rows would be painted at the bottom of the screen, but not elsewhere.
            self.window.scroll(self.top, self.bottom, 1, PLAIN, keep=True)
        elif self.y < self.height - 1:
            self.y += 1

    def reverse_index(self) -> None:
        """Move up by one row; at the top margin, scroll down."""
        if self.y == self.top:
            self.scroll_down(1)
        else:
            self.y = max(self.y - 1, 0)

    def up(self, count: int) -> None:
        """Move up (CUU)."""
        self.y = max(self.y - count, self.top if self.y >= self.top else 0)
        self.window.trim(self.y + 1)

    def down(self, count: int) -> None:
        """Move down (CUD)."""
        self.y = min(self.y + count, self.bottom if self.y <= self.bottom else self.height - 1)

    def right(self, count: int) -> None:
        """Move to the right (CUF)."""
        self.x = min(self.x + count, max(self.x, self.width - 1))

    def left(self, count: int) -> None:
        """Move to the left (CUB)."""
        self.x = max(self.x - count, 0)

    def to_column(self, x: int) -> None:
        """Move to a column (CHA)."""
        self.x = max(min(x, self.width - 1), 0)

    def to_row(self, y: int) -> None:
        """Move to a row (VPA)."""
        y = max(y, 0)
        self.y = min(y + self.top, self.bottom) if self.origin else min(y, self.height - 1)

    def originate(self, on: bool) -> None:
        """Count rows from the top margin or from the top of the screen, and move the cursor home."""
        self.origin = on
        self.x = 0
        self.to_row(0)

    def tab(self, count: int) -> None:
        """Move to the ``count``-th next tab stop; by default there is one every 8 columns."""
        if self.tabs is not None:
            behind = sorted(x for x in self.tabs if x > self.x)
            self.x = behind[count - 1] if count <= len(behind) else max(self.x, self.width - 1)
            return
        self.x = min((self.x // _TAB + count) * _TAB, max(self.width - 1, (self.x // _TAB + 1) * _TAB))

    def back_tab(self, count: int) -> None:
        """Move to the ``count``-th tab stop before the cursor (CBT)."""
        if self.tabs is not None:
            before = sorted(x for x in self.tabs if x < self.x)
            self.x = before[-count] if count <= len(before) else 0
            return
        self.x = max((-(-self.x // _TAB) - count) * _TAB, 0)

    def set_tab(self) -> None:
        """Set a tab stop at the cursor (HTS)."""
        self._own_tabs().add(min(self.x, self.width - 1))

    def clear_tabs(self, which: int) -> None:
        """Clear the tab stop at the cursor (0), or all of them (3)."""
        if which == 0:
            self._own_tabs().discard(self.x)
        elif which == 3:
            self.tabs = set()

    def _own_tabs(self) -> set[int]:
        if self.tabs is None:
            self.tabs = set(range(_TAB, self.width, _TAB))
        return self.tabs

    def save(self) -> None:
        """Save the cursor (DECSC). As in xterm, each of the two screens has its own."""
        self._saved[self.window.alternate] = self._cursor()

    def restore(self) -> None:
        """Restore the saved cursor (DECRC)."""
        self._to(self._saved.get(self.window.alternate) or _Cursor(0, 0, Pen(), False))

    def _cursor(self) -> _Cursor:
        return _Cursor(self.x, self.y, copy(self.pen), self.origin)

    def _to(self, cursor: _Cursor) -> None:
        self.x, self.y, pen, self.origin = cursor
        self._take(copy(pen))

    def _take(self, pen: Pen) -> None:
        pen.from_stderr("e" in self.pen.style.flags)
        self.pen = pen

    # -- erasing and moving within a row ---------------------------------------------------------

    def erase_line(self, how: int) -> None:
        """Erase the row from the cursor on (0), up to it (1), or completely (2), even beyond the width."""
        style = self.pen.style.erasing()
        if how in (0, 1, 2) and (style is not PLAIN or self.y < self.window.size):
            row = self.window.edited(self.y)
            if how == 1:
                row.erase(0, self.x + 1, style)
            else:
                row.cut_end(0 if how else self.x, self.width, style)
        self.window.trim(self.y + 1)

    def erase_characters(self, count: int) -> None:
        """Erase columns from the cursor on (ECH)."""
        style = self.pen.style.erasing()
        if style is not PLAIN or self.y < self.window.size:
            self.window.edited(self.y).erase(self.x, min(self.x + count, self._edge()), style)

    def insert(self, count: int) -> None:
        """Insert blanks; the rest of the line, up to where it would wrap, moves right."""
        self.window.edited(self.y).insert(self.x, count, self._edge(), self.pen.style.erasing())

    def delete(self, count: int) -> None:
        """Delete columns; the rest of the line, up to where it would wrap, moves left."""
        self.window.edited(self.y).delete(self.x, count, self._edge(), self.pen.style.erasing())

    def _edge(self) -> int:
        """Return the column at which a terminal would wrap the line after the cursor."""
        return min((self.x // self.width + 1) * self.width, LONGEST_ROW)

    # -- rows ----------------------------------------------------------------------------------

    def erase_display(self, how: int) -> None:
        """Erase from the cursor on (0), up to it (1), everything (2), or the rows that scrolled away (3)."""
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
        """Insert rows at the cursor (IL)."""
        if self.top <= self.y <= self.bottom:
            self._scroll(self.y, -count)

    def delete_lines(self, count: int) -> None:
        """Delete rows at the cursor (DL)."""
        if self.top <= self.y <= self.bottom:
            self._scroll(self.y, count)
            self.window.trim(self.y + 1)

    def scroll_up(self, count: int) -> None:
        """Scroll up (SU)."""
        self._scroll(self.top, count, keep=True)

    def scroll_down(self, count: int) -> None:
        """Scroll down (SD)."""
        self._scroll(self.top, -count)

    def _scroll(self, top: int, count: int, *, keep: bool = False) -> None:
        size = self.bottom + 1 - top
        count = max(-size, min(count, size))
        self.window.scroll(top, self.bottom, count, self.pen.style.erasing(), keep=keep)

    def margins(self, top: int, bottom: int) -> None:
        """Let only the rows from ``top`` to ``bottom`` scroll, and move the cursor home."""
        top, bottom = max(top, 0), min(bottom, self.height - 1)
        if top < bottom:
            self.top, self.bottom = top, bottom
            self.x = 0
            self.to_row(0)

    # -- the whole terminal --------------------------------------------------------------------

    def alternate(self, on: bool, *, cursor: bool) -> None:
        """Enter or leave the alternate screen; with ``cursor``, save or restore the cursor outside it."""
        if on is self.window.alternate:
            return
        if on:
            self._before = self._cursor()
            if cursor:
                self._saved[False] = self._before
            self.window = Window(self._page, self.height, self.width, self._source, alternate=True)
        else:
            self._leave()
            if cursor:
                self.restore()

    def _leave(self) -> None:
        """Remove the rows of the alternate screen, if it is on."""
        if self.window.alternate:
            self.window.close()
        self.window = self._primary

    def finish(self) -> None:
        """Leave the alternate screen, and remove blank rows from the cursor on."""
        if self.window.alternate:
            self._leave()
            self._to(self._before)
        self.window.trim(self.y)

    def reset(self) -> None:
        """Reset everything except the rows that have scrolled away (RIS)."""
        self._leave()
        self._take(Pen())
        self._begin()
        self.erase_display(2)
        self.x = self.y = 0
