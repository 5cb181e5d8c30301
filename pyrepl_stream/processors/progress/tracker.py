"""From what rows show to bars that keep their names from first sight to last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .bar import Bar
from .units import percentage

__all__ = ("Throttle", "Tracker", "Update")

_MOST = 256  # bars of one stream that are kept; of more, the oldest are finished


@dataclass(frozen=True)
class Update:
    """What is to be told of a bar."""

    name: str
    library: str
    bar: Bar
    line: str
    finished: bool
    wiped: bool = False  # it was cleared by then


@dataclass(frozen=True)
class Throttle:
    """A bar is told again after so many seconds, and when it moved by so many per cent."""

    seconds: float = 0.0
    percent: float | None = None


@dataclass(eq=False)
class _Tracked:
    name: str
    library: str
    row: int
    bar: Bar
    line: str
    finished: bool = False
    seen: tuple[int, int] = (0, 0)  # the last sightings, the newest last
    cleared: int | None = None  # what the tracker's clock was when the row was emptied
    covered: bool = False  # something else is drawn on its row now
    guessed: Bar | None = None
    told: Bar | None = None
    told_at: float = 0.0

    @property
    def lost(self) -> bool:
        return self.covered or self.cleared is not None


class Tracker:
    """The bars of one stream.

    One that was cleared or drawn over may come back on another row: rich prints lines above its bars,
    tqdm moves nested ones. So it is not finished by that, unless it was at its end; else it is when
    another bar was drawn twice since without it, or when all is over. :attr:`name` makes a new name for
    a library's bar, :attr:`now` is the timestamp of the text that is read: both are set before each text.
    """

    name: Callable[[str], str]

    def __init__(self, throttle: Throttle) -> None:
        self.now = 0.0
        self._throttle = throttle
        self._clock = 0  # counts sightings
        self._bars: list[_Tracked] = []  # the oldest first; finished ones may be seen again
        self._rows: dict[int, _Tracked] = {}  # which was the last on a row
        self._cleared: list[_Tracked] = []  # unfinished
        self._guess: _Tracked | None = None  # a new bar that may be drawn only in part

    def __bool__(self) -> bool:
        return bool(self._bars) or self._guess is not None

    # -- what is seen --------------------------------------------------------------------------

    def sight(self, row: int, library: str, bar: Bar, line: str) -> Iterator[Update]:
        """A row shows this bar."""
        self._clock += 1
        here = self._rows.get(row)
        tracked = self._match(row, library, bar)
        if tracked is None:
            tracked = self._new(row, library, bar, line)
            self._bars.append(tracked)
        yield from self.end_guess()
        if here is not None and here is not tracked:
            yield from self._cover(here)
        if self._rows.get(tracked.row) is tracked:
            del self._rows[tracked.row]
        self._rows[row] = tracked
        tracked.row, tracked.cleared, tracked.covered = row, None, False
        tracked.seen = (tracked.seen[1], self._clock)
        if not tracked.finished:
            tracked.bar, tracked.line = bar, line
            if bar.finished:
                yield from self._finish(tracked)
            elif bar != tracked.guessed:  # else it was time to tell when it was drawn, or it was not
                yield from self._tell(tracked, bar, line)
            tracked.guessed = None
        if self._cleared:
            yield from self._finish_missing(tracked)
        if len(self._bars) > _MOST:
            yield from self._remove(self._bars[0])

    def guess(self, row: int, library: str, bar: Bar, line: str) -> Iterator[Update]:
        """A row shows this bar now, but may be drawn only in part: it is told, and nothing else changes."""
        tracked = self._match(row, library, bar)
        if tracked is None:
            if row in self._rows or bar.doubtful:
                return  # more likely a part of the bar that was there, or of another one
            if self._guess is None or self._guess.row != row:
                yield from self.end_guess()
                self._guess = self._new(row, library, bar, line)
            tracked = self._guess
            tracked.bar, tracked.line = bar, line
        elif tracked.finished or not _agree(tracked.bar, bar):
            return
        tracked.guessed = bar
        yield from self._tell(tracked, bar, line)

    def end_guess(self) -> Iterator[Update]:
        """What was told of is no bar, or none of its own."""
        if self._guess is not None:
            tracked, self._guess = self._guess, None
            yield from self._finish(tracked)

    def clear(self, row: int) -> Iterator[Update]:
        """A row was emptied."""
        tracked = self._rows.get(row)
        if tracked is not None and tracked.cleared is None:
            tracked.cleared = self._clock
            if at_end(tracked.bar):
                yield from self._finish(tracked)
            elif not tracked.finished:
                self._cleared.append(tracked)

    def cover(self, row: int) -> Iterator[Update]:
        """Something that is no bar was drawn over a row."""
        if (tracked := self._rows.pop(row, None)) is not None:
            yield from self._cover(tracked)

    def leave(self, row: int) -> Iterator[Update]:
        """A line feed ended a row."""
        tracked = self._rows.get(row)
        if tracked is not None and not tracked.lost and at_end(tracked.bar):
            yield from self._finish(tracked)

    def forget(self, before: int) -> Iterator[Update]:
        """The cursor cannot reach the rows above this one any more."""
        for tracked in [tracked for tracked in self._bars if tracked.row < before]:
            yield from self._remove(tracked)

    def finish(self) -> Iterator[Update]:
        """All is over."""
        yield from self.end_guess()
        for tracked in self._bars:
            yield from self._finish(tracked)
        self._bars.clear()
        self._rows.clear()

    def library_at(self, row: int) -> str:
        """Of the bar that is on a row, or was last."""
        tracked = self._rows.get(row)
        return tracked.library if tracked is not None else ""

    def is_live_at(self, row: int) -> bool:
        """Whether a row shows a bar that goes on."""
        tracked = self._rows.get(row)
        return tracked is not None and not tracked.lost and not at_end(tracked.bar)

    @property
    def awaits(self) -> bool:
        """Whether bars were wiped away that may be drawn again."""
        return any(tracked.cleared is not None and not tracked.finished for tracked in self._cleared)

    # -- which bar it is -----------------------------------------------------------------------

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
            and (tracked.lost or _has_moved(tracked, bar))
        ]
        if elsewhere:
            return min(elsewhere, key=lambda tracked: (not tracked.lost, abs(tracked.row - row)))
        if here is not None and not here.finished and _is_renamed(here.bar, bar):
            return here
        return None

    def _new(self, row: int, library: str, bar: Bar, line: str) -> _Tracked:
        if self._guess is not None and self._guess.row == row:
            tracked, self._guess = self._guess, None
            tracked.library = library  # which may have become clear only now; the name stays
            return tracked
        return _Tracked(self.name(library), library, row, bar, line)

    # -- ends ----------------------------------------------------------------------------------

    def _cover(self, tracked: _Tracked) -> Iterator[Update]:
        tracked.covered = True
        if at_end(tracked.bar):
            yield from self._finish(tracked)

    def _finish_missing(self, seen: _Tracked) -> Iterator[Update]:
        """Those that were cleared before this bar was drawn twice: they are not drawn any more."""
        for tracked in self._cleared:
            if tracked.cleared is not None and seen.seen[0] > tracked.cleared:
                yield from self._finish(tracked)
        self._cleared = [tracked for tracked in self._cleared if tracked.lost and not tracked.finished]

    def _finish(self, tracked: _Tracked) -> Iterator[Update]:
        if not tracked.finished:
            tracked.finished = True
            wiped = tracked.cleared is not None
            yield Update(tracked.name, tracked.library, tracked.bar, tracked.line, True, wiped)

    def _remove(self, tracked: _Tracked) -> Iterator[Update]:
        self._bars.remove(tracked)
        if self._rows.get(tracked.row) is tracked:
            del self._rows[tracked.row]
        yield from self._finish(tracked)

    def _tell(self, tracked: _Tracked, bar: Bar, line: str) -> Iterator[Update]:
        if tracked.told is not None and (tracked.told == bar or not self._is_due(tracked, bar)):
            return
        tracked.told, tracked.told_at = bar, self.now
        yield Update(tracked.name, tracked.library, bar, line, False)

    def _is_due(self, tracked: _Tracked, bar: Bar) -> bool:
        if 0 <= self.now - tracked.told_at < self._throttle.seconds:
            return False
        before, after = _percentage(tracked.told or bar), _percentage(bar)
        if self._throttle.percent is None or before is None or after is None:
            return True
        return abs(after - before) >= self._throttle.percent


def at_end(bar: Bar) -> bool:
    """Whether there is nothing left to do, by what it shows."""
    if bar.current is not None and bar.total is not None:
        return bar.current >= bar.total
    return bar.percentage is not None and bar.percentage >= 100


def _percentage(bar: Bar) -> float | None:
    return bar.percentage if bar.percentage is not None else percentage(bar.current, bar.total)


def _position(bar: Bar) -> float | None:
    if bar.current is not None:
        return bar.current
    return bar.percentage


def _continues(tracked: _Tracked, bar: Bar) -> bool:
    """Whether this is a later state of it, and no new start."""
    old, new = tracked.bar, bar
    before, after = _position(old), _position(new)
    if tracked.finished:
        return new.finished or (before == after and old.total == new.total)  # it is only shown again
    if before is None or after is None or after >= before:
        return True
    if after == 0:
        return False
    fraction, earlier = _percentage(new), _percentage(old)
    if fraction is None or earlier is None:
        return after > before / 20
    return fraction > 5 or earlier - fraction < 25


def _has_moved(tracked: _Tracked, bar: Bar) -> bool:
    """Whether one that is shown on another row is this one. Two of the same name both begin at 0."""
    before, after = _position(tracked.bar), _position(bar)
    return bool(bar.description) and before is not None and after is not None and 0 < before <= after


def _is_renamed(old: Bar, new: Bar) -> bool:
    """Whether only the description changed."""
    before, after = _position(old), _position(new)
    return old.total == new.total and before is not None and after is not None and before <= after


def _agree(old: Bar, new: Bar) -> bool:
    """Whether a line that may be cut says as much as the one before it."""
    return (old.description, old.total, old.unit) == (new.description, new.total, new.unit) and (
        old.percentage is None
    ) == (new.percentage is None)
