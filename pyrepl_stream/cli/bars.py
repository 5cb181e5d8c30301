"""Progress bars and displays that change, below the text on the user's terminal.

Where lines cannot be redrawn, bars are plain lines, and displays are left out.
"""

from __future__ import annotations

from collections.abc import Callable

from wcwidth import clip

from ..processors.progress import progress_line
from ..processors.strip_ansi import stripped
from ..runtime.messages import ProgressMessage

_MOST = 8  # maximum number of bars and displays that are shown at a time: the newest ones
_SHARE = 2  # they take at most the screen's lines divided by this
_STEP = 10  # percent between two lines of a bar, where lines cannot be redrawn


class Bars:
    """The unfinished bars, each on one line, and the displays that can still change.

    Args:
        write: Writes to the terminal or file.
        size: Returns the rows and columns of the terminal; None if the cursor cannot be moved.
    """

    def __init__(self, write: Callable[[str], None], size: Callable[[], tuple[int, int]] | None) -> None:
        self._write = write
        self._size = size
        self._texts: dict[str, str] = {}  # by the key of a bar or display, the newest last
        self._drawn = 0  # number of lines on the screen
        self._percentages: dict[str, float] = {}  # last written, by bar, where the cursor cannot be moved

    def show(self, message: ProgressMessage) -> None:
        """Take a new state of a bar. :meth:`draw` shows it, but a final state is written at once."""
        line = stripped(progress_line(message))
        if self._size is None:
            if self._is_due(message):
                self._write(line + "\n")
            return
        self.erase()
        if message.finished:
            self._texts.pop(message.bar, None)
            self._write(line + "\n")
        else:
            self._put(message.bar, line)

    def show_display(self, display_id: str, text: str) -> None:
        """Take the newest text of a display. :meth:`draw` shows it."""
        self.erase()
        self._put(f"display {display_id}", text)

    def _put(self, key: str, text: str) -> None:
        self._texts[key] = text
        if len(self._texts) > _MOST:
            del self._texts[next(iter(self._texts))]

    def clear(self) -> None:
        """Erase all bars and displays, and forget them."""
        self.erase()
        self._texts.clear()

    def erase(self) -> None:
        """Erase the bars, to make room for text."""
        if self._drawn:
            up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
            self._write(f"\r{up}\x1b[J")
            self._drawn = 0

    def draw(self) -> None:
        """Draw the bars again, at the start of a line."""
        if self._size is not None and self._texts:
            rows, columns = self._size()
            lines = [line for text in self._texts.values() for line in text.split("\n")]
            lines = lines[-max(1, rows // _SHARE) :]
            self._write("\n".join(clip(line, 0, columns - 1) for line in lines))
            self._drawn = len(lines)

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
