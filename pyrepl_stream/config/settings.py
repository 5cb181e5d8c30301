"""The user's settings for output, from ``config.toml`` and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

from ..pipeline import AnyProcessor
from ..processors import FORMATS, SCHEMES, Colour, ColourPolicy, LineFilter, Prefix, Progress
from ..processors.formats import with_format
from ..processors.output_options import CHOICES
from ..processors.progress import LIBRARIES
from ..runtime.errors import UsageError
from ..runtime.fields import readers_of
from ..runtime.validation import short_repr, suggest
from .files import CONFIG_FILE, errors_at, read_user_file, user_file

__all__ = ("Settings", "load_settings")

_CHOICES: Mapping[str, Any] = {"format": FORMATS, "color": CHOICES, "color_scheme": SCHEMES}


def _setting(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True)
class Settings:
    """How output is processed and shown. Options of processors that are not settings have their defaults.

    Raises:
        UsageError: A value is not valid; the message names the setting, the value and the remedy.
    """

    format: str = _setting("text", "read output as `text`, `json` or `yaml`: its documents become events")
    filter: tuple[str, ...] = _setting((), "show only lines that match: expressions, or names of filters")
    exclude: tuple[str, ...] = _setting((), "leave out lines that match")
    prefix: str = _setting("", "text before each line, such as `[{source}] `; empty for none")
    color: str = _setting("auto", "`auto` (as much as the view can show), `always`, `never`")
    color_scheme: str = _setting("default", "`default`, `dark` or `light`, for lines with a prefix")
    progress: bool = _setting(False, "show each progress bar that programs draw as one short line")
    progress_libraries: tuple[str, ...] = _setting(
        (), "look only for bars of these libraries, such as `tqdm`"
    )
    progress_every_percent: float = _setting(0.0, "report a bar when it has moved by this many percent")
    progress_every_seconds: float = _setting(0.1, "report a bar at most this often")
    progress_keep_raw: bool = _setting(False, "also show bars as they were drawn")
    max_line_bytes: int = _setting(1 << 16, "longer lines are not examined as a whole")
    time_limit: float = _setting(0.1, "seconds that one expression may take for one line")

    def __post_init__(self) -> None:
        for setting in fields(self):
            _check(setting, getattr(self, setting.name))
        if self.max_line_bytes < 1:
            raise UsageError(f"`max_line_bytes` is {self.max_line_bytes}, but must be at least 1")
        if not self.time_limit > 0:
            raise UsageError(f"`time_limit` is {self.time_limit}, but must be more than 0 seconds")
        self.processors(ColourPolicy.page())  # checks the other settings

    def with_options(
        self, *, filter: Iterable[str] = (), exclude: Iterable[str] = (), **options: str | bool | None
    ) -> Settings:
        """Return the settings for one run, whose options extend the filters and replace the other settings.

        An option that is empty, None or False leaves the setting unchanged, except an empty ``prefix``.
        """
        given = {name: value for name, value in options.items() if value or (name, value) == ("prefix", "")}
        filters, excluded = (*self.filter, *filter), (*self.exclude, *exclude)
        return replace(self, filter=filters, exclude=excluded, **given)  # type: ignore[arg-type]  # checked

    def processors(self, policy: ColourPolicy) -> tuple[AnyProcessor, ...]:
        """Return the processors for these settings, in order; empty if all settings have their defaults."""
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
                    self.filter, self.exclude, time_limit=self.time_limit, max_line_bytes=self.max_line_bytes
                )
            )
        processors.append(Colour(policy, self.color_scheme, colour_streams=bool(self.prefix)))
        if self.prefix:
            processors.append(Prefix(self.prefix, max_line_bytes=self.max_line_bytes))
        return with_format(self.format, processors)


def load_settings() -> Settings:
    """Read the settings in the user's ``config.toml``.

    Raises:
        UsageError: The file is not valid; the message names the file, the setting and the remedy.
    """
    path = user_file(CONFIG_FILE)
    table = read_user_file(path)
    with errors_at(f"{path}:"):
        return settings_of(table)


def settings_of(table: Mapping[str, Any]) -> Settings:
    """Return the settings in a TOML table. Raises :class:`UsageError` if one is not valid."""
    names = [setting.name for setting in fields(Settings)]
    for name in table:
        if name not in names:
            raise UsageError(f"there is no setting {name!r}; {suggest(name, names)}")
    lists = {name: tuple(value) for name, value in table.items() if isinstance(value, list)}
    return Settings(**{**table, **lists})


_KINDS = {
    "bool": "true or false",
    "float": "a number, 0 or more",
    "int": "a whole number",
    "str": "text",
    "tuple[str, ...]": 'a list of texts, such as ["errors"]',
}
"""A description of the valid values, for each type of setting."""


def _check(setting: Field[Any], value: Any) -> None:
    """Raise :class:`UsageError` unless ``value`` has the type of the setting and is one of the choices."""
    name = setting.name
    try:
        readers_of(Settings)[name](value)
        if setting.type == "float" and value < 0:
            raise ValueError("below 0")
    except (TypeError, ValueError):
        kind = _KINDS[str(setting.type)]
        raise UsageError(f"`{name}` is {short_repr(value)}, but must be {kind}") from None
    if name in _CHOICES and value not in _CHOICES[name]:
        raise UsageError(f"`{name}` cannot be {value!r}; {suggest(value, _CHOICES[name])}")
    if name == "progress_libraries":
        for library in value:
            if library not in LIBRARIES:
                raise UsageError(f"`{name}` cannot contain {library!r}; {suggest(library, LIBRARIES)}")
