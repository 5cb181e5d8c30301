"""What a user wants done to output, wherever it is shown: in ``config.toml``, and by options."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .chain import AnyProcessor, with_format
from .config import CONFIG_FILE, read_user_file, shown, user_file, way_out
from .errors import UsageError
from .output_options import CHOICES
from .processors import FORMATS, SCHEMES, Colour, ColourPolicy, LineFilter, Prefix, Progress
from .processors.progress import LIBRARIES

__all__ = ("Settings", "load_settings")

_CHOICES: Mapping[str, Any] = {"format": FORMATS, "color": CHOICES, "color_scheme": SCHEMES}


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Settings:
    """How output is shown. What is not said here is as the processors have it.

    Raises :class:`UsageError`, which names the setting, the value and the way out.
    """

    format: str = _setting("text", "read output as `text`, `json` or `yaml`: its documents become events")
    filter: tuple[str, ...] = _setting((), "show lines that match: expressions, or names of filters")
    exclude: tuple[str, ...] = _setting((), "leave out lines that match")
    prefix: str = _setting("", "before each line, such as `[{source}] `; empty for none")
    color: str = _setting("auto", "`auto` (what the view can show), `always`, `never`")
    color_scheme: str = _setting("default", "`default`, `dark` or `light`, where lines have a prefix")
    progress: bool = _setting(False, "show what programs draw of their progress as one line")
    progress_libraries: tuple[str, ...] = _setting((), "look only for bars of these, such as `tqdm`")
    progress_every_percent: float = _setting(0.0, "tell of a bar when it has moved by so much")
    progress_every_seconds: float = _setting(0.1, "tell of a bar at most that often")
    progress_keep_raw: bool = _setting(False, "also show bars as they were drawn")
    max_line_bytes: int = _setting(1 << 16, "longer lines are not held to be looked at as a whole")
    time_limit: float = _setting(0.1, "seconds that one expression may take for one line")

    def __post_init__(self) -> None:
        for setting in fields(self):
            _check(setting.name, getattr(self, setting.name), setting.default)
        if self.max_line_bytes < 1:
            raise UsageError(f"`max_line_bytes` is {self.max_line_bytes}, but must be at least 1")
        if not self.time_limit > 0:
            raise UsageError(f"`time_limit` is {self.time_limit}, but must be more than 0 seconds")
        if any(getattr(self, setting.name) != setting.default for setting in fields(self)):
            self.processors(ColourPolicy.page())  # has the checks of all the rest

    def with_options(
        self,
        *,
        filter: Iterable[str] = (),
        exclude: Iterable[str] = (),
        prefix: str | None = None,
        color: str | None = None,
        format: str | None = None,
        progress: bool = False,
    ) -> Settings:
        """What the options of one run change: they add to filters, and go before all else."""
        return replace(
            self,
            filter=(*self.filter, *filter),
            exclude=(*self.exclude, *exclude),
            prefix=self.prefix if prefix is None else prefix,
            color=color or self.color,
            format=format or self.format,
            progress=progress or self.progress,
        )

    def processors(self, policy: ColourPolicy) -> tuple[AnyProcessor, ...]:
        """What does all this, in the order in which it has to be done; nothing, where nothing is set."""
        if all(getattr(self, setting.name) == setting.default for setting in fields(self)):
            return ()
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
    path = user_file(CONFIG_FILE)
    try:
        return settings_of(read_user_file(path))
    except UsageError as exc:
        where = str(exc)
        raise UsageError(where if where.startswith(str(path)) else f"{path}: {where}") from None


def settings_of(table: Mapping[str, Any]) -> Settings:
    """Raises :class:`UsageError`."""
    names = [setting.name for setting in fields(Settings)]
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
