"""Widths of characters in columns, and characters that share a cell."""

from __future__ import annotations

import re
from typing import TypeAlias

from wcwidth import wcwidth

LONGEST_CELL = 32
"""The maximum number of characters kept in a cell, including combining marks."""
SEPARATORS = "\u2028\u2029"
"""Line and paragraph separators: terminals leave them out, but pages might not."""
FILLER = "\0"
"""The placeholder for the second column of a wide character."""
Cells: TypeAlias = str | list[str]
"""The characters of each column: a string if no column has more than one, else a list."""

_JOINER = "\u200d"  # joins emoji into one
_REMEMBERED = 1 << 14  # characters; text in any language has fewer
_MODIFIERS = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"  # skin tones
# Characters that may be joined into one emoji (Unicode's Extended_Pictographic, as blocks).
_PICTOGRAPH = re.compile(
    "[\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)


class _Widths(dict[str, int]):
    """Columns by character: 0 for a character that shares the preceding cell."""

    def __missing__(self, character: str) -> int:
        if len(self) > _REMEMBERED:
            self.clear()
        # Two regional indicators make a flag, which is as wide as both. Controls join no cell.
        single = character < " " or "\U0001f1e6" <= character <= "\U0001f1ff"
        width = 1 if single else max(wcwidth(character), 0)
        self[character] = width
        return width


_WIDTHS = _Widths()


def mended(text: str) -> str:
    """Return the text with lone surrogates replaced, because pages cannot show them."""
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def joins(text: str) -> bool:
    """Return True when a character may join the cell of another, so that each has to be examined."""
    return not text.isascii() and 0 in _widths(text)


def _widths(text: str) -> set[int]:
    """Return the widths of the characters, with 0 when any may join the cell of another."""
    characters = set(text)
    widths = set(map(_WIDTHS.__getitem__, characters))
    if 2 in widths and not characters.isdisjoint(_MODIFIERS):
        widths.add(0)
    return widths


def columns(text: str) -> int:
    """Return the number of columns of a text; too many if it has joined emoji."""
    return len(text) if text.isascii() else sum(map(_WIDTHS.__getitem__, text))


def joins_cell(character: str, cell: str) -> bool:
    """Return True when a character joins the cell before it, as combining marks and parts of an emoji do."""
    if not _WIDTHS[character]:
        return True
    if character in _MODIFIERS:
        return bool(_PICTOGRAPH.match(cell))
    return cell.endswith(_JOINER) and bool(_PICTOGRAPH.match(cell) and _PICTOGRAPH.match(character))


def cells_of(text: str) -> Cells:
    """Return the characters of each column. Combining marks at the start are left out."""
    if text.isascii():
        return text
    widths = _widths(text)
    if widths == {1}:
        return text
    if 0 not in widths:
        return "".join([one + FILLER if _WIDTHS[one] == 2 else one for one in text])
    cells: list[str] = []
    place = -1  # the index of the last cell that is not a filler
    for character in text:
        cell = cells[place] if cells else ""
        if not joins_cell(character, cell):
            place = len(cells)
            cells += (character, FILLER)[: _WIDTHS[character]]
        elif cell and len(cell) < LONGEST_CELL and character not in SEPARATORS:
            cells[place] += character
    return cells


def text_of(cells: Cells) -> str:
    """Return the text that the cells show."""
    return (cells if isinstance(cells, str) else "".join(cells)).replace(FILLER, "")
