"""Reads profiles from TOML files: the built-in profiles next to this module, and the user's profiles.

A user's profile replaces the whole built-in profile of the same name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from ..config.files import errors_at, parse, read_user_file, user_file
from ..processors import PROCESSORS
from ..runtime.errors import UsageError
from ..runtime.process.command import STDERR
from ..runtime.process.idle import KINDS
from ..runtime.validation import short_repr, suggest
from .profile import Profile

__all__ = ("find_profile", "load_profiles")

_FILE = "profiles.toml"
_MAX_SECONDS = 1e9  # longer waits overflow


def find_profile(name: str) -> Profile:
    """Return the profile with this name.

    Raises:
        UsageError: There is no such profile, or the user's file is invalid.
    """
    profiles = load_profiles()
    if name not in profiles:
        raise UsageError(
            f"there is no profile {name!r}; {suggest(name, profiles)} (add your own to {user_file(_FILE)})"
        )
    return profiles[name]


def load_profiles() -> dict[str, Profile]:
    """Read the built-in profiles and the user's profiles; return them by name.

    Raises:
        UsageError: The user's file is invalid.
    """
    built_in = files(__package__).joinpath(_FILE)
    path = user_file(_FILE)
    return {
        **_profiles(parse(built_in.read_text("utf-8"), str(built_in)), str(built_in)),
        **_profiles(read_user_file(path), str(path)),
    }


def _profiles(tables: Mapping[str, Any], file: str) -> dict[str, Profile]:
    profiles = {}
    for name, table in tables.items():
        with errors_at(f"{file}: profile {name!r}:"):
            profiles[name] = _profile(name, table)
    return profiles


def _require(fits: bool, problem: str) -> None:
    if not fits:
        raise UsageError(problem)


def _profile(name: str, table: Any) -> Profile:
    _require(
        isinstance(table, dict), f"must be a table, not {short_repr(table)}: begin a profile with [name]"
    )
    _require(
        re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None,
        "the name may only contain letters, digits, '-' and '_'",
    )
    values: dict[str, Any] = {}
    for key, value in table.items():
        _require(key in _KEYS, f"unknown key {key!r}; {suggest(key, _KEYS)}")
        with errors_at(f"`{key}`"):
            values[key] = _KEYS[key](value)
    example = 'such as command = ["tool"]'
    _require("command" in values, f"`command` is missing: give the words before the flags, {example}")
    profile = Profile(name, **values)
    _require(profile.pty or profile.stderr != "pty", '`stderr` "pty" needs pty = true')
    watches = bool(profile.watch) or "files" not in profile.activity
    _require(watches, '`activity` "files" needs the paths to watch in `watch`')
    return profile


def _text(value: Any, example: str) -> str:
    shown = short_repr(value)
    _require(isinstance(value, str), f"contains {shown}, but must contain text, such as {example}")
    _require("\0" not in value, f"contains a NUL character ({shown}), which cannot be passed: remove it")
    return str(value)


def _words(value: Any, example: str) -> tuple[str, ...]:
    fits = isinstance(value, list) and len(value) > 0
    _require(fits, f"must be a list of words, such as {example}, not {short_repr(value)}")
    return tuple(_text(word, example) for word in value)


def _table(value: Any, example: str) -> dict[str, Any]:
    _require(isinstance(value, dict), f"must be a table, such as {{ {example} }}, not {short_repr(value)}")
    return dict(value)


def _command(value: Any) -> tuple[str, ...]:
    words = _words(value, '["tool", "run"]')
    begins = bool(words[0].strip())
    _require(begins, 'begins with an empty word: begin with a program, such as ["tool", "run"]')
    return words


def _flags(value: Any) -> tuple[tuple[str, ...], ...]:
    example = '[["--format", "json"], ["--verbose"]]'
    fits = isinstance(value, list) and all(isinstance(group, list) for group in value)
    wanted = f"must be a list of flags with their values, such as {example}"
    _require(fits, f"{wanted}, not {short_repr(value)}")
    groups = tuple(_words(group, '["--verbose"]') for group in value)
    for first, *_ in groups:
        is_flag = first.startswith("-")
        _require(is_flag, f"contains {short_repr(first)}, which is not a flag: write {example}")
    return groups


def _options(value: Any) -> dict[str, tuple[str, ...]]:
    example = 'model = ["--model", "{value}"]'
    options: dict[str, tuple[str, ...]] = {}
    for name, words in _table(value, example).items():
        with errors_at(f"at {name!r}"):
            options[name] = _words(words, '["--model", "{value}"]')
            takes_value = any("{value}" in word for word in options[name])
            _require(takes_value, f"lacks {{value}}, the place of the option's value: write {example}")
    return options


def _names(value: Any, known: Collection[str], *, may_be_empty: bool = False) -> tuple[str, ...]:
    if may_be_empty and value == []:
        return ()
    names = _words(value, f'["{next(iter(known))}"]')
    for name in names:
        _require(name in known, f"contains {name!r}; {suggest(name, known)}")
    return names


def _watch(value: Any) -> tuple[str, ...]:
    paths = _words(value, '["~/.tool/tasks/<new>"]') if value != [] else ()
    rule = "<new> may only be the last component, as in ~/.tool/tasks/<new>"
    for path in paths:
        _require(bool(path.strip()), "contains an empty path: remove it")
        _require("<new>" not in path.removesuffix("/<new>"), f"contains {path!r}, but {rule}")
    return paths


def _seconds(value: Any, default: str = "no limit") -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    shown = short_repr(value)
    _require(is_number, f"must be a number of seconds, such as 600, not {shown}")
    rule = f"must be more than 0 and at most 1e9 seconds, not {shown}"
    _require(0 < value <= _MAX_SECONDS, f"{rule}: leave it out for {default}")
    return float(value)


def _flag(value: Any) -> bool:
    _require(isinstance(value, bool), f"must be true or false, not {short_repr(value)}")
    return bool(value)


def _env(value: Any) -> dict[str, str]:
    variables = _table(value, 'NO_COLOR = "1"')
    for name, text in variables.items():
        is_name = name != "" and "=" not in name and "\0" not in name
        _require(is_name, f"contains {name!r}, which is not a valid name of a variable")
        with errors_at(f"at {name!r}"):
            _text(text, f'{name} = "1"')
    return variables


def _choice(value: Any, choices: Collection[str]) -> str:
    _require(value in choices, f"must be one of {', '.join(map(repr, choices))}, not {short_repr(value)}")
    return str(value)


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "command": _command,
    "flags": _flags,
    "prompt": partial(_choice, choices=("stdin", "argument", "none")),
    "options": _options,
    "processors": partial(_names, known=PROCESSORS, may_be_empty=True),
    "watch": _watch,
    "activity": partial(_names, known=KINDS),
    "timeout": _seconds,
    "idle_timeout": _seconds,
    "watch_interval": partial(_seconds, default="1 second"),
    "pty": _flag,
    "stderr": partial(_choice, choices=STDERR),
    "env": _env,
}
