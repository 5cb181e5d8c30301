"""One row: its text, and how each part of it looks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

from .style import PLAIN, Style
from .widths import characters_of, exact_columns

__all__ = (
    "LONGEST_ROW",
    "Content",
    "Json",
    "Row",
    "Run",
    "blank",
    "is_blank",
    "styles_weight",
    "width_of",
    "without_blanks",
    "raw_text",
)

LONGEST_ROW = 1 << 16
"""Columns of a row that are kept."""

# About what Python takes for them, in bytes.
_RUN_WEIGHT = 64
_STYLE_WEIGHT = 160
_LONGEST_BLANK = 1024  # characters of a row that are looked at, again and again, for whether it is blank
_AROUND_PART = 10  # characters of JSON

Run: TypeAlias = tuple[int, Style]
"""How many characters, and their style."""
Json: TypeAlias = "str | list[list[str]] | dict[str, str | list[list[str]]]"


class Row:
    """A row of a page. One that a screen can still reach changes with it.

    ``source`` is whose output it is; ``display`` is what :meth:`Screen.place` was given. ``cut`` is how many
    columns were written to the right of the first 64 Ki, which alone are kept.
    """

    __slots__ = ("_text", "_runs", "source", "display", "cut")

    def __init__(
        self,
        text: str = "",
        runs: list[Run] | None = None,
        *,
        source: str = "",
        display: str = "",
        cut: int = 0,
    ) -> None:
        self._text = text
        self._runs = runs  # None: all of it is plain
        self.source = source
        self.display = display
        self.cut = cut

    @property
    def text(self) -> str:
        """All characters, without trailing blanks that cannot be seen, and with what is said of a cut."""
        text = "".join([text for text, _ in self._parts()])
        return text + self._note() if self.cut else text

    def json(self, limit: int | None = None) -> Json:
        """The text, or where it has styles a list of parts: text, words of its style, and its link if any.

        A row with a source or a display is an object: ``t`` (text or parts), ``s`` and ``d``. With a
        ``limit`` it ends behind about so many characters, those of styles and links and of what JSON has
        around them included; :meth:`left_out` tells of the rest.
        """
        parts = self._json_parts(limit)
        plain = not parts or (len(parts) == 1 and parts[0][1:] == [""])
        content = "".join(part[0] for part in parts) if plain else parts
        if not self.source and not self.display:
            return content
        row: dict[str, str | list[list[str]]] = {"t": content}
        if self.source:
            row["s"] = self.source
        if self.display:
            row["d"] = self.display
        return row

    def left_out(self, limit: int) -> int:
        """How many characters :meth:`json` leaves out with this limit, what is cut included."""
        shown = sum(len(part[0]) for part in self._json_parts(limit))
        length = self._length()
        # With the note of a cut, more is shown than there is: it tells of the rest itself.
        return length + self.cut - shown if shown <= length else 0

    def _json_parts(self, limit: int | None) -> list[list[str]]:
        room = sys.maxsize if limit is None else limit
        found: list[list[str]] = []
        for text, style in self._parts():
            words = style.words()
            if words or style.link or found:
                room -= len(words) + len(style.link) + _AROUND_PART
            if room <= 0:
                return found
            found.append([text[:room], words, style.link] if style.link else [text[:room], words])
            room -= len(text)
        if self.cut and room > 0:
            found.append([self._note(), "d"])
        return found

    def cells(self) -> list[tuple[str, Style]]:
        """What each column shows; the second one of a wide character is an empty text."""
        return [(one, style) for text, style in self._parts() for one in characters_of(text)]

    # -- for screens ---------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """How many columns have been written."""
        return exact_columns(self._text)

    @property
    def weight(self) -> int:
        """About how much memory the row takes, in characters."""
        runs = self._runs or ()
        return len(self._text) + _RUN_WEIGHT * len(runs) + styles_weight(style for _, style in runs)

    @property
    def is_blank(self) -> bool:
        """Whether nothing of it can be seen; a very long row is taken not to be."""
        if self.display or self.cut or self._size > _LONGEST_BLANK:
            return False
        return not self._length()

    @property
    def _size(self) -> int:
        return len(self._text)

    def bare(self) -> Row:
        """The text without styles and links."""
        text = "".join([text for text, _ in self._parts()])
        return Row(text, source=self.source, display=self.display, cut=self.cut)

    def append(self, blanks: int, text: str, style: Style) -> None:
        """Add blanks and then text to what has been written."""
        if self._runs is None and style is not PLAIN:
            self._runs = [(len(self._text), PLAIN)]
        if self._runs is not None:
            if blanks:
                self._runs.append((blanks, PLAIN))
            if self._runs and self._runs[-1][1] is style:
                self._runs[-1] = (self._runs[-1][0] + len(text), style)
            else:
                self._runs.append((len(text), style))
        self._text += " " * blanks + text

    def stripped(self) -> Content:
        """As it is to be kept: a plain one as text only."""
        if self.source or self.display or self.cut or self._runs is not None:
            return self
        return self._text.rstrip(" ")

    def _parts(self) -> Iterator[tuple[str, Style]]:
        """Parts of one style each, without the blanks at the end that cannot be seen."""
        return without_blanks(self.written())

    def written(self) -> Iterator[tuple[str, Style]]:
        """Parts of one style each, with all blanks at the end."""
        if self._runs is None:
            return iter([(self._text, PLAIN)])
        return self._styled(self._runs)

    def _length(self) -> int:
        """How many characters these have."""
        end = len(self._text)
        for length, style in reversed(self._runs or [(end, PLAIN)]):
            start = end - length
            if style.is_usual:
                end = start + len(self._text[start:end].rstrip(" "))
            if end > start:
                break
        return end

    def _styled(self, runs: Iterable[Run]) -> Iterator[tuple[str, Style]]:
        place = 0
        for style, group in groupby(runs, key=itemgetter(1)):
            end = place + sum(length for length, _ in group)
            if place < end:
                yield self._text[place:end], style
            place = end

    def _note(self) -> str:
        return f"… {self.cut:,} more columns"


Content: TypeAlias = str | Row
"""A row as it is kept: one that is nothing but text is a text without trailing blanks."""


def without_blanks(parts: Iterable[tuple[str, Style]]) -> Iterator[tuple[str, Style]]:
    """The parts of a row, none empty, without blanks at its end that cannot be seen."""
    held: list[tuple[str, Style]] = []  # what may be such blanks, or end in them
    for text, style in parts:
        if style.is_usual and not text.strip(" "):
            held.append((text, style))
            continue
        yield from held
        held = [(text, style)] if style.is_usual else []
        if not held:
            yield text, style
    if held and (text := held[0][0].rstrip(" ")):
        yield text, held[0][1]


def styles_weight(styles: Iterable[Style]) -> int:
    """What they take with their links, each counted once."""
    different = {id(style): style for style in styles if style is not PLAIN}.values()
    links = {id(style.link): len(style.link) for style in different if style.link}
    return _STYLE_WEIGHT * len(different) + sum(links.values())


def raw_text(content: Content) -> str:
    """The text of a row that is not edited, with all blanks at its end."""
    return content if isinstance(content, str) else content._text


def is_blank(content: Content) -> bool:
    """Whether nothing of a row can be seen."""
    return not content if isinstance(content, str) else content.is_blank


def width_of(content: Content) -> int:
    """How many columns of a row have been written."""
    return exact_columns(content) if isinstance(content, str) else content.width


def blank(content: Content) -> Content:
    """The row without its text."""
    if isinstance(content, str) or not (content.source or content.display):
        return ""
    return Row(source=content.source, display=content.display)
