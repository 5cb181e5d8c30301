"""progressbar2: `` 40% (2 of 5) |####      | Elapsed Time: 0:00:01 ETA:   0:00:02``.

A program can combine widgets freely. Only the default widgets of ``ProgressBar`` and ``DataTransferBar`` are
recognized, with or without a prefix and a speed.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import DURATION, NUMBER, RATE, SIZE, duration, number, rate, size

_KNOWN = (
    r"(?P<percentage>[0-9]{1,3}|N/A)%"
    rf"(?: \((?P<n>{NUMBER}) of (?P<total>{NUMBER})\)| of +(?P<size>{SIZE}))?"
)
_UNKNOWN = rf"[|/\\-](?: +(?P<done>{SIZE}))?"
_TIMES = (
    rf"(?P<count> {NUMBER})? Elapsed Time: (?P<elapsed>{DURATION})"
    rf"(?: +(?:ETA: +(?P<eta>{DURATION})|(?P<end>Time): +{DURATION}))?(?: +(?P<rate>{RATE}))?"
)
_LINE = re.compile(rf" *(?:{_KNOWN}|{_UNKNOWN}) \|[^|]*\|{_TIMES}")
_START = re.compile(r"(?:^|(?<=[^ ]) )(?= *(?:[0-9]{1,3}|N/A)%| *[|/\\-] )")


def _parse(line: str) -> Bar | None:
    for start in _START.finditer(line):
        if (found := _LINE.fullmatch(line, start.end())) is not None:
            return _bar(line[: start.start()].strip(), found)
    return None


def _bar(description: str, found: re.Match[str]) -> Bar:
    percentage = None if found["percentage"] in (None, "N/A") else min(float(found["percentage"]), 100.0)
    speed, unit = rate(found["rate"]) if found["rate"] else (None, "")
    current = total = None
    if found["n"]:
        current, total = number(found["n"]), number(found["total"])
    elif found["size"]:
        total, unit = size(found["size"]), "B"
    elif found["done"]:
        current, unit = size(found["done"]), "B"
    elif found["count"]:
        current = number(found["count"].strip())
    elapsed, remaining = duration(found["elapsed"]), duration(found["eta"])
    finished = found["end"] is not None
    return Bar(description, current, total, unit, percentage, speed, elapsed, remaining, finished)


LIBRARY = BarFormat("progressbar2", _parse, hint="Elapsed Time: ")
