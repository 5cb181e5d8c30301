"""Any line with ``N%`` that is redrawn: ``Installing  45% |####    |``, ``Reading... 50%``.

The line has exactly one percentage, followed at most by a bar, numbers, times or a word such as `done`. A
log line of this form differs only in not being redrawn.
"""

from __future__ import annotations

import re

from .bar import Bar, BarFormat

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
_QUOTES = "\"'"


def _parse(line: str) -> Bar | None:
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
    label = _closed(label)
    inner = label[1:-1].strip()
    is_enclosed = label[-1:] == _BRACKETS.get(label[:1]) and _closed(inner) == inner
    return inner if is_enclosed else label


def _closed(label: str) -> str:
    """Add the ends of brackets and quotes, which stand among the characters of the meter or after it."""
    ends: list[str] = []
    for place, character in enumerate(label):
        if ends and character == ends[-1]:
            ends.pop()
        elif character in _BRACKETS and (character != "<" or place == 0):
            ends.append(_BRACKETS[character])
        elif character in _QUOTES and not label[place - 1 : place].isalnum():
            ends.append(character)
    return label + "".join(reversed(ends))


LIBRARY = BarFormat("generic", _parse, hint="%")
