"""How many columns characters take, and which of them share a cell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from wcwidth import wcwidth

__all__ = (
    "JOINER",
    "LONGEST_CELL",
    "SEPARATORS",
    "cells_of",
    "characters_of",
    "columns",
    "exact_columns",
    "joins",
    "joins_cell",
    "kept",
    "mended",
)

LONGEST_CELL = 32
"""Characters of a cell that are kept, with all its marks."""
SEPARATORS = "\u2028\u2029"
"""Of lines and paragraphs: terminals leave them out, but pages might not."""
JOINER = "\u200d"
"""What joins emoji to one."""

_REMEMBERED = 1 << 14  # characters; nobody who writes text has more
_MODIFIERS = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"  # colours of skin
# What may be joined into one emoji (Unicode's Extended_Pictographic, as blocks).
_PICTOGRAPH = re.compile(
    "[\xa9\xae\u203c\u2049\u2122\u2139\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)


class _Widths(dict[str, int]):
    """Columns by character: 0 for what shares the cell before."""

    def __missing__(self, character: str) -> int:
        if len(self) > _REMEMBERED:
            self.clear()
        # Two regional indicators make a flag, which is as wide as both. Controls join nothing.
        single = character < " " or "\U0001f1e6" <= character <= "\U0001f1ff"
        width = 1 if single else max(wcwidth(character), 0)
        self[character] = width
        return width


_WIDTHS = _Widths()


def mended(text: str) -> str:
    """The text without halves of surrogate pairs, which no page can show."""
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


def joins(text: str) -> bool:
    """Whether any character may share the cell of another, so that they are to be looked at one by one."""
    if text.isascii():
        return False
    characters = set(text)
    return 0 in map(_WIDTHS.__getitem__, characters) or not characters.isdisjoint(_MODIFIERS)


def columns(text: str) -> int:
    """How many columns the text takes; too many where it has parts of emoji that are joined to one."""
    return len(text) if text.isascii() else sum(map(_WIDTHS.__getitem__, text))


def exact_columns(text: str) -> int:
    """How many columns the text takes."""
    if text.isascii() or not joins(text):
        return columns(text)
    return sum(width for _, width in cells_of(text))


def joins_cell(character: str, cell: str) -> bool:
    """Whether the character goes into the cell before it, as marks do, and the parts of one emoji."""
    if not _WIDTHS[character]:
        return True
    if character in _MODIFIERS:
        return bool(_PICTOGRAPH.match(cell))
    return cell.endswith(JOINER) and bool(_PICTOGRAPH.match(cell) and _PICTOGRAPH.match(character))


def cells_of(text: str) -> Iterator[tuple[str, int]]:
    """The cells of the text with their columns, 1 or 2. Marks at its very start are left out."""
    if not joins(text):
        yield from zip(text, map(_WIDTHS.__getitem__, text), strict=True)
        return
    cell = ""
    for character in text:
        if joins_cell(character, cell):
            if cell and len(cell) < LONGEST_CELL:
                cell += character
            continue
        if cell:
            yield cell, _WIDTHS[cell[0]]
        cell = character
    if cell:
        yield cell, _WIDTHS[cell[0]]


def kept(text: str) -> str:
    """The text that the cells of a text have: without separators, and without marks that are too many.

    None may be at its start.
    """
    for separator in SEPARATORS:
        text = text.replace(separator, "")
    marks = {character for character in set(text) if not _WIDTHS[character] or character in _MODIFIERS}
    # At least every second character that goes into a cell is one of these.
    if sum(map(text.count, marks)) < LONGEST_CELL // 2:
        return text
    return "".join([cell for cell, _ in cells_of(text)])


def characters_of(text: str) -> Sequence[str]:
    """What each column of the text shows; the second one of a wide character is an empty text."""
    if text.isascii() or (not joins(text) and columns(text) == len(text)):
        return text
    return [character for cell, width in cells_of(text) for character in (cell, "")[:width]]
