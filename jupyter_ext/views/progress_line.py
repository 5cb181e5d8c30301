"""Progress on one line, for output in which a line can only be redrawn from its start."""

from __future__ import annotations

from pyrepl_stream import ProgressMessage
from pyrepl_stream.processors import progress_line


class ProgressLine:
    """Shows the newest bar on one line, which is removed before other text.

    JupyterLab's output handles carriage returns but no erasing sequences, so blanks overwrite the line.
    """

    def __init__(self) -> None:
        self._shown = 0  # characters on the screen
        self._in_line = False  # other text has begun a line, so there is no room for progress

    def draw(self, message: ProgressMessage) -> str:
        """Return the text that shows a new state of a bar."""
        if self._in_line and not message.finished:
            return ""
        line = progress_line(message)
        before = "\n" if self._in_line else "\r" if self._shown else ""
        blanks = " " * (self._shown - len(line))
        self._shown = 0 if message.finished else len(line)
        self._in_line = False
        return f"{before}{line}{blanks}" + ("\n" if message.finished else "")

    def clear(self, text: str) -> str:
        """Return the text to write before ``text``, which is not a bar."""
        shown, self._shown = self._shown, 0
        self._in_line = not text.endswith("\n")
        return f"\r{' ' * shown}\r" if shown else ""
