"""A row of text and the styles of its columns."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from .style import PLAIN, Style
from .widths import FILLER, LONGEST_CELL, SEPARATORS, Cells, cells_of, joins_cell, text_of

__all__ = ("LONGEST_ROW", "Content", "Json", "Row", "is_blank", "row_of")

LONGEST_ROW = 1 << 16
"""The maximum number of columns of a row that are kept."""

# Approximate memory that Python needs, in bytes.
_CELL_WEIGHT = 8  # for a cell in a list
_STYLE_WEIGHT = 224
_LONGEST_BLANK = 1024  # columns; a longer row counts as not blank, as this is checked repeatedly
_AROUND_PART = 10  # characters of JSON syntax
_UNUSED = 64  # number of unused styles that a row may keep

_RUN = re.compile(r"(.)\1*", re.DOTALL)

Json: TypeAlias = "str | list[list[str]] | dict[str, str | list[list[str]]]"


class Row:
    """A row of a page. It can change as long as a screen can write to it. Columns are counted from 0.

    Overwriting one half of a wide character leaves a blank in place of the other half.
    ``source`` names the source of the output; ``display`` is the argument of :meth:`Screen.place`. ``cut``
    is the number of columns beyond the first 64 Ki that were written but not kept.
    """

    __slots__ = ("_cells", "_looks", "_styles", "source", "display", "cut")

    def __init__(self, text: str = "", *, source: str = "", display: str = "", cut: int = 0) -> None:
        self._cells = cells_of(text)
        # One character per column, to which `_styles` maps its style; empty if all columns are plain.
        self._looks = ""
        self._styles: dict[Style, str] = {}
        self.source = source
        self.display = display
        self.cut = cut

    @classmethod
    def of(cls, texts: Sequence[str], styles: Sequence[Style], source: str) -> Row:
        """Return a row of texts, each with its style."""
        text = "".join(texts)
        row = cls(text, source=source)
        if row._cells is not text or len(text) > LONGEST_ROW:  # a column may not be one character
            row = cls(source=source)
            column = 0
            for text, style in zip(texts, styles, strict=True):
                column = row.write(column, text, style)
        elif len(styles) > 1 or styles[0] is not PLAIN:
            known = {PLAIN: "\0"}
            looks = ""
            for place, style in enumerate(styles):
                look = "\0" if style is PLAIN else known.setdefault(style, chr(len(known)))
                looks += look * len(texts[place])
            if len(known) > 1:
                row._styles, row._looks = known, looks
        return row

    @property
    def text(self) -> str:
        """The characters, without invisible blanks at the end, and with a note if columns were cut."""
        text = text_of(self._cells[: self._end()])
        return text + self._note() if self.cut else text

    def json(self, limit: int | None = None) -> Json:
        """Return the text or, if it has styles, a list of parts: text, words of its style, and any link.

        A row with a source or a display is an object: ``t`` (text or parts), ``s`` and ``d``. With a
        ``limit`` it ends after about that many characters, including styles, links and the JSON syntax
        around them; :meth:`left_out` counts the rest.
        """
        parts = self.parts(limit)
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
        """Return how many characters :meth:`json` leaves out with this limit, including cut columns."""
        shown = sum(len(part[0]) for part in self.parts(limit))
        length = len(text_of(self._cells[: self._end()]))
        # With the note about a cut, more is shown than the row has; the note itself counts the rest.
        return length + self.cut - shown if shown <= length else 0

    def parts(self, limit: int | None = None) -> list[list[str]]:
        """Return the parts of :meth:`json`, also if there is only one, without a style."""
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
        """Return the text and style of each column; the second column of a wide character is empty."""
        return [
            ("" if cell == FILLER else cell, style)
            for start, end, style in self._runs()
            for cell in self._cells[start:end]
        ]

    def _parts(self) -> Iterator[tuple[str, Style]]:
        """Yield the text and the style of each run of one style, without invisible blanks at the end."""
        for start, end, style in self._runs():
            yield text_of(self._cells[start:end]), style

    def _runs(self) -> Iterator[tuple[int, int, Style]]:
        """Yield the start, the end and the style of each run of columns of one style."""
        if self._looks:
            styles = list(self._styles)
            for match in _RUN.finditer(self._looks, 0, self._end()):
                yield match.start(), match.end(), styles[ord(match[1])]
        elif end := self._end():
            yield 0, end, PLAIN

    def _end(self) -> int:
        """Return the number of columns without the invisible blanks at the end."""
        cells = self._cells
        if isinstance(cells, str):
            end = len(cells.rstrip(" "))
        else:
            end = len(cells)
            while end and cells[end - 1] == " ":
                end -= 1
        if self._looks and end < len(cells):
            usual = "".join([look for style, look in self._styles.items() if style.is_usual])
            end = max(end, len(self._looks.rstrip(usual)))
        return end

    def _note(self) -> str:
        return f"… {self.cut:,} more columns"

    # -- for screens ---------------------------------------------------------------------------

    @property
    def weight(self) -> int:
        """The approximate memory that the row takes, in characters."""
        links = {id(style.link): len(style.link) for style in self._styles if style.link}
        cells = len(self._cells) * (1 if isinstance(self._cells, str) else _CELL_WEIGHT)
        return cells + _STYLE_WEIGHT * len(self._styles) + sum(links.values())

    @property
    def is_blank(self) -> bool:
        """True when the row shows nothing; always False for a very long row."""
        return not (self.display or self.cut or len(self._cells) > _LONGEST_BLANK or self._end())

    def bare(self) -> Row:
        """Return the row without styles and links."""
        return Row(text_of(self._cells), source=self.source, display=self.display, cut=self.cut)

    def kept(self) -> Content:
        """Return the form to keep: the text, if the row is plain and the text determines its cells."""
        if not (self._looks or self.source or self.display or self.cut):
            cells = self._cells[: self._end()]
            text = text_of(cells)
            if text.isascii() or [*cells_of(text)] == [*cells]:
                return text
        if isinstance(self._cells, list):
            self._cells = [*map(sys.intern, self._cells)]  # most cells occur in many rows
        return self

    def before(self, column: int) -> str:
        """Return the text before a column."""
        return text_of(self._cells[:column])

    def blanks_before(self, column: int, most: int) -> int:
        """Return the number of blanks before the column; written blanks are counted up to ``most``."""
        before = text_of(self._cells[max(column - most, 0) : column])
        return len(before) - len(before.rstrip(" ")) + max(column - len(self._cells), 0)

    # -- editing -------------------------------------------------------------------------------

    def write(self, column: int, text: str, style: Style) -> int:
        """Overwrite columns with text and return the column after it.

        Combining characters at its start may join the preceding cell.
        """
        cells: Cells = text
        if not text.isascii():
            cells = cells_of(text)
            if isinstance(cells, list) or isinstance(self._cells, list):
                start = 0
                while start < len(text) and self._join(column, text[start]):
                    start += 1
                cells = cells_of(text[start:])
        end = column + len(cells)
        if end > LONGEST_ROW:
            self.cut = max(self.cut, end - LONGEST_ROW)
            room = max(LONGEST_ROW - column, 0)
            cells = cells[: room - 1 if room and cells[room] == FILLER else room]
        if cells:
            self._replace(column, column + len(cells), cells, style)
        return end

    def erase(self, start: int, end: int, style: Style) -> None:
        """Fill the columns from ``start`` to ``end`` (exclusive) with blanks of this style."""
        end = min(end, len(self._cells) if style is PLAIN else LONGEST_ROW)
        if start < end:
            self._replace(start, end, " " * (end - start), style)

    def cut_end(self, start: int, edge: int = 0, style: Style = PLAIN) -> None:
        """Remove everything from ``start`` on; if the style is visible, fill with blanks up to ``edge``."""
        self._replace(start, len(self._cells))
        self.cut = 0
        if style is not PLAIN:
            self.erase(start, edge, style)

    def cut_start(self, count: int) -> int:
        """Remove the first ``count`` columns and the blanks after them; return how many were removed."""
        while count < len(self._cells) and self._cells[count] in (" ", FILLER):
            count += 1
        self._replace(0, count)
        return count

    def insert(self, column: int, count: int, edge: int, style: Style) -> None:
        """Insert blanks of this style; columns that are pushed beyond ``edge`` are lost."""
        count = min(count, edge - column)
        if count > 0 and (column < len(self._cells) or style is not PLAIN):
            self._replace(edge - count, edge)
            self._replace(column, column, " " * count, style)

    def delete(self, column: int, count: int, edge: int, style: Style) -> None:
        """Delete columns; the rest, up to ``edge``, moves left, and blanks of this style fill its place."""
        count = min(count, edge - column)
        if count > 0 and (column < len(self._cells) or style is not PLAIN):
            if style is not PLAIN or edge < len(self._cells):
                self._replace(edge, edge, " " * count, style)
            self._replace(column, column + count)

    def _join(self, column: int, character: str) -> bool:
        """Add a character to the cell before ``column`` if it joins that cell; return True if it does."""
        place = column - 1
        if 0 < place < len(self._cells) and self._cells[place] == FILLER:
            place -= 1
        cell = self._cells[place] if 0 <= place < len(self._cells) else ""
        if not joins_cell(character, cell):
            return False
        if 0 <= place < LONGEST_ROW and len(cell) < LONGEST_CELL and character not in SEPARATORS:
            if not cell:
                self._replace(place, column, " ", PLAIN)
            if isinstance(self._cells, str):
                self._cells = [*self._cells]
            self._cells[place] += character
        return True

    def _replace(self, start: int, end: int, cells: Cells = "", style: Style = PLAIN) -> None:
        """Replace the columns from ``start`` to ``end`` (exclusive) with ``cells``."""
        size = len(self._cells)
        if start == 0 and end >= size:
            self._cells, self._looks, self._styles = "", "", {}
        elif start < size and (isinstance(self._cells, list) or FILLER in self._cells):
            self._part(start)
            self._part(end)
        elif start > size and cells:
            self._replace(size, size, " " * (start - size))
        old = self._cells
        if self._looks or style is not PLAIN:
            if not self._looks:
                self._looks, self._styles = "\0" * len(old), {PLAIN: "\0"}
            look = self._styles.get(style) or self._new_look(style)
            self._looks = f"{self._looks[:start]}{look * len(cells)}{self._looks[end:]}"
        if isinstance(old, str) and isinstance(cells, str):
            self._cells = f"{old[:start]}{cells}{old[end:]}"
        else:
            self._cells = old = [*old] if isinstance(old, str) else old
            old[start:end] = cells

    def _part(self, column: int) -> None:
        """Replace a wide character that spans this column and the one before with two blanks."""
        cells = self._cells
        if 0 < column < len(cells) and cells[column] == FILLER:
            if isinstance(cells, str):
                self._cells = f"{cells[: column - 1]}  {cells[column + 1 :]}"
            else:
                cells[column - 1 : column + 1] = "  "

    def _new_look(self, style: Style) -> str:
        """Return a character that stands for a style from now on."""
        if len(self._styles) > len(self._looks) + _UNUSED:  # forget styles that no column has
            styles, looks = list(self._styles), {PLAIN: "\0"}
            found = [looks.setdefault(styles[ord(look)], chr(len(looks))) for look in self._looks]
            self._looks, self._styles = "".join(found), looks
        self._styles[style] = look = chr(len(self._styles))
        return look


Content: TypeAlias = str | Row
"""A row in its kept form: a row of plain text is kept as a string without trailing blanks."""


def row_of(content: Content) -> Row:
    """Return the row itself, or a new row if it is kept as a string."""
    return Row(content) if isinstance(content, str) else content


def is_blank(content: Content) -> bool:
    """Return True when a row shows nothing."""
    return not content if isinstance(content, str) else content.is_blank
