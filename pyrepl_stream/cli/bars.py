"""Progress bars below the text on the user's terminal, or as plain lines where lines cannot be redrawn."""

from __future__ import annotations

from collections.abc import Callable

from wcwidth import clip

from ..processors.progress import progress_line
from ..processors.strip_ansi import stripped
from ..runtime.messages import ProgressMessage

_MOST = 8  # maximum number of bars that are shown at a time: the newest ones
_STEP = 10  # percent between two lines of a bar, where lines cannot be redrawn


class Bars:
    """The unfinished bars, each on one line.

    Args:
        write: Writes to the terminal or file.
        columns: Returns the width of the terminal; None if the cursor cannot be moved.
    """

    def __init__(self, write: Callable[[str], None], columns: Callable[[], int] | None) -> None:
        self._write = write
        self._columns = columns
        self._lines: dict[str, str] = {}  # the line of each bar, the newest last
        self._drawn = 0  # number of lines on the screen
        self._percentages: dict[str, float] = {}  # last written, by bar, where the cursor cannot be moved

    def show(self, message: ProgressMessage) -> None:
        """Take a new state of a bar. :meth:`draw` shows it, but a final state is written at once."""
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
        """Erase the bars, to make room for text."""
        if self._drawn:
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            self._write(f"\r{up}\x1b[J")
            self._drawn = 0

    def draw(self) -> None:
        """Draw the bars again, at the start of a line."""
        if self._columns is not None and self._lines:
            room = self._columns() - 1
            self._write("\n".join(clip(line, 0, room) for line in self._lines.values()))
            self._drawn = len(self._lines)

    def _is_due(self, message: ProgressMessage) -> bool:
        """Return True if a bar begins, ends, or has moved by a step."""
        before = self._percentages.get(message.bar)
        now = message.percentage or 0.0
        if message.finished:
            self._percentages.pop(message.bar, None)
        elif now >= 100 or (before is not None and now // _STEP <= before // _STEP):
            return False  # its last state will follow
        else:
            self._percentages[message.bar] = now
        return True
