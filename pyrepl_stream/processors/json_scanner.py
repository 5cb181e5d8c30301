"""The grammar of JSON (RFC 8259) as a push-down automaton that can stop between any two characters."""

from __future__ import annotations

import json
import marshal
import math
import re
import struct
from collections.abc import Mapping
from enum import Enum
from itertools import chain
from typing import Any

__all__ = ("DEEPEST", "JsonScanner", "Scan", "parse")

DEEPEST = 200
"""Levels of nesting. What parses near Python's limit would fail whoever encodes or copies it."""


class Scan(Enum):
    OPEN = "open"  # all was read, and more can follow
    ENDED = "ended"  # the value is whole
    REFUSED = "refused"  # no text that goes on like this is JSON
    TOO_DEEP = "too deep"


_POP = "pop"  # the end of the innermost object or array
_COMMA = "comma"  # what comes next depends on the innermost one
_OBJECT, _ARRAY = "}", "]"  # on the stack: how it ends

_BLANK = r"[ \t\n\r]*+"
_IN_STRING = r'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+'
_SCALAR = (
    rf'{_BLANK}(?:"{_IN_STRING}"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?'
    rf"|true|false|null|NaN|-?Infinity){_BLANK}"
)
_KEY = rf'{_BLANK}"{_IN_STRING}"{_BLANK}:'


def _run(key: str) -> re.Pattern[str]:
    """Scalars with their keys and commas, then (3) one that is the last, or (2) a key before a bracket."""
    last = rf"({key}){_BLANK}(?=[{{\[])|({key}){_SCALAR}(?=[\]}}])"
    return re.compile(rf"(?:({key}){_SCALAR},)*+(?:{last})?{_BLANK}")


# Where a state goes on with itself, or members and items follow each other as they mostly do: a fast way
# through the table below. Where a chunk ends within, the table goes on.
_SPACE = re.compile(_BLANK)
_RUNS: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(("first key", "key"), _run(_KEY)),
    **dict.fromkeys(("first item", "item"), _run("")),
    **dict.fromkeys(("colon", "value", "more"), _SPACE),
    **dict.fromkeys(("in key", "in string"), re.compile(_IN_STRING)),
    **dict.fromkeys(("integer", "fraction", "power"), re.compile("[0-9]*+")),
}


# By the group that matched last.
_AFTER_RUN: Mapping[str, Mapping[int, str]] = {
    **dict.fromkeys(("first key", "key"), {1: "key", 2: "value", 3: "more"}),
    **dict.fromkeys(("first item", "item"), {1: "item", 2: "item", 3: "more"}),
}


def _chars(chars: str, state: str) -> dict[str, str]:
    return dict.fromkeys(chars, state)


def _string(state: str, after: str) -> dict[str, dict[str, str]]:
    escape = f"{state}, escape "
    return {
        state: {'"': after, "\\": escape},
        escape: {**_chars('"\\/bfnrt', state), "u": f"{escape}u"},
        f"{escape}u": _chars(_HEX, f"{escape}ux"),
        f"{escape}ux": _chars(_HEX, f"{escape}uxx"),
        f"{escape}uxx": _chars(_HEX, f"{escape}uxxx"),
        f"{escape}uxxx": _chars(_HEX, state),
    }


def _word(word: str) -> dict[str, dict[str, str]]:
    """States that are named by what is still to come of the word."""
    return {word[at:]: {word[at]: word[at + 1 :] or "more"} for at in range(1, len(word))}


# `NaN` and the infinities are none of the RFC's, but Python and others print them. They are read here, so
# that whoever refuses such a value refuses all of it, and not all but the objects within.
_WORDS = ("true", "false", "null", "NaN", "Infinity")
_DIGITS, _HEX = "0123456789", "0123456789abcdefABCDEF"
_VALUE = {
    '"': "in string",
    "{": "first key",
    "[": "first item",
    "-": "minus",
    "0": "zero",
    **_chars("123456789", "integer"),
    **{word[0]: word[1:] for word in _WORDS},
}
_MORE = {",": _COMMA, _OBJECT: _POP, _ARRAY: _POP}
_AFTER_DIGIT = {**_MORE, **_chars(" \t\n\r", "more")}
_AFTER_INTEGER = {".": "point", **_chars("eE", "exponent"), **_AFTER_DIGIT}
_NEXT: Mapping[str, Mapping[str, str]] = {
    "start": {"{": "first key", "[": "first item"},
    "first key": {'"': "in key", _OBJECT: _POP},
    "key": {'"': "in key"},
    **_string("in key", after="colon"),
    "colon": {":": "value"},
    "value": _VALUE,
    "first item": {**_VALUE, _ARRAY: _POP},
    "item": _VALUE,
    **_string("in string", after="more"),
    "minus": {"0": "zero", **_chars("123456789", "integer"), "I": "nfinity"},
    "zero": _AFTER_INTEGER,
    "integer": _AFTER_INTEGER,
    "point": _chars(_DIGITS, "fraction"),
    "fraction": {**_chars("eE", "exponent"), **_AFTER_DIGIT},
    "exponent": {**_chars("+-", "sign"), **_chars(_DIGITS, "power")},
    "sign": _chars(_DIGITS, "power"),
    "power": _AFTER_DIGIT,
    **{state: chars for word in _WORDS for state, chars in _word(word).items()},
    "more": _MORE,
}


class JsonScanner:
    """Reads one object or array, in as many parts as it comes in, in linear time.

    It keeps a character for each level and the name of a state. It makes no data: that is for the
    parser, once the value is whole.
    """

    def __init__(self) -> None:
        self._state = "start"
        self._stack: list[str] = []

    def feed(self, text: str, start: int = 0) -> tuple[Scan, int]:
        """What is known now, and the position in ``text`` behind the last character that was accepted."""
        position, state, stack = start, self._state, self._stack
        while True:
            if (run := _RUNS.get(state)) and (match := run.match(text, position)):
                position = match.end()
                if match.lastindex:
                    state = _AFTER_RUN[state][match.lastindex]
            if position == len(text):
                self._state = state
                return Scan.OPEN, position
            char = text[position]
            following = _NEXT[state].get(char)
            if following is None or (following == _POP and stack[-1] != char):
                return Scan.REFUSED, position
            if following == _POP:
                stack.pop()
                if not stack:
                    return Scan.ENDED, position + 1
                following = "more"
            elif following == _COMMA:
                following = "key" if stack[-1] == _OBJECT else "item"
            elif char in "{[" and following in ("first key", "first item"):
                if len(stack) == DEEPEST:
                    return Scan.TOO_DEEP, position
                stack.append(_OBJECT if char == "{" else _ARRAY)
            state = following
            position += 1


def parse(text: str, start: int = 0) -> tuple[Any, int]:
    """The object or array at ``start``, and the position behind it.

    Raises :class:`ValueError` where there is none that is whole, or one that Python cannot hold or others
    cannot encode: NaN, infinities, numbers beyond the range of floats or of thousands of digits, more than
    ``DEEPEST`` levels. The time of an error is in proportion to its position.
    """
    try:
        if len(text) - start < _SHORT or text.find("\n", start, start + _SHORT) >= 0:
            data, end = _CHECKING.raw_decode(text, start)
        else:
            data, end = _FAST.raw_decode(text, start)
            if _INFINITY in marshal.dumps(data, 2):  # or something that looks alike
                data, end = _CHECKING.raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if end - start > 2 * DEEPEST and _brackets(text, start, end) > DEEPEST and _is_too_deep(data):
        raise ValueError("too deep")
    return data, end


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


# A function of ours for each float is cheaper than to search the data, where there are few.
_SHORT = 300
_CHECKING = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_FAST = json.JSONDecoder(parse_constant=_refuse)
_INFINITY = struct.pack("<d", math.inf)


def _brackets(text: str, start: int, end: int) -> int:
    return text.count("[", start, end) + text.count("{", start, end)


def _is_too_deep(data: Any) -> bool:
    level = [data]
    for _ in range(DEEPEST):
        within = chain.from_iterable(value.values() if type(value) is dict else value for value in level)
        level = [value for value in within if type(value) is dict or type(value) is list]
    return bool(level)
