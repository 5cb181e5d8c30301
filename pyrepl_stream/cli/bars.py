"""Progress bars on our terminal, below the text; and as lines where no line can be drawn over."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from ..messages import ProgressMessage
from ..processors.progress import progress_line
from ..processors.strip_ansi import stripped

__all__ = ("Bars",)

_MOST = 8  # bars that are shown at a time, the newest
_STEP = 10  # per cent between two lines of a bar, where it cannot be drawn over


class Bars:
    """The bars that are under way, each on one line. ``write`` leads to the terminal or file they are on.

    ``columns`` tells its width; None, where no cursor moves.
    """

    def __init__(self, write: Callable[[str], None], columns: Callable[[], int] | None) -> None:
        self._write = write
        self._columns = columns
        self._lines: dict[str, str] = {}  # by bar, the newest last
        self._drawn = 0  # lines on the screen
        self._told: dict[str, float] = {}  # by bar, where no cursor moves: the percentage told last

    def show(self, message: ProgressMessage) -> None:
        """Take a new state of a bar: :meth:`draw` shows it, but its last one is shown here."""
        line = stripped(progress_line(message))
        if self._columns is None:
            if self._is_due(message):
                self._write(line + "\n")
            return
        self.erase()
        if message.finished:
            self._lines.pop(message.bar, None)
            self._write(line + "\n")
        else:
            self._lines[message.bar] = line
            if len(self._lines) > _MOST:
                del self._lines[next(iter(self._lines))]

    def erase(self) -> None:
        """Make room for text."""
        if self._drawn:
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            self._write(f"\r{up}\x1b[J")
            self._drawn = 0

    def draw(self) -> None:
        """Show the bars again, at the start of a line."""
        if self._columns is not None and self._lines:
            room = self._columns() - 1
            self._write("\n".join(_fitted(line, room) for line in self._lines.values()))
            self._drawn = len(self._lines)

    def _is_due(self, message: ProgressMessage) -> bool:
        """Whether a bar has moved by a step, or begins or ends."""
        before = self._told.get(message.bar)
        now = message.percentage or 0.0
        if message.finished:
            self._told.pop(message.bar, None)
        elif now >= 100 or (before is not None and now // _STEP <= before // _STEP):
            return False  # of a whole one the end is told
        else:
            self._told[message.bar] = now
        return True


def _fitted(line: str, columns: int) -> str:
    """What of a line fits: East Asian characters are two columns wide, combining ones none."""
    for index, character in enumerate(line):
        wide = unicodedata.east_asian_width(character) in ("W", "F")
        columns -= 0 if unicodedata.combining(character) else 2 if wide else 1
        if columns < 0:
            return line[:index]
    return line
