"""Anything that draws a line with ``N%`` over and over: ``Installing  45% |####    |``, ``Reading... 50%``.

One percentage, and behind it nothing but a bar, numbers, times or a word such as `done`. Only where it
is drawn over can it be told from a line of a log.
"""

from __future__ import annotations

import re

from .bar import Bar, Library

__all__ = ("LIBRARY",)

_PERCENTAGE = re.compile(r"(?<![\w.,%])([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%(?!\w)")
_WORDS = re.compile(
    r"(?:done|complete|completed|finished|eta|remaining|left|elapsed|of|in|at)\b", re.IGNORECASE
)
_METER = " \t[](){}<>|=#>*.:,-_+~/\\…" + "".join(
    map(chr, (*range(0x2501, 0x257B), *range(0x2580, 0x25FF), *range(0x2800, 0x2900)))
)


def parse(line: str) -> Bar | None:
    found = _PERCENTAGE.search(line)
    if found is None or line.count("%") != 1 or float(found[1]) > 100:
        return None
    rest = line[found.end() :].lstrip(" \t)]}>|:;,.-")
    if rest[:1].isalpha() and not _WORDS.match(rest):
        return None  # such as `accuracy 93% on test`
    return Bar(line[: found.start()].rstrip(_METER).lstrip(), percentage=float(found[1]), doubtful=True)


LIBRARY = Library("generic", parse, hint="%")
