"""Progress bars of pip.

Since 22.1 (``_internal/cli/progress_bars.py``), rich draws them::

    ━━━━━━━━╸━━━━━━━━━━━━━━━━━━━━━━ 12.3/45.6 MB 3.4 MB/s eta 0:00:10
    ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 45.6/45.6 MB 3.4 MB/s  0:00:13      finished, with the elapsed time
    - 12.3 MB 3.4 MB/s 0:00:04                                           a spinner: the size is not known
    ━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━ 3/7 [name]                           installation, since 25.1

The bar consists of ``-`` if the terminal's encoding has no ``━``. Earlier versions draw
``|████▎     | 1.2 MB 3.4 MB/s eta 0:00:02`` and, still earlier, ``10% |███▏     | 10kB 1.2MB/s eta 0:00:02``.
All units are powers of 1000.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import NUMBER, duration, percentage, rate, size

_UNIT = r"(?:[kMGTPEZY]?B|bytes?)"
_RATE = rf"(?P<rate>{NUMBER} ?{_UNIT}/s|\?)"
_CLOCK = r"(?:[0-9]{1,4} days?, )?[0-9]{1,4}:[0-9]{2}:[0-9]{2}"
_TIME = rf"(?:eta +(?P<eta>{_CLOCK}|-:--:--)|(?P<elapsed>{_CLOCK}|-:--:--))"
_BAR = r" {0,40}[━╸╺\-][━╸╺ \-]{3,400}"
_EMPTY = r" {12,400}"  # without colours the remaining part is blank
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


def _parse(line: str) -> Bar | None:
    if found := _DOWNLOAD.fullmatch(line) or _SPINNER.fullmatch(line):
        return _download(found.groupdict())
    if found := _INSTALL.fullmatch(line):
        current, total = float(found["current"]), float(found["total"])
        return Bar(found["name"], current, total, percentage=percentage(current, total))
    if found := _BLOCKS.fullmatch(line):
        full, speed, remaining = " " not in found["bar"], _rate(found["rate"]), duration(found["eta"])
        share = float(found["percent"]) if found["percent"] else 100.0 if full else None
        finished = full and not found["eta"] and found["rate"] is not None
        return Bar("", size(found["current"]), None, "B", share, speed, None, remaining, finished)
    return None


def _download(found: dict[str, str | None]) -> Bar:
    # Both numbers of a bar share one unit; the size in a spinner's line includes its unit.
    unit = found.get("unit") or ""
    total = size(f"{found['total']} {unit}") if unit else None
    current = size(f"{found['current']} {unit}")
    share, speed = percentage(current, total), _rate(found["rate"])
    elapsed, remaining = duration(found["elapsed"]), duration(found["eta"])
    finished = unit != "" and found["elapsed"] is not None
    return Bar("", current, total, "B", share, speed, elapsed, remaining, finished)


def _rate(text: str | None) -> float | None:
    return None if text is None or text == "?" else rate(text)[0]


_HINT = r"[Bb?━\-](?:(?<=B)(?:/s|$)|(?<=b)ytes?/s|(?<=\?) +[0-9e]|(?<=[━\-]) +[0-9]+/[0-9])"
LIBRARY = BarFormat("pip", _parse, hint=_HINT)
