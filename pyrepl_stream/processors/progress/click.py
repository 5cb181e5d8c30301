"""click.progressbar: ``Copying files  [#######-------]   20%  00:00:04  file.txt``.

Only the default template, with ``#`` and ``-``, is recognized. After the bar come the position, percentage,
remaining time and current item, separated by two blanks; each of them may be missing.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat
from .units import duration

_BAR = re.compile(
    r"(?:(?P<label>.*\S))? +\[(?P<bar>#*-*|-+#-*)\](?=  |$)"
    r"(?P<known>(?:  (?P<current>[0-9]{1,18})(?:/(?P<total>[0-9]{1,18}))?(?=  |$))?"
    r"(?:  +(?P<percentage>[0-9]{1,3})%(?=  |$))?"
    r"(?:  (?P<eta>(?:[0-9]{1,6}d )?[0-9]{2}:[0-9]{2}:[0-9]{2})(?=  |$))?)(?P<item>.*)"
)


def _parse(line: str) -> Bar | None:
    found = _BAR.match(line)
    if found is None or len(found["bar"]) < 5 or (found["item"] and not found["known"]):
        return None  # no bar, or a bar that is followed by text but not by its position
    current, total, percentage = (
        float(found[name]) if found[name] else None for name in ("current", "total", "percentage")
    )
    return Bar(
        found["label"] or "",
        current,
        total,
        percentage=None if percentage is None else min(percentage, 100.0),
        remaining=duration(found["eta"]),
        # If the length is not known, the bar is full only when it is finished.
        finished=not line.endswith("%") and total is None and "-" not in found["bar"],
    )


LIBRARY = BarFormat("click", _parse, hint=r"\[(?:#+-*|-+#?-*)\]")
