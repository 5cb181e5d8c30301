"""Search in the whole record of an execution. Results have the row numbers that the area uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pyrepl_stream import GapMessage, Message

from .open_area import OpenArea

_MAX_LENGTH = 500  # characters of a row that are shown

Match = tuple[int, str]
"""Number and text of a row."""


def matches(
    text: str, messages: Iterable[Message], area: OpenArea, end: int
) -> Iterator[tuple[list[Match], int]]:
    """Search rows for ``text``, ignoring case.

    Args:
        text: The text.
        messages: The messages of the execution.
        area: The area, whose rows the results refer to.
        end: Number of the last row plus one. If the beginning of the record is gone, rows are numbered from
            the end.

    Yields:
        After each message, and at the end: the matches since the last result and the number of rows searched.
    """
    wanted = text.casefold()
    found: list[Match] = []
    searched = 0
    whole = True

    def search(number: int, rows: Sequence[str]) -> None:
        nonlocal searched
        searched += len(rows)
        for place, row in enumerate(rows, number):
            if wanted in row.casefold():
                found.append((place, _around(row, wanted)))

    state = area.state(search)
    for message in messages:
        whole = whole and not (isinstance(message, GapMessage) and message.span_start == 1)
        state.take(message)
        if whole:
            yield found, searched
            found = []
    page = state.page
    search(page.first, page.texts(page.first, page.end))
    missed = 0 if whole else end - page.end
    yield [(number + missed, row) for number, row in found], searched


def _around(row: str, wanted: str) -> str:
    """Return the part of a long row that contains the text."""
    if len(row) <= _MAX_LENGTH:
        return row
    at = max(0, row.casefold().find(wanted) - _MAX_LENGTH // 4)
    return ("…" if at else "") + row[at : at + _MAX_LENGTH] + "…"
