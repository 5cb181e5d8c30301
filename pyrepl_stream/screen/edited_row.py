"""A row that is being written to in its middle: a list of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from .row import LONGEST_ROW, Content, Row, styles_weight, without_blanks
from .style import PLAIN, Style
from .widths import LONGEST_CELL, SEPARATORS, characters_of, columns, joins_cell

__all__ = ("EditedRow",)


class EditedRow(Row):
    """Has a list of the characters of each column, and a list of their styles.

    Whatever hits one half of a wide character leaves blanks in place of both.
    """

    __slots__ = ("_characters", "_styles")

    def __init__(self, content: Content) -> None:
        row = Row(content) if isinstance(content, str) else content
        super().__init__(source=row.source, display=row.display, cut=row.cut)
        cells = [(one, style) for text, style in row.written() for one in characters_of(text)]
        self._characters = [character for character, _ in cells]
        self._styles = [style for _, style in cells]

    def stripped(self) -> Content:
        """In the compact form, unless the cells cannot be told from its text."""
        parts = list(self._parts())
        text = "".join([text for text, _ in parts])
        plain = all(style is PLAIN for _, style in parts)
        runs = None if plain else [(len(text), style) for text, style in parts]
        row = Row(text, runs, source=self.source, display=self.display, cut=self.cut)
        if text.isascii() or row.cells() == self.cells():
            return row.stripped()
        return self

    def cells(self) -> list[tuple[str, Style]]:
        return list(zip(self._characters, self._styles, strict=True))[: self._end()]

    def _end(self) -> int:
        """One past the last column that is no blank which cannot be seen."""
        end = self.width
        while end and self._characters[end - 1] == " " and self._styles[end - 1].is_usual:
            end -= 1
        return end

    @property
    def width(self) -> int:
        return len(self._characters)

    @property
    def text(self) -> str:
        end = self.width
        while end and self._characters[end - 1] == " " and self._styles[end - 1].is_usual:
            end -= 1
        text = "".join(self._characters[:end])
        return text + self._note() if self.cut else text

    _size = width

    @property
    def weight(self) -> int:
        return 16 * self.width + styles_weight(self._styles)

    # -- editing; columns are counted from 0 -------------------------------------------------------

    def write(self, column: int, characters: Sequence[str], style: Style) -> None:
        """Write over what is there: one text for each column, as :func:`characters_of` gives them."""
        room = max(LONGEST_ROW - column, 0)
        if len(characters) > room:
            self.cut = max(self.cut, column + len(characters) - LONGEST_ROW)
            halved = room > 0 and not characters[room]
            characters = characters[: room - 1 if halved else room]
        if characters:
            self._overwrite(column, characters, style)

    def type(self, column: int, text: str, style: Style) -> int:
        """Write character by character, as some share the cell before; the column behind them."""
        for character in text:
            if character in SEPARATORS:
                continue
            if self.joins(column, character):
                self.join(column, character)
            else:
                self.write(column, characters_of(character), style)
                column += columns(character)
        return column

    def append(self, blanks: int, text: str, style: Style) -> None:
        self.write(self.width + blanks, characters_of(text), style)

    def join(self, column: int, character: str) -> None:
        """Add a mark to the cell before ``column``."""
        if column > LONGEST_ROW:
            return
        self._pad(column)
        place = column - 1
        if place > 0 and not self._characters[place]:
            place -= 1
        if place >= 0 and len(self._characters[place]) < LONGEST_CELL:
            self._characters[place] += character

    def joins(self, column: int, character: str) -> bool:
        """Whether the character would go into the cell before ``column``."""
        return joins_cell(character, self._cell_before(column))

    def _cell_before(self, column: int) -> str:
        if not 0 < column <= self.width:
            return ""
        return self._characters[column - 1] or self._characters[column - 2]

    def before(self, column: int, count: int) -> str:
        """The characters of so many columns before that one."""
        return "".join(self._characters[max(column - count, 0) : column])

    def erase(self, start: int, end: int, style: Style) -> None:
        """Blanks of this style from ``start`` to before ``end``."""
        end = min(end, self.width if style is PLAIN else LONGEST_ROW)
        if start < end:
            self._overwrite(start, [" "] * (end - start), style)

    def erase_rest(self, start: int, edge: int, style: Style) -> None:
        """All from ``start`` on; blanks of this style up to ``edge``."""
        self._part(start)
        del self._characters[start:], self._styles[start:]
        self.cut = 0
        self.erase(start, edge if style is not PLAIN else start, style)

    def insert(self, column: int, count: int, edge: int, style: Style) -> None:
        """Blanks of this style push what is there to the right; what is pushed to ``edge`` is lost."""
        if column >= self.width and style is PLAIN:
            return
        count = min(count, edge - column)
        self._part_at(column, edge - count, edge)
        self._characters[column:edge] = [" "] * count + self._characters[column : edge - count]
        self._styles[column:edge] = [style] * count + self._styles[column : edge - count]

    def delete(self, column: int, count: int, edge: int, style: Style) -> None:
        """What is to the right, up to ``edge``, moves to the left, and leaves blanks of this style."""
        if column >= self.width and style is PLAIN:
            return
        count = min(count, edge - column)
        self._part_at(column, column + count, edge)
        self._characters[column:edge] = self._characters[column + count : edge] + [" "] * count
        self._styles[column:edge] = self._styles[column + count : edge] + [style] * count

    def _overwrite(self, column: int, characters: Sequence[str], style: Style) -> None:
        end = column + len(characters)
        self._pad(column)
        self._part(column)
        self._part(end)
        self._characters[column:end] = characters
        self._styles[column:end] = [style] * len(characters)

    def _part_at(self, *columns: int) -> None:
        self._pad(columns[-1])
        for column in columns:
            self._part(column)

    def _pad(self, column: int) -> None:
        if missing := max(column - self.width, 0):
            self._characters += [" "] * missing
            self._styles += [PLAIN] * missing

    def _part(self, column: int) -> None:
        """Nothing wide may reach from the left of this column into it."""
        if 0 < column < self.width and not self._characters[column]:
            self._characters[column - 1 : column + 1] = [" ", " "]

    def _parts(self) -> Iterator[tuple[str, Style]]:
        return without_blanks(self._styled_cells())

    def _length(self) -> int:
        return sum(map(len, self._characters[: self._end()]))

    def _styled_cells(self) -> Iterator[tuple[str, Style]]:
        place = 0
        for style, group in groupby(self._styles):
            end = place + len(list(group))
            yield "".join(self._characters[place:end]), style
            place = end
