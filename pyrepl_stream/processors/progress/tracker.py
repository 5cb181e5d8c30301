"""Follows bars by the text of rows, so that each bar keeps its id until its end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...runtime.messages import OutputMessage, ProgressMessage
from .bar import Bar
from .units import percentage

_MOST = 256  # maximum number of bars kept per stream; beyond it, the oldest is finished
_SHOWN = ("description", "current", "total", "unit", "rate", "elapsed", "remaining")
# These clear a complete bar only to remove it; others, such as rich and zstd, clear it before each redraw.
_NEVER_CLEAR_TO_REDRAW = frozenset({"tqdm"})
_COUNT = re.compile(r"[0-9]+(?:[.,][0-9]+)*(?: ?[kKMGTPEZY]?i?B\b)?")


class Names:
    """Makes ids for bars, such as ``tqdm-1``, unique within an execution."""

    def __init__(self) -> None:
        self.sequence = 0  # sequence number of the newest output
        self._counts: Counter[str] = Counter()

    def __call__(self, library: str) -> str:
        """Return an id for a new bar of ``library``."""
        self._counts[library] += 1
        return f"{library}-{self._counts[library]}"


@dataclass(eq=False)
class _Tracked:
    name: str
    library: str
    row: int
    bar: Bar
    line: str
    finished: bool = False
    seen: tuple[int, int] = (0, 0)  # the tracker's clock at the last two sightings, in order
    cleared: int | None = None  # the tracker's clock when the row was cleared, if it was
    guessed: Bar | None = None
    reported: Bar | None = None
    reported_at: float = 0.0


class Tracker:
    """Follows the bars of one stream; the methods yield the messages about them.

    A bar is a place that is redrawn; its text may change. A bar that was cleared or drawn over may come back
    on another row: rich prints lines above its bars, and tqdm moves nested ones. It is finished when it is
    complete and something else is drawn over it, when it was cleared and another bar has been drawn twice
    since, or at the end of the stream.

    ``name`` makes an id for a new bar of a library. ``place`` is the output message being read; the messages
    get its sequence number and time. Both are set before each chunk of text.

    Args:
        seconds: The minimum time between two messages about a bar, according to the timestamps of the output.
        percent: The minimum change of the percentage between them.
    """

    name: Callable[[str], str]
    place: OutputMessage

    def __init__(self, seconds: float = 0.0, percent: float | None = None) -> None:
        self._seconds = seconds
        self._percent = percent
        self._clock = 0  # counts sightings
        self._bars: list[_Tracked] = []  # the oldest first; a finished bar may be drawn again
        self._rows: dict[int, _Tracked] = {}  # the last bar on each row
        self._cleared: list[_Tracked] = []  # cleared bars that are not finished
        self._guess: _Tracked | None = None  # what may be a new bar, drawn only in part

    def __bool__(self) -> bool:
        return bool(self._bars) or self._guess is not None

    # -- sightings -----------------------------------------------------------------------------

    def sight(self, row: int, library: str, bar: Bar, line: str) -> Iterator[ProgressMessage]:
        """Handle a row that shows this bar."""
        self._clock += 1
        here = self._rows.get(row)
        tracked = self._match(row, library, bar)
        if tracked is None:
            tracked = self._new(row, library, bar, line)
            self._bars.append(tracked)
        if self._guess is not None:
            yield from self.end_guess()
        if here is not None and here is not tracked:
            yield from self.leave(row)
        if self._rows.get(tracked.row) is tracked:
            del self._rows[tracked.row]
        self._rows[row] = tracked
        tracked.row, tracked.cleared = row, None
        tracked.seen = (tracked.seen[1], self._clock)
        if not tracked.finished:
            tracked.bar, tracked.line = bar, line
            if bar.finished:
                yield from self._finish(tracked)
            elif tracked.guessed is None or bar != tracked.guessed:
                yield from self._report(tracked, bar, line)  # unless the guess was reported already
            tracked.guessed = None
        if self._cleared:
            yield from self._finish_missing(tracked)
        if len(self._bars) > _MOST:
            yield from self._remove(self._bars[0])

    def guess(self, row: int, library: str, bar: Bar, line: str) -> Iterator[ProgressMessage]:
        """Report a bar that may be drawn only in part so far; nothing else changes."""
        tracked = self._match(row, library, bar)
        if tracked is None:
            if row in self._rows or bar.doubtful:
                return  # more likely a part of the earlier bar, or of another one
            if self._guess is None or self._guess.row != row:
                yield from self.end_guess()
                self._guess = self._new(row, library, bar, line)
            tracked = self._guess
            tracked.bar, tracked.line = bar, line
        elif tracked.finished or not _agree(tracked.bar, bar):
            return
        tracked.guessed = bar
        yield from self._report(tracked, bar, line)

    def end_guess(self) -> Iterator[ProgressMessage]:
        """Finish a guessed bar that turned out not to be a new bar."""
        if self._guess is not None:
            tracked, self._guess = self._guess, None
            yield from self._finish(tracked)

    def clear(self, row: int) -> Iterator[ProgressMessage]:
        """Handle the clearing of a row."""
        tracked = self._rows.get(row)
        if tracked is not None and tracked.cleared is None:
            tracked.cleared = self._clock
            if at_end(tracked.bar) and tracked.library in _NEVER_CLEAR_TO_REDRAW:
                yield from self._finish(tracked)
            elif not tracked.finished:
                self._cleared.append(tracked)

    def cover(self, row: int) -> Iterator[ProgressMessage]:
        """Handle text that was drawn over a row."""
        yield from self.leave(row)
        self._rows.pop(row, None)

    def leave(self, row: int) -> Iterator[ProgressMessage]:
        """Handle a line feed that leaves a row."""
        tracked = self._rows.get(row)
        if tracked is not None and at_end(tracked.bar):
            yield from self._finish(tracked)

    def forget(self, before: int) -> Iterator[ProgressMessage]:
        """Finish the bars above the row ``before``, which are out of the cursor's reach."""
        for tracked in [tracked for tracked in self._bars if tracked.row < before]:
            yield from self._remove(tracked)

    def finish(self) -> Iterator[ProgressMessage]:
        """Finish all bars at the end of the stream."""
        yield from self.end_guess()
        for tracked in self._bars:
            yield from self._finish(tracked)
        self._bars.clear()
        self._rows.clear()

    def library_at(self, row: int) -> str:
        """Return the library of the last bar on a row, or an empty string if the row had no bar."""
        tracked = self._rows.get(row)
        return tracked.library if tracked is not None else ""

    def is_live_at(self, row: int) -> bool:
        """Return True when a row shows a bar that is not at its end."""
        tracked = self._rows.get(row)
        return tracked is not None and tracked.cleared is None and not at_end(tracked.bar)

    @property
    def awaits(self) -> bool:
        """True when there are cleared bars that may be drawn again."""
        return any(tracked.cleared is not None and not tracked.finished for tracked in self._cleared)

    # -- matching ------------------------------------------------------------------------------

    def _match(self, row: int, library: str, bar: Bar) -> _Tracked | None:
        here = self._rows.get(row)
        if here is not None and here.library != library:
            here = None
        if here is not None and here.bar.description == bar.description and _continues(here, bar):
            return here
        elsewhere = [
            tracked
            for tracked in self._bars
            if tracked.library == library
            and tracked.bar.description == bar.description
            and tracked.bar.total == bar.total
            and tracked is not here
            and _continues(tracked, bar)
            and (self._is_lost(tracked) or _has_moved(tracked, bar))
        ]
        if elsewhere:
            return min(elsewhere, key=lambda tracked: (not self._is_lost(tracked), abs(tracked.row - row)))
        if here is not None and not here.finished and _is_renamed(here, bar):
            return here
        return None

    def _is_lost(self, tracked: _Tracked) -> bool:
        """Return True when a bar was cleared, or when something else is drawn on its row."""
        return tracked.cleared is not None or self._rows.get(tracked.row) is not tracked

    def _new(self, row: int, library: str, bar: Bar, line: str) -> _Tracked:
        if self._guess is not None and self._guess.row == row:
            tracked, self._guess = self._guess, None
            tracked.library = library  # it may have become clear only now; the name stays
            return tracked
        return _Tracked(self.name(library), library, row, bar, line)

    # -- ends ----------------------------------------------------------------------------------

    def _finish_missing(self, seen: _Tracked) -> Iterator[ProgressMessage]:
        """Finish the bars that were cleared before the last two drawings of ``seen``."""
        for tracked in self._cleared:
            if tracked.cleared is not None and seen.seen[0] > tracked.cleared:
                yield from self._finish(tracked)
        self._cleared = [one for one in self._cleared if self._is_lost(one) and not one.finished]

    def _finish(self, tracked: _Tracked) -> Iterator[ProgressMessage]:
        if not tracked.finished:
            tracked.finished = True
            yield self._message(tracked, tracked.bar, tracked.line)

    def _remove(self, tracked: _Tracked) -> Iterator[ProgressMessage]:
        self._bars.remove(tracked)
        if self._rows.get(tracked.row) is tracked:
            del self._rows[tracked.row]
        yield from self._finish(tracked)

    def _report(self, tracked: _Tracked, bar: Bar, line: str) -> Iterator[ProgressMessage]:
        if tracked.reported is not None and (not self._is_due(tracked, bar) or tracked.reported == bar):
            return
        tracked.reported, tracked.reported_at = bar, self.place.timestamp
        yield self._message(tracked, bar, line)

    def _is_due(self, tracked: _Tracked, bar: Bar) -> bool:
        if 0 <= self.place.timestamp - tracked.reported_at < self._seconds:
            return False
        before, after = _percentage(tracked.reported or bar), _percentage(bar)
        if self._percent is None or before is None or after is None:
            return True
        return abs(after - before) >= self._percent

    def _message(self, tracked: _Tracked, bar: Bar, line: str) -> ProgressMessage:
        return ProgressMessage(
            *self.place.stamp,
            **{name: getattr(bar, name) for name in _SHOWN},
            bar=tracked.name,
            library=tracked.library,
            percentage=_percentage(bar),
            finished=tracked.finished,
            wiped=tracked.finished and tracked.cleared is not None,
            raw=line,
        )


def at_end(bar: Bar) -> bool:
    """Return True when a bar shows that it has reached its total, or 100 percent."""
    if bar.current is not None and bar.total is not None:
        return bar.current >= bar.total
    return bar.percentage is not None and bar.percentage >= 100


def _percentage(bar: Bar) -> float | None:
    return bar.percentage if bar.percentage is not None else percentage(bar.current, bar.total)


def _position(bar: Bar) -> float | None:
    return bar.current if bar.current is not None else bar.percentage


def _continues(tracked: _Tracked, bar: Bar) -> bool:
    """Return True if ``bar`` is a later state of the tracked one, False if it starts anew."""
    old, new = tracked.bar, bar
    before, after = _position(old), _position(new)
    if tracked.finished:  # it is only shown again, or it continues beyond its total
        beyond = at_end(old) and at_end(new) and before is not None and after is not None and before <= after
        return new.finished or ((beyond or before == after) and old.total == new.total)
    if before is None or after is None or after >= before:
        return True
    if after == 0:
        return False
    fraction, earlier = _percentage(new), _percentage(old)
    if fraction is None or earlier is None:
        return after > before / 20
    return fraction > 5 or earlier - fraction < 25


def _has_moved(tracked: _Tracked, bar: Bar) -> bool:
    """Return True when a bar has moved here from another row. One that is at 0 may as well be a new bar."""
    before, after = _position(tracked.bar), _position(bar)
    return bool(bar.description) and before is not None and after is not None and 0 < before <= after


def _is_renamed(here: _Tracked, bar: Bar) -> bool:
    """Return True when a bar redrawn in its place differs from the last state only in its description."""
    before, after = _position(here.bar), _position(bar)
    if here.bar.total != bar.total or before is None or after is None:
        return False
    return before <= after or (_same_but_counts(here.bar, bar) and _continues(here, bar))


def _same_but_counts(old: Bar, new: Bar) -> bool:
    """Return True when the descriptions differ only in numbers, such as ``file 3 of 30``."""
    return _COUNT.sub("0", old.description).split() == _COUNT.sub("0", new.description).split()


def _agree(old: Bar, new: Bar) -> bool:
    """Return True when a line that may be cut off shows as much as the line before it."""
    return (old.description, old.total, old.unit) == (new.description, new.total, new.unit) and (
        old.percentage is None
    ) == (new.percentage is None)
