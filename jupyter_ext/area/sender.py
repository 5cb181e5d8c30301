"""Selection of the rows and displays that are sent to pages. Time is a parameter; there is no I/O here.

The notebook server drops messages beyond 1,000/s, and the socket of a kernel drops messages when 1,000 are
queued, both silently. So an area sends at most 20 messages/s of at most 64 KiB, the newest rows first. Rows
that were left out in a flood are sent after it, if the area still has them.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from pyrepl_stream.terminal import Row

from .displays import GONE, size_of
from .state import AreaState

INTERVAL = 0.05  # seconds between two broadcast messages
MAX_MESSAGE = 64 << 10  # bytes of a message with rows, as JSON in UTF-8
LONGEST_ROW = 32 << 10  # bytes of one row; longer rows are cut
_NOTE = 400  # maximum bytes of the note at the end of a truncated row
_ENVELOPE = 400  # bytes of a message without its rows
_RUN = 32  # bytes of a run without its rows
_RANGE = 32  # bytes of a range of skipped rows
_DISPLAYS = 4_000_000  # bytes/s of displays, on average
_MAX_SKIPPED = 100  # ranges of skipped rows in one message
_encode = json.JSONEncoder(ensure_ascii=False).encode  # the encoding that a kernel's session uses

RowJson: TypeAlias = "str | list[Any] | dict[str, Any]"
Content = dict[str, Any]


class Sender:
    """The only reader of a state's page. Neither the sender nor the iterators it returns are thread-safe.

    A ``rows`` message has the range of rows that the area has, from ``first`` to ``end - 1``, and
    ``runs`` of consecutive rows as ``[number, [row, ...]]``. ``seq`` rises by 1 with each message to all
    pages, including displays; ``rows`` for one page (``to``) repeat the last ``seq`` sent to all pages. A
    row is its text, its segments ``[[text, style], [text, style, href], ...]``, or an object
    ``{"t", "s", "d"}`` with its text or segments, source and display.
    """

    def __init__(self, state: AreaState) -> None:
        self._state = state
        self._page = state.page
        self._seq = 0
        self._announced = (0, 0)  # `first` and `end` of the last message
        self._unsent: list[tuple[int, int]] = []  # ranges of earlier rows that were left out, in order
        self._next = 0.0  # when the next message may be sent
        self._next_display = 0.0
        self._was_display = False
        self._sent: set[str] = set()  # ids of displays that were sent
        self._updated: set[str] = set()  # ids of displays that were sent more than once

    # -- to all pages --------------------------------------------------------------------------

    def due(self, now: float) -> float | None:
        """Return when :meth:`push` will have a message; None if it has none until the state changes."""
        times = [self._next] if self._rows_wait() else []
        if self._state.displays.changed:
            times.append(max(self._next, self._next_display))
        return max(now, min(times)) if times else None

    def push(self, now: float) -> Content | None:
        """Return the next message to all pages (``rows`` or ``display``), or None if none is due."""
        if now < self._next:
            return None
        message = None
        rows_wait = self._rows_wait()
        displays = self._state.displays.changed
        if displays and now >= self._next_display and not (rows_wait and self._was_display):
            message = self._display(now)
        elif rows_wait:
            message = self._rows()
        if message is not None:
            self._was_display = message["type"] == "display"
            self._next = now + INTERVAL
        return message

    def _rows_wait(self) -> bool:
        page = self._page
        return bool(page.changed or self._unsent) or self._announced != (page.first, page.end)

    def _rows(self) -> Content:
        page = self._page
        new = (min(self._announced[1], page.end), page.end)  # `end` decreases as an alternate screen is left
        unsent = _within([*self._unsent, new], page.first, page.end)
        page.changed -= {number for number in page.changed if not page.first <= number < page.end}
        changed = sorted(page.changed, reverse=True)
        fresh = (number for start, end in reversed(unsent) for number in range(end - 1, start - 1, -1))
        skipped = _RANGE * min(len(unsent), _MAX_SKIPPED)
        taken = self._taken(heapq.merge(fresh, changed, reverse=True), MAX_MESSAGE - skipped)
        if taken:
            # The message has all unsent rows from the lowest taken number on.
            unsent = _within(unsent, 0, min(taken))
            page.changed.difference_update(taken)
        self._unsent = unsent
        self._seq += 1
        self._announced = (page.first, page.end)
        message = self._message(taken)
        if unsent:
            message["skipped"] = [list(some) for some in unsent[-_MAX_SKIPPED:]]
        return message

    def _display(self, now: float) -> Content:
        displays = self._state.displays
        name = next(iter(displays.changed))
        del displays.changed[name]
        bundle = displays[name]
        if name in self._sent:
            self._updated = {*self._updated.intersection(displays), name}
        self._sent = {*self._sent.intersection(displays), name}
        self._next_display = now + size_of(bundle) / _DISPLAYS
        self._seq += 1
        return {"type": "display", "seq": self._seq, "id": name, "bundle": bundle}

    # -- to one page ---------------------------------------------------------------------------

    def replay(self, view: str) -> Iterator[Content]:
        """Yield messages with all rows, the newest first, for a view that may have missed some.

        The view requests displays itself; only updated ones are sent, because it may have older versions. The
        last message has ``done``. :meth:`push` may be called between two messages.
        """
        yield from self.rows(view, self._page.first, self._page.end)
        yield from self.display_messages(view, sorted(self._updated.intersection(self._state.displays)))
        yield {**self._message({}), "to": view, "done": True}

    def rows(self, view: str, first: int, end: int) -> Iterator[Content]:
        """Yield messages with the rows from ``first`` to ``end - 1`` that exist, the newest first."""
        page = self._page
        while max(first, page.first) < min(end, page.end):
            numbers = range(min(end, page.end) - 1, max(first, page.first) - 1, -1)
            taken = self._taken(numbers)
            yield {**self._message(taken), "to": view}
            end = min(taken)

    def display_messages(self, view: str, names: Iterable[str]) -> Iterator[Content]:
        """Yield messages with the displays of these ids; a note replaces a display that is gone."""
        displays = self._state.displays
        for name in names:
            if name in displays:
                self._sent.add(name)  # a later version is an update, although only one page got this one
            yield {"type": "display", "to": view, "id": name, "bundle": displays.get(name, GONE)}

    def tail(self, limit: int = 16 << 10) -> Content:
        """Return a message with the newest rows for later pages: at most ``limit`` bytes, or one row."""
        numbers = range(self._page.end - 1, self._page.first - 1, -1)
        return self._message(self._taken(numbers, limit))

    # -- messages ------------------------------------------------------------------------------

    def _taken(self, numbers: Iterable[int], limit: int = MAX_MESSAGE) -> dict[int, RowJson]:
        """Return as many of the rows as fit in a message, at least one.

        Args:
            numbers: Row numbers in descending order. Repeated numbers are skipped.
            limit: Maximum size of the message in bytes.
        """
        taken: dict[int, RowJson] = {}
        room = limit - _ENVELOPE
        last = -1
        for number in numbers:
            if number == last:
                continue
            row, size = _row(self._page.row(number))
            room -= size + (0 if number == last - 1 else _RUN)
            if room < 0 and taken:
                break
            taken[number] = row
            last = number
        return taken

    def _message(self, taken: dict[int, RowJson]) -> Content:
        runs: list[list[Any]] = []
        for number in sorted(taken):
            if runs and number == runs[-1][0] + len(runs[-1][1]):
                runs[-1][1].append(taken[number])
            else:
                runs.append([number, [taken[number]]])
        page = self._page
        return {"type": "rows", "seq": self._seq, "first": page.first, "end": page.end, "runs": runs}


def _within(ranges: list[tuple[int, int]], first: int, end: int) -> list[tuple[int, int]]:
    """Return the parts of the ranges that are from ``first`` up to but not including ``end``."""
    parts = ((max(start, first), min(stop, end)) for start, stop in ranges)
    return [(start, stop) for start, stop in parts if start < stop]


def _row(row: Row) -> tuple[RowJson, int]:
    """Return a row, truncated if it is too long, and the number of bytes it takes in a message."""
    limit = LONGEST_ROW
    content: Any = row.json(limit)
    size = _bytes(content)
    # Count omitted characters only near the limit, because counting takes time.
    if size <= LONGEST_ROW and (size <= LONGEST_ROW // 2 or not row.left_out(limit)):
        return content, size
    while size > LONGEST_ROW - _NOTE:
        limit = limit * (LONGEST_ROW - _NOTE) // size
        content = row.json(limit)
        size = _bytes(content)
    note = [f" … {row.left_out(limit):,} more characters are in the log only", "d i"]
    parts = [*row.parts(limit), note]
    content = {**content, "t": parts} if isinstance(content, dict) else parts
    return content, _bytes(content)


def _bytes(value: Any) -> int:
    text = _encode(value)
    return (len(text) if text.isascii() else len(text.encode("utf-8", "replace"))) + 2
