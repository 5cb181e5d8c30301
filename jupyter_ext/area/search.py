"""Finds text in the whole record of an execution, by the numbers that its rows have in the area."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from pyrepl_stream import GapMessage, Message

from .state import AreaState

__all__ = ("Match", "matches")

_LONGEST = 500  # characters of a row that are shown
_BATCH = 5_000  # rows

Match = tuple[int, str]


def matches(
    text: str,
    messages: Iterable[Message],
    make_state: Callable[[Callable[[int, Sequence[str]], object]], AreaState],
    end: int,
) -> Iterator[tuple[list[Match], int]]:
    """Rows that have ``text``, whatever its case, as number and text, and how many rows were looked at
    so far; told now and then, and at the end.

    ``make_state`` makes the state that the messages are shown by, with its ``retire``. ``end`` is one past
    the number that the last row has: where the beginning of the record is gone, rows are counted from there.
    """
    wanted = text.casefold()
    found: list[Match] = []
    searched = told = 0
    whole = True

    def look(number: int, rows: Sequence[str]) -> None:
        nonlocal searched
        searched += len(rows)
        for place, row in enumerate(rows, number):
            if wanted in row.casefold():
                found.append((place, _around(row, wanted)))

    state = make_state(look)
    for message in messages:
        whole = whole and not (isinstance(message, GapMessage) and message.span_start == 1)
        state.take(message)
        if searched - told >= _BATCH and whole:
            told = searched
            yield found, searched
            found = []
    page = state.page
    look(page.first, page.texts(page.first, page.end))
    missed = 0 if whole else end - page.end
    yield [(number + missed, row) for number, row in found], searched


def _around(row: str, wanted: str) -> str:
    """The part of a long row that has what is sought."""
    if len(row) <= _LONGEST:
        return row
    at = max(0, row.casefold().find(wanted) - _LONGEST // 4)
    return ("…" if at else "") + row[at : at + _LONGEST] + "…"
