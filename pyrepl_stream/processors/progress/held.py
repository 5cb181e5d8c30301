"""What is written to a row, for as long as it may be a bar's."""

from __future__ import annotations

from enum import Enum

from .passed import Passed

__all__ = ("Held", "Kind", "Piece")

_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor
_RESETS = ("\x1b[0m", "\x1b[m", "\x1b[39m")
_LONGEST = 1 << 16  # characters
_MOST = 1 << 12  # pieces


class Kind(Enum):
    """What a piece of text does."""

    SHOWN = "it shows"
    STYLE = "it sets colours"
    MOVE = "it moves the cursor in its row, or erases"
    OTHER = "it has nothing to do with places, as titles and bells"


Piece = tuple[str, Kind, int]
"""What was written, what it does, and the column before it."""


class Held:
    """Pieces of one row: :meth:`let_go` passes them on, :meth:`drop` leaves out what belongs to a bar."""

    def __init__(self, passed: Passed) -> None:
        self.cursor_hidden = False  # by what has passed
        self._passed = passed
        self._pieces: list[Piece] = []
        self._size = 0  # characters

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def is_full(self) -> bool:
        return self._size > _LONGEST or len(self._pieces) > _MOST

    @property
    def hides_cursor(self) -> bool:
        return any(text == _HIDE for text, _, _ in self._pieces)

    @property
    def ends_in_colour(self) -> bool:
        styles = [text for text, kind, _ in self._pieces if kind is Kind.STYLE]
        return bool(styles) and styles[-1] not in _RESETS

    def add(self, text: str, kind: Kind, start: int) -> None:
        self._pieces.append((text, kind, start))
        self._size += len(text)

    def add_all(self, pieces: list[Piece]) -> None:
        for piece in pieces:
            self.add(*piece)

    def cut(self, end: int) -> list[Piece] | None:
        """Take away what was shown from the column ``end`` on, and what came after it.

        Its columns are counted from ``end``. None: nothing was shown before this column.
        """
        pieces = self._pieces
        for index in range(len(pieces) - 1, -1, -1):
            text, kind, start = pieces[index]
            if kind is Kind.SHOWN and start < end:
                break
        else:
            return None
        rest = [(after, what, max(0, column - end)) for after, what, column in pieces[index + 1 :]]
        if start + len(text) > end:
            rest.insert(0, (text[end - start :], Kind.SHOWN, 0))
        del pieces[index + 1 :]
        return rest

    # -- its end -------------------------------------------------------------------------------

    def pass_by(self, text: str, row: int, start: int, end: int) -> None:
        """``text`` is not held: it took the cursor from column ``start`` of ``row`` to ``end``."""
        self._passed.emit(text, row, start, end)
        self._note_cursor(text)

    def let_go(self, row: int, column: int) -> None:
        """It is text of ``row``, and has taken the cursor to ``column``."""
        if not self._pieces:
            return
        pieces, hidden = self._pieces, row in self._passed.hidden
        first = next((index for index, piece in enumerate(pieces) if piece[1] is Kind.SHOWN), len(pieces))
        shows = first < len(pieces)
        if not shows and not self._passed.exact and not self._passed.has(row):
            self._pass_controls()
            return
        if hidden:  # what wiped the bar away is not for the reader, who never had it
            pieces = [piece for piece in pieces[:first] if piece[1] is not Kind.MOVE] + pieces[first:]
        if pieces:
            start = self._pieces[first][2] if hidden and shows else pieces[0][2]
            joined = "".join(text for text, _, _ in pieces)
            self._passed.emit(joined, row, None if pieces[0][0] == "\r" else start, column)
            for text, kind, _ in pieces:
                if kind is Kind.OTHER:
                    self._note_cursor(text)
        self._clear()

    def drop(self, row: int) -> None:
        """It belongs to a bar on ``row``."""
        if self._pieces:
            self._pass_controls()
            self._passed.drop(row)

    def _pass_controls(self) -> None:
        """Only that which has nothing to do with places."""
        for text, kind, _ in self._pieces:
            if kind is Kind.OTHER and text != _HIDE and (text != _SHOW or self.cursor_hidden):
                self._passed.out.append(text)
                self._note_cursor(text)
        self._clear()

    def _note_cursor(self, text: str) -> None:
        if text in (_HIDE, _SHOW):
            self.cursor_hidden = text == _HIDE

    def _clear(self) -> None:
        self._pieces, self._size = [], 0
