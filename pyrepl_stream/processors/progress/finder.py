"""Finds the library that drew a line, and recognizes text that cannot contain a bar."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from .bar import Bar, BarFormat

_GLYPHS = "\u2500-\u257b\u2580-\u259f\u25a0-\u25ff\u2800-\u28ff"  # lines, blocks, shapes, braille
_MARKS = re.compile(f"[\b\t\r\x1b\x80-\x9f%{_GLYPHS}]")
_NOT_PLAIN = re.compile(f"[\x80-\x9f{_GLYPHS}]")
_C1 = re.compile("[\x80-\x9f]")
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_COLOURED = re.compile(r"[^\x1b\x80-\x9f]*(?:\x1b\[[0-9;:]*m[^\x1b\x80-\x9f]*)*")


Found = tuple[BarFormat, Bar, int]
"""A format, the bar that it found in a line, and the length of the bar's text; other text may follow it."""


class Finder:
    """Tries the formats of several libraries."""

    def __init__(self, libraries: Iterable[BarFormat]) -> None:
        self._libraries = [(re.compile(library.hint).search, library) for library in libraries]
        hints = [f"(?:{library.hint})" for _, library in self._libraries if not library.redrawn]
        self._believed = re.compile("|".join(hints) or "(?!)")
        # The last line and its result: a line is examined when its chunk ends and again when drawn over.
        self._last: tuple[str, Found | None] = ("", None)

    def find(self, line: str) -> Found | None:
        """Return the first format that matches a line or, if it has an ``end``, the start of the line."""
        if line != self._last[0]:
            self._last = line, self._find(line)
        return self._last[1]

    def _find(self, line: str) -> Found | None:
        for has_hint, library in self._libraries:
            if not has_hint(line):
                continue
            if (bar := library.parse(line)) is not None:
                return library, bar, len(line)
            for found in islice(re.finditer(library.end, line), 4 if library.end else 0):
                if (bar := library.parse(line[: found.end()])) is not None:
                    return library, bar, found.end()
        return None

    def has_only_lines(self, text: str) -> bool:
        """Return True for lines of text whose only escape sequences are colours, and which contain no bar."""
        if "\b" in text or ("\r" in text and text.count("\r") != text.count("\r\n")):
            return False
        has_colours = "\x1b" in text
        if has_colours and not _COLOURED.fullmatch(text):
            return False
        if "%" not in text and (text.isascii() or not _NOT_PLAIN.search(text)):
            return True
        if _C1.search(text):
            return False
        return not self._believed.search(_COLOUR.sub("", text) if has_colours else text)


def has_marks(text: str, start: int = 0) -> bool:
    """Return True when ``text`` has, after ``start``, a control or a character that bars consist of."""
    return _MARKS.search(text, start) is not None
