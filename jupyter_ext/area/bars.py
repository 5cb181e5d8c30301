"""The progress bars of one execution, as the page gets them."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from pyrepl_stream import ProgressMessage

from .words import printable

__all__ = ("Bars", "bar_text")

_MOST = 50  # bars that are shown
_FINISHED = 3  # of the finished ones
_KEPT = 1000
_WORDS = 200  # characters of a description


class Bars:
    """The newest state of each bar, in order of first sight.

    A loop within a loop draws a bar each time, and may never draw its end: a new bar takes the place of a
    finished one that says the same. Those that were wiped away, as by tqdm with ``leave=False``, are only
    counted when the run has ended. ``changed``: whether any did since :meth:`json` was last called.
    """

    def __init__(self) -> None:
        self.changed = False
        self._bars: dict[tuple[str, str], dict[str, Any]] = {}  # by source and name
        self._finished: dict[tuple[str, str], None] = {}  # in the order in which they did
        self._names: set[str] = set()  # by which the page knows them
        self._count = 1  # of names that were taken
        self._forgotten = 0  # finished ones
        self._wiped: set[tuple[str, str]] = set()  # of the finished ones
        self._success: bool | None = None  # of the run, at its end

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._bars)

    def update(self, message: ProgressMessage) -> None:
        key = (message.source, message.bar)
        known = self._bars.get(key)
        if known is None:
            bar = self._bar(message, self._new_name(message))
            self._replace_like(bar)
        else:
            bar = self._bar(message, known["bar"])
        self._bars[key] = bar
        self._finished.pop(key, None)
        self._wiped.discard(key)
        if bar["finished"]:
            self._finished[key] = None
            if _is_wiped(bar, message) and self._success is not False:
                self._wiped.add(key)
        self.changed = True
        if self._success:
            self._forget_wiped()
        if len(self._bars) > _KEPT:
            self._forget(next(iter(self._finished), next(iter(self._bars))))

    def end(self, success: bool) -> None:
        """The run has ended: the bars that are updated from now on end with it."""
        self._success = success
        self._forget_wiped()

    def json(self) -> list[dict[str, Any]]:
        """At most 50 bars; before them ``{"folded": n}`` where n are left out that finished before others.

        A bar has ``bar``, ``description``, ``source``, ``current``, ``total``, ``unit``, ``percentage``,
        ``rate`` (a second), ``elapsed``, ``remaining`` (seconds), ``finished``, ``stopped`` (finished before
        its end), ``library``; None where it does not say. Of those that go on, the oldest are shown.
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

    def _replace_like(self, bar: Mapping[str, Any]) -> None:
        for key in reversed(self._finished):
            if _says(self._bars[key]) == _says(bar):
                self._forget(key)
                return

    def _forget_wiped(self) -> None:
        for key in list(self._wiped):
            self._forget(key)

    def _forget(self, key: tuple[str, str]) -> None:
        bar = self._bars.pop(key)
        self._finished.pop(key, None)
        self._wiped.discard(key)
        self._names.remove(bar["bar"])
        self._forgotten += bar["finished"]

    def _bar(self, message: ProgressMessage, name: str) -> dict[str, Any]:
        percentage, went_on = _percentage(message), self._success is None
        before_its_end = self._success is False if percentage is None else percentage < 100
        return {
            "bar": name,
            "description": printable(message.description, _WORDS),
            "source": printable(message.source, _WORDS),
            "current": _finite(message.current),
            "total": _finite(message.total),
            "unit": printable(message.unit, 20),
            "percentage": percentage,
            "rate": _finite(message.rate),
            "elapsed": _finite(message.elapsed),
            "remaining": _finite(message.remaining),
            "finished": message.finished,
            "stopped": message.finished and before_its_end and not (went_on and message.wiped),
            "library": printable(message.library, 40),
        }

    def _new_name(self, message: ProgressMessage) -> str:
        """No other bar has it, though what cannot be shown is left out."""
        name = wanted = printable(f"{message.source}:{message.bar}" if message.source else message.bar)
        while name in self._names:
            self._count += 1
            name = f"{wanted} #{self._count}"
        self._names.add(name)
        return name


def bar_text(bar: Mapping[str, Any]) -> str:
    """One of :meth:`Bars.json` in words, such as ``epochs: 42% | 42 of 100 it | 3.1 it/s | 0:12 left``."""
    if "folded" in bar:
        return f"{bar['folded']:,} finished"
    if "more" in bar:
        return f"{bar['more']:,} more"
    unit = bar["unit"]
    parts = [] if bar["percentage"] is None else [f"{math.floor(bar['percentage'])}%"]
    if bar["current"] is not None:
        total = "" if bar["total"] is None else f" of {_amount(bar['total'], unit)}"
        parts.append(f"{_amount(bar['current'], '' if total and unit != 'B' else unit)}{total}")
    if bar["rate"] is not None:
        parts.append(f"{_amount(bar['rate'], unit)}/s")
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
    """Whether it is not seen any more. All but tqdm may wipe what is at its end only to draw it anew."""
    return message.wiped and (bar["library"] == "tqdm" or bar["percentage"] != 100)


def _says(bar: Mapping[str, Any]) -> tuple[Any, ...]:
    return bar["source"], bar["library"], bar["description"], bar["total"], bar["unit"]


def _percentage(message: ProgressMessage) -> float | None:
    percentage = _finite(message.percentage)
    return None if percentage is None else min(max(percentage, 0.0), 100.0)


def _finite(value: float | None) -> float | None:
    """JSON has no others."""
    return value if value is not None and abs(value) <= sys.float_info.max else None


def _amount(value: float, unit: str) -> str:
    if unit == "B":
        step = 0
        while abs(value) >= 999.5 and step < 4:
            value, step = value / 1000, step + 1
        return f"{value:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[step]}"
    number = f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return f"{number} {unit}".rstrip()


def _clock(seconds: float) -> str:
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"
