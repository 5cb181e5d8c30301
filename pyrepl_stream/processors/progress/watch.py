"""Progress bars on the rows of a terminal."""

from __future__ import annotations

from ...runtime.messages import ProgressMessage
from ...terminal.controls import Action
from ...terminal.terminal import Terminal
from ...terminal.widths import columns
from .bar import Bar, BarFormat
from .effects import BACK, ERASE, LINE, MOVE, OTHER, ROW, START, STYLE, TEXT, Effect, effect_of
from .finder import Finder, has_marks
from .tracker import Tracker

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
"""The sequences that hide the cursor and show it again."""
LONGEST_LINE = 4096
"""The number of columns of a row that are examined; no bar is longer."""

_FORGET_EVERY = 64  # rows
_RESETS = ("\x1b[0m", "\x1b[m", "\x1b[39m")
_ERASES_REST = ("\x1b[K", "\x1b[0K")
_ENDS_DRAWING = (START, LINE, ROW, ERASE, BACK)


class BarWatch:
    """Finds the bars that a program draws on a terminal, and takes their rows off the terminal's page.

    A *drawing* is the text written since the cursor last moved back or came to its row. It ends when the
    cursor moves back or leaves the row, or when something is erased. A bar is passed to ``tracker`` and its
    row is taken off the page; when text is drawn on that row, it is put back. A drawing that is a bar only if
    it is drawn over is a *candidate* as long as the cursor stays on the row. Rows are numbered from the first
    row of the output, and keep their numbers when they scroll. The alternate screen is ignored.

    ``out`` receives the messages about the bars. A screen calls the methods of :class:`Watch`.
    """

    def __init__(self, terminal: Terminal, finder: Finder, tracker: Tracker) -> None:
        self.out: list[str | ProgressMessage] = []
        self._terminal = terminal
        self._finder = finder
        self.tracker = tracker
        self._start = self._end = 0  # the columns of the drawing
        self._drawn = False  # something is drawn in these columns
        self._lowest = 0  # the lowest row that the cursor has reached
        self._forgotten = 0  # `_lowest` when rows out of reach were last forgotten
        self._drawn_over: set[int] = set()  # rows that were drawn over
        self._bars: set[int] = set()  # rows whose last drawing was a bar, even if it was cleared
        self._candidate: tuple[BarFormat, Bar, str] | None = None  # a bar only if it is drawn over
        self._candidates: dict[int, str] = {}  # the library of the last candidate on a row
        self._is_plain = True  # the cursor's row has only text without any mark of a bar
        self._passing = False  # text on the row is shown at once
        self._moved = False  # the cursor came to the row by a movement, not by a line feed
        self._coloured = False  # a colour is on at the end of the drawing
        self._cursor_hidden = False

    @property
    def row(self) -> int:
        """The number of the cursor's row."""
        return self._terminal.window.scrolled + self._terminal.y

    def finish(self) -> None:
        """Handle the end of the output: all bars are finished."""
        self.release()
        self.out += self.tracker.finish()

    # -- the methods of Watch ------------------------------------------------------------------

    def plain(self, text: str) -> int:
        """See :class:`Watch`."""
        if self._terminal.window.alternate:
            return len(text)
        if not self._is_at_plain_line():
            return 0
        end = text.rfind("\n") + 1
        if not self._finder.has_only_lines(text[:end] if end else text):
            return 0
        return len(text) if not self.tracker.awaits and not has_marks(text, end) else end

    def skipped(self) -> None:
        """See :class:`Watch`."""
        if self._terminal.window.alternate:
            return
        column = self._terminal.x
        self._lowest = max(self._lowest, self.row)
        self._start, self._end, self._drawn = 0, column, column > 0
        self._passing = column > 0
        self._forget()

    def wrote(self, text: str, start: int) -> None:
        """See :class:`Watch`."""
        terminal = self._terminal
        if terminal.window.alternate:
            self._pass(text)
            return
        if terminal.x != start:
            self._is_plain = False
            self._drawn = True
            if terminal.x > self._end:
                self._end = terminal.x
        self._add(text, TEXT, start)

    def control(self, control: str, execute: Action | None) -> None:
        """See :class:`Watch`. Without ``execute`` the control has no effect on the terminal."""
        terminal, effect = self._terminal, effect_of(control)
        if effect is ERASE and control in _ERASES_REST and self._drawn and terminal.x >= self._end:
            effect = MOVE  # it erases nothing of the drawing
        leaves = effect is LINE or effect is ROW
        moved = leaves and (effect is ROW or self.row < self._lowest)
        before = terminal.window.alternate
        if not before and effect in _ENDS_DRAWING:
            if self._drawn:
                self._end_drawing()
            if leaves:
                self._end_row()
                if effect is LINE:
                    self._feed(control)
        start = terminal.x
        if execute is not None:
            execute(terminal)
        alternate = terminal.window.alternate
        if before or alternate:
            self._pass(control)
        if alternate:
            return
        if leaves:
            self._come_to_row(moved=moved)
            if effect is ROW and not before:
                self._add(control, effect, start)
        elif effect is TEXT:
            self.wrote(control, start)
        elif effect is ERASE:
            self._erased(control, start)
        elif effect in _ENDS_DRAWING:
            self._went_back(control, start, effect)
        else:
            self._add(control, effect, start)

    def end_chunk(self) -> None:
        """See :class:`Watch`. Show the last drawing, because no output may follow for some time."""
        if self._terminal.window.alternate or not self._drawn:
            return
        line = self._line()
        if not self._passing and not self._may_become_bar(line):
            self._show()
            self._passing = True
        found = self._finder.find(line) if self._end <= LONGEST_LINE else None
        if found is None or self._coloured:
            return  # while a colour is on, the bar's last column may be incomplete
        row, (library, bar, end) = self.row, found
        if end < len(line) or not self._is_believed(library, bar):
            return
        if library.name == self.tracker.library_at(row) or (not library.redrawn and self._is_live()):
            self._lift()
            self.out += self.tracker.guess(row, library.name, bar, line)

    def release(self) -> None:
        """See :class:`Watch`."""
        if not self._terminal.window.alternate:
            if self._drawn:
                self._end_drawing()
            self._end_row()
            self._begin()

    # -- drawings ------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Begin a drawing at the cursor."""
        self._start = self._end = self._terminal.x
        self._drawn = False

    def _text(self) -> str:
        return self._terminal.window.text(self._terminal.y, LONGEST_LINE).rstrip()

    def _line(self) -> str:
        """Return the text of the drawing, or of the whole row if the drawing does not begin at its start."""
        end = LONGEST_LINE if self._start or self._end > LONGEST_LINE else self._end
        return self._terminal.window.text(self._terminal.y, end).rstrip()

    def _end_drawing(self) -> None:
        """Decide whether the drawing is a bar."""
        row, line = self.row, self._line()
        found = self._finder.find(line) if self._end <= LONGEST_LINE else None
        if not line:
            if row in self._bars:
                self.out += self.tracker.clear(row)
                self._hide()
        elif found is None:
            self._take_text()
        else:
            self._take_found(row, line, *found)
        self._drawn = False

    def _take_found(self, row: int, line: str, library: BarFormat, bar: Bar, end: int) -> None:
        if end < len(line):
            self._take_beginning(library, bar, line[:end])
            self._take_text()
        elif self._is_believed(library, bar):
            if self._candidate is not None and self._candidate[0] is library:
                self._sight(*self._candidate)
            self._sight(library, bar, line)
        else:
            self._candidate = library, bar, line
            self._candidates[row] = library.name

    def _take_text(self) -> None:
        row = self.row
        self.out += self.tracker.end_guess()
        self.out += self.tracker.cover(row)
        self._show()
        self._bars.discard(row)
        self._candidate = None

    def _take_beginning(self, library: BarFormat, bar: Bar, line: str) -> None:
        """Handle a bar that text follows directly, as when tqdm and `print` alternate: hide only the bar."""
        self._cut(columns(line))
        self._sight(library, bar, line)

    def _sight(self, library: BarFormat, bar: Bar, line: str) -> None:
        row = self.row
        self._hide()
        self.out += self.tracker.sight(row, library.name, bar, line)
        self._bars.add(row)
        self._candidate = None

    def _is_believed(self, library: BarFormat, bar: Bar) -> bool:
        if not library.redrawn and not bar.doubtful:
            return True
        row, name = self.row, library.name
        if library.redrawn and bar.doubtful:
            known = name in (self._candidates.get(row), self.tracker.library_at(row))
            return known and row in self._drawn_over
        return row in self._drawn_over or self.tracker.library_at(row - 1) == name

    def _is_live(self) -> bool:
        """Return True when the program draws here, rather than only printing lines."""
        return self._moved or self._cursor_hidden or self.tracker.is_live_at(self.row - 1)

    def _may_become_bar(self, line: str) -> bool:
        return (
            self._candidate is not None
            or self.row in self._bars
            or has_marks(line)
            or self.tracker.awaits
            or self._is_live()
        )

    def _is_at_plain_line(self) -> bool:
        """Return True when text without any mark of a bar may be shown without this watch following it."""
        row = self.row
        return (
            self._is_plain
            and row == self._lowest
            and not self._terminal.window.is_lifted(self._terminal.y)
            and not self.tracker.is_live_at(row - 1)
        )

    # -- the row of the cursor -----------------------------------------------------------------

    def _add(self, text: str, effect: Effect, start: int) -> None:
        """Handle ``text``, which moved the cursor from the column ``start`` to its current position."""
        if effect is OTHER:
            if text in (HIDE, SHOW):
                self._cursor_hidden = text == HIDE
        elif "\x1b" in text and effect in (TEXT, STYLE):
            self._coloured = not text.startswith(_RESETS, text.rfind("\x1b"))

    def _hide(self) -> None:
        """Take the row off the page, because a bar is drawn on it."""
        self._lift()
        self._coloured = False

    def _lift(self) -> None:
        self._terminal.window.lift(self._terminal.y)

    def _show(self) -> None:
        """Put the row back on the page, without what a bar has left before and after the drawing."""
        window, y = self._terminal.window, self._terminal.y
        self._coloured = False
        if not window.is_lifted(y) or not self._text():
            return
        if self._drawn:
            window.edited(y).cut_end(self._end)
            if self._start:
                self._cut(self._start)
        window.land(y)

    def _cut(self, end: int) -> None:
        """Remove the text of the row before the column ``end``. The rest moves to the start of the row."""
        count = self._terminal.window.edited(self._terminal.y).cut_start(end)
        self._terminal.x = max(self._terminal.x - count, 0)
        self._start, self._end = 0, max(self._end - count, 0)

    def _pass(self, shown: str) -> None:
        """Handle output on an alternate screen, and the controls that enter and leave it."""

    def _feed(self, control: str) -> None:
        """Handle a line feed that leaves the row."""
        self.out += self.tracker.leave(self.row)

    def _end_row(self) -> None:
        """Show or hide the row when the cursor leaves it."""
        if self.row in self._bars:
            self._hide()
        else:
            self._show()
        self._candidate = None
        self._passing = False

    def _come_to_row(self, *, moved: bool) -> None:
        row = self.row
        if moved:
            self._came_back(row, 0)
        if row > self._lowest:
            self._lowest = row
        self._begin()
        self._moved, self._is_plain = moved, not moved
        self._forget()

    def _came_back(self, row: int, column: int) -> None:
        """Note that the cursor came back to its row: text from ``column`` on, if any, may be drawn over."""
        if self._text()[column:]:
            self._drawn_over.add(row)

    def _went_back(self, control: str, start: int, effect: Effect) -> None:
        row = self.row
        if row > self._lowest:  # written blanks made the line wrap
            self._come_to_row(moved=True)
        elif row not in self._drawn_over:
            self._came_back(row, self._terminal.x + 1)  # one column back is bold print, as in manual pages
        self._add(control, effect, start)
        self._begin()
        self._is_plain = False
        if effect is START:
            self._moved, self._passing = True, False

    def _erased(self, control: str, start: int) -> None:
        row = self.row
        if self._terminal.x == 0 or control[-2:-1] == "2":
            self._drawn_over.add(row)
        if not self._text():
            if self._candidate is not None:
                self._sight(*self._candidate)
            self.out += self.tracker.clear(row)
        if control[-1] == "J":
            for below in range(row + 1, self._lowest + 1):
                self.out += self.tracker.clear(below)
        self._add(control, ERASE, start)
        self._begin()
        self._is_plain = False
        self._moved = self._moved or row in self._drawn_over

    def _forget(self) -> None:
        """Periodically forget the rows that the program can no longer reach."""
        if self._lowest - self._forgotten >= _FORGET_EVERY:
            self._forgotten, first = self._lowest, self._terminal.window.scrolled
            self._drawn_over = {row for row in self._drawn_over if row >= first}
            self._candidates = {row: name for row, name in self._candidates.items() if row >= first}
            self._bars = {row for row in self._bars if row >= first}
            self.out += self.tracker.forget(first)
