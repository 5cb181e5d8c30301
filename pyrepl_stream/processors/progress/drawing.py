"""What is drawn on a row: a bar, text, or what would be a bar if it were drawn over."""

from __future__ import annotations

from .bar import Bar, Library
from .finder import Finder
from .held import Held, Kind
from .passed import Passed
from .plain import has_marks
from .screen import LONGEST_ROW, Screen
from .tracker import Tracker, Update

__all__ = ("Drawing",)


class Drawing:
    """Decides about what is written to the cursor's row, until the cursor leaves it.

    A *drawing* is what was written since the cursor last went back or came to this row, as for
    :class:`Screen`. A bar is told to ``tracker`` and dropped, text is passed on, and what would be a bar
    if it were drawn over is a candidate for as long as the cursor stays on the row.
    """

    def __init__(self, finder: Finder, tracker: Tracker) -> None:
        self.screen = Screen()
        self.passed = Passed()
        self.held = Held(self.passed)
        self.passing = False  # what is drawn passes at once
        self.moved = False  # the cursor came to where it draws otherwise than by a line feed
        self.out: list[str | Update] = self.passed.out
        self._finder = finder
        self._tracker = tracker
        self._bars: set[int] = set()  # rows whose last drawing was a bar, or that are blank since then
        self._candidate: tuple[Library, Bar, str] | None = None  # a bar if it is drawn over

    def add(self, text: str, kind: Kind, start: int) -> None:
        """``text`` took the cursor from the column ``start`` to where it is."""
        if self.passing:
            self.held.pass_by(text, self.screen.row, start, self.screen.column)
            return
        self.held.add(text, kind, start)
        if self.held.is_full:
            if self.screen.row in self._bars and not self.screen.drawn:
                self._drop()
            else:
                self._let_go()
                self.passing = True

    def begin_row(self, *, moved: bool) -> None:
        """The cursor came to a row."""
        self.screen.begin()
        self.moved = moved

    def end(self) -> None:
        """The cursor leaves what was drawn: decide what it was."""
        screen = self.screen
        if not screen.drawn:
            return
        line = screen.line()
        short = line if screen.end <= LONGEST_ROW else ""
        if not line:
            if screen.row in self._bars:
                self.out += self._tracker.clear(screen.row)
                self._drop()
        elif (beginning := self._finder.find_beginning(short)) is not None:
            self._take_beginning(*beginning, short)
            self._take_text()
        elif (found := self._finder.find(short)) is None:
            self._take_text()
        elif self._is_believed(*found):
            if self._candidate is not None and self._candidate[0] is found[0]:
                self._sight(*self._candidate)
            self._sight(*found, line)
        else:
            self._candidate = (*found, line)
            screen.here().candidate = found[0].name
        screen.begin()

    def end_row(self) -> None:
        """The cursor leaves the row: what is held has to go."""
        if self.screen.row in self._bars:
            self._drop()
        else:
            self._let_go()
            if self._candidate is not None:
                self.out += self._tracker.cover(self.screen.row)
        self._candidate = None
        self.passing = False

    def end_chunk(self) -> None:
        """Show what there is, as long as nothing more comes."""
        screen = self.screen
        if not screen.drawn:
            if self.passed.has(screen.row) and not self._may_become_bar(""):
                self._let_go()
            return
        line = screen.line()
        if not self.passing and not self._may_become_bar(line):
            self._let_go()
            self.passing = True
        found = self._finder.find(line) if line and screen.end <= LONGEST_ROW else None
        if found is None or not self._is_believed(*found):
            return
        library, bar = found
        if self.held.ends_in_colour:
            return  # its last column is not whole
        if library.name == self._tracker.library_at(screen.row) or (not library.redrawn and self._is_live()):
            self.out += self._tracker.guess(screen.row, library.name, bar, line)

    def blanked(self) -> None:
        """Something of the row was erased, perhaps all."""
        if self.screen.here().cells:
            return
        if self._candidate is not None:
            self._sight(*self._candidate)
        self.out += self._tracker.clear(self.screen.row)

    def skip(self) -> None:
        """Something is on this row that cannot be read."""
        self._bars.discard(self.screen.row)
        self.out += self._tracker.cover(self.screen.row)

    def forget(self, before: int) -> None:
        """Nothing can come back to the rows above this one."""
        self.screen.forget(before)
        self.passed.forget(before)
        self._bars = {row for row in self._bars if row >= before}
        self.out += self._tracker.forget(before)

    # ------------------------------------------------------------------------------------------

    def _take_text(self) -> None:
        """The drawing is no bar."""
        row = self.screen.row
        self.out += self._tracker.end_guess()
        self.out += self._tracker.cover(row)
        self._bars.discard(row)
        self._let_go()
        self._candidate = None

    def _take_beginning(self, library: Library, bar: Bar, end: int, line: str) -> None:
        """Somebody printed behind a bar, as `print` does while tqdm runs: only the bar is dropped."""
        rest = self.held.cut(end)
        if rest is not None:
            self._sight(library, bar, line[:end])
            self.held.add_all(rest)

    def _sight(self, library: Library, bar: Bar, line: str) -> None:
        row = self.screen.row
        self._drop()
        self.out += self._tracker.sight(row, library.name, bar, line)
        self._bars.add(row)
        self._candidate = None

    def _let_go(self) -> None:
        self.held.let_go(self.screen.row, self.screen.column)

    def _drop(self) -> None:
        self.held.drop(self.screen.row)

    def _is_believed(self, library: Library, bar: Bar) -> bool:
        if not library.redrawn and not bar.doubtful:
            return True
        number, row = self.screen.row, self.screen.here()
        if library.redrawn and bar.doubtful:
            known = library.name in (row.candidate, self._tracker.library_at(number))
            return row.drawn_over and known
        return row.drawn_over or self._tracker.library_at(number - 1) == library.name

    def _is_live(self) -> bool:
        """Whether somebody draws here, and does not only print lines."""
        return self.moved or self.held.cursor_hidden or self._tracker.is_live_at(self.screen.row - 1)

    def _may_become_bar(self, line: str) -> bool:
        row = self.screen.row
        return (
            self.moved
            or self.held.cursor_hidden
            or self.held.hides_cursor
            or self._candidate is not None
            or row in self._bars
            or has_marks(line)
            or self._tracker.awaits
            or self._tracker.is_live_at(row - 1)
        )
