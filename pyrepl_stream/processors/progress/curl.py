"""The meter and the bar of curl.

The meter (``lib/progress.c``) has columns of fixed width, so an incomplete line does not match::

      % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current
                                     Dload  Upload   Total   Spent    Left  Speed
     40  683k   40  278k    0     0   245k      0  0:00:02  0:00:01  0:00:01  245k     until 8.17
     29 15.02M  29  4.41M   0      0  4.41M      0   00:03           00:03  4.41M      since 8.18

Units are powers of 1024 (see the manual page). If the length is not known, the total is the number of bytes
received so far and the percentage is 0. ``curl -#`` (``src/tool_cb_prg.c``) draws a bar over the whole line,
``####      7.1%``, or a mark that moves back and forth, without a percentage.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import duration, size

_PERCENT = r"([ 0-9]{2}[0-9])"


def _columns(width: int, gap: str, time: int) -> re.Pattern[str]:
    size = rf" ([ 0-9.kKMGTPE]{{{width}}})"
    last = rf" ([ 0-9.]{{{width - 1}}}[0-9kKMGTPE])"
    transfers = size + (gap + _PERCENT + size) * 2
    speeds = (gap[1:] + size) * 2
    return re.compile(_PERCENT + transfers + speeds + rf" ([-0-9:dhmy ]{{{time}}})" * 3 + last)


_METERS = (_columns(5, "  ", 8), _columns(6, " ", 7))
_NUMBER = re.compile(r" *([0-9]{1,6}(?:\.[0-9]{1,2})?[kKMGTPE]?)")
_TIME = re.compile(r" *(?:(?:[0-9]{1,3}:)?[0-9]{2}:[0-9]{2}|[0-9]{1,3}d ?[0-9]{2}h|[0-9]{1,7}d)")
_BAR = re.compile(r"(#{0,400})( {0,400}) ([ 0-9]{2}[0-9]\.[0-9])%")
_FLYING = re.compile(r" {0,400}[#O=-](?: {0,400}[#O=-]){2,8}")


def _parse(line: str) -> Bar | None:
    for meter in _METERS:
        if found := meter.fullmatch(line):
            return _meter(found.groups())
    if found := _BAR.fullmatch(line):
        return _bar(found[1], len(line), float(found[3]))
    if _FLYING.fullmatch(line) and 1 <= line.count("=") <= 2 <= line.count("#") and line.count("-") <= 2:
        return Bar(unit="B")
    return None


def _meter(columns: tuple[str, ...]) -> Bar | None:
    percents = [float(columns[index]) for index in (0, 2, 4)]
    texts = [_NUMBER.fullmatch(columns[index]) for index in (1, 3, 5, 6, 7, 11)]
    sizes = [size(text[1], binary=True) for text in texts if text]
    if len(sizes) < len(texts):
        return None
    total, received, sent, _, _, speed = sizes
    elapsed, remaining = _time(columns[9]), _time(columns[10])
    current, percentage = received + sent, percents[0]
    if total == 0 or (max(percents[1:]) == 0 and total == current):  # the length is not known
        return Bar("", current, None, "B", None, speed, elapsed, remaining)
    finished = percentage >= 100 and percents[1] >= 100  # after an upload, a response may be downloaded
    return Bar("", current, total, "B", percentage, speed, elapsed, remaining, finished)


def _time(text: str) -> float | None:
    return duration(text.strip()) if _TIME.fullmatch(text) else None


def _bar(filled: str, width: int, percent: float) -> Bar | None:
    """Return the bar if its length agrees with its percentage; None for incomplete bars and other text."""
    expected = (width - 7) * percent / 100
    if percent > 100 or width < 12 or abs(len(filled) - expected) > 1:
        return None
    return Bar(unit="B", percentage=percent, finished=percent == 100)


_HINT = r"[0-9#O=-](?:(?<=^[ 0-9]{2}[0-9]) [ 0-9.]{4}|(?<=[0-9])\.[0-9]%$|(?<=[#O=-]) *[#O=-])"
LIBRARY = BarFormat("curl", _parse, hint=_HINT)
