"""Checks of arguments that several modules share, and the suggestions in their error messages."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Optional

from .errors import CursorError, UsageError

_IDENTIFIER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_MOST_NAMES = 30
_LONGEST_REPR = 60  # characters


def suggest(word: str, known: Iterable[str], *, cutoff: float = 0.6, most: int = _MOST_NAMES) -> str:
    """Return a suggestion for an unknown name, to be placed after ``; `` in an error message.

    Args:
        word: The name that is not known.
        known: The names that are known.
        cutoff: How similar a name must be to be suggested, from 0 to 1.
        most: The maximum number of names in a list.

    Returns:
        ``did you mean 'name'?``, or the list of known names if no known name is similar.
    """
    names = sorted(set(known))
    nearest = get_close_matches(word, names, 1, cutoff)
    if nearest:
        return f"did you mean {nearest[0]!r}?"
    return f"known: {listed(names, most)}" if names else "none are known"


def listed(names: Sequence[str], most: int) -> str:
    """Return the first ``most`` names as a list for an error message, with the number of the others."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def short_repr(value: object) -> str:
    """Return ``repr(value)``, cut to 60 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST_REPR else f"{text[: _LONGEST_REPR - 3]}..."


def check_at_least_one(**options: int) -> None:
    """Check that each option, passed by its name, is at least 1.

    Raises:
        UsageError: An option is less than 1.
    """
    for name, value in options.items():
        if value < 1:
            raise UsageError(f"{name} is {value}, but must be at least 1")


def check_choice(kind: str, value: Any, known: Iterable[str]) -> str:
    """Return ``value``, the name of a ``kind`` of thing, if it is one of the ``known`` names.

    Raises:
        UsageError: It is not. The message suggests the most similar known name.
    """
    if value in known:
        return str(value)
    raise UsageError(f"there is no {kind} {value!r}; {suggest(str(value), known)}")


def check_seconds(name: str, value: object, *, optional: bool = False) -> Optional[float]:
    """Return ``value`` as a positive, finite number of seconds.

    Args:
        name: The argument's name, for the error message.
        value: The value given.
        optional: Whether None is allowed; it is then returned as it is.

    Raises:
        UsageError: ``value`` is anything else.
    """
    if optional and value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= sys.float_info.max:
        return float(value)
    raise UsageError(f"{name} must be a positive number of seconds, not {short_repr(value)}")


def is_identifier(text: str) -> bool:
    """Return True if ``text`` may be the id of an execution or the name of a session."""
    return _IDENTIFIER.fullmatch(text) is not None


def check_identifier(kind: str, value: object) -> str:
    """Return ``value``, the id of an execution or the name of a session.

    It consists of 1 to 64 of the characters ``A-Z a-z 0-9 _ . -``, and begins with neither ``.`` nor ``-``.

    Args:
        kind: What kind of identifier it is, such as ``execution id``.
        value: The value given.

    Raises:
        UsageError: ``value`` is anything else.
    """
    if not isinstance(value, str) or not is_identifier(value):
        raise UsageError(
            f"{short_repr(value)} is not a valid {kind}: use 1 to 64 letters, digits, `_`, `.` or `-`, "
            "beginning with a letter, a digit or `_`"
        )
    return value


def check_path(name: str, value: object) -> str:
    """Return the path ``value`` as text. It need not exist.

    Raises:
        UsageError: ``value`` is not text or a path object, or contains a NUL character.
    """
    path = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(path, str) or "\0" in path:
        raise UsageError(f"{name} must be a path without NUL characters, not {short_repr(value)}")
    return path


def check_environment(env: Any) -> None:
    """Check changes to an environment: a mapping of names to text, or to None to remove the variable.

    Raises:
        UsageError: ``env`` is anything else.
    """
    if not isinstance(env, Mapping):
        raise UsageError(f"env must be a mapping of names to values, not {short_repr(env)}")
    for name, value in env.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise UsageError(f"{short_repr(name)} is not a valid name of an environment variable")
        if value is not None and (not isinstance(value, str) or "\0" in value):
            raise UsageError(
                f"the environment variable {name} must be text without NUL characters, or None, "
                f"not {short_repr(value)}"
            )
        encode_text(f"the environment variable {name!r}", f"{name}={value}")


def encode_text(what: str, text: str) -> bytes:
    """Return ``text`` as bytes for a program: UTF-8, with surrogate escapes as the bytes they stand for.

    Raises:
        UsageError: ``text`` contains a lone surrogate, which cannot be encoded. ``what`` names the text.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise UsageError(
            f"{what} contains {text[exc.start]!r}, a lone surrogate, which cannot be encoded"
        ) from None


def check_after(after: object, last: Optional[int] = None) -> int:
    """Return ``after``, the sequence number after which a reader starts to read.

    Args:
        after: The value given.
        last: The sequence number of the last message, if it is known.

    Raises:
        CursorError: ``after`` is not a whole number from 0 to ``last``.
    """
    if isinstance(after, bool) or not isinstance(after, int) or after < 0:
        raise CursorError(f"after must be a sequence number (0 or more), not {short_repr(after)}")
    if last is not None and after > last:
        raise CursorError(f"after is {after}, but the last message is {last}")
    return after
