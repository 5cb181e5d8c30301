"""The lines of ``rsync --progress`` and ``--info=progress2`` (``progress.c``).

Examples::

        294,912  84%  250.73kB/s    0:00:00                             remaining time
        350,000 100%  269.62kB/s    0:00:01 (xfr#1, to-chk=2/4)         elapsed time

Versions before 3.1 write ``(xfer#1, to-check=2/4)``. ``ir-chk`` is shown while rsync still searches for
files, ``??:??:??`` for an unknown time. Rates use powers of 1024. Sizes use powers of 1000 with ``-h``, and
of 1024 with ``-hh``, which the line does not show. The name of the file is on a separate line.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import NUMBER, duration, size

_LINE = re.compile(
    rf" *(?P<size>{NUMBER}[KMGTP]?) +(?P<percent>[0-9]{{1,3}})% +(?P<rate>{NUMBER}[kMGT]B/s)"
    r" +(?P<time>[0-9]{1,6}:[0-9]{2}:[0-9]{2}|\?\?:\?\?:\?\?)"
    r"(?P<done> +\(xfe?r#[0-9]{1,12}, (?:to|ir)-che?c?k=[0-9]{1,12}/[0-9]{1,12}\))?"
)


def _parse(line: str) -> Bar | None:
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    percentage, time = float(found["percent"]), duration(found["time"])
    ended, done = percentage >= 100, found["done"] is not None
    current, rate = size(found["size"]), size(found["rate"].removesuffix("/s"), binary=True)
    total = current if ended else None
    elapsed, remaining = time if done else None, None if done or ended else time
    finished = done and ended  # with progress2, this mark is shown at the end of each file
    return Bar("", current, total, "B", percentage, rate, elapsed, remaining, finished)


LIBRARY = BarFormat("rsync", _parse, hint=r"%(?<=[0-9]%) +[0-9.,]+[kMGT]B/s")
