"""Reduces lines of text to their final state, for output that is stored."""

from __future__ import annotations

import re

_LONGEST = 64 << 10  # maximum characters of an unfinished line
_MOVES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-ln-~]|\x1b[78cDEHMNOZ=>]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Escape sequences other than colours."""
_WHOLE = re.compile(r"\x1b\[[0-9;:]*[mK]")
"""Colours and erasing sequences. A redraw that contains one replaces the whole line."""


class Fold:
    """Turns text into whole lines without carriage returns; only the last state of a redrawn line is kept."""

    def __init__(self) -> None:
        self._line = ""  # the unfinished line

    def feed(self, text: str) -> str:
        """Add text and return the lines that are now complete."""
        *lines, self._line = (self._line + text).split("\n")
        shown = "".join(f"{_folded(line)}\n" for line in lines)
        return shown + self._cut() if len(self._line) > _LONGEST else shown

    def release(self) -> str:
        """Return the unfinished line, and start a new one."""
        line, self._line = self._line, ""
        return _folded(line)

    def _cut(self) -> str:
        """Drop overwritten text. A line that is still too long is returned unchanged."""
        start = max(0, self._line.rfind("\r", 0, -1))
        if len(self._line) - start > _LONGEST:
            return self.release()
        self._line = self._line[start:]
        return ""


def _folded(line: str) -> str:
    if "\r" not in line:
        return _MOVES.sub("", line) if "\x1b" in line else line
    shown = ""
    for part in line.split("\r"):
        whole = _WHOLE.search(part) is not None
        part = _MOVES.sub("", part)
        if whole or (part and "\x1b" in shown):
            shown = part
        else:
            shown = part + shown[len(part) :]
    return shown.rstrip(" ")
