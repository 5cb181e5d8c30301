"""Decides what the pages are told of a live area, and when. Time is a parameter; no I/O here.

The notebook server drops what comes faster than 1,000 messages/s, and a kernel's socket what queues up
behind 1,000, both without a word. So an area sends at most 20 messages/s of at most 64 KiB, the newest rows
first; what a flood left out follows when it is quiet again, as far as the page still has it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from pyrepl_stream import Row

from .displays import size_of
from .state import AreaState

__all__ = ("INTERVAL", "LONGEST_ROW", "MAX_MESSAGE", "Sender")

INTERVAL = 0.05  # seconds between two broadcast messages
MAX_MESSAGE = 64 << 10  # bytes of a message with rows, as JSON in UTF-8
LONGEST_ROW = 32 << 10  # bytes of one row, of which the rest is cut off
_ENVELOPE = 400  # bytes of what stands around the rows
_RUN = 32  # bytes of what stands around a run of rows
_RANGE = 32  # bytes of a range of rows that were skipped
_DISPLAYS = 4_000_000  # bytes/s of displays, on average
_MOST_SKIPPED = 100  # ranges
_encoded = json.JSONEncoder(ensure_ascii=False).encode  # as a kernel's session does it

RowJson: TypeAlias = "str | list[Any] | dict[str, Any]"
Content = dict[str, Any]


class Sender:
    """The one reader of a state's page. Not for several threads at once, iterators included.

    A ``rows`` message says what the page holds: ``first`` to ``end``, numbers of rows, and ``runs`` of rows
    that follow each other as ``[number, [row, ...]]``. ``seq`` rises by 1 with each message that goes to all,
    displays too; ``rows`` that are addressed (``to``) have the number of the last that went to all. A row is
    ``text``, segments ``[[text, style], [text, style, href], ...]``, or an object ``{"t", "s", "d"}`` with
    its text or segments, source and display. ``skipped`` counts rows that no page was sent before they went.
    """

    def __init__(self, state: AreaState) -> None:
        self.skipped = 0
        self._state = state
        self._page = state.page
        self._seq = 0
        self._told = (0, 0)  # `first` and `end` that the pages know
        self._end = 0  # rows before it were sent, or are in:
        self._unsent: list[tuple[int, int]] = []  # ranges that were skipped, in order
        self._next = 0.0  # when the next message may go
        self._next_display = 0.0
        self._was_display = False
        self._sent: set[str] = set()  # displays
        self._updated: set[str] = set()  # displays that were sent more than once

    # -- to all pages --------------------------------------------------------------------------

    def due(self, now: float) -> float | None:
        """When :meth:`push` will have something; None: when something new has come."""
        times = [self._next] if self._rows_wait() else []
        if self._state.displays.changed:
            times.append(max(self._next, self._next_display))
        return max(now, min(times)) if times else None

    def push(self, now: float) -> Content | None:
        """The next message to all pages, ``rows`` or ``display``; None when nothing may go or waits."""
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
        return bool(page.changed or self._unsent) or self._told != (page.first, page.end)

    def _rows(self) -> Content:
        self._follow()
        page, unsent = self._page, self._unsent
        gone = [number for number in page.changed if not page.first <= number < page.end]
        page.changed.difference_update(gone)
        changed = sorted(page.changed, reverse=True)
        fresh = (number for start, end in reversed(unsent) for number in range(end - 1, start - 1, -1))
        skipped = _RANGE * min(len(unsent), _MOST_SKIPPED)
        taken = self._taken(heapq.merge(fresh, changed, reverse=True), MAX_MESSAGE - skipped)
        if taken:
            # Everything down to the last one was taken.
            lowest = min(taken)
            while unsent and unsent[-1][1] > lowest:
                start, _ = unsent.pop()
                if start < lowest:
                    unsent.append((start, lowest))
            page.changed.difference_update(taken)
        self._seq += 1
        self._told = (page.first, page.end)
        message = self._message(taken)
        if unsent:
            message["skipped"] = [list(some) for some in unsent[-_MOST_SKIPPED:]]
        return message

    def _follow(self) -> None:
        """Rows have come, and rows have gone since the last look."""
        page, unsent = self._page, self._unsent
        while unsent and unsent[-1][1] > page.end:  # an alternate screen was left
            start, _ = unsent.pop()
            if start < page.end:
                unsent.append((start, page.end))
        self._end = min(self._end, page.end)
        if page.end > self._end:
            if unsent and unsent[-1][1] == self._end:
                unsent[-1] = (unsent[-1][0], page.end)
            else:
                unsent.append((self._end, page.end))
            self._end = page.end
        while unsent and unsent[0][0] < page.first:
            start, end = unsent.pop(0)
            self.skipped += min(end, page.first) - start
            if end > page.first:
                unsent.insert(0, (page.first, end))

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
        """All that the page has, the newest first, for a view that may have missed some of it.

        Displays are left to be asked for, but for those that changed: a view may have an older one. The last
        message has ``done``. To be taken one by one, with pushes between.
        """
        yield from self._addressed(view, self._page.first, self._page.end)
        yield from self.display_messages(view, sorted(self._updated.intersection(self._state.displays)))
        yield {**self._message({}), "to": view, "done": True}

    def rows(self, view: str, first: int, end: int) -> Iterator[Content]:
        """The rows from ``first`` to ``end - 1`` that there are, the newest first; nothing without any."""
        return self._addressed(view, first, end)

    def display_messages(self, view: str, names: Iterable[str]) -> Iterator[Content]:
        """The displays of these ids; a note for those that are gone."""
        gone = {"kind": "note", "text": "[a display that is not kept here any more]"}
        for name in names:
            bundle = self._state.displays.get(name, gone)
            if bundle is not gone:
                self._sent.add(name)  # it may come as one that changed, even if no broadcast had it before
            yield {"type": "display", "to": view, "id": name, "bundle": bundle}

    def tail(self, limit: int = 16 << 10) -> Content:
        """A ``rows`` message of the newest rows, for pages that come later; ``limit`` bytes, or one row."""
        numbers = range(self._page.end - 1, self._page.first - 1, -1)
        return self._message(self._taken(numbers, limit))

    def _addressed(self, view: str, first: int, end: int) -> Iterator[Content]:
        page = self._page
        end = min(end, page.end)
        while max(first, page.first) < min(end, page.end):
            end = min(end, page.end)
            taken = self._taken(range(end - 1, max(first, page.first) - 1, -1))
            yield {**self._message(taken), "to": view}
            end = min(taken)

    # -- messages ------------------------------------------------------------------------------

    def _taken(self, numbers: Iterable[int], limit: int = MAX_MESSAGE) -> dict[int, RowJson]:
        """As many of these rows as a message holds; one at least. ``numbers`` fall; doubles are left out."""
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


def _row(row: Row) -> tuple[RowJson, int]:
    """A row, cut if it is too long, and its bytes in a message."""
    content: RowJson = row.json(LONGEST_ROW)
    size = _bytes(content)
    # Nothing is left out before the limit is near, and to count it takes time.
    left_out = row.left_out(LONGEST_ROW) if size > LONGEST_ROW // 2 else 0
    if size <= LONGEST_ROW and not left_out:
        return content, size
    content = _cut(content, left_out)
    return content, _bytes(content)


def _bytes(value: Any) -> int:
    text = _encoded(value)
    return (len(text) if text.isascii() else len(text.encode("utf-8", "replace"))) + 2


def _cut(row: Any, left_out: int) -> RowJson:
    """The beginning of a row, of which so many characters are left out already, with a note of that."""
    if isinstance(row, dict):
        return {**row, "t": _cut(row["t"], left_out)}
    segments = [[row, ""]] if isinstance(row, str) else row
    room = LONGEST_ROW - 400
    kept: list[Any] = []
    for place, segment in enumerate(segments):
        if room <= 0:
            left_out += sum(len(some[0]) for some in segments[place:])
            break
        room -= _bytes(["", *segment[1:]])
        part = _beginning(segment[0], max(0, room))
        room -= _bytes(part)
        if part:
            kept.append([part, *segment[1:]])
        if len(part) < len(segment[0]):
            room = 0
            left_out += len(segment[0]) - len(part)
    note = [f" … {left_out:,} more characters are in the log only", "d i"]
    return [*kept, note] if left_out else kept


def _beginning(text: str, room: int) -> str:
    """As much of ``text`` as takes at most ``room`` bytes of JSON."""
    if _bytes(text) <= room:
        return text
    part = text[:room]
    while part and _bytes(part) > room:
        part = part[: len(part) * room // _bytes(part)] if room > 4 else ""
    return part
