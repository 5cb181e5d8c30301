"""What a user wants done to output, wherever it is shown: in ``config.toml``, and by options."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from .chain import AnyProcessor, with_format
from .config import read_user_file, shown, user_file, way_out
from .errors import UsageError
from .processors import FORMATS, SCHEMES, Colour, ColourPolicy, LineFilter, Prefix, Progress
from .processors.colour_policy import CHOICES
from .processors.progress import LIBRARIES

__all__ = ("Settings", "load_settings")

_FILE = "config.toml"
_CHOICES: Mapping[str, Any] = {"format": FORMATS, "color": CHOICES, "color_scheme": SCHEMES}


@dataclass(frozen=True)
class Settings:
    """How output is shown. What is not said here is as the processors have it.

    Raises :class:`UsageError`, which names the setting, the value and the way out.
    """

    format: str = "text"
    filter: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prefix: str = ""
    color: str = "auto"
    color_scheme: str = "default"
    progress: bool = False
    progress_libraries: tuple[str, ...] = ()
    progress_every_percent: float = 0.0
    progress_every_seconds: float = 0.1
    progress_keep_raw: bool = False
    max_line_bytes: int = 1 << 16
    time_limit: float = 0.1

    def __post_init__(self) -> None:
        for field in fields(self):
            _check(field.name, getattr(self, field.name), field.default)
        self.processors(ColourPolicy.page())  # has the checks of all the rest

    def processors(self, policy: ColourPolicy) -> tuple[AnyProcessor, ...]:
        """What does all this, in the order in which it has to be done."""
        processors: list[AnyProcessor] = []
        if self.progress:
            processors.append(
                Progress(
                    libraries=self.progress_libraries or None,
                    every_percent=self.progress_every_percent or None,
                    every_seconds=self.progress_every_seconds,
                    keep_raw=self.progress_keep_raw,
                )
            )
        if self.filter or self.exclude:
            processors.append(
                LineFilter(
                    self.filter,
                    self.exclude,
                    time_limit=self.time_limit,
                    max_line_bytes=self.max_line_bytes,
                )
            )
        processors.append(Colour(policy, self.color_scheme, colour_streams=bool(self.prefix)))
        if self.prefix:
            processors.append(Prefix(self.prefix, max_line_bytes=self.max_line_bytes))
        return with_format(self.format, processors)


def load_settings() -> Settings:
    """The settings in the user's ``config.toml``, read anew. Raises :class:`UsageError`."""
    path = user_file(_FILE)
    try:
        return settings_of(read_user_file(path))
    except UsageError as exc:
        where = str(exc)
        raise UsageError(where if where.startswith(str(path)) else f"{path}: {where}") from None


def settings_of(table: Mapping[str, Any]) -> Settings:
    """Raises :class:`UsageError`."""
    names = [field.name for field in fields(Settings)]
    for name in table:
        if name not in names:
            raise UsageError(f"there is no setting {name!r}{way_out(name, names)}")
    lists = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
    return Settings(**{**table, **lists})


def _check(name: str, value: Any, default: Any) -> None:
    """Whether ``value`` is of the kind of ``default``, and one of the choices."""
    if isinstance(default, bool):
        right, kind = isinstance(value, bool), "true or false"
    elif isinstance(default, float):
        right = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
        kind = "a number, 0 or more"
    elif isinstance(default, int):
        right, kind = isinstance(value, int) and not isinstance(value, bool), "a whole number"
    elif isinstance(default, tuple):
        right = isinstance(value, tuple) and all(isinstance(word, str) for word in value)
        kind = 'a list of texts, such as ["errors"]'
    else:
        right, kind = isinstance(value, str), "text"
    if not right:
        raise UsageError(f"`{name}` is {shown(value)}, but must be {kind}")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise UsageError(f"`{name}` is {value!r}{way_out(value, _CHOICES[name])}")
    if name == "progress_libraries":
        for library in value:
            if library not in LIBRARIES:
                raise UsageError(f"`{name}` has {library!r}{way_out(library, LIBRARIES)}")
