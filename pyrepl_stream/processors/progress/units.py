"""Sizes, rates and times as progress bars write them, and regular expressions that match them.

Every expression here has a bounded length, so that patterns built from them take linear time on any
line and no number becomes infinite. Each function takes text that the expression of the same name matches.
"""

from __future__ import annotations

import re

NUMBER = r"[0-9]{1,15}(?:[.,][0-9]{1,15}){0,5}"
"""``12``, ``12.3``, ``12,3`` (decimals of some locales), ``1,234,567``, ``1.234.567``."""

_PREFIX = r"(?:[kKMGTPEZY]i?)?"
SIZE = NUMBER + r" ?" + _PREFIX + r"(?:[bB]|[bB]ytes?)?"
"""A number with or without a unit of bytes: ``12``, ``1.2M``, ``1.2 MiB``, ``12 bytes``, ``345B``."""

RATE = r"(?:" + NUMBER + r"|\?) ?(?:" + _PREFIX + r"[^\W\d_]{0,24}/s(?:ec)?|s/[^\W\d_]{1,24})"
"""A number of units per second, or seconds per unit: ``1.2MB/s``, ``3 it/s``, ``?it/s``, ``1.5s/it``."""

_DAYS = r"(?:[0-9]{1,6} days?, ?|[0-9]{1,6}[-:](?=[0-9]{1,3}:[0-9]{1,2}:))?"
_CLOCK = _DAYS + r"(?:[0-9]{1,6}:)?[0-9]{1,3}:[0-9]{2}(?:\.[0-9]{1,9})?"
_PARTS = r"[0-9]{1,9}(?:\.[0-9]{1,9})?[dhms](?: ?[0-9]{1,6}[dhms]){0,3}"
_UNKNOWN = r"-{1,3}(?:[:-]-{2}){1,2}|\?|N/A"
DURATION = f"(?:{_CLOCK}|{_PARTS}|{_UNKNOWN})"
"""``0:12``, ``01:02:03``, ``1 day, 0:00:01``, ``2.5s``, ``3m 2s``, ``1d05h``; unknown: ``--:--:--``, ``?``"""

_STEPS = "kMGTPEZY"
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}

# Compiled here, because several of these are matched for each state of a bar.
_IS_NUMBER = re.compile(NUMBER)
_IS_RATE = re.compile(rf"({NUMBER}|\?) ?([^/]*)/(.*)")
_IS_UNIT = re.compile(rf"({_PREFIX})([bB]|[bB]ytes?|it|)")
_MARK = re.compile("[.,]")
_PART = re.compile(r"([0-9.,]+)([dhms])")
_AFTER_DAYS = re.compile(r" days?, ?|d |-")


def number(text: str) -> float:
    """Return the value of a text that :data:`NUMBER` matches.

    A single comma before exactly three digits separates thousands, and so does a comma or full stop
    that occurs more than once. Otherwise a comma or a full stop is the decimal point.
    """
    marks = _MARK.findall(text)
    decimal = marks[-1] if marks else ""
    if marks.count(decimal) > 1 or (decimal == "," and len(text) - text.rfind(",") == 4):
        decimal = ""
    whole, _, rest = text.rpartition(decimal) if decimal else (text, "", "")
    return float(_MARK.sub("", whole) + "." + rest)


def size(text: str, *, binary: bool = False) -> float:
    """Return a number of bytes or other things, from a text that :data:`SIZE` matches.

    ``KiB`` and ``Ki`` mean 1024 and ``kB`` means 1000, as standardized; with ``binary`` all mean 1024, as in
    many tools.
    """
    found = _IS_NUMBER.match(text)
    assert found is not None
    rest = text[found.end() :].lstrip()
    exponent = _STEPS.find(rest[:1].replace("K", "k")) + 1 if rest else 0
    base = 1024 if binary or rest[1:2] == "i" else 1000
    return float(number(found[0]) * base**exponent)


def rate(text: str, *, binary: bool = False) -> tuple[float | None, str]:
    """Return ``(number per second, unit)`` of a text that :data:`RATE` matches.

    ``1.5s/it`` gives 0.67 and ``it``; for ``?it/s`` the number is None. The first letter before ``/s`` is a
    prefix if another letter follows it, or if it stands alone and is not a unit: ``2 kB/s``, ``2 kit/s``,
    ``2k/s``.
    """
    found = _IS_RATE.fullmatch(text)
    assert found is not None
    value, over, under = found.groups()
    if over == "s":  # seconds per unit; `s/s` is the same either way
        seconds = None if value == "?" else number(value)
        return (1 / seconds if seconds else None), under
    prefixed = _IS_UNIT.fullmatch(over)  # not a word such as `keys`
    scale, unit = prefixed.groups() if prefixed else ("", over)
    if unit in ("b", "bytes", "Bytes", "byte", "Byte"):
        unit = "B"
    return (None if value == "?" else size(value + scale, binary=binary)), unit


def duration(text: str | None) -> float | None:
    """Return the seconds in a text that :data:`DURATION` matches; None for an unknown time or no text.

    Two more forms are read: ``2,8s`` with a decimal comma, as wget writes, and ``1d 02:03:04`` of click.
    """
    if not text or not text[0].isdigit():
        return None
    if ":" not in text:
        parts = _PART.findall(text)
        return sum(float(value.replace(",", ".")) * _SECONDS[unit] for value, unit in parts)
    *days, clock = _AFTER_DAYS.split(text)
    fields = [*days, *clock.split(":")]
    factors = (1.0, 60.0, 3600.0, 86400.0)
    return sum(float(value) * factor for value, factor in zip(reversed(fields), factors, strict=False))


def percentage(current: float | None, total: float | None) -> float | None:
    """Return a percentage from 0 to 100; None if a number is unknown, or ``total`` is 0."""
    if current is None or not total:
        return None
    return min(100.0, max(0.0, 100.0 * current / total))
