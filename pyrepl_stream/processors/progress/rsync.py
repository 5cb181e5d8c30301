"""The lines of ``rsync --progress`` and ``--info=progress2`` (``progress.c``)::

        294,912  84%  250.73kB/s    0:00:00                             the time that is left
        350,000 100%  269.62kB/s    0:00:01 (xfr#1, to-chk=2/4)         the time that it took

``(xfer#1, to-check=2/4)`` before 3.1, ``ir-chk`` while files are still being looked for, ``??:??:??`` for a
time that is not known. Rates are of 1024, sizes with ``-h`` of 1000 (with ``-hh`` of 1024, which the line
does not say). The name of the file is on a line of its own.
"""

from __future__ import annotations

import re

from .bar import Bar, Library
from .units import NUMBER, duration, size

__all__ = ("LIBRARY",)

_LINE = re.compile(
    rf" *(?P<size>{NUMBER}[KMGTP]?) +(?P<percent>[0-9]{{1,3}})% +(?P<rate>{NUMBER}[kMGT]B/s)"
    r" +(?P<time>[0-9]{1,6}:[0-9]{2}:[0-9]{2}|\?\?:\?\?:\?\?)"
    r"(?P<done> +\(xfe?r#[0-9]{1,12}, (?:to|ir)-che?c?k=[0-9]{1,12}/[0-9]{1,12}\))?"
)


def parse(line: str) -> Bar | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    percent, time = float(found["percent"]), duration(found["time"])
    ended, done = percent >= 100, found["done"] is not None
    current = size(found["size"])
    return Bar(
        current=current,
        total=current if ended else None,
        unit="B",
        percentage=percent,
        rate=size(found["rate"].removesuffix("/s"), binary=True),
        elapsed=time if done else None,
        remaining=None if done or ended else time,
        finished=done and ended,  # with progress2 each file's end is marked so
    )


LIBRARY = Library("rsync", parse, hint=r"[0-9]% +[0-9.,]+[kMGT]B/s")
