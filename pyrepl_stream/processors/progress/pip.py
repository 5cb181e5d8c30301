"""Progress bars of pip.

Since 22.1 (``_internal/cli/progress_bars.py``), drawn by rich::

    ━━━━━━━━╸━━━━━━━━━━━━━━━━━━━━━━ 12.3/45.6 MB 3.4 MB/s eta 0:00:10
    ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 45.6/45.6 MB 3.4 MB/s  0:00:13      the end, with the time it took
    - 12.3 MB 3.4 MB/s 0:00:04                                           a spinner, the size is not known
    ━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━ 3/7 [name]                           installation, since 25.1

with ``-`` for the bar where the terminal's encoding has no other. Before: ``|████▎     | 1.2 MB 3.4 MB/s eta
0:00:02``, and still earlier ``10% |███▏     | 10kB 1.2MB/s eta 0:00:02``. All units are of 1000.
"""

from __future__ import annotations

import re

from .bar import Bar, Library
from .units import NUMBER, duration, percentage, rate, size

__all__ = ("LIBRARY",)

_UNIT = r"(?:[kMGTPEZY]?B|bytes?)"
_RATE = rf"(?P<rate>{NUMBER} ?{_UNIT}/s|\?)"
_CLOCK = r"(?:[0-9]{1,4} days?, )?[0-9]{1,4}:[0-9]{2}:[0-9]{2}"
_TIME = rf"(?:eta +(?P<eta>{_CLOCK}|-:--:--)|(?P<elapsed>{_CLOCK}|-:--:--))"
_BAR = r" {0,40}[━╸╺\-][━╸╺ \-]{3,400}"
_EMPTY = r" {12,400}"  # without colours what is left to do is blank
_DOWNLOAD = re.compile(
    rf"(?:{_BAR}|{_EMPTY}) (?P<current>{NUMBER})/(?P<total>{NUMBER}) (?P<unit>{_UNIT}) {_RATE} +{_TIME}"
)
_SPINNER = re.compile(rf" *[-\\|/] (?P<current>{NUMBER} {_UNIT}) {_RATE} +{_TIME}")
_INSTALL = re.compile(
    rf"{_BAR} (?P<current>[0-9]{{1,9}})/(?P<total>[0-9]{{1,9}}) \[(?P<name>[^\]]{{1,200}})\]"
)
_BLOCKS = re.compile(
    rf" *(?:(?P<percent>[0-9]{{1,3}})% ?)?\|(?P<bar>[█▉▊▋▌▍▎▏ ]{{4,400}})\| (?P<current>{NUMBER} ?{_UNIT})"
    rf"(?: {_RATE})?(?: +eta (?P<eta>{_CLOCK}|-:--:--))?"
)


def parse(line: str) -> Bar | None:
    if found := _DOWNLOAD.fullmatch(line) or _SPINNER.fullmatch(line):
        return _download(found.groupdict())
    if found := _INSTALL.fullmatch(line):
        current, total = float(found["current"]), float(found["total"])
        return Bar(found["name"], current, total, percentage=percentage(current, total))
    if found := _BLOCKS.fullmatch(line):
        full = " " not in found["bar"]
        return Bar(
            current=size(found["current"]),
            unit="B",
            percentage=float(found["percent"]) if found["percent"] else 100.0 if full else None,
            rate=_rate(found["rate"]),
            remaining=duration(found["eta"] or ""),
            finished=full and not found["eta"] and found["rate"] is not None,
        )
    return None


def _download(found: dict[str, str | None]) -> Bar:
    # Both numbers are in one unit; the size in a spinner's line has its own.
    unit = found.get("unit") or ""
    total = size(f"{found['total']} {unit}") if unit else None
    current = size(f"{found['current']} {unit}")
    elapsed = found["elapsed"]
    return Bar(
        current=current,
        total=total,
        unit="B",
        percentage=percentage(current, total),
        rate=_rate(found["rate"]),
        elapsed=duration(elapsed or ""),
        remaining=duration(found["eta"] or ""),
        finished=unit != "" and elapsed is not None,
    )


def _rate(text: str | None) -> float | None:
    return None if text is None or text == "?" else rate(text)[0]


LIBRARY = Library("pip", parse, hint=r"B/s|bytes?/s|\? +[0-9e]|[━\-] +[0-9]+/[0-9]|B$")
