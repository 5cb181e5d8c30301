"""Which library a line is of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from .bar import Bar, Library

__all__ = ("Finder",)


class Finder:
    """Asks libraries whose line it is."""

    def __init__(self, libraries: Iterable[Library]) -> None:
        self._libraries = [(library, re.compile(library.hint)) for library in libraries]
        self._ending = [(library, hint) for library, hint in self._libraries if library.end]
        hints = [f"(?:{library.hint})" for library, _ in self._libraries if not library.redrawn]
        self._believed = re.compile("|".join(hints) or "(?!)")

    def find(self, line: str) -> tuple[Library, Bar] | None:
        for library, hint in self._libraries:
            if hint.search(line) and (bar := library.parse(line)) is not None:
                return library, bar
        return None

    def find_beginning(self, line: str) -> tuple[Library, Bar, int] | None:
        """A bar with which a longer line begins, and where it ends; of libraries that say how theirs end."""
        for library, hint in self._ending:
            if hint.search(line) and library.parse(line) is None:
                for found in islice(re.finditer(library.end, line), 4):
                    if (bar := library.parse(line[: found.end()])) is not None:
                        return library, bar, found.end()
        return None

    def may_believe(self, text: str) -> bool:
        """Whether a line of ``text`` may be one that is a bar at first sight."""
        return self._believed.search(text) is not None
