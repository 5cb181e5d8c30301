"""Decoding of text that may be a JSON value, the start of one, or not JSON at all."""

from __future__ import annotations

import json
import math
import re
from enum import Enum
from itertools import chain
from typing import Any

DEEPEST = 200
"""Maximum levels of nesting. Encoding or copying data near Python's recursion limit would fail."""


def decode(text: str, start: int = 0) -> tuple[Any, int]:
    """Decode the object or array at ``start``.

    Returns:
        The data, and the position after the value.

    Raises:
        json.JSONDecodeError: The text is not JSON, or ends before the value does. Raising this takes time
            proportional to the position of the error in ``text``.
        ValueError: Python cannot hold the value, or it could not be encoded again: NaN, infinities, numbers
            beyond the range of floats or with thousands of digits, more than ``DEEPEST`` levels.
    """
    try:
        data, end = _DECODER.raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if end - start > 2 * DEEPEST and count_brackets(text, start, end) > DEEPEST and _is_too_deep(data):
        raise ValueError("too deep")
    return data, end


def error_position(text: str) -> int | None:
    """Return the position at which ``text`` stops being JSON; None if it is a value or the start of one."""
    try:
        _TOLERANT.raw_decode(text)
    except json.JSONDecodeError as error:
        return None if is_cut(error) else error.pos
    except RecursionError:
        pass
    return None


def count_brackets(text: str, start: int, end: int) -> int:
    """Return the number of opening brackets, which is at least the number of levels."""
    return text.count("[", start, end) + text.count("{", start, end)


def is_cut(error: json.JSONDecodeError) -> bool:
    """Return True if the error is at the end of the text, which may continue as JSON."""
    if error.msg.startswith("Unterminated"):
        return True
    if error.msg.startswith("Invalid control"):
        return False
    pattern = _CUT_ESCAPE if error.msg.startswith("Invalid \\u") else _CUT
    return pattern.match(error.doc, error.pos) is not None


# `json` reports an error in a word at the word's beginning, and an error in a number at the number's end.
_CUT = re.compile(
    r"(?:[ \t\r\n]*|-?(?:I(?:n(?:f(?:i(?:n(?:i(?:t(?:y)?)?)?)?)?)?)?)?|N(?:aN?)?|t(?:r(?:ue?)?)?"
    r"|f(?:a(?:l(?:se?)?)?)?|n(?:u(?:ll?)?)?|\.|[eE][+-]?)\Z"
)
_CUT_ESCAPE = re.compile(r"\\?u?[0-9a-fA-F]{0,4}\Z")


class Stop(Enum):
    """Where :class:`Brackets` stopped reading."""

    OPEN = "open"  # at the end of the text; the value may continue
    CLOSED = "closed"  # after the bracket that closes the value
    WRONG = "wrong"  # at a character that cannot be part of JSON
    TOO_DEEP = "too deep"  # at a bracket that would open level 201


class Brackets:
    """Finds the end of one value by its brackets, in linear time. The text may arrive in several parts.

    This decides when to decode: decoding an object of 500 KB again after each small part would take quadratic
    time, and waiting for more text would report the object late. The text accepted here need not be JSON.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._begun = ""  # a quote if the last part ended within a string, and the part's final backslash

    def read(self, text: str) -> tuple[Stop, int]:
        """Read the next part; return the state, and the position after the last accepted character.

        This takes up to 100 bytes of memory per character: `re` keeps them for each repetition of a group.
        """
        before = len(self._begun)
        text, self._begun = self._begun + text, ""
        position = 0
        while (position := end_of(_BETWEEN, text, position)) < len(text):
            char = text[position]
            if char == '"':  # it begins a string that does not end in this text
                begun = end_of(_STRING, text, position)
                escaped = text.startswith("\\", begun)
                if begun + escaped < len(text):
                    return Stop.WRONG, begun + escaped - before
                self._begun = '"' + "\\" * escaped
                break
            if char in "{[":
                if self._depth == DEEPEST:
                    return Stop.TOO_DEEP, position - before
                self._depth += 1
            elif char in "]}":
                self._depth -= 1
                if self._depth == 0:
                    return Stop.CLOSED, position + 1 - before
            else:
                return Stop.WRONG, position - before
            position += 1
        return Stop.OPEN, len(text) - before


_BEGUN = r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*'
_SCALARS = r"[-+.0-9eE:, \t\r\ntrufalsnNIiy]*"
_BETWEEN = re.compile(rf'{_SCALARS}(?:{_BEGUN}"{_SCALARS})*', re.DOTALL)
_STRING = re.compile(_BEGUN, re.DOTALL)


def end_of(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Return the end of the match at ``start``. The pattern must match there, at least the empty string."""
    match = pattern.match(text, start)
    assert match is not None
    return match.end()


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
_TOLERANT = json.JSONDecoder(parse_int=str, parse_float=str)  # reports only errors of grammar


def _is_too_deep(data: Any) -> bool:
    level = [data]
    for _ in range(DEEPEST):
        within = chain.from_iterable(value.values() if type(value) is dict else value for value in level)
        level = [value for value in within if type(value) in (dict, list)]
    return bool(level)
