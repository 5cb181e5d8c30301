"""Any line with ``N%`` that is redrawn: ``Installing  45% |####    |``, ``Reading... 50%``.

The line has exactly one percentage, followed at most by a bar, numbers, times or a word such as `done`. A
log line of this form differs only in not being redrawn.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat

__all__ = ("LIBRARY",)

_PERCENTAGE = re.compile(r"(?<![\w.,%])([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%(?!\w)")
_WORDS = re.compile(
    r"(?:done|complete|completed|finished|eta|remaining|left|elapsed|of|in|at)\b", re.IGNORECASE
)
_METER = " \t[](){}<>|=#>*.:,-_+~/\\…" + "".join(
    map(chr, (*range(0x2501, 0x257B), *range(0x2580, 0x25FF), *range(0x2800, 0x2900)))
)

# A meter of ASCII characters ends with a digit, the tenths of its last cell: `|####5    |`.
_ASCII_METER = re.compile(r"\|(?: *#+)?[0-9]\Z")
_SPINNER = re.compile(r"[-|/\\\u2800-\u28ff] +")  # redrawn with another character each time
_BRACKETS = {"[": "]", "(": ")", "{": "}", "<": ">"}


def parse(line: str) -> Bar | None:
    found = _PERCENTAGE.search(line)
    if found is None or line.count("%") != 1 or float(found[1]) > 100:
        return None
    rest = line[found.end() :].lstrip(" \t)]}>|:;,.-")
    if rest[:1].isalpha() and not _WORDS.match(rest):
        return None  # such as `accuracy 93% on test`
    return Bar(_label(line[: found.start()]), percentage=float(found[1]), doubtful=True)


def _label(text: str) -> str:
    """Return the label before a percentage: `download` from ``[download]  42%``, `Fit` from ``| Fit 42%``."""
    label = _ASCII_METER.sub("", text.rstrip(_METER)).rstrip(_METER).lstrip()
    if spinner := _SPINNER.match(label):
        label = label[spinner.end() :]
    closing = _BRACKETS.get(label[:1])
    return label[1:].lstrip() if closing and closing not in label else label


LIBRARY = BarFormat("generic", parse, hint="%")
