"""One line for progress, where text can only be drawn over from the start of its line."""

from __future__ import annotations

from pyrepl_stream import ProgressMessage, progress_line

__all__ = ("ProgressLine",)


class ProgressLine:
    """What to write so that the newest bar stands in one line, and goes when other text comes.

    JupyterLab's output knows the carriage return, but no erasing: blanks have to do.
    """

    def __init__(self) -> None:
        self._shown = 0  # characters on the screen
        self._in_line = False  # other text has begun a line, where there is no room

    def draw(self, message: ProgressMessage) -> str:
        if self._in_line and not message.finished:
            return ""
        line = progress_line(message)
        before = "\n" if self._in_line else "\r" if self._shown else ""
        blanks = " " * (self._shown - len(line))
        self._shown = 0 if message.finished else len(line)
        self._in_line = False
        return f"{before}{line}{blanks}" + ("\n" if message.finished else "")

    def clear(self, text: str) -> str:
        """To be written before ``text``, which is no bar."""
        shown, self._shown = self._shown, 0
        self._in_line = not text.endswith("\n")
        return f"\r{' ' * shown}\r" if shown else ""
