"""Text as it looks in the end, line by line, for a place that keeps it."""

from __future__ import annotations

import re

__all__ = ("Fold",)

_LONGEST = 64 << 10  # characters of a line that are held
_MOVES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-ln-~]|\x1b[78cDEHMNOZ=>]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
"""Sequences that are no colours."""
_WHOLE = re.compile(r"\x1b\[[0-9;:]*[mK]")
"""With colours, or an erasing, a line is taken to be drawn over as a whole."""


class Fold:
    """Whole lines without carriage returns; of what was drawn over, the last state stays."""

    def __init__(self) -> None:
        self._parts: list[str] = []  # of the line that has begun
        self._size = 0

    def feed(self, text: str) -> str:
        """The lines that are whole now."""
        head, newline, rest = text.rpartition("\n")
        if newline:
            lines = "".join([*self._parts, head]).split("\n")
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        whole = _joined(lines) if newline else ""
        return whole + self._cut() if self._size > _LONGEST else whole

    def release(self) -> str:
        """The line that has begun."""
        line = "".join(self._parts)
        self._parts, self._size = [], 0
        return _folded(line)

    def _cut(self) -> str:
        """Forget what is drawn over; what is too long nevertheless is handed over as it is."""
        line = "".join(self._parts)
        start = line.rfind("\r", 0, -1)
        if len(line) - max(0, start) > _LONGEST:
            return self.release()
        line = line[max(0, start) :]
        self._parts, self._size = [line], len(line)
        return ""


def _joined(lines: list[str]) -> str:
    return "".join(f"{_folded(line)}\n" for line in lines)


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
