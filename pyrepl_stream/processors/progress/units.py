"""Sizes, rates and times as progress bars write them, and expressions that match them.

Every expression here has a bounded length, so that whatever is made of them stays linear on any line
and no number becomes infinite. The functions want text that the expression of the same name matches.
"""

from __future__ import annotations

import re

__all__ = ("NUMBER", "SIZE", "RATE", "DURATION", "number", "size", "rate", "duration", "percentage")

NUMBER = r"[0-9]{1,15}(?:[.,][0-9]{1,15}){0,5}"
"""``12``, ``12.3``, ``12,3`` (decimals of some locales), ``1,234,567``, ``1.234.567``."""

_PREFIX = r"(?:[kKMGTPEZY]i?)?"
SIZE = NUMBER + r" ?" + _PREFIX + r"(?:[bB]|[bB]ytes?)?"
"""A number with or without a unit of bytes: ``12``, ``1.2M``, ``1.2 MiB``, ``12 bytes``, ``345B``."""

RATE = r"(?:" + NUMBER + r"|\?) ?(?:" + _PREFIX + r"[^\W\d_]{0,24}/s(?:ec)?|s/[^\W\d_]{1,24})"
"""Of something in each second, or seconds for each: ``1.2MB/s``, ``3 it/s``, ``?it/s``, ``1.5s/it``."""

_DAYS = r"(?:[0-9]{1,6} days?, ?|[0-9]{1,6}[-:](?=[0-9]{1,3}:[0-9]{1,2}:))?"
_CLOCK = _DAYS + r"(?:[0-9]{1,6}:)?[0-9]{1,3}:[0-9]{2}(?:\.[0-9]{1,9})?"
_PARTS = r"[0-9]{1,9}(?:\.[0-9]{1,9})?[dhms](?: ?[0-9]{1,6}[dhms]){0,3}"
_UNKNOWN = r"-{1,3}(?:[:-]-{2}){1,2}|\?|N/A"
DURATION = f"(?:{_CLOCK}|{_PARTS}|{_UNKNOWN})"
"""``0:12``, ``01:02:03``, ``1 day, 0:00:01``, ``2.5s``, ``3m 2s``, ``1d05h``; unknown: ``--:--:--``, ``?``"""

_STEPS = "kMGTPEZY"
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


def number(text: str) -> float:
    """The number that :data:`NUMBER` matches.

    One comma before exactly three digits parts thousands, as does any mark that comes twice; else a
    comma is a decimal point, as a full stop is.
    """
    marks = re.findall("[.,]", text)
    decimal = marks[-1] if marks else ""
    if marks.count(decimal) > 1 or (decimal == "," and len(text) - text.rfind(",") == 4):
        decimal = ""
    whole, _, rest = text.rpartition(decimal) if decimal else (text, "", "")
    return float(re.sub("[.,]", "", whole) + "." + rest)


def size(text: str, *, binary: bool = False) -> float:
    """Bytes, or whatever is counted: :data:`SIZE`.

    ``KiB`` and ``Ki`` are 1024 and ``kB`` is 1000, as the standard has it; with ``binary`` all are 1024,
    as in many tools.
    """
    found = re.match(NUMBER, text)
    assert found is not None
    rest = text[found.end() :].lstrip()
    exponent = _STEPS.find(rest[:1].replace("K", "k")) + 1 if rest else 0
    base = 1024 if binary or rest[1:2] == "i" else 1000
    return float(number(found[0]) * base**exponent)


def rate(text: str, *, binary: bool = False) -> tuple[float | None, str]:
    """How many of what per second: :data:`RATE`. ``1.5s/it`` is 0.67 of ``it``; None for ``?it/s``.

    Of the letters before ``/s`` the first scales when another follows, or when it stands alone and is
    no name of a thing: ``2 kB/s``, ``2 kit/s``, ``2k/s``.
    """
    found = re.fullmatch(rf"({NUMBER}|\?) ?([^/]*)/(.*)", text)
    assert found is not None
    value, over, under = found.groups()
    if over == "s":  # seconds for each; `s/s` is one for one either way
        seconds = None if value == "?" else number(value)
        return (1 / seconds if seconds else None), under
    scale, unit = _split_unit(over)
    if unit in ("b", "bytes", "Bytes", "byte", "Byte"):
        unit = "B"
    return (None if value == "?" else size(value + scale, binary=binary)), unit


def _split_unit(text: str) -> tuple[str, str]:
    """``MiB`` into ``Mi`` and ``B``; a word of small letters, such as ``keys``, is a unit as a whole."""
    found = re.fullmatch(rf"({_PREFIX})([bB]|[bB]ytes?|it|)", text)
    return (found[1], found[2]) if found else ("", text)


def duration(text: str) -> float | None:
    """Seconds: :data:`DURATION`. None for one that is not known."""
    if not text[:1].isdigit():
        return None
    if ":" not in text:
        parts = re.findall(r"([0-9.]+)([dhms])", text)
        return sum(float(value) * _SECONDS[unit] for value, unit in parts)
    *days, clock = re.split(r" days?, ?|-", text)
    fields = [*days, *clock.split(":")]
    seconds = 0.0
    for value, factor in zip(reversed(fields), (1.0, 60.0, 3600.0, 86400.0), strict=False):
        seconds += float(value) * factor
    return seconds


def percentage(current: float | None, total: float | None) -> float | None:
    """0 to 100, where both are known and there is anything to do."""
    if current is None or not total:
        return None
    return min(100.0, max(0.0, 100.0 * current / total))
