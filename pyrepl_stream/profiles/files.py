"""Profiles as data in TOML: those built in, beside this file, and the user's, in their config directory.

One of the user's of the same name replaces the whole of ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from importlib.resources import files
from typing import Any

from ..config import parse, read_user_file, shown, user_file, way_out
from ..errors import UsageError
from ..process.activity import KINDS
from ..processors import PROCESSORS
from .profile import Profile

__all__ = ("find_profile", "load_profiles")

_FILE = "profiles.toml"
_LONGEST_TIME = 1e9  # seconds; waits overflow with more


def find_profile(name: str) -> Profile:
    """The profile of that name. Raises :class:`UsageError`."""
    profiles = load_profiles()
    if name not in profiles:
        hint = way_out(name, profiles)
        raise UsageError(f"there is no profile {name!r}{hint}; yours go into {user_file(_FILE)}")
    return profiles[name]


def load_profiles() -> dict[str, Profile]:
    """All profiles, read anew: those built in, and the user's. Raises :class:`UsageError`."""
    ours = files(__package__).joinpath(_FILE)
    path = user_file(_FILE)
    return {
        **_profiles(parse(ours.read_text("utf-8"), str(ours)), str(ours)),
        **_profiles(read_user_file(path), str(path)),
    }


def _profiles(tables: Mapping[str, Any], file: str) -> dict[str, Profile]:
    profiles = {}
    for name, table in tables.items():
        try:
            profiles[name] = _profile(name, table)
        except _Mistake as exc:
            raise UsageError(f"{file}: profile {name!r}: {exc}") from None
    return profiles


class _Mistake(Exception):
    """What is wrong with a profile; file and name are put before it."""


def _profile(name: str, table: Any) -> Profile:
    if not isinstance(table, dict):
        raise _Mistake(f"it is {shown(table)}, but must be a table: begin a profile with [name]")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise _Mistake("a name has only letters, digits, '-' and '_'")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise _Mistake(f"there is no key {key!r}{way_out(key, _KEYS)}")
        try:
            values[key] = _KEYS[key](value)
        except _Mistake as exc:
            raise _Mistake(f"`{key}` {exc}") from None
    if "command" not in values:
        raise _Mistake('`command` is missing: give the words before the flags, such as command = ["tool"]')
    profile = Profile(name, **values)
    if profile.stderr == "pty" and not profile.pty:
        raise _Mistake('`stderr` is "pty", which needs pty = true')
    if "files" in profile.activity and not profile.watch:
        raise _Mistake('`activity` has "files", which needs `watch` to say which')
    return profile


def _text(value: Any, example: str) -> str:
    if not isinstance(value, str):
        raise _Mistake(f"has {shown(value)}, where there must be text, such as {example}")
    if "\0" in value:
        raise _Mistake(f"has a NUL character, which cannot be passed ({shown(value)}): remove it")
    return value


def _words(value: Any, example: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise _Mistake(f"is {shown(value)}, but must be a list of words, such as {example}")
    return tuple(_text(word, example) for word in value)


def _command(value: Any) -> tuple[str, ...]:
    words = _words(value, '["tool", "run"]')
    if not words[0].strip():
        raise _Mistake('begins with an empty word, but must begin with a program, such as ["tool", "run"]')
    return words


def _flags(value: Any) -> tuple[tuple[str, ...], ...]:
    example = '[["--format", "json"], ["--verbose"]]'
    if not isinstance(value, list) or not all(isinstance(group, list) for group in value):
        raise _Mistake(f"is {shown(value)}, but must be a list of flags with their values: {example}")
    groups = tuple(_words(group, '["--verbose"]') for group in value)
    for first, *_ in groups:
        if not first.startswith("-"):
            raise _Mistake(f"has a list that begins with {shown(first)}, which is no flag: {example}")
    return groups


def _options(value: Any) -> dict[str, tuple[str, ...]]:
    example = 'model = ["--model", "{value}"]'
    if not isinstance(value, dict):
        raise _Mistake(f"is {shown(value)}, but must be a table, such as {{ {example} }}")
    options: dict[str, tuple[str, ...]] = {}
    for name, words in value.items():
        try:
            options[name] = _words(words, '["--model", "{value}"]')
        except _Mistake as exc:
            raise _Mistake(f"at {name!r} {exc}") from None
        if not any("{value}" in word for word in options[name]):
            raise _Mistake(f"at {name!r} has no {{value}}, so what is given would be lost: write {example}")
    return options


def _processors(value: Any) -> tuple[str, ...]:
    return _names(value, PROCESSORS) if value != [] else ()


def _activity(value: Any) -> tuple[str, ...]:
    return _names(value, KINDS)


def _names(value: Any, known: Collection[str]) -> tuple[str, ...]:
    names = _words(value, f'["{next(iter(known))}"]')
    for name in names:
        if name not in known:
            raise _Mistake(f"has {name!r}{way_out(name, known)}")
    return names


def _watch(value: Any) -> tuple[str, ...]:
    paths = _words(value, '["~/.tool/tasks/<new>"]') if value != [] else ()
    for path in paths:
        if not path.strip():
            raise _Mistake("has an empty path: remove it")
        if "<new>" in path and (path.count("<new>") > 1 or not path.endswith("/<new>")):
            raise _Mistake(f"has {path!r}, but <new> may only be the last component: ~/.tool/tasks/<new>")
    return paths


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Mistake(f"is {shown(value)}, but must be a number of seconds, such as 600")
    if not 0 < value <= _LONGEST_TIME:
        raise _Mistake(f"is {shown(value)}, but must be above 0, at most 1e9: leave it out for no limit")
    return float(value)


def _interval(value: Any) -> float:
    try:
        return _seconds(value)
    except _Mistake as exc:
        raise _Mistake(str(exc).replace("for no limit", "for 1 second")) from None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Mistake(f"is {shown(value)}, but must be true or false")
    return value


def _env(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _Mistake(f'is {shown(value)}, but must be a table, such as {{ NO_COLOR = "1" }}')
    for name, text in value.items():
        if not name or "=" in name or "\0" in name:
            raise _Mistake(f"has {name!r}, which cannot be the name of a variable")
        try:
            _text(text, f'{name} = "1"')
        except _Mistake as exc:
            raise _Mistake(f"at {name!r} {exc}") from None
    return value


def _one_of(*choices: str) -> Callable[[Any], str]:
    def choose(value: Any) -> str:
        if value not in choices:
            raise _Mistake(f"is {shown(value)}, but must be one of {', '.join(map(repr, choices))}")
        return str(value)

    return choose


_KEYS: Mapping[str, Callable[[Any], Any]] = {
    "command": _command,
    "flags": _flags,
    "prompt": _one_of("stdin", "argument", "none"),
    "options": _options,
    "processors": _processors,
    "watch": _watch,
    "activity": _activity,
    "timeout": _seconds,
    "idle_timeout": _seconds,
    "watch_interval": _interval,
    "pty": _flag,
    "stderr": _one_of("merge", "pty", "pipe"),
    "env": _env,
}
