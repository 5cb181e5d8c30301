"""click.progressbar: ``Copying files  [#######-------]   20%  00:00:04  file.txt``.

The template is the default one, with its ``#`` and ``-``; behind the bar come the position, the percentage,
the time that remains and what is worked on, each by itself or not at all, two blanks apart.
"""

from __future__ import annotations

import re

from .bar import Bar, Library
from .units import duration

__all__ = ("LIBRARY",)

_BAR = re.compile(r"(?:^|(?P<label>.*\S)) +\[(?P<bar>#*-*|-+#-*)\](?=  |$)")
_POSITION = re.compile(r"  ([0-9]{1,18})(?:/([0-9]{1,18}))?(?=  |$)")
_PERCENTAGE = re.compile(r"  +([0-9]{1,3})%(?=  |$)")
_ETA = re.compile(r"  (?:([0-9]{1,6}d) )?([0-9]{2}:[0-9]{2}:[0-9]{2})(?=  |$)")


def parse(line: str) -> Bar | None:
    found = _BAR.match(line)
    if found is None or len(found["bar"]) < 5:
        return None
    rest = line[found.end() :]
    position, rest = _take(_POSITION, rest)
    percentage, rest = _take(_PERCENTAGE, rest)
    eta, rest = _take(_ETA, rest)
    if rest and not (position or percentage or eta):
        return None  # some text, and nothing that says how far it is
    current = float(position[1]) if position else None
    total = float(position[2]) if position and position[2] else None
    return Bar(
        found["label"] or "",
        current,
        total,
        percentage=min(float(percentage[1]), 100.0) if percentage else None,
        remaining=_seconds(eta) if eta else None,
        # Without a length the bar is full only when it is over.
        finished=not line.endswith("%") and total is None and "-" not in found["bar"],
    )


def _take(expression: re.Pattern[str], text: str) -> tuple[re.Match[str] | None, str]:
    found = expression.match(text)
    return found, text[found.end() :] if found else text


def _seconds(eta: re.Match[str]) -> float:
    days = float(eta[1][:-1]) if eta[1] else 0.0
    return days * 86400 + (duration(eta[2]) or 0.0)


LIBRARY = Library("click", parse, hint=r"\[(?:#+-*|-+#?-*)\]")
