"""The progress bars of one execution, as the page receives them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

from pyrepl_stream import ProgressMessage
from pyrepl_stream.processors.progress import amount, clock

from ..text import printable

_MOST = 50  # maximum number of bars shown
_FINISHED = 3  # maximum number of finished bars shown
_KEPT = 1000  # maximum number of bars kept
_WORDS = 200  # maximum characters of a description
_clock = partial(clock, minutes="d")
_NUMBERS = ("current", "total", "rate", "elapsed", "remaining")


class Bars:
    """The newest state of each bar, in the order in which the bars first appeared.

    An inner loop draws a new bar on each pass, and may never draw its end: a new bar replaces a finished
    one with the same description, total and unit. Once the run has ended, bars that the program erased (tqdm
    with ``leave=False``) are counted but no longer listed. ``changed`` is True when a bar has changed since
    :meth:`json` was last called.
    """

    def __init__(self) -> None:
        self.changed = False
        self._bars: dict[tuple[str, str], dict[str, Any]] = {}  # by source and name
        self._finished: dict[tuple[str, str], bool] = {}  # True for erased bars; in the order of their ends
        self._names: set[str] = set()  # ids that the page uses
        self._count = 1  # the last suffix that made a duplicate name unique
        self._forgotten = 0  # number of finished bars that were removed
        self._success: bool | None = None  # whether the run succeeded; None until it ends

    def update(self, message: ProgressMessage) -> None:
        """Store the new state of a bar."""
        key = (message.source, message.bar)
        known = self._bars.get(key)
        if known is None:
            bar = self._bar(message, self._new_name(message))
            alike = (key for key in reversed(self._finished) if _says(self._bars[key]) == _says(bar))
            if (replaced := next(alike, None)) is not None:
                self._forget(replaced)
        else:
            bar = self._bar(message, known["bar"])
        self._bars[key] = bar
        self._finished.pop(key, None)
        if bar["finished"]:
            self._finished[key] = _is_wiped(bar, message) and self._success is not False
        self.changed = True
        if self._success:
            self._forget_wiped()
        if len(self._bars) > _KEPT:
            self._forget(next(iter(self._finished), next(iter(self._bars))))

    def end(self, success: bool) -> None:
        """Handle the end of the run. Later updates count as part of that run."""
        self._success = success
        self._forget_wiped()

    def json(self) -> list[dict[str, Any]]:
        """Return at most 50 bars, after ``{"folded": n}`` if n finished bars are left out.

        A bar has ``bar``, ``description``, ``source``, ``current``, ``total``, ``unit``, ``percentage``,
        ``rate`` (per second), ``elapsed``, ``remaining`` (seconds), ``finished``, ``stopped`` (it finished
        before 100 %) and ``library``; None for a value that the bar does not show. If there are too many
        unfinished bars, the oldest are returned, followed by ``{"more": n}``.
        """
        self.changed = False
        bars = list(self._bars.values())
        left_out = {id(self._bars[key]) for key in list(self._finished)[:-_FINISHED]}
        shown = [bar for bar in bars if id(bar) not in left_out]
        folded = self._forgotten + len(left_out)
        more = [bar for bar in shown[_MOST:] if not bar["finished"]]
        head: list[dict[str, Any]] = [{"folded": folded}] if folded else []
        tail: list[dict[str, Any]] = [{"more": len(more)}] if more else []
        return [*head, *shown[:_MOST], *tail]

    def _forget_wiped(self) -> None:
        for key in [key for key, wiped in self._finished.items() if wiped]:
            self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        bar = self._bars.pop(key)
        self._finished.pop(key, None)
        self._names.remove(bar["bar"])
        self._forgotten += bar["finished"]

    def _bar(self, message: ProgressMessage, name: str) -> dict[str, Any]:
        percentage, went_on = _percentage(message), self._success is None
        before_its_end = self._success is False if percentage is None else percentage < 100
        return {
            "bar": name,
            "description": printable(message.description, _WORDS),
            "source": printable(message.source, _WORDS),
            "unit": printable(message.unit, 20),
            "percentage": percentage,
            **{name: _finite(getattr(message, name)) for name in _NUMBERS},
            "finished": message.finished,
            "stopped": message.finished and before_its_end and not (went_on and message.wiped),
            "library": printable(message.library, 40),
        }

    def _new_name(self, message: ProgressMessage) -> str:
        """Return an id without unprintable characters that no other bar has."""
        name = wanted = printable(f"{message.source}:{message.bar}" if message.source else message.bar)
        while name in self._names:
            self._count += 1
            name = f"{wanted} #{self._count}"
        self._names.add(name)
        return name


def bar_text(bar: Mapping[str, Any]) -> str:
    """Return an entry of :meth:`Bars.json` as text: ``epochs: 42% | 42 of 100 it | 3.1 it/s | 0:12 left``."""
    if "folded" in bar:
        return f"{bar['folded']:,} finished"
    if "more" in bar:
        return f"{bar['more']:,} more"
    unit = bar["unit"]
    parts = [] if bar["percentage"] is None else [f"{math.floor(bar['percentage'])}%"]
    if bar["current"] is not None:
        total = "" if bar["total"] is None else f" of {amount(bar['total'], unit)}"
        parts.append(f"{amount(bar['current'], '' if total and unit != 'B' else unit)}{total}")
    if bar["rate"] is not None:
        parts.append(f"{amount(bar['rate'], unit)}/s")
    if bar["finished"]:
        alone, timed = ("stopped", "stopped after") if bar["stopped"] else ("finished", "took")
        parts.append(alone if bar["elapsed"] is None else f"{timed} {_clock(bar['elapsed'])}")
    elif bar["remaining"] is not None:
        parts.append(f"{_clock(bar['remaining'])} left")
    elif bar["elapsed"] is not None:
        parts.append(f"since {_clock(bar['elapsed'])}")
    name = bar["description"] or bar["library"] or "progress"
    source = f"[{bar['source']}] " if bar["source"] else ""
    return f"{source}{name}: {' | '.join(parts) or 'under way'}"


def _is_wiped(bar: Mapping[str, Any], message: ProgressMessage) -> bool:
    """Return True if a bar is gone. Libraries other than tqdm may erase one at 100 % to redraw it."""
    return message.wiped and (bar["library"] == "tqdm" or bar["percentage"] != 100)


def _says(bar: Mapping[str, Any]) -> tuple[Any, ...]:
    return bar["source"], bar["library"], bar["description"], bar["total"], bar["unit"]


def _percentage(message: ProgressMessage) -> float | None:
    percentage = _finite(message.percentage)
    return None if percentage is None else min(max(percentage, 0.0), 100.0)


def _finite(value: float | None) -> float | None:
    """Return the value if JSON can represent it (not NaN or infinite), otherwise None."""
    return value if value is not None and abs(value) <= sys.float_info.max else None
